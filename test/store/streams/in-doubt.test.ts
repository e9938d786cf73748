/**
 * Put-streams of which nobody knows whether they are in the log: their write or their sync has failed. Whatever the
 * next open finds there, the value is whole (I4, I12).
 */
import { expect, onTestFinished, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { eventually } from '../../support/eventually.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { unlikeBytes } from '../../support/random.ts'
import { codeOf, openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { settled } from '../../support/store/settled.ts'

const OPTIONS: Options = { streamThreshold: 1000, collector: { targetSpaceAmplification: 1.05 } }
/** A frame without records: it says what is durable now. */
const MARKER_BYTES = 64
const VALUE = unlikeBytes(300_000)

interface Doubted {
  readonly store: Store
  readonly fileSystem: FaultFileSystem
  /** Of the log. */
  readonly segment: string
}

async function withOldValue(): Promise<Doubted> {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(OPTIONS, fileSystem)
  await store.put('key', 'before', { sync: true })
  const { file } = store.segments().find(({ state }) => state === 'open')!
  return { store, fileSystem, segment: `${DIRECTORY}/${file}` }
}

function upload(store: Store, sync: boolean): Promise<unknown> {
  return codeOf(() => store.putStream('key', new Blob([VALUE]), { sync }))
}

function streamFiles(fileSystem: FaultFileSystem): number {
  const { files } = fileSystem.visibleImage()
  return [...files.values()].filter((bytes) => bytes.length > VALUE.length).length
}

/** What an open finds when the process has been killed now, with all that it has written. */
async function foundAfterKill(fileSystem: FaultFileSystem): Promise<Buffer | undefined> {
  const copy = new FaultFileSystem({}, fileSystem.visibleImage())
  const store = await openStore(DIRECTORY, { ...SMALL_OPTIONS, ...OPTIONS }, { fileSystem: copy })
  onTestFinished(() => store.close())
  expect(await store.verify()).toMatchObject({ ok: true })
  return store.get('key')
}

test('a failed write that got through holds the file until the log ends before it', async () => {
  const { store, fileSystem, segment } = await withOldValue()
  let hasFailed = false
  let isBroken = true
  fileSystem.faults = ({ kind, path, bytes }) => {
    if (!isBroken) return undefined
    if (kind === 'write' && path === segment && bytes > MARKER_BYTES) {
      hasFailed = true
      return { errno: 'EIO', partialBytes: bytes }
    }
    // The edit that would end the log fails, too.
    const isManifest = path.includes('MANIFEST') && (kind === 'write' || kind === 'create')
    return hasFailed && isManifest ? { errno: 'EIO' } : undefined
  }
  expect(await upload(store, false)).toBe('WISC_IO')
  expect(hasFailed).toBe(true)
  await settled(fileSystem)
  expect((await store.get('key'))?.toString()).toBe('before')
  expect(streamFiles(fileSystem)).toBe(1)
  expect((await foundAfterKill(fileSystem))?.equals(VALUE)).toBe(true)
  // What was broken is mended: the log ends before the record, and then nobody needs the file.
  isBroken = false
  const put = (): Promise<unknown> => codeOf(() => store.put('key', 'after', { sync: true }))
  // Those before are told of what has failed: the edit is tried again now and then.
  await eventually(async () => expect(await put()).toBe('no error'))
  for (let turns = 0; turns < 100 && streamFiles(fileSystem) > 0; turns++) {
    await store.collect({ targetSpaceAmplification: 1 })
    await settled(fileSystem)
  }
  expect(streamFiles(fileSystem)).toBe(0)
  expect((await foundAfterKill(fileSystem))?.toString()).toBe('after')
  await store.close()
  expect(fileSystem.violations).toEqual([])
})

test('a failed sync holds it for good, and the next open says what it is', async () => {
  const { store, fileSystem, segment } = await withOldValue()
  fileSystem.faults = ({ kind, path }) =>
    kind === 'sync' && path === segment ? { errno: 'EIO' } : undefined
  expect(await upload(store, true)).toBe('WISC_SYNC_FAILED')
  expect((await store.get('key'))?.toString()).toBe('before')
  expect(await upload(store, true)).toBe('WISC_SYNC_FAILED')
  await settled(fileSystem)
  expect(streamFiles(fileSystem)).toBe(1)
  expect(await codeOf(() => store.close())).toBe('WISC_SYNC_FAILED')
  expect(streamFiles(fileSystem)).toBe(1)
  expect((await foundAfterKill(fileSystem))?.equals(VALUE)).toBe(true)
  expect(fileSystem.violations).toEqual([])
})
