/** The pictures of the page, part by part. */
import { formatBytes } from '../harness/byte-sizes.ts'
import { COLD_READS, LOADS, PACED, READS, SYNCED } from '../harness/workload-names.ts'
import { overwritesPerSecond, type SteadyRun } from '../steady/results.ts'
import { type SteadySummary, summarize } from '../steady/summary.ts'
import { type Bar, type Charts, type Curve, type LinePoint, PERCENTILES } from './charts.ts'
import { type Crossover, crossoverRange, sizeOrNever } from './crossover.ts'
import { type Cell, sizesOf } from './figures.ts'
import { escaped, figure, pictures, table } from './html.ts'
import type { Report } from './results.ts'

/** Workloads that are read together, in this order. */
const KINDS: readonly (readonly [title: string, is: (workload: string) => boolean])[] = [
  ['Writes', (name) => WRITES.includes(name)],
  ['Reads from the page cache', (name) => READS.includes(name) && !name.startsWith('ycsb')],
  ['Reads from the disk', (name) => COLD_READS.some((cold) => cold === name)],
  ['YCSB', (name) => name.startsWith('ycsb')],
  ['Others', () => true],
]
const WRITES: readonly string[] = [...LOADS, 'fillbatch', ...Object.keys(SYNCED), 'fillsync-main']

/** Pictures of rates by kind of workload, those of wisc's other shapes apart. */
export function throughput(cells: readonly Cell[], charts: Charts): string {
  const left = new Set(
    cells.map(({ workload }) => workload).filter((name) => !PACED.includes(name)),
  )
  const parts = KINDS.flatMap(([title, isOfKind]) => {
    const names = [...left].filter(isOfKind)
    for (const name of names) left.delete(name)
    const figures = names.flatMap((name) => {
      const points = cells
        .filter(({ workload, engine }) => workload === name && !isShape(engine))
        .map(pointOf)
      if (new Set(points.map(({ x }) => x)).size < 2) return []
      return [figure(name, charts.bySize(points, 'operations a second'))]
    })
    return figures.length === 0 ? [] : [`<h3>${title}</h3>\n${pictures(figures)}`]
  })
  if (parts.length === 0) return ''
  return `<h2>Operations a second over the size of values</h2>\n${parts.join('\n')}`
}

/** Workloads that share a picture of the crossover. */
export const CROSSINGS: readonly (readonly [name: string, workloads: readonly string[]])[] = [
  ['writes', ['fillrandom', 'overwrite', 'fillsync-16']],
  ['reads', ['readrandom-sync', 'readrandom', 'ranges', 'scan', 'cold-get-16']],
]

/** Separated over inline over the size of a value, a line for each of these workloads. */
export function crossingPicture(
  found: readonly Crossover[],
  workloads: readonly string[],
  charts: Charts,
): string {
  const points = found
    .filter(({ workload }) => workloads.includes(workload))
    .flatMap(({ workload, points: of }) =>
      of.map(({ valueBytes, ratio, low, high }): LinePoint => {
        return { engine: workload, x: valueBytes, y: ratio, low: low ?? ratio, high: high ?? ratio }
      }),
    )
  return charts.ratios(points, 'separated over inline')
}

/** From which size on separating pays: how it was found as curves, and the answer as a table. */
export function crossing(found: readonly Crossover[], charts: Charts): string {
  if (found.length === 0) return ''
  const figures = CROSSINGS.flatMap(([name, workloads]) =>
    found.some(({ workload }) => workloads.includes(workload))
      ? [figure(name, crossingPicture(found, workloads, charts))]
      : [],
  )
  const lines = found.map((each) => {
    const cells = [each.workload, sizeOrNever(each.aheadFrom), crossoverRange(each)]
    return `<tr>${cells.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`
  })
  return `<h2>From which size on separating values pays</h2>
<p>The same engine with all values in its value log, over the same with all values in its tables.
Above 1 separating is ahead; bands hold 95 of 100.</p>
${pictures(figures)}
<details><summary>Where they cross, workload by workload</summary>
${table(['', 'ahead from', '95 %'], lines)}
</details>`
}

/** What loads write, and what deletes give back, engine by engine. */
export function written(cells: readonly Cell[], charts: Charts): string {
  const sizes = sizesOf(cells)
  const size = sizes.includes(4096) ? 4096 : sizes.at(-1)
  const bars = (workload: string, of: (cell: Cell) => number | null): Bar[] =>
    cells.flatMap((cell) => {
      const value = of(cell)
      if (cell.workload !== workload || cell.valueBytes !== size || value === null) return []
      return [{ name: cell.engine, engine: cell.engine, value }]
    })
  const figures = [
    ['fillrandom', bars('fillrandom', (cell) => cell.written), 'bytes written for each byte'],
    ['overwrite', bars('overwrite', (cell) => cell.written), 'bytes written for each byte'],
    ['deletehalf', bars('deletehalf', (cell) => cell.diskOverLive), 'disk over live, at the end'],
  ] as const
  const drawn = figures.filter(([, found]) => found.length > 0)
  if (size === undefined || drawn.length === 0) return ''
  return `<h2>Bytes written, and space that comes back: values of ${formatBytes(size)}</h2>
${pictures(drawn.map(([workload, found, label]) => figure(`${workload}: ${label}`, charts.bars(found))))}`
}

