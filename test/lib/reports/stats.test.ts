/** Statistics count what was asked and written, and what lies on the disk. */
import { expect, test } from 'vitest'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

test('statistics count what was asked and written', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  // One that was asked for, and those that a look wanted meanwhile.
  let flushes = 0
  store.on('flush', () => {
    flushes++
  })
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(200))
  await store.flush()
  const snapshot = store.snapshot()
  const iterator = store.keys({ snapshot })
  for (let i = 0; i < 100; i++) store.getSync(`key${i}`)
  for (let i = 0; i < 100; i++) expect(store.hasSync(`absent${i}`)).toBe(false)
  for (let i = 0; i < 100; i++) expect(store.hasSync(`key${i}x`)).toBe(false)
  const stats = store.stats()
  expect(flushes).toBeGreaterThan(0)
  expect(stats).toMatchObject({
    userBytesWritten: 100 * 200 + 490,
    tables: stats.levels.reduce((sum, level) => sum + level.tables, 0),
    flushes,
    snapshots: { open: 1, oldestSequence: 100 },
    iterators: { open: 1 },
    lastSequence: 100,
    durableSequence: 100,
    backgroundError: undefined,
  })
  expect(stats.writeAmplification).toBeCloseTo(
    (stats.logBytesWritten + stats.tableBytesWritten) / stats.userBytesWritten,
  )
  expect(stats.blockCache.hits).toBeGreaterThan(50)
  expect(stats.filter.useful / stats.filter.checked).toBeGreaterThan(0.3)
  expect(stats.levels.reduce((sum, level) => sum + level.entries, 0)).toBe(100)
  const files = [...fileSystem.visibleImage().files.keys()]
  const allocated = files.map((path) => fileSystem.statPath(path)!.allocated)
  expect(store.stats().diskBytes).toBe(allocated.reduce((sum, bytes) => sum + bytes, 0))
  snapshot.close()
  await iterator.close()
  expect(store.stats()).toMatchObject({
    snapshots: { open: 0, oldestSequence: undefined },
    iterators: { open: 0 },
  })
})
