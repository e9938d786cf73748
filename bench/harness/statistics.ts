/**
 * Few readings made one: the median, how far they lie apart, and whether two runs differ beyond that.
 */
import { Random } from './data-set.ts'

/** The middle reading between the lowest and the highest. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Where a ratio lies, by the readings that there are. */
export interface Interval {
  readonly low: number
  readonly high: number
}

const RESAMPLES = 4000
/** The interval leaves out so much on each side: it holds 95 of 100. */
const TAIL = 0.025

/** @returns the middle one, or half way between the two in the middle; NaN of nothing */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length / 2
  return Number.isInteger(middle)
    ? (sorted[middle - 1]! + sorted[middle]!) / 2
    : sorted[Math.floor(middle)]!
}

/** @param values one at least */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) }
}

/**
 * Where the median of `after` over that of `before` lies: bootstrap, percentile method (Efron, 1979). Of few readings
 * it is wide, as it should be.
 * @returns null where one reading alone says nothing about the noise
 */
export function ratioInterval(
  before: readonly number[],
  after: readonly number[],
  seed: number,
): Interval | null {
  if (before.length < 2 || after.length < 2) return null
  const random = new Random(seed)
  const resampled = (values: readonly number[]): number =>
    median(values.map(() => values[random.below(values.length)]!))
  const ratios = Array.from({ length: RESAMPLES }, () => resampled(after) / resampled(before))
  ratios.sort((left, right) => left - right)
  const at = (share: number): number => ratios[Math.round(share * (RESAMPLES - 1))]!
  return { low: at(TAIL), high: at(1 - TAIL) }
}
