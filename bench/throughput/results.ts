/**
 * What a child is to do, and what is made of its results.
 */
import { ENGINE_NAMES, type EngineName } from '../engines/engine.ts'
import type { Work, WorkloadResult } from '../harness/measure.ts'
import { median } from '../harness/statistics.ts'
import { WORKLOADS } from '../harness/workload-names.ts'

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

/** All rounds of an engine in a workload at one size of values. */
export interface Series {
  readonly workload: string
  readonly valueBytes: number
  readonly engine: EngineName
  readonly rows: readonly Row[]
  /** Operations a second, round by round. */
  readonly rates: readonly number[]
}

/**
 * By workload, size and engine, in the order of their lists. Of a load that was tried in several ways only the rounds
 * in the way that won count.
 */
export function seriesOf(rows: readonly Row[]): Series[] {
  const bySeries = new Map<string, Row[]>()
  for (const row of rows) {
    const key = `${row.workload} ${row.valueBytes} ${row.engine}`
    bySeries.set(key, [...(bySeries.get(key) ?? []), row])
  }
  const series = [...bySeries.values()].map((all): Series => {
    const best = all.reduce((first, row) => (rate(row) > rate(first) ? row : first))
    const counted = all.filter((row) => row.way === best.way)
    const { workload, valueBytes, engine } = best
    return { workload, valueBytes, engine, rows: counted, rates: counted.map(rate) }
  })
  const place = ({ workload, valueBytes, engine }: Series): number[] => [
    WORKLOADS.indexOf(workload),
    valueBytes,
    ENGINE_NAMES.indexOf(engine),
  ]
  return series.toSorted((left, right) => compareAll(place(left), place(right)))
}

/** The first difference decides. */
function compareAll(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, i) => value !== right[i])
  return at < 0 ? 0 : left[at]! - right[at]!
}

/** Operations a second of an engine, the median of its rounds; null where it was not measured. */
export function medianRate(
  series: readonly Series[],
  engine: EngineName,
  valueBytes: number,
  workload: string,
): number | null {
  const found = series.find(
    (each) =>
      each.engine === engine && each.valueBytes === valueBytes && each.workload === workload,
  )
  return found ? median(found.rates) : null
}
