/**
 * Two runs beside each other: what became faster or slower by more than the noise of their rounds.
 */
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate, renderTable } from '../harness/markdown.ts'
import { type Interval, median, ratioInterval } from '../harness/statistics.ts'
import { overwritesPerSecond } from '../steady/results.ts'
import { seriesOf } from '../throughput/results.ts'
import type { Report } from './results.ts'

/** One series that both runs have. */
export interface Change {
  readonly workload: string
  readonly valueBytes: number
  readonly engine: string
  /** Medians, operations a second. */
  readonly before: number
  readonly after: number
  readonly ratio: number
  /** Of the ratio; null where a run had one round alone. */
  readonly interval: Interval | null
  /** `noise`: the interval holds 1; `unknown`: there is none. */
  readonly verdict: 'faster' | 'slower' | 'noise' | 'unknown'
}

/** What both have measured, in the order of the tables. */
export function compareReports(before: Report, after: Report): Change[] {
  const later = ratesIn(after)
  return ratesIn(before).flatMap((first): Change[] => {
    const { workload, valueBytes, engine } = first
    const second = later.find(
      (each) =>
        each.workload === workload && each.valueBytes === valueBytes && each.engine === engine,
    )
    if (!second) return []
    const interval = ratioInterval(first.rates, second.rates, before.seed)
    const [medianBefore, medianAfter] = [median(first.rates), median(second.rates)]
    return [
      {
        workload,
        valueBytes,
        engine,
        before: medianBefore,
        after: medianAfter,
        ratio: medianAfter / medianBefore,
        interval,
        verdict: judge(interval),
      },
    ]
  })
}

type Rates = Pick<Change, 'workload' | 'valueBytes' | 'engine'> & {
  /** Operations a second, round by round. */
  readonly rates: readonly number[]
}

/** Workloads, then the rows of overwrite-steady. */
function ratesIn({ rows, steady }: Report): Rates[] {
  const names = [...new Set(steady.map(({ row }) => row))]
  const overwrites = names.map((row): Rates => {
    const runs = steady.filter((run) => run.row === row)
    const { load, engine } = runs[0]!
    return {
      workload: `overwrite-steady ${row}`,
      valueBytes: load.valueBytes,
      engine: engine ?? 'wisc',
      rates: runs.map(overwritesPerSecond),
    }
  })
  return [...seriesOf(rows), ...overwrites]
}

function judge(interval: Interval | null): Change['verdict'] {
  if (interval === null) return 'unknown'
  if (interval.low > 1) return 'faster'
  return interval.high < 1 ? 'slower' : 'noise'
}

/** Those of wisc that are slower by more than `share`, beyond the noise. */
export function failures(changes: readonly Change[], share: number): Change[] {
  return changes.filter(
    ({ engine, verdict, ratio }) =>
      engine.startsWith('wisc') && verdict === 'slower' && ratio < 1 - share,
  )
}

/** What differs between the runs themselves is said before what they measured. */
export function renderComparison(
  before: Report,
  after: Report,
  changes: readonly Change[],
): string {
  const differences = (['machine', 'warm', 'totalBytes', 'seed'] as const).flatMap((name) =>
    before[name] === after[name] ? [] : [`${name}: ${before[name]} and ${after[name]}`],
  )
  const lines = changes.map(({ workload, valueBytes, engine, ratio, interval, ...rest }) => [
    workload,
    formatBytes(valueBytes),
    engine,
    formatRate(rest.before),
    formatRate(rest.after),
    ratio.toFixed(2),
    interval ? `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}` : '-',
    rest.verdict,
  ])
  const head = ['workload', 'value', 'engine', 'before/s', 'after/s', 'ratio', '95 %', '']
  return [
    `${before.date} and ${after.date}`,
    ...(differences.length > 0 ? ['', `The runs differ in ${differences.join('; ')}.`] : []),
    '',
    lines.length > 0 ? renderTable(head, lines) : 'Nothing was measured by both.',
  ].join('\n')
}
