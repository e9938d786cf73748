/**
 * Which key an overwrite takes: each with the same chance, or by Zipf's law with hot keys that lie anywhere.
 */
import { Random, shuffled } from './data-set.ts'

/** Names of the distributions. */
export const DISTRIBUTIONS = ['uniform', 'zipf'] as const

export type Distribution = (typeof DISTRIBUTIONS)[number]

/** The exponent that YCSB made customary. */
export const ZIPF_EXPONENT = 0.99
/** Apart from the seed of the data set: the keys that are hot were not loaded one after the other. */
const RANKS_SALT = 0x2545f491
const DRAWS_SALT = 0x6c078965

/** @returns a function whose every call gives the next index, 0 to `entries` - 1 */
export function createChooser(
  distribution: Distribution,
  entries: number,
  seed: number,
): () => number {
  const draws = new Random(seed ^ DRAWS_SALT)
  if (distribution === 'uniform') return () => draws.below(entries)
  const indexOfRank = shuffled(entries, new Random(seed ^ RANKS_SALT))
  const nextRank = createZipf(entries, ZIPF_EXPONENT, () => draws.next() / 2 ** 32)
  return () => indexOfRank[nextRank() - 1]!
}

/**
 * Ranks 1 to `count`, rank k with a probability in proportion to k^-exponent.
 *
 * Rejection-inversion after Hörmann and Derflinger, "Rejection-inversion to generate variates from
 * monotone discrete distributions" (1996): exact, no table, few rejections.
 * @param uniform gives numbers between 0 and 1
 */
export function createZipf(count: number, exponent: number, uniform: () => number): () => number {
  const density = (x: number): number => Math.exp(-exponent * Math.log(x))
  /** An antiderivative of the density. */
  const area = (x: number): number => {
    const log = Math.log(x)
    return expm1Over((1 - exponent) * log) * log
  }
  const inverseOfArea = (y: number): number =>
    Math.exp(log1pOver(Math.max(-1, y * (1 - exponent))) * y)
  const lower = area(1.5) - 1
  const upper = area(count + 0.5)
  // So close below its rank, x is taken without a look at the area.
  const squeeze = 2 - inverseOfArea(area(2.5) - density(2))
  return () => {
    for (;;) {
      const y = upper + uniform() * (lower - upper)
      const x = inverseOfArea(y)
      const rank = Math.min(count, Math.max(1, Math.floor(x + 0.5)))
      if (rank - x <= squeeze || y >= area(rank + 0.5) - density(rank)) return rank
    }
  }
}

/** (e^x - 1) / x, which is 1 at 0. */
function expm1Over(x: number): number {
  return x === 0 ? 1 : Math.expm1(x) / x
}

/** ln(1 + x) / x, which is 1 at 0. */
function log1pOver(x: number): number {
  return x === 0 ? 1 : Math.log1p(x) / x
}
