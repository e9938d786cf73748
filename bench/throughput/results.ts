/**
 * What a child is to do, and what is made of its results.
 */
import type { EngineName } from '../engines/engine.ts'
import type { Work, WorkloadResult } from '../harness/measure.ts'

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

/** A result with the circumstances under which it was made. */
export interface Row extends WorkloadResult {
  readonly engine: EngineName
  readonly valueBytes: number
  readonly round: number
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
