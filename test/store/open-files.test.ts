/** I10: descriptors stay within their bound at every moment, whatever one synchronous step of a caller asks for. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { openSmallStore } from '../support/store/fault-store.ts'

const KEYS = 2000
/** Above it: segments that are written or wait for their seal, the manifest, the directory, and what a job reads. */
const BESIDE_MAX = 16

function keyOf(i: number): string {
  // Hard to shorten: they take many tables.
  return `${String(i).padStart(6, '0')}${createHash('sha256').update(String(i)).digest('base64')}`
}

/** A store of many more tables and segments than may be open, and the most descriptors that it has had. */
async function manyFiles(options: object = {}) {
  const fileSystem = new FaultFileSystem()
  const tree = { sizeRatio: 4, tableBytes: 4096, blockBytes: 256 }
  const all = { maxOpenFiles: 16, tree, collector: { enabled: false }, ...options }
  const writer = await openSmallStore(all, fileSystem)
  for (let i = 0; i < KEYS; i++) await writer.put(keyOf((i * 7) % KEYS), Buffer.alloc(1000, i))
  await writer.compact()
  await writer.close()
  const store = await openSmallStore(all, fileSystem)
  const { tables, segments } = store.stats()
  expect(Math.min(tables, segments)).toBeGreaterThan(30)
  let most = 0
  fileSystem.onCall = () => {
    most = Math.max(most, fileSystem.openFiles)
  }
  return { fileSystem, store, most: () => most }
}

test('I10: a synchronous loop of gets', async () => {
  const { store, most } = await manyFiles()
  for (let i = 0; i < KEYS; i++) expect(store.getSync(keyOf((i * 331) % KEYS))).toHaveLength(1000)
  expect(store.stats().openFiles).toBeLessThanOrEqual(16)
  expect(most()).toBeLessThanOrEqual(16 + BESIDE_MAX)
  await store.close()
})

test('I10: one call of stats, which looks into every table', async () => {
  const { store, most } = await manyFiles()
  store.stats()
  store.segments()
  expect(most()).toBeLessThanOrEqual(16 + BESIDE_MAX)
  await store.close()
})

test('I10: scans whose tables are pushed out under them go on', async () => {
  const { store, fileSystem, most } = await manyFiles({ blockCacheBytes: 0 })
  const cursors = Array.from({ length: 12 }, (_, i) => store.keys({ gte: keyOf(i * 100) }))
  for (let round = 0; round < 20; round++) {
    for (const [i, keys] of cursors.entries()) {
      const next = await keys.next()
      expect(next.value?.toString()).toBe(keyOf(i * 100 + round))
      // Pushes out what the others have open.
      for (let k = 0; k < KEYS; k += 100) store.getSync(keyOf(k))
    }
  }
  for (const keys of cursors) await keys.close()
  expect(await all(store.keys({ reverse: true }))).toBe(KEYS)
  expect(most()).toBeLessThanOrEqual(16 + BESIDE_MAX)
  await store.close()
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

async function all(keys: AsyncIterable<Buffer>): Promise<number> {
  let count = 0
  for await (const _key of keys) count++
  return count
}
