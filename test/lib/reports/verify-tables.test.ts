/** I8: verify finds every flipped byte of a table, and follows every pointer. */
import { expect, test } from 'vitest'
import type { CorruptionError } from '#dist/lib/base/errors.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { makeFlushedStore, visibleFile } from '../../support/store/verified-store.ts'

test('a flipped byte of a table, any, is found', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  const { name, bytes } = visibleFile(fileSystem, /\.sst$/)
  for (let at = 0; at < bytes.length; at += 61) {
    bytes[at]! ^= 0x20
    const { ok, damage, affectedEntries } = await store.verify({ deep: false })
    bytes[at]! ^= 0x20
    expect(ok, `byte ${at}`).toBe(false)
    expect(affectedEntries[0], `byte ${at}`).toBeGreaterThan(0)
    expect((damage[0] as CorruptionError).file).toBe(name)
  }
})

test('several damaged blocks of a table: each is told', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  const { name, bytes } = visibleFile(fileSystem, /\.sst$/)
  for (const at of [100, 1100, 2100]) bytes[at]! ^= 0x20
  const { damage, affectedEntries } = await store.verify({ deep: false })
  // None of the table's is followed, and each counts once.
  const entries = store.stats().levels.reduce((sum, level) => sum + level.entries, 0)
  expect(affectedEntries).toEqual(damage.map((_, i) => (i === 0 ? entries : 0)))
  const places = damage.map((error) => (error as CorruptionError).offset)
  expect(damage.every((error) => (error as CorruptionError).file === name)).toBe(true)
  expect(places.length).toBeGreaterThanOrEqual(3)
  expect(new Set(places).size).toBe(places.length)
})

test('each of several damaged values is reported', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  const { bytes } = visibleFile(fileSystem, /\.vlog$/)
  const places = [11, 55, 99].map((i) => Buffer.from(bytes).indexOf(Buffer.alloc(400, i)))
  for (const place of places) bytes[place + 200]! ^= 1
  expect((await store.verify({ deep: false })).ok).toBe(true)
  const { damage, affectedEntries } = await store.verify()
  expect(damage).toHaveLength(3)
  expect(affectedEntries).toEqual([1, 1, 1])
  expect(await codeOf(() => store.get('key55'))).toBe('WISC_CORRUPTION')
  expect(await store.get('key57')).toEqual(Buffer.alloc(400, 57))
})

test('a damaged header of a segment is reported once, whatever the count of its records', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  const { name, bytes } = visibleFile(fileSystem, /\.vlog$/)
  await store.close()
  bytes[20]! ^= 1
  const view = await openSmallStore({ readOnly: true }, fileSystem)
  const { damage, affectedEntries } = await view.verify()
  expect(damage).toMatchObject([{ code: 'WISC_CORRUPTION', file: name }])
  expect(affectedEntries).toEqual([50])
  await view.close()
})
