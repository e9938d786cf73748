/**
 * The rounds of each row made one: of speed and latencies the median, of everything else the worst round.
 */
import { type LoopDelay, worstDelays } from '../harness/loop-delay.ts'
import { median } from '../harness/statistics.ts'
import {
  overwritesPerSecond,
  rejectedPuts,
  type SteadyRun,
  wcharPerUserByte,
  writtenAtRest,
  writtenPerUserByte,
} from './results.ts'
import { nameRow, type SteadyLoad, type SteadyPeer } from './rows.ts'
import type { PutLatencies } from './samples.ts'

/** What the tables and the goals take of a row. Null where no round could tell. */
export interface SteadySummary {
  readonly row: string
  readonly load: SteadyLoad
  readonly engine: SteadyPeer | null
  readonly target: number | null
  /** The median, and round by round. */
  readonly overwritesPerSecond: number
  readonly rates: readonly number[]
  /** Medians of all rounds. */
  readonly latenciesUs: PutLatencies | null
  readonly steadyLatenciesUs: PutLatencies | null
  /** The highest of all rounds. */
  readonly spaceSteady: number | null
  readonly spaceOverall: number
  readonly spaceSettled: number
  /** Bytes on disk over live ones, nothing taken off. */
  readonly diskOverLive: number
  readonly ballastBytes: number
  readonly written: number | null
  readonly writtenSettled: number | null
  /** `wchar` over the store's counters. */
  readonly wcharOverWritten: number | null
  readonly relocated: number | null
  readonly memoryPeakBytes: number | null
  readonly loopDelayMs: LoopDelay
  readonly stalls: number | null
  readonly stallMs: number | null
  /** Puts of all rounds that were rejected, and that were never tried for that. */
  readonly rejected: number
  readonly leftOut: number
  readonly neverAtRest: boolean
  /** Whether other load has disturbed a round. */
  readonly disturbed: boolean
}

/** One for each row, in the order of the runs. */
export function summarize(runs: readonly SteadyRun[]): SteadySummary[] {
  const rows = [...new Set(runs.map((run) => run.row))]
  return rows.map((row) => summarizeRow(runs.filter((run) => run.row === row)))
}

/** The summary of the same load without a collector. */
export function withoutCollector(
  summaries: readonly SteadySummary[],
  load: SteadyLoad,
): SteadySummary | undefined {
  const row = nameRow({ ...load, target: undefined })
  return summaries.find((summary) => summary.row === row)
}

function summarizeRow(rounds: readonly SteadyRun[]): SteadySummary {
  const worst = (of: (run: SteadyRun) => number): number =>
    Math.max(...rounds.map((run) => of(run)))
  const worstKnown = (of: (run: SteadyRun) => number | null): number | null => {
    const known = rounds.map(of).filter((value) => value !== null)
    return known.length === 0 ? null : Math.max(...known)
  }
  const total = (of: (run: SteadyRun) => number): number =>
    rounds.reduce((sum, run) => sum + of(run), 0)
  const { row, load, engine, target } = rounds[0]!
  const rates = rounds.map(overwritesPerSecond)
  return {
    row,
    load,
    engine,
    target,
    overwritesPerSecond: median(rates),
    rates,
    latenciesUs: medianLatencies(rounds.map(({ latenciesUs }) => latenciesUs)),
    steadyLatenciesUs: medianLatencies(rounds.map(({ steadyLatenciesUs }) => steadyLatenciesUs)),
    spaceSteady: worstKnown((run) => run.space.steady),
    spaceOverall: worst((run) => run.space.overall),
    spaceSettled: worst((run) => run.settled.spaceAmplification),
    diskOverLive: worst(
      (run) => Math.max(...run.samples.map((sample) => sample.diskBytes)) / run.liveBytes,
    ),
    ballastBytes: worst((run) => run.settled.ballastBytes),
    written: worstKnown(writtenPerUserByte),
    writtenSettled: worstKnown(writtenAtRest),
    wcharOverWritten: worstKnown((run) => {
      const [wchar, written] = [wcharPerUserByte(run), writtenPerUserByte(run)]
      return wchar === null || written === null ? null : wchar / written
    }),
    relocated: worstKnown((run) => run.writes && run.writes.relocatedBytes / run.userBytes),
    memoryPeakBytes: worstKnown((run) => run.peaks.memoryPeakBytes),
    loopDelayMs: worstDelays(rounds.map((run) => run.loopDelayMs)),
    stalls: worstKnown((run) => run.stalls?.count ?? null),
    stallMs: worstKnown((run) => run.stalls?.ms ?? null),
    rejected: total(rejectedPuts),
    leftOut: total((run) => run.asked - run.acknowledged - rejectedPuts(run)),
    neverAtRest: rounds.some((run) => !run.settled.atRest),
    disturbed: rounds.some(({ otherCores }) => typeof otherCores === 'number'),
  }
}

/** Each percentile by itself; null if no round has any. */
function medianLatencies(rounds: readonly (PutLatencies | null)[]): PutLatencies | null {
  const known = rounds.filter((latencies) => latencies !== null)
  if (known.length === 0) return null
  const of = (part: keyof PutLatencies): number => median(known.map((latencies) => latencies[part]))
  return { p50: of('p50'), p99: of('p99'), p999: of('p999'), max: of('max') }
}
