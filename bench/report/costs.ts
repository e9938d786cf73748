/**
 * lib/inspect/measured-costs.ts: what one value costs inline and separated, by its size. `wisc advise` tells by it what
 * another threshold would do to a store.
 */
import { type Cell, type Figures, sizesOf } from './figures.ts'

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
const BOTH_WAYS = ['wisc-inline', 'wisc-separated']
const COLUMNS_MAX = 100

/** @returns the file, or undefined where the run lacks one of the workloads, both ways and at two sizes */
export function costsFile({ runs, cells }: Figures): string | undefined {
  const run = runs.find(({ engines }) => BOTH_WAYS.every((name) => engines.includes(name)))
  const lists = OPERATIONS.map(([name, workload, values]) => {
    const points = sizesOf(cells).flatMap((size) => {
      const [inline, separated] = BOTH_WAYS.map((engine) =>
        microseconds(cells, engine, workload, size, values),
      )
      return inline && separated ? [`      [${size}, ${inline}, ${separated}],`] : []
    })
    return { name, points }
  })
  if (!run || lists.some(({ points }) => points.length < 2)) return undefined
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

function microseconds(
  cells: readonly Cell[],
  engine: string,
  workload: string,
  valueBytes: number,
  values: number,
): number | undefined {
  const cell = cells.find(
    (each) =>
      each.engine === engine && each.workload === workload && each.valueBytes === valueBytes,
  )
  return cell && Number((1e6 / (cell.rate * values)).toPrecision(3))
}

/** As the formatter lays it out. */
function property(name: string, text: string): string {
  const value = `'${text.replaceAll("'", '’')}',`
  const line = `  ${name}: ${value}`
  return line.length <= COLUMNS_MAX ? line : `  ${name}:\n    ${value}`
}
