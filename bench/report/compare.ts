/**
 * Two runs beside each other: what became faster or slower, told apart from the noise of their rounds and from the
 * drift of a machine that is never twice the same.
 */
import { isSameCode } from '../engines/peers.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { formatRate, renderTable } from '../harness/markdown.ts'
import { isDisturbed } from '../harness/other-load.ts'
import { type Interval, median, ratioInterval } from '../harness/statistics.ts'
import { overwritesPerSecond } from '../steady/results.ts'
import { rate, seriesOf } from '../throughput/results.ts'
import type { Report } from './results.ts'

/** Of fewer rounds an interval says nothing. */
const ROUNDS_MIN = 3

/** Printed above each comparison. */
export const RULE: string = `\
The interval holds 95 of 100 (a bootstrap's over the rounds; those that other load disturbed do not count, and fewer
than ${ROUNDS_MIN} in either run are too few to judge by). Others are what did not change: the raw floor, and peers of
the same version. A row is faster or slower if its interval leaves out 1 and lies beyond those of all others in the same
workload at the same size. If it leaves out 1 alone, it may be the machine: drift. Where there are no others (-),
nothing tells drift from change.`

export type Verdict = 'faster' | 'slower' | 'drift' | 'noise' | 'too few rounds'

/** One series that both runs have. */
export interface Change {
  readonly workload: string
  readonly valueBytes: number
  readonly engine: string
  /** Medians, operations a second. */
  readonly before: number
  readonly after: number
  /** Rounds that count. */
  readonly rounds: readonly [before: number, after: number]
  readonly ratio: number
  /** Of the ratio; null of too few rounds. */
  readonly interval: Interval | null
  /** What the machine did by all that did not change, and 1; null where nothing tells. */
  readonly drift: Interval | null
  readonly verdict: Verdict
}

type Ratio = Omit<Change, 'drift' | 'verdict'>

/** What both have measured, in the order of the tables. */
export function compareReports(before: Report, after: Report): Change[] {
  const ratios = ratiosOf(before, after)
  const isOther = ({ engine }: Ratio): boolean =>
    isSameCode(engine, before.versions, after.versions)
  return ratios.map((own): Change => {
    const others = ratios.filter(
      (each) =>
        each.workload === own.workload && each.valueBytes === own.valueBytes && isOther(each),
    )
    const drift = driftOf(others)
    return { ...own, drift, verdict: isOther(own) ? judgeOther(own) : judge(own, drift) }
  })
}

function ratiosOf(before: Report, after: Report): Ratio[] {
  const later = ratesIn(after)
  return ratesIn(before).flatMap((first): Ratio[] => {
    const { workload, valueBytes, engine } = first
    const second = later.find(
      (each) =>
        each.workload === workload && each.valueBytes === valueBytes && each.engine === engine,
    )
    if (!second) return []
    const rounds = [first.undisturbed.length, second.undisturbed.length] as const
    const isJudged = Math.min(...rounds) >= ROUNDS_MIN
    const [left, right] = isJudged
      ? [first.undisturbed, second.undisturbed]
      : [first.rates, second.rates]
    return [
      {
        workload,
        valueBytes,
        engine,
        before: median(left),
        after: median(right),
        rounds,
        ratio: median(right) / median(left),
        interval: isJudged ? ratioInterval(left, right, before.seed) : null,
      },
    ]
  })
}

type Rates = Pick<Change, 'workload' | 'valueBytes' | 'engine'> & {
  /** Operations a second, round by round. */
  readonly rates: readonly number[]
  readonly undisturbed: readonly number[]
}

