/** Holes against copies: by what both have cost, by what is preferred, and back to a price not seen for long. */
import { describe, expect, test } from 'vitest'
import {
  holeCostBytes,
  type PricedWork,
  type Prices,
  pricesAfter,
  UNMEASURED,
} from '#dist/lib/collector/plan/prices.js'
import { fileOf, KIB, MIB, PUNCHING, plan, stepsOf } from './collectible-files.ts'

/** 400 MB/s are copied. */
const copied = (bytesCopied: number, msPerByte = 1 / 400_000): PricedWork => ({
  holesMade: 0,
  holeMs: 0,
  bytesCopied,
  copyMs: bytesCopied * msPerByte,
})
const punched = (holesMade: number, msPerHole: number): PricedWork => ({
  holesMade,
  holeMs: holesMade * msPerHole,
  bytesCopied: 0,
  copyMs: 0,
})

function pricesOf(...works: readonly PricedWork[]): Prices {
  return works.reduce(pricesAfter, UNMEASURED)
}

describe('the price of a hole', () => {
  test('before anything is measured is 10,000 bytes', () => {
    expect(holeCostBytes(UNMEASURED, 'balanced')).toBeCloseTo(10_000)
    expect(holeCostBytes(UNMEASURED, 'speed')).toBeCloseTo(20_000)
    expect(holeCostBytes(UNMEASURED, 'endurance')).toBeCloseTo(1250)
  })

  test('is what could be copied meanwhile', () => {
    const prices = { msPerHole: 1.5, msPerCopiedByte: 1 / 200_000 }
    expect(holeCostBytes(prices, 'speed')).toBeCloseTo(300_000)
  })

  test('follows what steps have taken, the more the more they did', () => {
    const few = pricesOf(punched(32, 1.5)).msPerHole
    const many = pricesOf(punched(4096, 1.5)).msPerHole
    expect(few).toBeGreaterThan(UNMEASURED.msPerHole)
    expect(few).toBeLessThan(0.1)
    expect(many).toBeGreaterThan(1)
    expect(pricesOf(...Array(20).fill(punched(1024, 1.5))).msPerHole).toBeCloseTo(1.5, 3)
    const slow = pricesOf(...Array(40).fill(copied(64 * MIB, 1 / 100_000)))
    expect(slow.msPerCopiedByte).toBeCloseTo(1 / 100_000, 8)
  })

  test('is forgotten while nothing is punched, and no sooner than others are measured', () => {
    const dear = pricesOf(...Array(20).fill(punched(1024, 1.5)))
    const priceAfter = (steps: number): number =>
      Array(steps)
        .fill(copied(32 * MIB))
        .reduce(pricesAfter, dear).msPerHole
    expect(priceAfter(10)).toBeGreaterThan(1)
    expect(priceAfter(400)).toBeLessThan(0.06)
    expect(pricesAfter(dear, punched(0, 0))).toEqual(dear)
  })

  test('is never nothing, however coarse the clock', () => {
    expect(pricesOf(punched(1000, 0)).msPerHole).toBe(UNMEASURED.msPerHole)
  })
})

describe('a plan', () => {
  /** Half garbage in values of 64 KiB: some 500 holes. */
  const file = fileOf(1, 64 * MIB, 32 * MIB, { recordBytes: 64 * KIB })

  test.each([
    // As the loop device and the disk with discard of bench/micro/hole-price.ts.
    ['cheap holes', 0.05, 'balanced', 'punch 1'],
    ['cheap holes', 0.05, 'speed', 'punch 1'],
    ['dear holes', 1.5, 'balanced', 'rewrite 1'],
    ['dear holes', 1.5, 'speed', 'rewrite 1'],
    ['dear holes', 1.5, 'endurance', 'punch 1'],
  ] as const)('%s of %d ms, %s: %s', (_, msPerHole, prefer, step) => {
    const holeCost = holeCostBytes({ msPerHole, msPerCopiedByte: 1 / 200_000 }, prefer)
    expect(stepsOf(plan([file], { ...PUNCHING, holeCostBytes: holeCost }))).toEqual([step])
  })
})
