/** File numbers are taken when a file begins: a job never runs out of them, and none is used up for nothing. */

import { expect, test } from 'vitest'
import { parseFileName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import { FILE_NUMBER_MAX } from '#dist/lib/base/ids.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Store } from '#dist/lib/store/store.js'
import { VersionSet } from '#dist/lib/tree/version/version-set.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const KEYS = 600
/** All keys begin with these bytes: in a large block they are kept once, in a small one once each. */
const EQUAL_BYTES = 1000
const BASE: Options = { collector: { enabled: false }, memtableBytes: 2 ** 20 }
const LARGE_BLOCKS: Options = { ...BASE, tree: { blockBytes: 2 ** 20, tableBytes: 65536 } }
const SMALL_BLOCKS: Options = { ...BASE, tree: { blockBytes: 256, tableBytes: 4096 } }

function keyOf(i: number): string {
  return 'k'.repeat(EQUAL_BYTES) + String(i).padStart(6, '0')
}

/** Bytes of all tables. */
function bytesOf(store: Store): number {
  return store.stats().levels.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** The number that the manifest gives out next. */
function nextNumber(fileSystem: FaultFileSystem): number {
  return VersionSet.read(fileSystem, DIRECTORY)!.version.nextFileNumber
}

test('a compaction whose output outgrows its input many times has numbers for it', async () => {
  const fileSystem = new FaultFileSystem()
  const large = await openSmallStore(LARGE_BLOCKS, fileSystem)
  for (let i = 0; i < KEYS; i++) void large.put(keyOf(i), String(i))
  await large.flush()
  const inputBytes = bytesOf(large)
  await large.close()

  const small = await openSmallStore(SMALL_BLOCKS, fileSystem)
  await small.compact()
  // Far above what a guess from the input would have allowed for.
  expect(bytesOf(small)).toBeGreaterThan(8 * inputBytes)
  expect(small.stats().tables).toBeGreaterThan((4 * inputBytes) / 4096)
  await small.put('another', 'value')
  await small.close()

  const again = await openSmallStore(SMALL_BLOCKS, fileSystem)
  for (let i = 0; i < KEYS; i += 7) expect(String(again.getSync(keyOf(i)))).toBe(String(i))
  expect((await again.verify()).damage).toEqual([])
  expect(again.stats().backgroundError).toBeUndefined()
})

test('no number is used up but for a file or a run', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(BASE, fileSystem)
  for (let i = 0; i < 2000; i++) void store.put(`key${i % 500}`, Buffer.alloc(60, i))
  await store.flush()
  const created: number[] = []
  fileSystem.onCall = ({ kind, path }) => {
    const file = kind === 'create' ? parseFileName(path.slice(DIRECTORY.length + 1)) : undefined
    if (file) created.push(file.number)
  }
  const before = nextNumber(fileSystem)
  await store.compact()
  expect(created.length).toBeGreaterThan(1)
  // One more may name a new run.
  expect(nextNumber(fileSystem) - before).toBeLessThanOrEqual(created.length + 1)
})

test('a number is never used again: not after a failed job, and not while its file is there', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(BASE, fileSystem)
  const created = new Set<string>()
  fileSystem.onCall = ({ kind, path }) => {
    if (kind !== 'create' || !path.endsWith('.sst')) return
    expect(created.has(path), path).toBe(false)
    created.add(path)
  }
  for (const round of [1, 2, 3]) {
    for (let i = 0; i < 300; i++) void store.put(`key${i}`, Buffer.alloc(90, round))
    await store.flush()
    // The second of its tables cannot be written; what there is of the first is taken back.
    let tables = 0
    fileSystem.faults = ({ kind, path }) =>
      kind === 'create' && path.endsWith('.sst') && ++tables === 2 ? { errno: 'EIO' } : undefined
    await expect(store.compact()).rejects.toMatchObject({ code: 'WISC_IO' })
    fileSystem.faults = undefined
  }
  await store.compact()
  expect(store.stats().backgroundError).toBeUndefined()

  // The process dies with a table that no edit names, far above all numbers that the manifest knows.
  const orphan = `${DIRECTORY}/000999.sst`
  fileSystem.open(orphan, 'create').close()
  const next = fileSystem.kill()
  next.onCall = fileSystem.onCall
  const recovered = await openSmallStore(BASE, next)
  await recovered.put('key', 'value')
  await recovered.flush()
  expect(next.statPath(orphan)).toBeUndefined()
  expect(nextNumber(next)).toBeGreaterThan(999)
})

test('several who take numbers from the same memory never get the same one', () => {
  const numbers = new FileNumbers()
  const other = new FileNumbers(numbers.memory)
  expect([numbers.take(), other.take(), numbers.take()]).toEqual([1, 2, 3])
  other.skip(41)
  numbers.skip(7)
  expect(numbers.next).toBe(42)
  expect(other.take()).toBe(42)
})

test('behind the last number there is none, and none comes twice', () => {
  const numbers = new FileNumbers()
  numbers.skip(FILE_NUMBER_MAX - 2)
  expect(numbers.take()).toBe(FILE_NUMBER_MAX - 1)
  expect(() => numbers.take()).toThrow('file numbers are left')
  numbers.skip(FILE_NUMBER_MAX)
  expect(() => numbers.take()).toThrow('file numbers are left')
  expect(numbers.next).toBe(FILE_NUMBER_MAX)
})
