/** How hard the collector works, and how much room writers have: the figures. */
import { expect, test } from 'vitest'
import { putReserveOf } from '#dist/lib/collector/pace/disk-bound.js'
import { isWorthExposing, pressureOf } from '#dist/lib/collector/plan/pressure.js'

const SEGMENT = 1000
const NO_LIMIT = Number.POSITIVE_INFINITY
const OPTIONS = {
  targetSpaceAmplification: 1.5,
  segmentBytes: SEGMENT,
  putLimitBytes: NO_LIMIT,
  toComeBytes: 0,
}

test('the limit is just below target x live bytes and two segments; a rewrite has its room below it', () => {
  const { boundBytes, limitBytes, startBytes, rewriteBytes } = pressureOf(10_000, OPTIONS)
  expect(boundBytes).toBe(limitBytes)
  expect(limitBytes).toBeLessThan(17_000)
  expect(limitBytes).toBeGreaterThan(16_900)
  // The collector begins before writers stand.
  expect(startBytes).toBe(limitBytes - SEGMENT)
  expect(startBytes).toBeLessThan(limitBytes - rewriteBytes)
  // A segment of which a rewrite frees just enough.
  expect(rewriteBytes).toBeCloseTo(SEGMENT / 1.5)
  const tight = pressureOf(10_000, { ...OPTIONS, targetSpaceAmplification: 1.01 })
  expect(tight.rewriteBytes).toBeLessThan(SEGMENT)
})

test('maxBytesOnDisk lowers the limit and the start, never below nothing, and has a reserve of its own', () => {
  const pressure = pressureOf(10_000, { ...OPTIONS, putLimitBytes: 400 })
  expect(pressure).toMatchObject({ limitBytes: 400, startBytes: 0, rewriteBytes: 0 })
  expect(pressure.boundBytes).toBe(pressureOf(10_000, OPTIONS).boundBytes)
  // Where both are near each other the room of a rewrite is kept but once.
  const { boundBytes } = pressure
  const near = pressureOf(10_000, { ...OPTIONS, putLimitBytes: boundBytes - 100 })
  expect(near.limitBytes - near.rewriteBytes).toBeCloseTo(boundBytes - SEGMENT / 1.5)
})

test('what comes without a writer has its room below the limit, and the collector begins earlier for it', () => {
  const before = pressureOf(10_000, OPTIONS)
  const pressure = pressureOf(10_000, { ...OPTIONS, toComeBytes: 300 })
  expect(pressure.limitBytes).toBe(before.limitBytes - 300)
  expect(pressure.startBytes).toBe(before.startBytes - 300)
  expect(pressure.rewriteBytes).toBeCloseTo(before.rewriteBytes)
})

test('the reserve of maxBytesOnDisk is what is needed, and never more than an eighth of it', () => {
  expect(putReserveOf(8e9, 1000, 2000)).toBe(3000 + 2 ** 20)
  expect(putReserveOf(8_000_000, 5_000_000, 2000)).toBe(1_000_000)
  expect(putReserveOf(2 ** 20, 0, 2 ** 26)).toBe(2 ** 17)
})

test('a compaction is worth what it exposes only against the bytes that it writes', () => {
  const worth = (hiddenGarbageBytes: number, tableBytes: number, target = 1.3): boolean => {
    const options = { ...OPTIONS, targetSpaceAmplification: target }
    return isWorthExposing({ hiddenGarbageBytes, tableBytes, liveBytes: 1_000_000 }, options)
  }
  expect(worth(0, 0)).toBe(false)
  expect(worth(SEGMENT / 2 - 1, 0)).toBe(false)
  expect(worth(SEGMENT / 2, 0)).toBe(true)
  expect(worth(10_000, 10_000)).toBe(false)
  expect(worth(51_000, 10_000)).toBe(true)
  // Where more garbage is allowed, more of it may be hidden.
  expect(worth(51_000, 10_000, 1.6)).toBe(false)
  expect(worth(101_000, 10_000, 1.6)).toBe(true)
})
