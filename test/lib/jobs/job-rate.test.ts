/** The rate of a job, and the bucket that holds it to that. */
import { describe, expect, test } from 'vitest'
import { JobRate, TokenBucket } from '#dist/lib/jobs/job-rate.js'

const MIB = 1024 * 1024

describe('a rate', () => {
  test('tells those who listen of a change, once, until they stop', () => {
    const rate = new JobRate(100)
    const heard: unknown[] = []
    const stop = rate.onChange((bytesPerSecond) => heard.push(bytesPerSecond))
    for (const bytesPerSecond of [100, 0, 0, undefined, 7]) rate.set(bytesPerSecond)
    stop()
    rate.set(8)
    expect(heard).toEqual([0, undefined, 7])
    expect(rate.bytesPerSecond).toBe(8)
  })

  test('is a number of bytes', () => {
    for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new JobRate(wrong)).toThrow(expect.objectContaining({ code: 'WISC_INTERNAL' }))
      const rate = new JobRate(5)
      expect(() => rate.set(wrong)).toThrow(expect.objectContaining({ code: 'WISC_INTERNAL' }))
      expect(rate.bytesPerSecond).toBe(5)
    }
  })
})

describe('a token bucket', () => {
  /** Makes slices of a size as soon as they may be made. @returns bytes by the end of the time */
  function bytesIn(bucket: TokenBucket, sliceBytes: number, fromMs: number, toMs: number): number {
    let bytes = 0
    for (let now = fromMs; ; ) {
      const wait = bucket.waitMs(now)
      now += wait
      if (now > toMs) return bytes
      bucket.take(sliceBytes, now)
      bytes += sliceBytes
    }
  }

  test('gives the rate, whatever the slices', () => {
    for (const slice of [1000, 65_536, MIB, 30 * MIB]) {
      const bytes = bytesIn(new TokenBucket(10 * MIB, 0), slice, 0, 60_000)
      expect(Math.abs(bytes - 600 * MIB)).toBeLessThanOrEqual(slice)
    }
  })

  test('saves up a burst of 50 ms, or of 256 KiB if that is more', () => {
    for (const [rate, burst] of [
      [MIB, 256 * 1024],
      [100 * MIB, 5 * MIB],
    ] as const) {
      const bucket = new TokenBucket(rate, 0)
      bucket.take(burst, 1_000_000)
      expect(bucket.waitMs(1_000_000)).toBe(0)
      bucket.take(rate / 100, 1_000_000)
      expect(bucket.waitMs(1_000_000)).toBeCloseTo(10, 3)
    }
  })

  test('without a limit nothing waits, nothing is owed and nothing saved', () => {
    const bucket = new TokenBucket(undefined, 0)
    bucket.take(2 ** 40, 0)
    expect(bucket.waitMs(0)).toBe(0)
    bucket.setRate(1000, 1000)
    expect(bucket.waitMs(1000)).toBe(0)
    bucket.take(1000, 1000)
    expect(bucket.waitMs(1000)).toBeCloseTo(1000)
    bucket.setRate(undefined, 1000)
    expect(bucket.waitMs(1000)).toBe(0)
  })

  test('a rate of 0 waits for ever, and what is owed is paid at the rate that comes', () => {
    const bucket = new TokenBucket(0, 0)
    expect(bucket.waitMs(1e9)).toBe(Number.POSITIVE_INFINITY)
    bucket.setRate(1000, 1e9)
    expect(bucket.waitMs(1e9)).toBe(0)
    bucket.take(500_000, 1e9)
    bucket.setRate(0, 1e9 + 100_000)
    bucket.setRate(2000, 2e9)
    expect(bucket.waitMs(2e9)).toBeCloseTo(200_000)
  })
})
