/**
 * The shapes of `overwrite-steady`: what a child is to do and what it reports.
 */
import type { LoopDelay } from '../harness/loop-delay.ts'
import type { PeakReadings } from '../harness/peaks.ts'
import type { SteadyLoad, SteadyPeer } from './rows.ts'
import type { PutLatencies, SpaceMaxima, SpaceSample } from './samples.ts'

/** What a child is to do. */
export interface SteadyJob {
  readonly load: SteadyLoad
  /** wisc if there is none. */
  readonly engine?: SteadyPeer
  /** `targetSpaceAmplification`; without one the collector is off. A peer's settings are those for this space. */
  readonly target?: number
  /** `collector.prefer`; its default if there is none. */
  readonly prefer?: string
  /** Bytes of values in the store. */
  readonly totalBytes: number
  /** So many times these bytes are overwritten. */
  readonly factor: number
  readonly directory: string
  readonly seed: number
}

/** Bytes written in a time, by the store's counters. */
export interface StoreWrites {
  readonly logBytes: number
  readonly tableBytes: number
  readonly relocatedBytes: number
  readonly ballastBytes: number
}

/** What one run measured. All but `settled` is of the time from the first overwrite to the last acknowledgement. */
export interface SteadyResult {
  /** What was asked for, and what was acknowledged. */
  readonly asked: number
  readonly acknowledged: number
  /** Rejected puts by the code of their error. */
  readonly rejected: Readonly<Record<string, number>>
  readonly seconds: number
  /** Keys and values of the acknowledged puts. */
  readonly userBytes: number
  /** Keys and values of the data set: every key has one value at any time. */
  readonly liveBytes: number
  readonly space: SpaceMaxima
  /** Null of a peer, which does not count them. */
  readonly writes: StoreWrites | null
  /** Of all puts, and of those acknowledged after the first pass. */
  readonly latenciesUs: PutLatencies | null
  readonly steadyLatenciesUs: PutLatencies | null
  readonly loopDelayMs: LoopDelay
  /** For so long the harness itself held the event loop at most, to take a sample. */
  readonly longestReadingMs: number
  /** Puts that the store made wait, by its own count; null of a peer. */
  readonly stalls: { readonly count: number; readonly ms: number } | null
  /** Memory, and `wchar` as `writtenBytes`. */
  readonly peaks: Omit<PeakReadings, 'loopDelayMs'>
  readonly settled: SettledFigures
  readonly samples: readonly SpaceSample[]
}

/** After the overwrites, when the store was left alone. */
export interface SettledFigures {
  /** Whether it came to rest, and how long that took. */
  readonly atRest: boolean
  readonly seconds: number
  readonly spaceAmplification: number
  readonly ballastBytes: number
  /** From the first overwrite on: by the store's counters, and by `wchar`. */
  readonly writes: StoreWrites | null
  readonly writtenBytes: number | null
  readonly figures: Readonly<Record<string, unknown>>
}

/** A result with the circumstances under which it was made. */
export interface SteadyRun extends SteadyResult {
  /** `4KiB-uniform-1.3`, or `4KiB-uniform-off`. */
  readonly row: string
  readonly load: SteadyLoad
  readonly engine: SteadyPeer | null
  readonly target: number | null
  readonly round: number
  /** Cores that others used, if those were too many; older results do not say. */
  readonly otherCores?: number | null
}

/** Acknowledged overwrites a second. */
export function overwritesPerSecond(run: SteadyResult): number {
  return run.acknowledged / run.seconds
}

/** Log, tables and relocations per user byte, by the store's counters; of a peer by `wchar`. */
export function writtenPerUserByte(run: SteadyResult): number | null {
  return perUserByte(run, run.writes, run.peaks.writtenBytes)
}

/** The same until the store was at rest. */
export function writtenAtRest(run: SteadyResult): number | null {
  return perUserByte(run, run.settled.writes, run.settled.writtenBytes)
}

function perUserByte(
  { userBytes }: SteadyResult,
  writes: StoreWrites | null,
  wchar: number | null,
): number | null {
  if (writes === null) return wchar === null ? null : wchar / userBytes
  return (writes.logBytes + writes.tableBytes + writes.relocatedBytes) / userBytes
}

/** By `wchar`: everything that was given to write calls but BALLAST. */
export function wcharPerUserByte(run: SteadyResult): number | null {
  const { writtenBytes } = run.peaks
  if (writtenBytes === null) return null
  return (writtenBytes - (run.writes?.ballastBytes ?? 0)) / run.userBytes
}

/** Puts rejected for whatever reason. */
export function rejectedPuts(run: SteadyResult): number {
  return Object.values(run.rejected).reduce((sum, count) => sum + count, 0)
}
