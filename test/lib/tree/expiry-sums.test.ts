/** Sums by spans of time: exact from the end of a span on, whatever the order; few, however many moments there are. */
import { expect, test } from 'vitest'
import {
  decodeExpiries,
  ExpiryCheck,
  type ExpirySum,
  ExpirySums,
  encodeExpiries,
  expiredBy,
  nextExpiry,
} from '#dist/lib/tree/expiry-sums.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const seed = testSeed()

interface Put {
  readonly expiresAt: number
  readonly bytes: number
  readonly pointedBytes: number
}

function sumsOf(puts: readonly Put[]): readonly Readonly<ExpirySum>[] {
  const sums = new ExpirySums()
  for (const { expiresAt, bytes, pointedBytes } of puts) sums.add(expiresAt, bytes, pointedBytes)
  return sums.list()
}

function totalOf(puts: readonly Put[]): Omit<ExpirySum, 'expiresAt'> {
  const sum = (of: 'bytes' | 'pointedBytes'): number => puts.reduce((all, put) => all + put[of], 0)
  return { puts: puts.length, bytes: sum('bytes'), pointedBytes: sum('pointedBytes') }
}

test('what has expired by the end of a span is known exactly, and never more by any moment', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 60; round++) {
    const base = prng.pick([1, 1_000, 1.7e12])
    const width = prng.pick([1, 30, 1000, 1e6, 1e11])
    const puts = Array.from({ length: 1 + prng.below(200) }, () => ({
      expiresAt: base + prng.below(width),
      bytes: prng.below(100),
      pointedBytes: prng.chance(0.5) ? 0 : prng.below(1000),
    }))
    const sums = sumsOf(puts)
    const hint = replayHint(seed)
    expect(sums.length, hint).toBeLessThanOrEqual(32)
    for (const { expiresAt: moment } of sums) {
      const gone = puts.filter(({ expiresAt }) => expiresAt <= moment)
      expect(expiredBy(sums, moment), hint).toEqual(totalOf(gone))
      expect(puts.some(({ expiresAt }) => expiresAt === moment)).toBe(true)
      expect(expiredBy(sums, moment - 1).puts, hint).toBeLessThan(gone.length)
    }
    const last = Math.max(...puts.map(({ expiresAt }) => expiresAt))
    expect(expiredBy(sums, last), hint).toEqual(totalOf(puts))
    expect(nextExpiry(sums, last)).toBe(Number.POSITIVE_INFINITY)
    expect(nextExpiry(sums, 0)).toBe(sums[0]!.expiresAt)
    expect(sumsOf(puts.toReversed()), hint).toEqual(sums)
    expect(decodeExpiries(encodeExpiries(sums)), hint).toEqual(sums)
  }
})

test('few moments have a span each', () => {
  const puts = Array.from({ length: 320 }, (_, i) => ({
    expiresAt: 1 + (i % 32),
    bytes: 1,
    pointedBytes: 2,
  }))
  const expected = Array.from({ length: 32 }, (_, i) => ({
    expiresAt: i + 1,
    puts: 10,
    bytes: 10,
    pointedBytes: 20,
  }))
  expect(sumsOf(puts)).toEqual(expected)
})

test('a check finds what is missing, added, or said wrongly', () => {
  const prng = new Prng(seed)
  const puts = Array.from({ length: 100 }, () => ({
    expiresAt: 1 + prng.below(1000),
    bytes: 1 + prng.below(50),
    pointedBytes: prng.below(50),
  }))
  const said = sumsOf(puts)
  const fits = (sums: readonly Readonly<ExpirySum>[], given: readonly Put[]): boolean => {
    const check = new ExpiryCheck(sums)
    for (const { expiresAt, bytes, pointedBytes } of given)
      check.take(expiresAt, bytes, pointedBytes)
    return check.fits
  }
  expect(fits(said, puts)).toBe(true)
  expect(fits([], [])).toBe(true)
  expect(fits(said, puts.slice(1))).toBe(false)
  expect(fits(said, [...puts, puts[0]!])).toBe(false)
  expect(fits(said.slice(0, -1), puts)).toBe(false)
  for (const [index, span] of said.entries()) {
    for (const name of ['expiresAt', 'puts', 'bytes', 'pointedBytes'] as const) {
      const wrong = said.with(index, { ...span, [name]: span[name] + 1 })
      expect(fits(wrong, puts), `${name} of span ${index}`).toBe(false)
    }
  }
})

test('malformed sums are none', () => {
  const sums = sumsOf([
    { expiresAt: 5, bytes: 1, pointedBytes: 0 },
    { expiresAt: 9, bytes: 1, pointedBytes: 7 },
  ])
  const bytes = encodeExpiries(sums)
  expect(decodeExpiries(bytes.subarray(0, -1))).toBeUndefined()
  expect(decodeExpiries(Uint8Array.of(5, 0, 0, 0))).toBeUndefined()
  expect(decodeExpiries(Uint8Array.of(0, 1, 1, 0))).toBeUndefined()
  expect(decodeExpiries(encodeExpiries(sums.toReversed()))).toBeUndefined()
  expect(decodeExpiries(new Uint8Array(0))).toEqual([])
})
