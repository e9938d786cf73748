/** A log whose last segments were collected: it is opened, goes on, crashes and is opened again. I2, I5, I8. */
import { expect, test } from 'vitest'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { seededRandom } from '../../support/random.ts'
import { SMALL_OPTIONS } from '../../support/store/fault-store.ts'

const OPTIONS = { ...SMALL_OPTIONS, segmentBytes: 8192, collector: { enabled: false } }

function openOn(fileSystem: FaultFileSystem): Promise<Store> {
  return openStore(DIRECTORY, OPTIONS, { fileSystem, random: seededRandom(1) })
}

/** Files of the value log that hold anything. */
function valueLogFiles(fileSystem: FaultFileSystem): string[] {
  return [...fileSystem.visibleImage().files].flatMap(([path, { length }]) =>
    path.endsWith('.vlog') && length > 0 ? [path] : [],
  )
}

async function put(store: Store, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await store.put(`key${i}`, Buffer.alloc(1000, i))
}

async function expectKeys(store: Store, from: number, to: number): Promise<void> {
  const keys: string[] = []
  for await (const key of store.keys()) keys.push(String(key))
  const expected = Array.from({ length: to - from }, (_, i) => `key${from + i}`)
  expect(keys).toEqual(expected.sort())
  for (let i = from; i < to; i++) {
    expect(store.getSync(`key${i}`)?.equals(Buffer.alloc(1000, i))).toBe(true)
  }
  expect((await store.verify()).damage).toEqual([])
}

async function deleteAll(store: Store, to: number): Promise<void> {
  for (let i = 0; i < to; i++) await store.delete(`key${i}`)
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
}

test.each(['close', 'kill'])(
  'everything deleted and collected, then %s: it opens, and goes on',
  async (end) => {
    let fileSystem = new FaultFileSystem()
    const next = async (store: Store): Promise<Store> => {
      if (end === 'close') await store.close()
      else fileSystem = fileSystem.kill()
      return openOn(fileSystem)
    }
    let store = await openOn(fileSystem)
    await put(store, 0, 40)
    await deleteAll(store, 40)
    expect(store.segments().reduce((sum, file) => sum + file.totalBytes, 0)).toBeLessThan(8192)
    for (let round = 0; round < 3; round++) {
      store = await next(store)
      await expectKeys(store, 0, 0)
    }
    await put(store, 40, 50)
    store = await next(store)
    await expectKeys(store, 40, 50)
    await put(store, 50, 60)
    fileSystem = fileSystem.kill()
    store = await openOn(fileSystem)
    await expectKeys(store, 40, 60)
    await deleteAll(store, 60)
    store = await next(store)
    await expectKeys(store, 0, 0)
    const reader = await openStore(
      DIRECTORY,
      { ...OPTIONS, readOnly: true },
      { fileSystem, random: seededRandom(1) },
    )
    await expectKeys(reader, 0, 0)
    await reader.close()
    await store.close()
    expect(fileSystem.violations).toEqual([])
  },
)

test('the segments before and behind the checkpoint are moved: the log goes on behind them', async () => {
  let fileSystem = new FaultFileSystem()
  let store = await openOn(fileSystem)
  await put(store, 0, 60)
  for (let i = 0; i < 60; i += 2) await store.delete(`key${i}`)
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  expect(store.segments().some(({ kind }) => kind === 'relocation')).toBe(true)
  for (let i = 0; i < 60; i += 2) await store.put(`key${i}`, Buffer.alloc(1000, i))
  fileSystem = fileSystem.kill()
  store = await openOn(fileSystem)
  await expectKeys(store, 0, 60)
  await store.compact()
  await store.collect({ targetSpaceAmplification: 1 })
  await store.close()
  store = await openOn(fileSystem)
  await expectKeys(store, 0, 60)
  await deleteAll(store, 60)
  expect(store.stats().relocations).toBe(0)
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('I5: an orphan of a rewrite is swept at the next open; what holds survivors stays', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openOn(fileSystem)
  await put(store, 0, 40)
  for (let i = 0; i < 40; i += 2) await store.delete(`key${i}`)
  await store.compact()
  const before = new Set(valueLogFiles(fileSystem))
  // The process ends when the relocation is complete, and no edit names it.
  // Not before: on a slow machine a marker frame may have been written by now, and be flushed first.
  const report = await store.collect({
    targetSpaceAmplification: 1,
    onProgress: ({ phase }) => {
      if (phase !== 'rewrite') return
      fileSystem.faults = ({ kind, path }) =>
        kind === 'write' && path.includes('MANIFEST') ? { errno: 'EIO' } : undefined
    },
  })
  expect(report.failed.length).toBeGreaterThan(0)
  const next = fileSystem.kill()
  const orphans = valueLogFiles(next).filter((path) => !before.has(path))
  expect(orphans.length).toBeGreaterThan(0)
  const again = await openOn(next)
  expect(valueLogFiles(next).filter((path) => orphans.includes(path))).toEqual([])
  for (let i = 1; i < 40; i += 2) {
    expect(again.getSync(`key${i}`)?.equals(Buffer.alloc(1000, i))).toBe(true)
  }
  expect((await again.verify()).damage).toEqual([])
  await again.close()
})