/** overwrite-steady: three figures of each row, and space over time. */
export function steady(report: Report, charts: Charts): string {
  if (report.steady.length === 0) return ''
  const summaries = summarize(report.steady)
  const bars = (value: (summary: SteadySummary) => number | null): Bar[] =>
    summaries.flatMap((summary) => {
      const found = value(summary)
      const engine = engineOf(summary.engine, summary.target)
      return found === null ? [] : [{ name: summary.row, engine, value: found }]
    })
  const overTime = groupRuns(report.steady).map(([row, runs]) => {
    const points = runs.flatMap((run) =>
      run.samples.map(({ seconds, spaceAmplification }) => {
        const amplification = Math.max(0, spaceAmplification)
        return { engine: engineOf(run.engine, run.target), seconds, amplification }
      }),
    )
    const own = runs.find(({ engine, target }) => engine === null && target !== null)
    return figure(row, charts.space(points, own ? collectorSteps(own) : [], own?.target ?? null))
  })
  const rate = bars((summary) => summary.overwritesPerSecond / 1000)
  const space = bars(({ spaceSteady }) => spaceSteady)
  const bytes = bars((summary) => summary.written)
  return `<h2>Overwriting for ever</h2>
<p>Stores of ${formatBytes(report.steadyBytes)}, overwritten ${report.steadyFactor} times, at a bound of space.</p>
${pictures([
  figure('thousand overwrites a second', charts.bars(rate)),
  figure('bytes written for each byte put', charts.bars(bytes)),
  figure('space: bytes on disk over live ones, at most', charts.bars(space)),
])}
<h3>Space over time</h3>
<p>Vertical lines: the collector had freed or copied something since the sample before. Dashed: the target.</p>
${pictures(overTime)}`
}

function engineOf(engine: string | null, target: number | null): string {
  return engine ?? (target === null ? 'wisc-off' : 'wisc')
}

/** The moments at which the collector's counters had moved. */
function collectorSteps({ samples }: SteadyRun): number[] {
  let before = 0
  return samples.flatMap(({ seconds, figures }) => {
    const now =
      Number(figures?.['relocatedBytesWritten'] ?? 0) + Number(figures?.['reclaimedBytes'] ?? 0)
    if (figures === undefined || now === before) return []
    before = now
    return [seconds]
  })
}

/** The fastest round of each row, those of one load together. */
function groupRuns(runs: readonly SteadyRun[]): [string, SteadyRun[]][] {
  const fastest = new Map<string, SteadyRun>()
  for (const run of runs) {
    const other = fastest.get(run.row)
    if (!other || overwritesPerSecond(run) > overwritesPerSecond(other)) fastest.set(run.row, run)
  }
  const groups = new Map<string, SteadyRun[]>()
  for (const run of fastest.values()) {
    const name = run.engine === null ? run.row : run.row.slice(0, -run.engine.length - 1)
    groups.set(name, [...(groups.get(name) ?? []), run])
  }
  // A store that nothing collects grows as it is told to: alone it is no picture.
  return [...groups].filter(([, of]) =>
    of.some(({ engine, target }) => engine !== null || target !== null),
  )
}

/** Of single calls: how slow the slowest are. */
export function latencies(cells: readonly Cell[], charts: Charts): string {
  const timed = cells.filter(({ p50Us, engine }) => p50Us !== null && !isShape(engine))
  const names = [...new Set(timed.map(({ workload }) => workload))]
  const figures = names.flatMap((name) => {
    const of = timed.filter(({ workload }) => workload === name)
    return sizesOf(of).map((size) => {
      const curves = of.filter(({ valueBytes }) => valueBytes === size).flatMap(curveOf)
      return figure(`${name}, ${formatBytes(size)}`, charts.latencies(curves))
    })
  })
  return figures.length === 0 ? '' : `<h2>Latencies of single calls</h2>\n${pictures(figures)}`
}

function curveOf({ engine, p50Us, p99Us, p999Us }: Cell): Curve[] {
  return [p50Us, p99Us, p999Us].flatMap((microseconds, i) =>
    microseconds === null ? [] : [{ engine, label: PERCENTILES[i]!, microseconds }],
  )
}

/** The same engine as wisc in another shape: too many lines for one picture. */
export function isShape(engine: string): boolean {
  return engine.startsWith('wisc-')
}

export function pointOf({ engine, valueBytes, rate, low, high }: Cell): LinePoint {
  return { engine, x: valueBytes, y: rate, low, high }
}
