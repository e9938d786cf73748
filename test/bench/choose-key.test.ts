/**
 * The keys that overwrite-steady takes follow the distributions that it names. Seeds are fixed: chance decides nothing.
 */
import { describe, expect, test } from 'vitest'
import { createChooser, createZipf } from '#dist/bench/harness/choose-key.js'
import { Random } from '#dist/bench/harness/data-set.js'

const DRAWS = 1_000_000

/** Pearson's statistic over its degrees of freedom, in standard deviations from its mean. */
function chiSquareDeviations(counts: readonly number[], weights: readonly number[]): number {
  const weightSum = weights.reduce((sum, weight) => sum + weight, 0)
  const draws = counts.reduce((sum, count) => sum + count, 0)
  const statistic = counts.reduce((sum, count, i) => {
    const expected = (draws * weights[i]!) / weightSum
    return sum + (count - expected) ** 2 / expected
  }, 0)
  const freedom = counts.length - 1
  return (statistic - freedom) / Math.sqrt(2 * freedom)
}

function countDraws(size: number, draw: () => number): number[] {
  const counts = new Array<number>(size).fill(0)
  for (let i = 0; i < DRAWS; i++) counts[draw()]!++
  return counts
}

function zipfWeights(count: number, exponent: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + 1) ** -exponent)
}

describe('createZipf', () => {
  test.each([
    [2, 0.99],
    [10, 0.99],
    [1000, 0.99],
    [1000, 1],
    [1000, 0.5],
    [100, 2],
  ])('draws %d ranks with exponent %d as often as the law says', (count, exponent) => {
    const random = new Random(7)
    const next = createZipf(count, exponent, () => random.next() / 2 ** 32)
    const counts = countDraws(count, () => next() - 1)
    expect(Math.abs(chiSquareDeviations(counts, zipfWeights(count, exponent)))).toBeLessThan(4)
  })

  test('the check tells 0.99 from 0.97', () => {
    const random = new Random(7)
    const next = createZipf(1000, 0.97, () => random.next() / 2 ** 32)
    const counts = countDraws(1000, () => next() - 1)
    expect(chiSquareDeviations(counts, zipfWeights(1000, 0.99))).toBeGreaterThan(10)
  })

  test('the ends of the uniform numbers give ranks that exist', () => {
    for (const count of [1, 2, 1_000_000]) {
      for (const end of [2 ** -32, 0.5, 1 - 2 ** -32]) {
        const rank = createZipf(count, 0.99, () => end)()
        expect(rank).toBeGreaterThanOrEqual(1)
        expect(rank).toBeLessThanOrEqual(count)
      }
    }
  })
})

describe('createChooser', () => {
  test('uniform: each index as often as any other', () => {
    const counts = countDraws(1000, createChooser('uniform', 1000, 1))
    const weights = new Array<number>(1000).fill(1)
    expect(Math.abs(chiSquareDeviations(counts, weights))).toBeLessThan(4)
  })

  test('zipf: the hot keys lie anywhere, at places of the seed', () => {
    const hottest = (seed: number): number[] => {
      const counts = countDraws(1000, createChooser('zipf', 1000, seed))
      const ranked = counts.map((count, index) => ({ count, index }))
      ranked.sort((left, right) => right.count - left.count)
      return ranked.slice(0, 10).map(({ index }) => index)
    }
    const first = hottest(1)
    expect(new Set(first).size).toBe(10)
    expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(200)
    expect(hottest(1)).toEqual(first)
    expect(hottest(2)).not.toEqual(first)
  })

  test('zipf: the counts in descending order are those of the law', () => {
    const counts = countDraws(100, createChooser('zipf', 100, 3))
    counts.sort((left, right) => right - left)
    // Sorting moves neighbours of nearly equal counts: the statistic is smaller than that of the ranks.
    expect(chiSquareDeviations(counts, zipfWeights(100, 0.99))).toBeLessThan(4)
  })
})
