/** Advice: the histogram counts the newest values, and the model says what it is said to. */
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { advise, copiesAt, THRESHOLDS } from '#dist/lib/inspect/advise.js'
import { type MeasuredCosts, meanCosts } from '#dist/lib/inspect/costs.js'
import { SizeHistogram } from '#dist/lib/inspect/size-histogram.js'
import { measureValueSizes, type ValueSizes } from '#dist/lib/inspect/value-sizes.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
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
  const found = new SizeHistogram()
  found.addCorrected(sizes.inline, [])
  found.addCorrected(sizes.separated, [])
  expect(found.buckets()).toEqual(expected.buckets())
  expect([sizes.separatedKeys, sizes.unflushedLogBytes]).toEqual([segments.size, 0])
})

test('some keys of each size are named, all over the store, with the size that was taken', async () => {
  const directory = temporaryDirectory()
  const store = await open(directory, { workers: 0, valueThreshold: 200 })
  const model = new Map<string, number>()
  const [count, sizes] = [1000, [300, 900]] as const
  for (let i = 0; i < count; i++) model.set(String(i).padStart(4, '0'), sizes[i % 2]!)
  await store.write(
    [...model].map(([key, size]) => ({ type: 'put', key, value: new Uint8Array(size) })),
  )
  await store.flush()
  await store.close()
  const { samples } = measure(directory)
  for (const size of sizes) {
    const own = samples.filter(({ taken }) => taken === size)
    const names = own.map(({ key }) => Buffer.from(key).toString())
    expect(names.map((name) => model.get(name))).toEqual(names.map(() => size))
    expect(new Set(names).size).toBe(names.length)
    // 500 values: every fourth of them.
    expect(names.length).toBe(125)
    expect([names[0]! < '0002', names.at(-1)! > '0990']).toEqual([true, true])
  }
  expect(samples).toHaveLength(250)
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
  expect(advise([])).toEqual({ predictions: [], recommended: undefined, fastest: undefined })
})

test('a large store of 4 KiB values writes less if they are separated', () => {
  const keys = 100_000_000
  const valueBytes = 4096 * keys
  const sizes = { from: 4096, to: 8191, valueBytes, storedBytes: valueBytes }
  const bucket = { ...sizes, keys, keyBytes: 16 * keys }
  const { predictions, recommended } = advise([bucket])
  const at = (threshold: number) => predictions.find((each) => each.threshold === threshold)!
  expect(at(4096).written).toBeLessThan(at(8192).written / 3)
  expect(at(4096).space).toBeGreaterThan(at(8192).space)
  expect(recommended).toBe(4096)
  for (const { written, writtenLog, writtenTree, writtenCollector } of predictions) {
    expect(written).toBeCloseTo(writtenLog + writtenTree + writtenCollector)
  }
})

test('samples put sizes right: counts stay, bytes are those of the samples', () => {
  const taken = new SizeHistogram()
  // 100 values that take 600 bytes each, of which half are 4000 bytes long, and 10 of 3000 that nobody has sampled.
  for (let i = 0; i < 100; i++) taken.add(16, 600)
  for (let i = 0; i < 10; i++) taken.add(16, 3000)
  const found = new SizeHistogram()
  found.addCorrected(taken, [
    { taken: 600, given: 600 },
    { taken: 600, given: 4000 },
  ])
  const filled = found.buckets().filter(({ keys }) => keys > 0)
  expect(filled).toEqual([
    { from: 512, to: 1023, keys: 50, keyBytes: 800, valueBytes: 30_000, storedBytes: 30_000 },
    { from: 2048, to: 4095, keys: 60, keyBytes: 960, valueBytes: 230_000, storedBytes: 60_000 },
  ])
})

test('samples that are as they were taken change nothing, however many there are', () => {
  const taken = histogramOf([
    [1, 7],
    [500, 1001],
    [3000, 333],
    [65_000, 3],
  ])
  const found = new SizeHistogram()
  const samples = [1, 1, 500, 500, 500, 3000, 3000, 3000, 3000, 65_000]
  found.addCorrected(
    taken,
    samples.map((size) => ({ taken: size, given: size })),
  )
  expect(found.buckets()).toEqual(taken.buckets())
})

test('compressed values count by their sizes before where they would be inline', () => {
  const keys = 1_000_000
  const of = { from: 4096, to: 8191, keys, keyBytes: 16 * keys, valueBytes: 4096 * keys }
  const [plain, packed] = [4096, 1024].map((stored) =>
    advise([{ ...of, storedBytes: stored * keys }]),
  )
  const at = (advice: typeof plain, threshold: number) =>
    advice!.predictions.find((each) => each.threshold === threshold)!
  expect(at(packed, 4096).space).toBeLessThan(at(plain, 4096).space / 3)
  expect(at(packed, 8192)).toEqual(at(plain, 8192))
})

test('times lie on lines between the sizes that were measured', () => {
  const line = [
    [1000, 10, 20],
    [4000, 40, 20],
  ] as const
  const points = { put: line, overwrite: line, get: line, rangeEntry: line, scanEntry: line }
  const costs: MeasuredCosts = { date: '2026-01-02', machine: 'a machine', points }
  const at = (size: number, threshold: number): number => {
    const sums = { keyBytes: 16, valueBytes: size, storedBytes: size }
    return meanCosts(costs, [{ from: size, to: size, keys: 1, ...sums }], threshold).put
  }
  const inline = Number.POSITIVE_INFINITY
  expect([1000, 2000, 4000].map((size) => at(size, inline))).toEqual([10, 20, 40])
  expect([1000, 2000, 4000].map((size) => at(size, 0))).toEqual([20, 20, 20])
  // Below as the smallest, above as much for each byte as the largest.
  expect([at(10, inline), at(8000, inline)]).toEqual([10, 80])
  expect(at(10, 0)).toBe(20)
})
