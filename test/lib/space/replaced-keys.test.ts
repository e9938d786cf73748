/** How many keys of memtables replace an older entry: by samples, on the side of too many. */
import { expect, test } from 'vitest'
import { replacedShare } from '#dist/lib/space/replaced-keys.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'

test('where all keys are samples nothing is in doubt; else the share errs high', () => {
  expect(replacedShare(0, 0, 0)).toBe(1)
  expect([0, 25, 100].map((replaced) => replacedShare(replaced, 100, 100))).toEqual([0, 0.25, 1])
  expect(replacedShare(0, 100, 1000)).toBe(0.01)
  expect(replacedShare(50, 100, 1000)).toBeCloseTo(0.61)
  expect(replacedShare(99, 100, 1000)).toBe(1)
  expect(replacedShare(100, 100, 1000)).toBe(1)
})

test('of many keys, new ones, overwritten ones and deleted ones, the live bytes are nearly known', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const opened = await CollectedStore.open({ memtableBytes: 4_194_304, segmentBytes: 4_194_304 })
  const { store, model } = opened
  const exact = (): number =>
    [...model].reduce((sum, [key, { length }]) => sum + key.length + length, 0)
  for (let i = 0; i < 3000; i++) await opened.put(keyOf(i), 100)
  await store.flush()
  for (const share of [0, 0.3, 1]) {
    const from = model.size
    const changed = new Set<number>()
    for (let i = 0; i < 1500; i++) {
      const isOld = prng.chance(share)
      const key = isOld ? prng.below(from) : from + i
      if (isOld) changed.add(key)
      await opened.put(keyOf(key), 100)
    }
    const { liveBytes } = store.stats()
    // Of 64 samples at least, at most: it errs low by two, so that three high and eight low are five away by chance.
    const deviation = 1500 * 106 * Math.sqrt(0.25 / 64)
    expect(liveBytes, replayHint(seed)).toBeGreaterThan(exact() - 8 * deviation)
    expect(liveBytes, replayHint(seed)).toBeLessThan(exact() + (share === 0 ? 1 : 3 * deviation))
    if (share === 0) expect(liveBytes).toBeGreaterThan(exact() - 1500 * 106 * 0.05)
    await store.flush()
  }
  await opened.finish()
})
