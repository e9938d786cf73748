/**
 * Costs of operations by the size of a value, inline and separated, as the benchmark has measured it: the figures of
 * lib/inspect/measured-costs.ts, drawn between two sizes as a straight line over the logarithms of both.
 */
import type { SizeBucket } from './size-histogram.ts'

export const OPERATIONS = ['put', 'overwrite', 'get', 'rangeEntry', 'scanEntry'] as const
export type MeasuredCall = (typeof OPERATIONS)[number]

/** One size of values: microseconds for one of them where all are inline, and where all are separated. */
type CostPoint = readonly [valueBytes: number, inline: number, separated: number]

export interface MeasuredCosts {
  readonly date: string
  readonly machine: string
  /** Ascending by size, two at least. */
  readonly points: Readonly<Record<MeasuredCall, readonly CostPoint[]>>
}

/** Microseconds for one operation. */
export type Costs = Readonly<Record<MeasuredCall, number>>

/** Of a value of a store with these sizes, each as likely as any other, where a threshold separates them. */
export function meanCosts(
  { points }: MeasuredCosts,
  buckets: readonly SizeBucket[],
  threshold: number,
): Costs {
  const mean = (operation: MeasuredCall): number => {
    let [keys, sum] = [0, 0]
    for (const bucket of buckets) {
      if (bucket.keys === 0) continue
      const side = bucket.from >= threshold ? 2 : 1
      keys += bucket.keys
      sum += bucket.keys * costAt(points[operation], side, bucket.valueBytes / bucket.keys)
    }
    return sum / Math.max(1, keys)
  }
  const [put, overwrite, get] = [mean('put'), mean('overwrite'), mean('get')]
  return { put, overwrite, get, rangeEntry: mean('rangeEntry'), scanEntry: mean('scanEntry') }
}

/** Below the smallest size as that; above the largest as much for each byte as that. */
function costAt(points: readonly CostPoint[], side: 1 | 2, bytes: number): number {
  const [first, last] = [points[0]!, points.at(-1)!]
  if (bytes <= first[0]) return first[side]
  if (bytes >= last[0]) return (last[side] * bytes) / last[0]
  const next = points.findIndex(([size]) => size >= bytes)
  const [low, high] = [points[next - 1]!, points[next]!]
  const share = Math.log(bytes / low[0]) / Math.log(high[0] / low[0])
  return low[side] * (high[side] / low[side]) ** share
}
