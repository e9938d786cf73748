/** Remembered ranges of keys with nothing in them: what is answered is true, and what is kept is bounded. */
import { expect, test } from 'vitest'
import { type Edge, EmptyRanges } from '#dist/lib/state/empty-ranges.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const seed = testSeed()
const hint = replayHint(seed)

function bytes(key: number): Uint8Array {
  return Uint8Array.of(key >>> 8, key & 255)
}

function before(key: number): Edge {
  return { key: bytes(key), behind: false }
}

function behind(key: number): Edge {
  return { key: bytes(key), behind: true }
}

function find(ranges: EmptyRanges, key: number, sequence: number): [Edge, Edge] | undefined {
  const found = ranges.find(bytes(key), 0, 2, sequence)
  return found && [found.lower, found.upper]
}

test('a range holds its keys, for readers at its sequence and later', () => {
  const ranges = new EmptyRanges()
  ranges.add(before(10), behind(20), 7)
  expect(find(ranges, 10, 7)).toEqual([before(10), behind(20)])
  expect(find(ranges, 20, 100)).toEqual([before(10), behind(20)])
  expect(find(ranges, 15, 6)).toBeUndefined()
  expect(find(ranges, 9, 7)).toBeUndefined()
  expect(find(ranges, 21, 7)).toBeUndefined()
})

test('a put takes its key out; what touches becomes one, known since the later of both', () => {
  const ranges = new EmptyRanges()
  ranges.add(before(10), behind(20), 7)
  ranges.put(bytes(15))
  expect(find(ranges, 15, 9)).toBeUndefined()
  expect(find(ranges, 14, 9)).toEqual([before(10), before(15)])
  expect(find(ranges, 16, 9)).toEqual([behind(15), behind(20)])
  // It was deleted again, and a scan has passed over all three.
  ranges.add(before(10), behind(20), 30)
  expect(ranges.count).toBe(1)
  expect(find(ranges, 15, 30)).toEqual([before(10), behind(20)])
  ranges.add(behind(20), behind(25), 40)
  expect(ranges.count).toBe(1)
  expect(find(ranges, 12, 39)).toBeUndefined()
  expect(find(ranges, 25, 40)).toEqual([before(10), behind(25)])
  ranges.put(bytes(10))
  ranges.put(bytes(25))
  expect(find(ranges, 12, 40)).toEqual([behind(10), before(25)])
})

test('an edge does not hold a key that lies on its other side', () => {
  const ranges = new EmptyRanges()
  ranges.add(behind(10), before(20), 1)
  expect(find(ranges, 10, 1)).toBeUndefined()
  expect(find(ranges, 20, 1)).toBeUndefined()
  ranges.put(bytes(10))
  ranges.put(bytes(20))
  expect(ranges.count).toBe(1)
  ranges.put(bytes(11))
  expect(find(ranges, 12, 1)).toEqual([behind(11), before(20)])
})

test('whatever is added and put, an answer holds no key that a reader may see', () => {
  const prng = new Prng(seed)
  const KEYS = 200
  for (let round = 0; round < 10; round++) {
    const ranges = new EmptyRanges()
    /** The sequence since which each key is known to be empty. */
    const known = new Array<number>(KEYS).fill(Number.POSITIVE_INFINITY)
    for (let sequence = 1; sequence < 300; sequence++) {
      if (prng.below(2) === 0) {
        const key = prng.below(KEYS)
        ranges.put(bytes(key))
        known[key] = Number.POSITIVE_INFINITY
      } else {
        const from = prng.below(KEYS)
        const to = Math.min(KEYS - 1, from + prng.below(40))
        // A reader of an older state may find an empty range, too.
        const at = Math.max(1, sequence - prng.below(3) * 20)
        ranges.add(before(from), behind(to), at)
        for (let key = from; key <= to; key++) known[key] = Math.min(known[key]!, at)
      }
      const key = prng.below(KEYS)
      const reader = Math.max(1, sequence - prng.below(60))
      const found = find(ranges, key, reader)
      if (!found) continue
      for (let inside = 0; inside < KEYS; inside++) {
        const order = (edge: Edge): number => Buffer.compare(edge.key, bytes(inside))
        const isIn =
          (order(found[0]) < 0 || (order(found[0]) === 0 && !found[0].behind)) &&
          (order(found[1]) > 0 || (order(found[1]) === 0 && found[1].behind))
        if (isIn) expect(known[inside], `key=${inside} ${hint}`).toBeLessThanOrEqual(reader)
      }
    }
  }
})

test('I10: it keeps a bounded count of ranges and bytes, and forgets what was of no use longest', () => {
  const ranges = new EmptyRanges()
  ranges.add(before(0), behind(1), 1)
  for (let i = 1; i < 1500; i++) {
    ranges.add(before(10 * i), behind(10 * i + 5), 1)
    expect(find(ranges, 0, 1)).toBeDefined()
    expect(ranges.count).toBeLessThanOrEqual(512)
    if (i > 512) expect(ranges.count).toBeGreaterThanOrEqual(384)
  }
  expect(find(ranges, 10, 1)).toBeUndefined()
  expect(find(ranges, 14_990, 1)).toBeDefined()
  // A put in the middle makes two of one.
  const { count } = ranges
  ranges.put(bytes(14_993))
  expect([count + 1, 384]).toContain(ranges.count)
  const long = (i: number, end: number): Edge => {
    const key = new Uint8Array(65536).fill(255)
    key[65534] = i
    key[65535] = end
    return { key, behind: end > 0 }
  }
  for (let i = 0; i < 100; i++) ranges.add(long(i, 0), long(i, 1), 1)
  expect(ranges.count).toBeLessThanOrEqual(8)
})
