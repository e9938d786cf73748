/**
 * lib/inspect/measured-costs.ts: what one value costs inline and separated, by its size. `wisc advise` tells by it what
 * another threshold would do to a store.
 */
import type { Figures } from './figures.ts'

/** Each operation of advice: its workload here, and how many values one operation of that has. */
const OPERATIONS: readonly (readonly [name: string, workload: string, values: number])[] = [
  ['put', 'fillrandom', 1],
  ['overwrite', 'overwrite', 1],
  ['get', 'readrandom-sync', 1],
  ['rangeEntry', 'ranges', 100],
  ['scanEntry', 'scan', 1],
]
/** Seen from the file. */
const TYPES = './costs.ts'
const COLUMNS_MAX = 100

/** @returns the file, or undefined where no run has one of the workloads both ways and at two sizes */
export function costsFile({ runs, crossovers }: Figures): string | undefined {
  const lists = OPERATIONS.map(([name, workload, values]) => {
    const found = crossovers.find((each) => each.workload === workload)
    const points = (found?.points ?? []).map(({ valueBytes, inline, separated }) => {
      const costs = [inline, separated].map((rate) => microseconds(rate * values))
      return `      [${[valueBytes, ...costs].join(', ')}],`
    })
    return { name, points, date: found?.date }
  })
  const run = runs.find(({ date }) => date === lists[0]?.date)
  if (!run || lists.some(({ points }) => points.length === 0)) return undefined
  const blocks = lists.map(({ name, points }) => `    ${name}: [\n${points.join('\n')}\n    ],`)
  return `/** What one value costs by its size, measured: \`npm run bench -- publish RESULTS.json\` writes this file. */
import type { MeasuredCosts } from '${TYPES}'

export const MEASURED_COSTS: MeasuredCosts = {
${property('date', run.date.slice(0, 10))}
${property('machine', run.machine)}
  points: {
${blocks.join('\n')}
  },
}
`
}

function microseconds(perSecond: number): number {
  return Number((1e6 / perSecond).toPrecision(3))
}

/** As the formatter lays it out. */
function property(name: string, text: string): string {
  const value = `'${text.replaceAll("'", '’')}',`
  const line = `  ${name}: ${value}`
  return line.length <= COLUMNS_MAX ? line : `  ${name}:\n    ${value}`
}
