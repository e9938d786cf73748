/** How hard the collector works and how much writers wait: the figures, and the waits that come of them. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { putReserveOf } from '#dist/lib/collector/pace/disk-bound.js'
import { WriterPace } from '#dist/lib/collector/pace/writer-pace.js'
import { allowedRate, isWorthExposing, pressureOf } from '#dist/lib/collector/plan/pressure.js'

const SEGMENT = 1000
const NO_LIMIT = Number.POSITIVE_INFINITY
const OPTIONS = { targetSpaceAmplification: 1.5, segmentBytes: SEGMENT, putLimitBytes: NO_LIMIT }

test('the limit is target x live bytes and two segments; work starts below it, waits later', () => {
  const { limitBytes, startBytes, slowBytes } = pressureOf(10_000, OPTIONS)
  expect(limitBytes).toBe(17_000)
  expect(startBytes).toBeGreaterThan(15_000)
  expect(startBytes).toBeLessThan(slowBytes)
  expect(slowBytes).toBeLessThan(limitBytes)
  expect(pressureOf(0, OPTIONS).limitBytes).toBe(2 * SEGMENT)
})

test('maxBytesOnDisk lowers all of them, and none below nothing', () => {
  const { limitBytes, startBytes, slowBytes } = pressureOf(10_000, {
    ...OPTIONS,
    putLimitBytes: 400,
  })
  expect(limitBytes).toBe(400)
  expect(startBytes).toBeGreaterThanOrEqual(0)
  expect(slowBytes).toBeGreaterThanOrEqual(startBytes)
  expect(slowBytes).toBeLessThanOrEqual(limitBytes)
})

test('the reserve of maxBytesOnDisk is what is needed, and never more than an eighth of it', () => {
  expect(putReserveOf(8e9, 1000, 2000)).toBe(3000 + 2 ** 20)
  expect(putReserveOf(8_000_000, 5_000_000, 2000)).toBe(1_000_000)
  expect(putReserveOf(2 ** 20, 0, 2 ** 26)).toBe(2 ** 17)
})

test('writers get all they want below slow, less and less above it, an eighth at last, nothing at the limit', () => {
  const pressure = { startBytes: 1000, slowBytes: 2000, limitBytes: 3000 }
  const rates = [0, 1999, 2000, 2400, 2500, 2999, 3000, 9000].map((bytes) =>
    allowedRate(bytes, pressure, 500),
  )
  expect(rates).toEqual([NO_LIMIT, NO_LIMIT, 1000, 600, 500, 62.5, 0, 0])
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

describe('the pace of writers', () => {
  const pressure = { startBytes: 1_000_000, slowBytes: 2_000_000, limitBytes: 3_000_000 }
  let written = 0
  let pace: WriterPace

  beforeEach(() => {
    vi.useFakeTimers()
    written = 0
    pace = new WriterPace({
      get bytesWritten() {
        return written
      },
    })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** How long the wait takes, in milliseconds of the fake clock; undefined: it does not end by itself. */
  async function waitOf(wait: Promise<void> | undefined): Promise<number | undefined> {
    if (!wait) return 0
    let ended = false
    void wait.then(() => {
      ended = true
    })
    for (let ms = 0; ms <= 1000; ms++) {
      await vi.advanceTimersByTimeAsync(0)
      if (ended) return ms
      await vi.advanceTimersByTimeAsync(1)
    }
    return undefined
  }

  test('nobody waits below slow, or while nothing can come back', async () => {
    expect(pace.admit()).toBeUndefined()
    pace.measured(1_900_000, pressure)
    written += 50_000
    expect(pace.admit()).toBeUndefined()
    pace.measured(9_000_000, undefined)
    written += 50_000
    expect(pace.admit()).toBeUndefined()
  })

  test('what is written counts before it is measured again', async () => {
    pace.measured(1_900_000, pressure)
    written += 1_100_000
    expect(pace.diskBytes).toBe(3_000_000)
    expect(await waitOf(pace.admit())).toBeUndefined()
  })

  test('between slow and limit waits grow, in small pieces, with the bytes that were written', async () => {
    // 16 MB/s come back, in the mean of many steps.
    for (let i = 0; i < 60; i++) pace.reclaimed(16_000_000, 1000)
    const waits: (number | undefined)[] = []
    for (const diskBytes of [2_100_000, 2_500_000, 2_900_000]) {
      pace.measured(diskBytes, pressure)
      void pace.admit()
      written += 80_000
      pace.measured(diskBytes, pressure)
      waits.push(await waitOf(pace.admit()))
    }
    const [low, middle, high] = waits as [number, number, number]
    expect(low).toBeGreaterThanOrEqual(2)
    expect(middle).toBeGreaterThan(low)
    expect(high).toBeGreaterThan(middle)
    expect(high).toBeLessThanOrEqual(50)
    expect(middle).toBeLessThanOrEqual(8)
  })

  test('waits that are shorter than a timer can are saved up', async () => {
    for (let i = 0; i < 60; i++) pace.reclaimed(16_000_000, 1000)
    pace.measured(2_500_000, pressure)
    void pace.admit()
    let waited = 0
    for (let i = 0; i < 50; i++) {
      written += 8000
      pace.measured(2_500_000, pressure)
      waited += (await waitOf(pace.admit())) ?? 1000
    }
    // 400,000 bytes at 16 MB/s.
    expect(waited).toBeGreaterThanOrEqual(20)
    expect(waited).toBeLessThanOrEqual(40)
  })

  test('time that has passed is paid for, and nothing is owed for what was written without pressure', async () => {
    for (let i = 0; i < 60; i++) pace.reclaimed(16_000_000, 1000)
    pace.measured(2_500_000, pressure)
    void pace.admit()
    written += 160_000
    pace.measured(2_500_000, pressure)
    // Ten milliseconds at 16 MB/s.
    expect(pace.admit()).toBeDefined()
    await vi.advanceTimersByTimeAsync(10)
    expect(pace.admit()).toBeUndefined()
    // As while the collector is paused: writers are not even asked.
    pace.measured(2_500_000, undefined)
    written += 100_000_000
    pace.measured(2_500_000, pressure)
    expect(pace.admit()).toBeUndefined()
  })

  test('a step that is over at once says little of how fast space comes back', async () => {
    for (let i = 0; i < 60; i++) pace.reclaimed(16_000_000, 1000)
    for (let i = 0; i < 5; i++) pace.reclaimed(0, 1)
    pace.reclaimed(64_000_000, 2)
    pace.measured(2_500_000, pressure)
    written += 1_600_000
    pace.measured(2_500_000, pressure)
    // 100 ms at 16 MB/s, in waits of at most 50.
    expect(pace.admit()).toBeDefined()
    await vi.advanceTimersByTimeAsync(60)
    expect(pace.admit()).toBeUndefined()
  })

  test('new figures end a wait between slow and limit: whoever waited asks again', async () => {
    for (let i = 0; i < 60; i++) pace.reclaimed(16_000_000, 1000)
    pace.measured(2_500_000, pressure)
    void pace.admit()
    written += 800_000
    const wait = pace.admit()
    let ended = false
    void wait!.then(() => {
      ended = true
    })
    await vi.advanceTimersByTimeAsync(3)
    expect(ended).toBe(false)
    pace.measured(1_000_000, pressure)
    await vi.advanceTimersByTimeAsync(0)
    expect(ended).toBe(true)
    expect(pace.admit()).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('at the limit writers wait until there is less, until nothing helps, or until they are woken', async () => {
    for (const release of [
      () => pace.measured(2_000_000, pressure),
      () => pace.measured(3_000_000, undefined),
      () => pace.wake(),
    ]) {
      pace.measured(3_000_000, pressure)
      const wait = pace.admit()
      expect(wait).toBeDefined()
      pace.measured(3_100_000, pressure)
      // With new figures it asks again.
      expect(await waitOf(wait)).toBe(0)
      const again = pace.admit()
      expect(await waitOf(again)).toBeUndefined()
      release()
      expect(await waitOf(again)).toBe(0)
    }
  })
})
