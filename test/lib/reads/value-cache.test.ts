/** Values kept in memory: by the sequence of their write, taken in at the second read, never another one's. */
import { expect, test } from 'vitest'
import { CACHED_VALUE_BYTES_MAX, ValueCache } from '#dist/lib/reads/value-cache.js'
import { openStore } from '#dist/lib/store/open-store.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const value = (sequence: number, length: number): Buffer => Buffer.alloc(length, `${sequence};`)

test('a value is here from its second read on, and as it was then', () => {
  const cache = new ValueCache(2 ** 20)
  const given = value(7, 5000)
  expect(cache.find(7)).toBeUndefined()
  cache.note(7, given)
  expect(cache.find(7)).toBeUndefined()
  cache.note(7, given)
  given.fill(0)
  expect(Buffer.from(cache.find(7)!)).toEqual(value(7, 5000))
  expect(cache.find(8)).toBeUndefined()
  expect(cache.stats).toMatchObject({ hits: 1, misses: 3 })
})

test('long values stay out', () => {
  const cache = new ValueCache(2 ** 24)
  for (const length of [CACHED_VALUE_BYTES_MAX, CACHED_VALUE_BYTES_MAX + 1]) {
    for (let i = 0; i < 2; i++) cache.note(length, value(length, length))
  }
  expect(cache.find(CACHED_VALUE_BYTES_MAX)).toBeDefined()
  expect(cache.find(CACHED_VALUE_BYTES_MAX + 1)).toBeUndefined()
})

test('I8: whatever comes and goes, a value is its own, and memory stays below the bound', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const capacityBytes = 300_000
  const cache = new ValueCache(capacityBytes)
  const lengths = new Map<number, number>()
  for (let i = 0; i < 30_000; i++) {
    // Some are asked for much more often; sequences go above 2^32.
    const sequence =
      prng.below(prng.below(3) === 0 ? 5000 : 50) + (prng.below(2) === 0 ? 0 : 2 ** 40)
    const found = cache.find(sequence)
    if (found) {
      const expected = value(sequence, lengths.get(sequence)!)
      expect(expected.equals(found), `${sequence} ${replayHint(seed)}`).toBe(true)
    } else {
      if (!lengths.has(sequence)) lengths.set(sequence, 1 + prng.below(9000))
      cache.note(sequence, value(sequence, lengths.get(sequence)!))
    }
    expect(cache.stats.bytes).toBeLessThanOrEqual(capacityBytes)
  }
  // Else nothing has been shown.
  expect(cache.stats.hits).toBeGreaterThan(1000)
})

test('a store with a cache gives the newest values, in memory of their readers own, moved or not', async () => {
  const store = await openStore(temporaryDirectory(), {
    valueCacheBytes: 2 ** 20,
    valueThreshold: 100,
    segmentBytes: 65536,
  })
  const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
  const put = (round: number): Promise<unknown> =>
    Promise.all(
      keys.map((key, i) => store.put(key, Buffer.alloc(3000, `${key} ${i % 3 ? 0 : round};`))),
    )
  await put(0)
  for (let round = 1; round <= 3; round++) {
    const before = await store.snapshot()
    await put(round)
    for (let read = 0; read < 4; read++) {
      for (const [i, key] of keys.entries()) {
        const expected = Buffer.alloc(3000, `${key} ${i % 3 ? 0 : round};`)
        const got = (read % 2 === 0 ? store.getSync(key) : await store.get(key))!
        expect(got).toEqual(expected)
        // Whoever reads next must not see what this one does to its bytes.
        got.fill(0)
        const old = Buffer.alloc(3000, `${key} ${i % 3 ? 0 : round - 1};`)
        expect(store.getSync(key, { snapshot: before })).toEqual(old)
      }
      if (read === 1) await store.collect({ targetSpaceAmplification: 1 })
    }
    before.close()
    await store.delete(keys[0]!)
    expect(store.getSync(keys[0]!)).toBeUndefined()
    await store.put(keys[0]!, Buffer.alloc(3000, `${keys[0]} ${round};`))
  }
  expect(store.stats().valueCache.hits).toBeGreaterThan(200)
  await store.close()
})
