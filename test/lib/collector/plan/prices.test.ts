/** Holes against copies: by what both have cost, by what is preferred, and back to a price not seen for long. */
import { describe, expect, test } from 'vitest'
import {
  holeCostBytes,
  holesMax,
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

/** Of a hole alone, at 400 MB/s and by time: half of its price. */
const msPerHole = (prices: Prices): number =>
  holeCostBytes({ ...prices, msPerCopiedByte: 1 / 400_000 }, 'speed') / 400_000 / 2

describe('the price of a hole', () => {
  test('before anything is measured is 10,000 bytes', () => {
    expect(holeCostBytes(UNMEASURED, 'balanced')).toBeCloseTo(10_000)
    expect(holeCostBytes(UNMEASURED, 'speed')).toBeCloseTo(20_000)
    expect(holeCostBytes(UNMEASURED, 'endurance')).toBeCloseTo(1250)
  })

  test('is what could be copied meanwhile, and while its extent is unlinked', () => {
    const prices = { holes: 1e6, holeMs: 1.5e6, msPerCopiedByte: 1 / 200_000 }
    expect(holeCostBytes(prices, 'speed') / 600_000).toBeCloseTo(1, 3)
  })

  test('follows what steps have taken, the more the more they did', () => {
    expect(msPerHole(pricesOf(punched(4, 1.5)))).toBeLessThan(0.5)
    expect(msPerHole(pricesOf(punched(4096, 1.5)))).toBeGreaterThan(1.4)
    const cheapNow = pricesOf(...Array(20).fill(punched(1024, 1.5)), punched(4096, 0.1))
    expect(msPerHole(cheapNow)).toBeLessThan(0.5)
  })

  test('is learned by a trial of some holes, then by twice as many, until enough are known', () => {
    expect(holesMax(UNMEASURED)).toBe(64)
    const tried = pricesOf(punched(64, 1.5))
    expect(msPerHole(tried)).toBeGreaterThan(1)
    expect(holesMax(tried)).toBe(128)
    expect(holesMax(pricesOf(punched(64, 1), punched(128, 1)))).toBe(384)
    expect(holesMax(pricesOf(punched(512, 1)))).toBe(Infinity)
    const forgotten = pricesOf(punched(512, 1.5), ...Array(300).fill(copied(32 * MIB)))
    expect(holesMax(forgotten)).toBe(64)
  })

  test('is forgotten while nothing is punched, and no sooner than others are measured', () => {
    const dear = pricesOf(...Array(20).fill(punched(1024, 1.5)))
    const priceAfter = (steps: number): number =>
      msPerHole(
        Array(steps)
          .fill(copied(32 * MIB))
          .reduce(pricesAfter, dear),
      )
    expect(priceAfter(100)).toBeGreaterThan(1)
    expect(priceAfter(600)).toBeLessThan(0.1)
    expect(pricesAfter(dear, punched(0, 0))).toEqual(dear)
  })

  test('is never nothing, however coarse the clock', () => {
    expect(msPerHole(pricesOf(punched(1000, 0)))).toBe(msPerHole(UNMEASURED))
  })
})

describe('the price of a copied byte', () => {
  const bytesPerMs = (...works: readonly PricedWork[]): number =>
    1 / pricesOf(...works).msPerCopiedByte

  test('is that of the fastest of late: holes beside copies make these slow, not dear', () => {
    const fast = copied(64 * MIB, 1 / 800_000)
    const slow = copied(64 * MIB, 1 / 100_000)
    expect(bytesPerMs(fast, fast, fast, fast, fast)).toBeGreaterThan(750_000)
    expect(bytesPerMs(fast, fast, fast, fast, fast, slow, slow)).toBeGreaterThan(500_000)
    expect(bytesPerMs(...Array(200).fill(slow))).toBeLessThan(110_000)
  })

  test('is not told by small copies, and forgotten while nothing is copied', () => {
    expect(bytesPerMs(copied(64 * KIB, 1 / 1000))).toBeCloseTo(400_000)
    const slow = Array(200).fill(copied(64 * MIB, 1 / 100_000))
    expect(bytesPerMs(...slow, ...Array(200).fill(punched(10, 1)))).toBeGreaterThan(350_000)
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
    const prices = { ...pricesOf(punched(1e6, msPerHole)), msPerCopiedByte: 1 / 200_000 }
    const holeCost = holeCostBytes(prices, prefer)
    expect(stepsOf(plan([file], { ...PUNCHING, holeCostBytes: holeCost }))).toEqual([step])
  })
})
