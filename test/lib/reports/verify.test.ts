/** Verify counts every part of a store, writes nothing, says how far it is, and can be ended. */
import { expect, test } from 'vitest'
import type { VerifyProgress } from '#dist/lib/contract/reports.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf } from '../../support/store/fault-store.ts'
import { idle } from '../../support/store/idle.ts'
import { makeFlushedStore, visibleFile } from '../../support/store/verified-store.ts'

test('a sound store is ok, every part of it counted', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  // The writer's own background work ends first.
  await idle(fileSystem)
  const progress: VerifyProgress[] = []
  const before = fileSystem.log.length
  const report = await store.verify({ onProgress: (step) => progress.push(step) })
  expect(report).toMatchObject({
    ok: true,
    damage: [],
    entries: 100,
    pointers: 50,
    records: 100,
    valueBytes: 50 * 400,
  })
  expect(progress.at(-1)).toMatchObject({
    tablesDone: report.tables,
    segmentsDone: report.segments,
  })
  expect(await store.verify({ deep: false })).toMatchObject({
    ok: true,
    pointers: 50,
    valueBytes: 0,
  })
  expect(fileSystem.log.length).toBe(before)
})

test('a flipped byte in CURRENT or the manifest is found', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await makeFlushedStore(fileSystem)
  for (const pattern of [/CURRENT$/, /MANIFEST/]) {
    const { name, bytes } = visibleFile(fileSystem, pattern)
    bytes[40]! ^= 1
    expect((await store.verify()).damage).toMatchObject([{ code: 'WISC_CORRUPTION', file: name }])
    bytes[40]! ^= 1
  }
})
test('can be aborted, and ends when its store is closed', async () => {
  const store = await makeFlushedStore(new FaultFileSystem())
  expect(await codeOf(() => store.verify({ signal: AbortSignal.abort() }))).toBe('WISC_ABORTED')
  const controller = new AbortController()
  const running = codeOf(() => store.verify({ signal: controller.signal }))
  controller.abort()
  expect(await running).toBe('WISC_ABORTED')
  const last = codeOf(() => store.verify())
  await store.close()
  expect(await last).toBe('WISC_NOT_OPEN')
})

test('goes on while the store is written and compacted', async () => {
  const store = await makeFlushedStore(new FaultFileSystem())
  const verifying = Promise.all([store.verify(), store.verify({ deep: false })])
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(300))
  await store.compact()
  for (const report of await verifying) expect(report.damage).toEqual([])
})
