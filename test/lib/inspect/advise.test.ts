/** Advice: the histogram counts the newest values, and the model says what it is said to. */
import { expect, test } from 'vitest'
import { advise, copiesAt, THRESHOLDS } from '#dist/lib/inspect/advise.js'
import { SizeHistogram } from '#dist/lib/inspect/size-histogram.js'
import { measureValueSizes, type ValueSizes } from '#dist/lib/inspect/value-sizes.js'
import { runSlices } from '../../support/run-slices.ts'
import { makeInspectedStore } from '../../support/store/inspected-store.ts'

function measure(directory: string): ValueSizes {
  return runSlices(measureValueSizes(directory))
}

function histogramOf(sizes: readonly [value: number, keys: number][]): SizeHistogram {
  const histogram = new SizeHistogram()
  for (const [value, keys] of sizes) for (let i = 0; i < keys; i++) histogram.add(16, value)
  return histogram
}

test.each([false, true])('the histogram is that of the model; collected: %j', async (collect) => {
  const { directory, model, segments } = await makeInspectedStore({ collect })
  const sizes = measure(directory)
  const expected = new SizeHistogram()
  for (const [key, value] of model) expected.add(key.length, value.length)
  expect(sizes.histogram.buckets()).toEqual(expected.buckets())
  expect([sizes.separatedKeys, sizes.unflushedLogBytes]).toEqual([segments.size, 0])
})

test('what lies only in the log is said, and not counted', async () => {
  const { directory } = await makeInspectedStore({ crash: true })
  expect(measure(directory).unflushedLogBytes).toBeGreaterThan(0)
})

test('buckets end at powers of two', () => {
  const buckets = histogramOf([
    [0, 1],
    [1, 1],
    [255, 1],
    [256, 1],
    [511, 1],
    [512, 1],
  ]).buckets()
  const filled = buckets.filter(({ keys }) => keys > 0)
  expect(filled.map(({ from, to, keys }) => [from, to, keys])).toEqual([
    [0, 0, 1],
    [1, 1, 1],
    [128, 255, 1],
    [256, 511, 2],
    [512, 1023, 1],
  ])
})

test('what the collector copies: nothing is free, and more space costs less', () => {
  // A target of 1.3: files are 0.57 alive when their turn comes.
  expect(copiesAt(1.3)).toBeCloseTo(1.35, 1)
  expect(copiesAt(1.1)).toBeGreaterThan(copiesAt(1.3))
  expect(copiesAt(3)).toBeLessThan(0.1)
})

test('large values are separated, small ones are not', () => {
  const large = advise(histogramOf([[100_000, 2000]]).buckets())
  expect(large.predictions.map(({ separatedKeys }) => separatedKeys)).toEqual(
    THRESHOLDS.map(() => 2000),
  )
  const small = advise(histogramOf([[100, 2000]]).buckets())
  expect(small.predictions.every(({ separatedKeys }) => separatedKeys === 0)).toBe(true)
  expect(small.recommended).toBe(65536)
  expect(advise([])).toEqual({ predictions: [], recommended: undefined })
})

test('a large store of 4 KiB values writes less if they are separated', () => {
  const keys = 100_000_000
  const bucket = { from: 4096, to: 8191, keys, keyBytes: 16 * keys, valueBytes: 4096 * keys }
  const { predictions, recommended } = advise([bucket])
  const at = (threshold: number) => predictions.find((each) => each.threshold === threshold)!
  expect(at(4096).written).toBeLessThan(at(8192).written / 3)
  expect(at(4096).space).toBeGreaterThan(at(8192).space)
  expect(recommended).toBe(4096)
  for (const { written, writtenLog, writtenTree, writtenCollector } of predictions) {
    expect(written).toBeCloseTo(writtenLog + writtenTree + writtenCollector)
  }
})