/** Workloads, then the rows of overwrite-steady. */
function ratesIn({ rows, steady }: Report): Rates[] {
  const names = [...new Set(steady.map(({ row }) => row))]
  const overwrites = names.map((row): Rates => {
    const runs = steady.filter((run) => run.row === row)
    const { load, engine } = runs[0]!
    // A row of a peer has its name behind that of the row that it stands beside.
    const beside = engine === null ? row : row.slice(0, -engine.length - 1)
    const undisturbed = runs.filter(({ otherCores }) => !isDisturbed(otherCores ?? null))
    return {
      workload: `overwrite-steady ${beside}`,
      valueBytes: load.valueBytes,
      engine: engine ?? 'wisc',
      rates: runs.map(overwritesPerSecond),
      undisturbed: undisturbed.map(overwritesPerSecond),
    }
  })
  const workloads = seriesOf(rows).map(({ workload, valueBytes, engine, rows: of, rates }) => {
    const undisturbed = of.filter(({ otherCores }) => !isDisturbed(otherCores)).map(rate)
    return { workload, valueBytes, engine, rates, undisturbed }
  })
  return [...workloads, ...overwrites]
}

/** From the lowest end of all intervals to the highest. */
function driftOf(others: readonly Ratio[]): Interval | null {
  const known = others.flatMap(({ interval }) => interval ?? [])
  if (known.length === 0) return null
  return {
    low: Math.min(1, ...known.map(({ low }) => low)),
    high: Math.max(1, ...known.map(({ high }) => high)),
  }
}

function judge({ interval }: Ratio, drift: Interval | null): Verdict {
  if (interval === null) return 'too few rounds'
  if (interval.low <= 1 && interval.high >= 1) return 'noise'
  const { low, high } = drift ?? { low: 1, high: 1 }
  if (interval.low > high) return 'faster'
  return interval.high < low ? 'slower' : 'drift'
}

/** The same code is no faster: whatever it does the machine has done. */
function judgeOther(own: Ratio): Verdict {
  const verdict = judge(own, null)
  return verdict === 'faster' || verdict === 'slower' ? 'drift' : verdict
}

/** Those of wisc that are slower by more than `share`, beyond what the machine did. */
export function failures(changes: readonly Change[], share: number): Change[] {
  return changes.filter(
    ({ engine, verdict, ratio, drift }) =>
      engine.startsWith('wisc') && verdict === 'slower' && ratio < (1 - share) * (drift?.low ?? 1),
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
  const lines = changes.map(({ workload, valueBytes, engine, ratio, rounds, ...rest }) => [
    workload,
    formatBytes(valueBytes),
    engine,
    formatRate(rest.before),
    formatRate(rest.after),
    rounds.join(', '),
    ratio.toFixed(2),
    showInterval(rest.interval),
    showInterval(rest.drift),
    rest.verdict,
  ])
  const head = ['workload', 'value', 'engine', 'before/s', 'after/s', 'rounds', 'ratio', '95 %']
  return [
    `${before.date} and ${after.date}`,
    ...(differences.length > 0 ? ['', `The runs differ in ${differences.join('; ')}.`] : []),
    '',
    RULE,
    '',
    lines.length > 0
      ? renderTable([...head, 'others', ''], lines)
      : 'Nothing was measured by both.',
    '',
    ...countVerdicts(changes),
  ].join('\n')
}

/** Of wisc, and of what did not change. */
function countVerdicts(changes: readonly Change[]): string[] {
  const verdicts: readonly Verdict[] = ['faster', 'slower', 'drift', 'noise', 'too few rounds']
  const line = (name: string, of: readonly Change[]): string[] => {
    const counts = verdicts.flatMap((verdict) => {
      const count = of.filter((change) => change.verdict === verdict).length
      return count === 0 ? [] : [`${count} ${verdict}`]
    })
    return of.length === 0 ? [] : [`Rows of ${name}: ${counts.join(', ')}.`]
  }
  const isWisc = ({ engine }: Change): boolean => engine.startsWith('wisc')
  const others = changes.filter((change) => !isWisc(change))
  return [...line('wisc', changes.filter(isWisc)), ...line('the others', others)]
}

function showInterval(interval: Interval | null): string {
  return interval === null ? '-' : `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}`
}
