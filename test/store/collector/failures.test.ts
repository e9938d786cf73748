/**
 * Failures of a collection, each by name: damage and a full disk stop one reclamation and no other, nothing is lost by
 * it, and everything is told. Single faults at every call: test/crash/collector-faults.test.ts.
 */
import { expect, test } from 'vitest'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import type { Options } from '#dist/lib/contract/options.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { eventually } from '../../support/eventually.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import {
  actions,
  CollectedStore,
  collectAll,
  keyOf,
  PUNCHES,
} from '../../support/store/collected-store.ts'
import { settled } from '../../support/store/settled.ts'

const ASKED: Options = { collector: { enabled: false, punchHoles: false } }

/** The same store with one byte of a value changed. */
async function damaged(opened: CollectedStore, key: string): Promise<CollectedStore> {
  const { file, offset } = await placeOf(opened, key)
  await opened.store.close()
  const image = opened.fileSystem.visibleImage()
  const path = `${DIRECTORY}/${file}`
  const bytes = Uint8Array.from(image.files.get(path)!)
  bytes[offset + 200]! ^= 1
  const files = new Map(image.files).set(path, bytes)
  const again = await CollectedStore.open(
    opened.options,
    new FaultFileSystem({}, { ...image, files }),
  )
  for (const [name, value] of opened.model) again.model.set(name, value)
  return again
}

async function placeOf({ store }: CollectedStore, key: string) {
  const stat = (await store.stat(key))!
  const { file } = store.segments().find(({ segments }) => segments.includes(stat.segment!))!
  return { file, offset: stat.offset! }
}

/** All but the damaged key. */
function checkOthers({ store, model }: CollectedStore, damagedKey: string): void {
  for (const [key, value] of model) {
    if (key !== damagedKey) expect(store.getSync(key)?.equals(value), key).toBe(true)
  }
  expect(() => store.getSync(damagedKey)).toThrow('checksum')
}

test('a corrupt record in a victim stops that reclamation alone, and is reported', async () => {
  const whole = await CollectedStore.open(ASKED)
  await whole.fillForRewrite()
  const opened = await damaged(whole, keyOf(1))
  const { file } = await placeOf(opened, keyOf(1))
  const warnings: string[] = []
  opened.store.on('warning', (text) => warnings.push(text))
  const report = await collectAll(opened)
  expect(report.failed.map(({ error }) => error.code)).toContain('WISC_CORRUPTION')
  expect(warnings.join()).toContain(file)
  expect(actions(report), 'other files are collected').toContain('rewrite')
  const corrupt = opened.store.segments().filter(({ blocked }) => blocked === 'corrupt')
  expect(corrupt.map((segment) => segment.file)).toEqual([file])
  checkOthers(opened, keyOf(1))
  expect((await collectAll(opened)).failed, 'it is left alone now').toEqual([])
  await opened.closeAndReopen()
  checkOthers(opened, keyOf(1))
  await opened.store.close()
})

test('a corrupt record does not keep the files that were to be rewritten with it', async () => {
  const whole = await CollectedStore.open({ ...ASKED, segmentBytes: 256 * 1024 })
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 300; i++) await whole.put(keyOf(i), 900)
  }
  await whole.store.compact()
  const opened = await damaged(whole, keyOf(1))
  const report = await collectAll(opened)
  expect(report.failed.map(({ error }) => error.code)).toContain('WISC_CORRUPTION')
  expect(report.bytesFreed).toBeGreaterThan(0)
  expect((await opened.store.planCollection({ targetSpaceAmplification: 1 })).steps).toEqual([])
  checkOthers(opened, keyOf(1))
  await opened.store.close()
})

test('the collector itself leaves a corrupt victim alone, and does not try for ever', async () => {
  const whole = await CollectedStore.open(ASKED)
  await whole.fillForRewrite()
  const opened = await damaged(whole, keyOf(1))
  await opened.store.close()
  const collector = { targetSpaceAmplification: 1.01, punchHoles: false }
  const again = await CollectedStore.open({ collector }, opened.fileSystem)
  const warnings: string[] = []
  again.store.on('warning', (text) => warnings.push(text))
  // The next look comes later if one took long.
  await eventually(() => expect(warnings.length).toBeGreaterThan(0))
  await settled(again.fileSystem)
  expect(warnings.length).toBeLessThan(4)
  for (const [key, value] of opened.model) again.model.set(key, value)
  checkOthers(again, keyOf(1))
  await again.store.close()
})

