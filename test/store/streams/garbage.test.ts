/**
 * What becomes garbage of streams is known to the byte, however few they are among the keys: it counts at once, and
 * comes back by itself.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CollectorOptions } from '#dist/lib/contract/options.js'
import type { Store } from '#dist/lib/store/store.js'
import { unlikeBytes } from '../../support/random.ts'
import { CollectedStore, keyOf } from '../../support/store/collected-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'

const MIB = 1024 * 1024
const SIZE = 4 * MIB + 77
const KEYS = 3000
const KEY = keyOf(777)
/** Of a record with key and value. */
const RECORD_BYTES = 40 + KEY.length + SIZE

async function* pieces(value: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield value
}

async function putStream({ store, model }: CollectedStore, value: Buffer): Promise<void> {
  await store.putStream(KEY, pieces(value))
  model.set(KEY, value)
}

/** One stream among many small values, all in tables. */
async function filled(collector: CollectorOptions): Promise<CollectedStore> {
  const opened = await CollectedStore.open({
    segmentBytes: 65536,
    memtableBytes: MIB,
    streamThreshold: 65536,
    tree: { sizeRatio: 10, tableBytes: 65536, blockBytes: 4096 },
    collector,
  })
  for (let i = 0; i < KEYS; i++) if (keyOf(i) !== KEY) await opened.put(keyOf(i), 20)
  await putStream(opened, unlikeBytes(SIZE))
  await opened.store.flush()
  return opened
}

beforeEach(runTimers)
afterEach(() => {
  vi.useRealTimers()
})

/** Writes to many keys, and so does away with the stream. */
const WAYS: Readonly<Record<string, (opened: CollectedStore) => Promise<void>>> = {
  put: (opened) => opened.put(KEY, 20),
  delete: (opened) => opened.delete(KEY),
  deleteRange: async ({ store, model }) => {
    await store.deleteRange({ gte: KEY, lt: `${KEY}!` })
    model.delete(KEY)
  },
  'a smaller stream': (opened) => putStream(opened, unlikeBytes(65536)),
}

async function overwrite(opened: CollectedStore, way: string): Promise<void> {
  for (let i = 0; i < KEYS; i++) {
    if (keyOf(i) === KEY) await WAYS[way]!(opened)
    else if (i % 3 === 0) await opened.put(keyOf(i), 21)
  }
}

function figuresOf(store: Store): { hidden: number; pinned: number } {
  const { hiddenGarbageBytesEstimate: hidden, pinnedBytesEstimate: pinned } = store.stats()
  return { hidden, pinned }
}

describe.each(Object.keys(WAYS))('by %s', (way) => {
  test('a stream counts as garbage at once, to the byte, or as pinned by who sees it', async () => {
    const opened = await filled({ enabled: false })
    const { store } = opened
    expect(store.stats().liveBytes).toBeGreaterThan(SIZE)
    expect(figuresOf(store)).toEqual({ hidden: 0, pinned: 0 })
    const snapshot = store.snapshot()
    await overwrite(opened, way)
    // No table knows of it yet.
    expect(store.stats().liveBytes).toBeLessThan(MIB)
    expect(figuresOf(store)).toEqual({ hidden: 0, pinned: 0 })
    await store.flush()
    expect(store.stats().liveBytes).toBeLessThan(MIB)
    expect(figuresOf(store)).toEqual({ hidden: 0, pinned: RECORD_BYTES })
    snapshot.close()
    const found = { hidden: RECORD_BYTES, pinned: 0 }
    expect(figuresOf(store)).toEqual(found)
    await opened.closeAndReopen()
    expect(figuresOf(opened.store)).toEqual(found)
    await opened.store.compact()
    expect(figuresOf(opened.store)).toEqual({ hidden: 0, pinned: 0 })
    await opened.finish()
  })

  test('it comes back by itself, in a store in which nothing else happens', async () => {
    const opened = await filled({})
    await overwrite(opened, way)
    await idle(opened.fileSystem)
    const { diskBytes, streams } = opened.store.stats()
    expect(streams).toBe(way === 'a smaller stream' ? 1 : 0)
    expect(diskBytes).toBeLessThan(MIB)
    await opened.finish()
  })
})
