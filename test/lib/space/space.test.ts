/** What lives, as `stats` says and the collector sees: in memtables as well as in tables, never too much. */
import { expect, test } from 'vitest'
import { liveBytesAbove } from '#dist/lib/space/replaced-keys.js'
import { RangeList } from '#dist/lib/tree/ranges/range-list.js'
import { tableBytes } from '#dist/vlog/value-chunks.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'

const seed = testSeed()

function exact({ model }: CollectedStore, valueThreshold: number = 256): number {
  let bytes = 0
  for (const [key, { length }] of model)
    bytes += key.length + length + (length < valueThreshold ? 0 : tableBytes(length))
  return bytes
}

test('before the first flush the live bytes are those of the newest entries, of all kinds', async () => {
  // Inline, separated, and one that is too large for the arena.
  const opened = await CollectedStore.open({ memtableBytes: 1_048_576, valueThreshold: 70_000 })
  const { store } = opened
  const prng = new Prng(seed)
  expect(store.stats().liveBytes).toBe(0)
  for (let i = 0; i < 400; i++) {
    const key = keyOf(prng.below(60))
    if (prng.chance(0.2)) await opened.delete(key)
    else await opened.put(key, prng.pick([0, 20, 3000, 66_000, 100_000]))
    const found = store.stats().liveBytes
    expect(found, replayHint(seed)).toBe(exact(opened, 70_000))
  }
  await opened.finish()
})

test('what a memtable may shadow counts as garbage of it, unless it is found to be new', async () => {
  const opened = await CollectedStore.open({ memtableBytes: 1_048_576 })
  const { store } = opened
  const live = (): number => store.stats().liveBytes
  for (let i = 0; i < 100; i++) await opened.put(keyOf(i), 1000)
  await store.flush()
  expect(live()).toBe(exact(opened))
  for (let i = 100; i < 150; i++) await opened.put(keyOf(i), 500)
  expect(live()).toBe(exact(opened))
  for (let i = 0; i < 30; i++) await opened.put(keyOf(i), 500)
  expect(live()).toBe(exact(opened))
  await store.compact()
  expect(live()).toBe(exact(opened))
  for (let i = 0; i < 150; i++) await opened.delete(keyOf(i))
  expect(live()).toBe(0)
  await store.compact()
  expect(live()).toBe(0)
  await opened.finish()
})

test('memtables shadow each other, too: what is known, and what is guessed to be of mean size', () => {
  const tables = { keys: 100, bytes: 1000 }
  type Above = [known: number, knownBytes: number, guessedKeys: number, keys: number, bytes: number]
  const live = (...memtables: Above[]) =>
    liveBytesAbove(
      tables,
      memtables.map(([, , , liveKeys, liveBytes]) => ({
        liveKeys,
        liveBytes,
        ranges: RangeList.EMPTY,
      })),
      memtables.map(([keys, bytes, guessedKeys]) => ({ keys, bytes, guessedKeys })),
    )
  expect(live()).toBe(1000)
  expect(live([0, 0, 20, 20, 200])).toBe(1000)
  expect(live([0, 0, 0, 20, 200])).toBe(1200)
  expect(live([0, 0, 20, 0, 0])).toBe(800)
  expect(live([0, 0, 200, 0, 0])).toBe(0)
  expect(live([20, 700, 0, 20, 200])).toBe(500)
  expect(live([20, 700, 10, 30, 300])).toBe(500)
  // Newest first: 50 deletes above 100 keys, of which 50 are new at most.
  expect(live([0, 0, 50, 0, 0], [0, 0, 50, 50, 500])).toBe(500)
})

test('what few keys replace is known to the byte, in tables and memtables, whatever its length', async () => {
  const opened = await CollectedStore.open({ memtableBytes: 65_536, segmentBytes: 4_194_304 })
  const { store } = opened
  const prng = new Prng(seed)
  const length = (): number => (prng.chance(0.1) ? 60_000 : prng.below(3000))
  for (let i = 0; i < 200; i++) await opened.put(keyOf(i), length())
  await store.compact()
  // Two memtables, one of which stands still while it is flushed.
  opened.runner.hold('flush', 'before')
  let flush: Promise<unknown> = Promise.resolve()
  for (let i = 0; i < 240; i++) {
    if (i === 120) flush = store.flush()
    const key = keyOf(prng.below(210))
    if (prng.chance(0.2)) await opened.delete(key)
    else await opened.put(key, length())
    expect(store.stats().liveBytes, replayHint(seed)).toBe(exact(opened))
  }
  opened.runner.release('flush')
  await flush
  await opened.finish()
})

test('the amplification of an empty store is a number', async () => {
  const { store } = await CollectedStore.open()
  const { diskBytes, liveBytes, spaceAmplification } = store.stats()
  expect(liveBytes).toBe(0)
  expect(spaceAmplification).toBe(diskBytes)
  expect(JSON.parse(JSON.stringify(store.stats()))).toMatchObject({ spaceAmplification: diskBytes })
})