test('a corrupt head in a segment stops its punch, and no hole is made', async () => {
  const whole = await CollectedStore.open(PUNCHES)
  await whole.fillForPunch()
  const { file, offset } = await placeOf(whole, keyOf(3))
  await whole.store.close()
  const image = whole.fileSystem.visibleImage()
  const path = `${DIRECTORY}/${file}`
  const bytes = Uint8Array.from(image.files.get(path)!)
  bytes[offset + 17]! ^= 1
  const files = new Map(image.files).set(path, bytes)
  const fileSystem = new FaultFileSystem({}, { ...image, files })
  const opened = await CollectedStore.open(PUNCHES, fileSystem)
  const before = fileSystem.visibleImage().holes?.get(path)
  const warnings: string[] = []
  opened.store.on('warning', (text) => warnings.push(text))
  // Not so tight that files would be rewritten.
  const plan = await opened.store.planCollection({ targetSpaceAmplification: 1.3 })
  expect(warnings.join()).toContain(file)
  expect(plan.skipped.find(({ number }) => path.endsWith(segmentName(number)))?.reason).toBe(
    'corrupt',
  )
  await collectAll(opened)
  expect(fileSystem.visibleImage().holes?.get(path)).toEqual(before)
  for (const [key, value] of whole.model) {
    if (key !== keyOf(3)) expect(opened.store.getSync(key)?.equals(value), key).toBe(true)
  }
  await opened.store.close()
})

test('ENOSPC during a rewrite leaves the store as it was, and drops and punches go on', async () => {
  const opened = await CollectedStore.open(PUNCHES)
  // Small values, of which most die: a rewrite. Large ones: a punch. A segment that nothing refers to: a drop.
  await opened.fillForPunch()
  for (let i = 100; i < 400; i++) await opened.put(keyOf(i), 900)
  for (let i = 500; i < 526; i++) await opened.put(keyOf(i), 20_000)
  for (let i = 500; i < 526; i++) await opened.delete(keyOf(i))
  for (let i = 100; i < 400; i++) if (i % 4 > 0) await opened.delete(keyOf(i))
  await opened.store.compact()
  let refused = 0
  const { fileSystem } = opened
  opened.runner.hold('rewrite', 'before')
  const collected = collectAll(opened)
  await opened.runner.reached('rewrite')
  const before = opened.store.segments()
  fileSystem.faults = ({ kind, path }) => {
    if (kind !== 'write' || !path.endsWith('.vlog')) return undefined
    refused++
    return { errno: 'ENOSPC', partialBytes: 100 }
  }
  opened.runner.release('rewrite')
  const report = await collected
  expect(refused).toBeGreaterThan(0)
  expect(report.failed.map(({ error }) => error.code)).toContain('WISC_DISK_FULL')
  expect(report.failed.every(({ action }) => action === 'rewrite')).toBe(true)
  expect(actions(report)).toEqual(expect.arrayContaining(['drop', 'punch']))
  expect(actions(report)).not.toContain('rewrite')
  const victims = report.failed.flatMap(({ files }) => files)
  // They are still there; one may have been punched instead.
  expect(before.map(({ id }) => id)).toEqual(expect.arrayContaining(victims))
  expect(opened.store.segments().map(({ id }) => id)).toEqual(expect.arrayContaining(victims))
  expect(opened.store.segments().filter(({ kind }) => kind === 'relocation')).toEqual([])
  fileSystem.faults = undefined
  await opened.check()
  expect(actions(await collectAll(opened))).toContain('rewrite')
  await opened.finish()
})

test.each(['sync', 'syncDirectory'] as const)(
  'I1: a failed %s of a rewrite ends the store',
  async (call) => {
    const opened = await CollectedStore.open(ASKED)
    await opened.fillForRewrite()
    const { fileSystem } = opened
    opened.runner.hold('rewrite', call === 'sync' ? 'before' : 'after')
    const collected = collectAll(opened)
    await opened.runner.reached('rewrite')
    fileSystem.faults = ({ kind }) => (kind === call ? { errno: 'EIO' } : undefined)
    opened.runner.release('rewrite')
    await expect(collected).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
    fileSystem.faults = undefined
    await expect(opened.store.put('key', 'value')).rejects.toMatchObject({
      code: 'WISC_SYNC_FAILED',
    })
    await expect(opened.store.close()).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
    expect(fileSystem.violations).toEqual([])
    const next = await CollectedStore.open(ASKED, fileSystem.kill())
    for (const [key, value] of opened.model) next.model.set(key, value)
    await next.finish()
  },
)

test('after a failed sync a collection says so, and not that the store is closed', async () => {
  const opened = await CollectedStore.open(ASKED)
  await opened.fillForRewrite()
  const refused = { code: 'WISC_SYNC_FAILED' }
  opened.fileSystem.faults = ({ kind }) => (kind === 'sync' ? { errno: 'EIO' } : undefined)
  await expect(opened.store.put('k', 'v', { sync: true })).rejects.toMatchObject(refused)
  await expect(opened.store.collect({})).rejects.toMatchObject(refused)
  await expect(opened.store.planCollection()).rejects.toMatchObject(refused)
  await expect(opened.store.close()).rejects.toMatchObject(refused)
})
