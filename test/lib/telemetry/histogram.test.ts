/** Histograms: what lies on a bound is at most that, and nothing is lost above the last one. */
import { expect, test } from 'vitest'
import { CALL_BOUNDS, Histogram, WORK_BOUNDS } from '#dist/lib/telemetry/histogram.js'

test('each duration counts for its bound and all above', () => {
  const histogram = new Histogram([0.001, 0.01, 1])
  expect(histogram.cumulative()).toEqual([0, 0, 0, 0])
  for (const ms of [0, 1, 1.001, 10, 1000, 1001, 1e9]) histogram.note(ms)
  expect(histogram.cumulative()).toEqual([2, 4, 5, 7])
  expect(histogram.sumSeconds).toBeCloseTo((0 + 1 + 1.001 + 10 + 1000 + 1001 + 1e9) / 1000)
})

test('bounds are round numbers, in order', () => {
  expect(CALL_BOUNDS.slice(0, 4)).toEqual([0.000001, 0.0000025, 0.000005, 0.00001])
  expect([CALL_BOUNDS.at(-1), WORK_BOUNDS[0], WORK_BOUNDS.at(-1)]).toEqual([10, 0.001, 1000])
  for (const bounds of [CALL_BOUNDS, WORK_BOUNDS]) {
    expect(bounds).toEqual(bounds.toSorted((a, b) => a - b))
    for (const bound of bounds)
      expect(String(bound).replace(/[0.]|e-\d+$/g, '')).toMatch(/^(1|25|5)$/)
  }
})
