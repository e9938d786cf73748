/** What memtables take of the disk is not what they take of memory: range tombstones take less, large values more. */
import { expect, test } from 'vitest'
import type { Given } from '#dist/lib/contract/arguments.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { type Batch, makeBatch } from '#dist/lib/writes/batch.js'
import { TakenBytes } from '#dist/lib/writes/taken-bytes.js'
import { takeWrite } from '#dist/lib/writes/write.js'
import { RECORD_KIND } from '#dist/vlog/record.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const seed = testSeed()
/** No flush by itself, and no look: the collector is paused. */
const LARGE = { memtableBytes: 4 * 1024 * 1024, segmentBytes: 1024 * 1024 }
/** What a table has besides: header, footer, parts. */
const TABLE_BYTES = 600
const COUNT = 1000

function engine(store: Store): Engine {
  return engineOf(store) as Engine
}

type Range = readonly [string, string]

function keyOf(i: number): string {
  return String(i).padStart(6, '0')
}

/** Ranges that do not touch each other. */
const APART: readonly Range[] = Array.from({ length: COUNT }, (_, i) => [
  keyOf(2 * i),
  keyOf(2 * i + 1),
])

async function deleteRanges(store: Store, ranges: readonly Range[]): Promise<void> {
  await store.write(ranges.map(([gte, lt]) => ({ type: 'deleteRange', gte, lt })))
}

function batchOf(given: readonly Given[], valueThreshold: number): Batch {
  const taken = new TakenBytes()
  const writes = given.map((one) => takeWrite(taken, one, { valueThreshold, compresses: false }))
  const asked = { sync: false, condition: undefined, compose: undefined, compresses: false }
  return makeBatch(writes, { ...asked, resolve: () => {}, reject: () => {} })
}

test('a flush writes no more of them than it was said to, however they overlap and whoever reads', async () => {
  const prng = new Prng(seed)
  const store = await openSmallStore(LARGE)
  const { memtables, versions } = engine(store)
  for (let round = 0; round < 6; round++) {
    const before = versions.current.tables
    const snapshots = []
    for (let i = 0; i < 200; i++) {
      const start = prng.below(1000)
      await deleteRanges(store, [[keyOf(start), keyOf(start + 1 + prng.below(300))]])
      if (prng.chance(0.05)) snapshots.push(store.snapshot())
      if (round % 2 === 0 && prng.chance(0.3))
        await store.put(keyOf(prng.below(1000)), Buffer.alloc(50))
    }
    const most = memtables.tableBytesMax
    const used = memtables.usedBytes
    await store.flush()
    const written = [...versions.current.tables.values()].filter(
      ({ meta }) => !before.has(meta.number),
    )
    const bytes = written.reduce((sum, { meta }) => sum + meta.bytes, 0)
    expect(written.length).toBeGreaterThan(0)
    expect(bytes, replayHint(seed)).toBeLessThan(most + TABLE_BYTES * written.length)
    expect(most, replayHint(seed)).toBeLessThan(used)
    for (const snapshot of snapshots) snapshot.close()
  }
})

test('a batch of them takes of the budget of space what it takes of the disk', async () => {
  const store = await openSmallStore(LARGE)
  const { collector, memtables } = engine(store)
  const writes = APART.map(([gte, lt]) => ({
    kind: RECORD_KIND.deleteRange,
    key: Buffer.from(gte),
    value: Buffer.from(lt),
  }))
  const batch = batchOf(writes, 100)
  await deleteRanges(store, APART)
  // Records of 40 bytes and two keys, and as much again as tables.
  expect(batch.bytes).toBe(COUNT * 52)
  expect(batch.tableBytesMax).toBeGreaterThanOrEqual(memtables.tableBytesMax)
  expect(collector.costOf({ ...batch, records: 0 })).toBe(batch.bytes + batch.tableBytesMax)
  expect(batch.tableBytesMax).toBeLessThan(COUNT * 52)
  // Of memory it takes what it takes (I10).
  expect(batch.arenaBytes).toBeGreaterThanOrEqual(memtables.usedBytes)
  expect(memtables.usedBytes).toBeGreaterThan(COUNT * 600)
})

test('what they leave of a bound of the disk to puts, and of a cache, is less by what their tables take', async () => {
  const limits = { maxBytesOnDisk: 100_000_000, enabled: true }
  for (const options of [{ cache: { maxBytes: 100_000_000 } }, { collector: limits }]) {
    const store = await openSmallStore({ ...LARGE, ...options })
    const { collector } = engine(store)
    const before = collector.boundBytes(false)
    await deleteRanges(store, APART)
    const taken = before - collector.boundBytes(false)
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(COUNT * 52)
    await store.close()
  }
})

test('an inline value that does not lie in the arena counts with what its flush writes', async () => {
  const valueThreshold = 200_000
  const store = await openSmallStore({ ...LARGE, valueThreshold, collector: { enabled: false } })
  const { memtables, versions } = engine(store)
  for (let i = 0; i < 5; i++) await store.put(`key${i}`, Buffer.alloc(100_000, i))
  const { tableBytesMax, usedBytes } = memtables
  await store.flush()
  const tables = [...versions.current.tables.values()]
  const bytes = tables.reduce((sum, { meta }) => sum + meta.bytes, 0)
  expect(bytes).toBeGreaterThan(500_000)
  expect(bytes).toBeLessThan(tableBytesMax + TABLE_BYTES * tables.length)
  expect(usedBytes).toBeLessThan(2000)
  const value = Buffer.alloc(100_000)
  const write = { kind: RECORD_KIND.put, key: Buffer.from('k'), value }
  expect(batchOf([write], valueThreshold).tableBytesMax).toBeGreaterThan(100_000)
})

test('range tombstones make no put larger on average', async () => {
  const store = await openSmallStore({ ...LARGE, collector: { enabled: false } })
  for (let i = 0; i < 100; i++) await store.put(`value${i}`, Buffer.alloc(4000))
  const { space } = engine(store)
  const before = space.measure().meanBytes
  await deleteRanges(store, APART)
  expect(space.measure().meanBytes).toBe(before)
})
