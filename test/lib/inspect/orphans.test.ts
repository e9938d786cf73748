/** Orphans: what is nobody's is found, and only what is proved to be the store's own is removed. */
import fs from 'node:fs'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import { listOrphans, removeOrphans } from '#dist/lib/inspect/orphans.js'
import {
  filesLike,
  kindOf,
  makeInspectedStore,
  stateOf,
} from '../../support/store/inspected-store.ts'

interface Planted {
  readonly directory: string
  readonly ours: readonly string[]
  readonly foreign: readonly string[]
}

/** Orphans as crashes leave them, and files that are somebody else's. */
async function plant(): Promise<Planted> {
  const { directory } = await makeInspectedStore({ collect: true })
  const file = (name: string): string => path.join(directory, name)
  const renumber = (source: string, name: string, number: number): void => {
    const bytes = fs.readFileSync(file(source))
    bytes.writeBigUInt64LE(BigInt(number), 48)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
    fs.writeFileSync(file(name), bytes.subarray(0, bytes.length >> 1))
  }
  const relocation = filesLike(directory, /vlog$/).find((name) => kindOf(directory, name) === 5)!
  renumber(filesLike(directory, /sst$/)[0]!, '900001.sst', 900_001)
  renumber(relocation, '900002.vlog', 900_002)
  renumber(filesLike(directory, /^MANIFEST/)[0]!, 'MANIFEST-900003', 900_003)
  fs.writeFileSync(file('CURRENT.tmp'), 'wisc 1\n')
  // Another number than its name; another database; no header; no file.
  fs.copyFileSync(file('900001.sst'), file('900004.sst'))
  const other = await makeInspectedStore({ keys: 20 })
  const theirs = filesLike(other.directory, /sst$|vlog$/)
  const stranger = theirs.find((name) => !fs.existsSync(file(name)))!
  fs.copyFileSync(path.join(other.directory, stranger), file(stranger))
  fs.writeFileSync(file('900005.vlog'), 'not a segment')
  fs.writeFileSync(file('900006.sst'), '')
  fs.writeFileSync(file('notes.txt'), 'mine')
  fs.mkdirSync(file('photos'))
  fs.mkdirSync(file('lost'))
  fs.writeFileSync(file('lost/000001.vlog@96'), 'torn')
  return {
    directory,
    ours: ['900001.sst', '900002.vlog', 'CURRENT.tmp', 'MANIFEST-900003'],
    foreign: ['900004.sst', '900005.vlog', '900006.sst', 'notes.txt', 'photos', stranger],
  }
}

test('a store without orphans has none, collected or not, and BALLAST, LOCK and CURRENT belong', async () => {
  for (const collect of [false, true]) {
    expect(listOrphans((await makeInspectedStore({ collect })).directory)).toEqual([])
  }
})

test('all are listed with their kinds, and nothing is written', async () => {
  const { directory, ours, foreign } = await plant()
  const before = stateOf(directory)
  const found = listOrphans(directory)
  expect(stateOf(directory)).toEqual(before)
  const named = (isRemovable: boolean): string[] =>
    found.filter((orphan) => orphan.isRemovable === isRemovable).map(({ file }) => file)
  expect(named(true).sort()).toEqual([...ours].sort())
  expect(named(false)).toEqual(expect.arrayContaining([...foreign, 'lost/000001.vlog@96']))
  const kinds = Object.fromEntries(found.map(({ file, kind }) => [file, kind]))
  expect(kinds).toMatchObject({
    '900001.sst': 'table',
    '900002.vlog': 'relocation',
    'MANIFEST-900003': 'manifest',
    'CURRENT.tmp': 'temporary',
    '900004.sst': 'foreign',
    '900006.sst': 'empty',
    photos: 'foreign',
  })
})

test('only what is ours and was named is removed, and the store is as it was', async () => {
  const { directory, ours, foreign } = await plant()
  const names = listOrphans(directory).map(({ file }) => file)
  expect(await removeOrphans(directory, ['900001.sst'])).toEqual(['900001.sst'])
  expect((await removeOrphans(directory, names)).sort()).toEqual(
    ours.filter((name) => name !== '900001.sst').sort(),
  )
  for (const name of foreign) expect(fs.existsSync(path.join(directory, name)), name).toBe(true)
  const store = await open(directory, { readOnly: true })
  expect((await store.verify()).ok).toBe(true)
  await store.close()
})

test('nothing is removed while a process has the store open, nor from a damaged one', async () => {
  const { directory, ours } = await plant()
  // Its open removes what it takes for its own orphans: plant one more behind it.
  const store = await open(directory, { workers: 0 })
  fs.writeFileSync(path.join(directory, 'CURRENT.tmp'), 'wisc 1\n')
  await expect(removeOrphans(directory, ours)).rejects.toThrow(
    expect.objectContaining({ code: 'WISC_LOCKED' }),
  )
  expect(fs.existsSync(path.join(directory, 'CURRENT.tmp'))).toBe(true)
  await store.close()
  const table = filesLike(directory, /sst$/).find((name) => !name.startsWith('9'))!
  fs.rmSync(path.join(directory, table))
  await expect(removeOrphans(directory, ours)).rejects.toThrow(
    expect.objectContaining({ code: 'WISC_CORRUPTION' }),
  )
  expect(fs.existsSync(path.join(directory, 'CURRENT.tmp'))).toBe(true)
})
