/**
 * The shapes of results: what a child reports, what the JSON holds.
 */
import type { EngineName } from './engines/engine.ts'
import type { PeakReadings } from './peaks.ts'
import type { SteadyRun } from './steady/results.ts'

/** What a child is to do. */
export interface Job {
  readonly engine: EngineName
  readonly valueBytes: number
  readonly totalBytes: number
  readonly workloads: readonly string[]
  /** The way for each load workload; where none is given, all ways of the engine are tried. */
  readonly ways: Readonly<Record<string, string>>
  /** How long workloads run that have no natural end. */
  readonly seconds: number
  readonly directory: string
  readonly seed: number
}

/** Latencies of single calls, microseconds. */
export interface Latencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/** What a workload did. */
export interface Work {
  readonly operations: number
  /** From the first call to the last answer; opening and closing are apart. */
  readonly seconds: number
  /** Bytes of keys and values that were put or came back. */
  readonly userBytes: number
  readonly way?: string
  readonly latenciesUs?: Latencies
  readonly openMs?: number
  readonly closeMs?: number
  readonly ballastBytes?: number
  readonly relocatedBytes?: number
  /** The engine's own counters at the end. */
  readonly figures?: Readonly<Record<string, unknown>>
}

/** One measured workload of a child. */
export interface WorkloadResult extends Work, PeakReadings {
  readonly workload: string
}

/** A result with the circumstances under which it was made. */
export interface Row extends WorkloadResult {
  readonly engine: EngineName
  readonly valueBytes: number
  readonly round: number
}

/** The figure of a special measurement. */
export interface SpecialFigure {
  readonly name: string
  readonly unit: string
  readonly value: number | null
}

/** The whole file that `--json` writes. */
export interface Report {
  readonly date: string
  readonly machine: string
  readonly warm: boolean
  readonly totalBytes: number
  readonly rounds: number
  readonly seed: number
  readonly rows: readonly Row[]
  readonly specials: readonly SpecialFigure[]
  /** Of overwrite-steady: bytes of values in its stores, and how often they were overwritten. */
  readonly steadyBytes: number
  readonly steadyFactor: number
  readonly steady: readonly SteadyRun[]
}

/** Operations per second. */
export function rate(work: Work): number {
  return work.operations / work.seconds
}

/** Bytes given to write calls per user byte, without ballast and collector; null where nothing tells. */
export function writtenPerUserByte(result: WorkloadResult): number | null {
  if (result.writtenBytes === null || result.userBytes === 0) return null
  const apart = (result.ballastBytes ?? 0) + (result.relocatedBytes ?? 0)
  return (result.writtenBytes - apart) / result.userBytes
}

/** The fastest row of an engine in a workload at a size. */
export function bestRow(
  rows: readonly Row[],
  engine: EngineName,
  valueBytes: number,
  workload: string,
): Row | undefined {
  return rows
    .filter(
      (row) => row.engine === engine && row.valueBytes === valueBytes && row.workload === workload,
    )
    .reduce<Row | undefined>(
      (best, row) => (best === undefined || rate(row) > rate(best) ? row : best),
      undefined,
    )
}
