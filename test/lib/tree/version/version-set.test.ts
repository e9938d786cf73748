/** The version set: the order of durable steps (I4, I5), shared syncs, failures, pins. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import type { ObsoleteFile } from '#dist/lib/tree/version/obsolete-files.js'
import type { VersionEdit } from '#dist/lib/tree/version/version-edit.js'
import { VersionSet, type VersionSetContext } from '#dist/lib/tree/version/version-set.js'
import { memoryDirectory, memoryDisk } from '../../../support/files/memory-directory.ts'
import { RecordingFileSystem } from '../../../support/files/recording-file-system.ts'
import { logFile } from '../../../support/parts/log-files.ts'
import { meta } from '../../../support/parts/table-metas.ts'
import { seededRandom } from '../../../support/random.ts'

interface Fixture {
  readonly fileSystem: RecordingFileSystem
  readonly context: VersionSetContext
  readonly set: VersionSet
  readonly obsolete: ObsoleteFile[]
}

async function fixture(): Promise<Fixture> {
  const fileSystem = new RecordingFileSystem(memoryDisk)
  const directory = memoryDirectory()
  const context = {
    fileSystem,
    directory,
    databaseId: new Uint8Array(16).fill(7),
    random: seededRandom(1),
  }
  const set = await VersionSet.create(context)
  const obsolete: ObsoleteFile[] = []
  set.onObsolete((file) => obsolete.push(file))
  return { fileSystem, context, set, obsolete }
}

function addTable(set: VersionSet, from = 'a', to = 'z'): VersionEdit {
  const number = set.fileNumbers.take()
  return { addedTables: [{ level: 0, runId: number, meta: meta(number, from, to) }] }
}

function numberOf(edit: VersionEdit): number {
  return edit.addedTables![0]!.meta.number
}

/** What a process that opens the directory now would find. */
function reread({ context }: Fixture): ReturnType<typeof VersionSet.read> {
  return VersionSet.read(context.fileSystem, context.directory)
}

test('I4: a new database: manifest, its name, CURRENT.tmp, the rename, its name', async () => {
  const { fileSystem, set } = await fixture()
  expect(fileSystem.log).toEqual([
    'create MANIFEST-000001',
    'write MANIFEST-000001',
    'sync MANIFEST-000001',
    'synced MANIFEST-000001',
    'syncDirectory ',
    'syncedDirectory ',
    'create CURRENT.tmp',
    'write CURRENT.tmp',
    'sync CURRENT.tmp',
    'synced CURRENT.tmp',
    'rename CURRENT',
    'syncDirectory ',
    'syncedDirectory ',
  ])
  expect(set.durableEdit).toBe(1)
})

test('I4: names of tables are durable before the edit, the edit before its version', async () => {
  const { fileSystem, set } = await fixture()
  fileSystem.log.length = 0
  const before = set.current
  const applied = set.apply(addTable(set)).then((version) => {
    fileSystem.log.push('installed')
    return version
  })
  expect(set.current).toBe(before)
  expect(await applied).toBe(set.current)
  expect(fileSystem.log).toEqual([
    'syncDirectory ',
    'syncedDirectory ',
    'write MANIFEST-000001',
    'sync MANIFEST-000001',
    'synced MANIFEST-000001',
    'installed',
  ])
})

test('edits that arrive during a sync share the next write and sync, in order', async () => {
  const f = await fixture()
  const { fileSystem, set } = f
  fileSystem.log.length = 0
  const order: number[] = []
  const edits = Array.from({ length: 10 }, (_, i) => ({ lastSequence: 10 + i }))
  await Promise.all(edits.map((edit, i) => set.apply(edit).then(() => order.push(i))))
  expect(order).toEqual(edits.map((_, i) => i))
  expect(fileSystem.log.filter((line) => line.startsWith('write'))).toHaveLength(2)
  expect(fileSystem.log.filter((line) => line.startsWith('synced'))).toHaveLength(2)
  expect(set.durableEdit).toBe(11)
  expect(reread(f)).toMatchObject({ lastEditNumber: 11, version: { lastSequence: 19 } })
})

test('I5: a dropped file is reported once, after its edit and the older pins', async () => {
  const { set, obsolete } = await fixture()
  const edit = addTable(set)
  await set.apply(edit)
  const first = set.pin()
  await set.apply({ lastSequence: 3 })
  const second = set.pin()
  const dropping = set.apply({ removedTables: [numberOf(edit)] })
  expect(obsolete).toEqual([])
  await dropping
  const third = set.pin()
  expect(obsolete).toEqual([])
  second.release()
  second.release()
  expect(obsolete).toEqual([])
  first.release()
  expect(obsolete).toEqual([{ kind: 'table', number: numberOf(edit) }])
  third.release()
  expect(obsolete).toHaveLength(1)
  expect(set.versionCount).toBe(1)
})

test('behind the durable edit nothing takes it back: who unlinks what it drops may fail', async () => {
  const f = await fixture()
  const { set, obsolete } = f
  const edit = addTable(set)
  await set.apply(edit)
  obsolete.push = () => {
    throw new Error('a descriptor could not be closed')
  }
  await set.apply({ removedTables: [numberOf(edit)], lastSequence: 3 })
  expect(set.current).toMatchObject({ lastSequence: 3 })
  expect(reread(f)).toMatchObject({ version: { lastSequence: 3 } })
  await nextTurn()
  await set.apply({ lastSequence: 4 })
  expect(reread(f)).toMatchObject({ version: { lastSequence: 4 } })
})

test('I5: a file of the current version is not given up, whoever asks for it', async () => {
  const { set, obsolete } = await fixture()
  const edit = addTable(set)
  await set.apply(edit)
  expect(() => set.discard({ kind: 'table', number: numberOf(edit) })).toThrow('not given up')
  expect(obsolete).toEqual([])
})

test('I5: a pin of tables keeps tables alone; a file of the value log waits for the other pins', async () => {
  const { set, obsolete } = await fixture()
  const edit = addTable(set)
  await set.apply(edit)
  const segments = [set.fileNumbers.take(), set.fileNumbers.take()]
  for (const number of segments) {
    await set.apply({ addedFiles: [logFile(number)] })
    await set.apply({ sealedFiles: [{ number, length: 4096, lastSequence: number }] })
  }
  const [first, last] = segments as [number, number]
  const tables = set.pinTables()
  await set.apply({ removedTables: [numberOf(edit)], removedSegments: [first] })
  expect(obsolete).toEqual([{ kind: 'segment', number: first }])
  const everything = set.pin()
  await set.apply({ removedSegments: [last] })
  tables.release()
  expect(obsolete.slice(1)).toEqual([{ kind: 'table', number: numberOf(edit) }])
  everything.release()
  expect(obsolete.slice(2)).toEqual([{ kind: 'segment', number: last }])
  expect(set.versionCount).toBe(1)
})

test('I5: a file that only moves to another level is not obsolete', async () => {
  const { set, obsolete } = await fixture()
  const edit = addTable(set)
  await set.apply(edit)
  const { meta: table } = edit.addedTables![0]!
  const runId = set.fileNumbers.take()
  await set.apply({
    removedTables: [table.number],
    addedTables: [{ level: 1, runId, meta: table }],
  })
  expect(obsolete).toEqual([])
  await set.apply({ removedTables: [table.number] })
  expect(obsolete).toEqual([{ kind: 'table', number: table.number }])
})

test('a failed sync poisons: everything is rejected, nothing is written again', async () => {
  const { fileSystem, set, obsolete } = await fixture()
  const edit = addTable(set)
  await set.apply(edit)
  const pin = set.pin()
  await set.apply({ removedTables: [numberOf(edit)] })
  fileSystem.failNext(/^sync MANIFEST/, 'EIO')
  const results = await Promise.allSettled([
    set.apply({ lastSequence: 5 }),
    set.apply({ lastSequence: 6 }),
  ])
  for (const result of results) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_SYNC_FAILED' } })
  }
  const calls = fileSystem.log.length
  await expect(set.apply({ lastSequence: 7 })).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
  pin.release()
  expect(obsolete).toEqual([])
  expect(set.current.lastSequence).toBe(0)
  await set.close()
  expect(fileSystem.log.length).toBe(calls)
})

test('a failed sync of the directory poisons before anything is written', async () => {
  const { fileSystem, set } = await fixture()
  fileSystem.failNext(/^syncDirectory/, 'ENOSPC')
  fileSystem.log.length = 0
  await expect(set.apply(addTable(set))).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
  expect(fileSystem.log.filter((line) => line.startsWith('write'))).toEqual([])
  await expect(set.apply({})).rejects.toMatchObject({ code: 'WISC_SYNC_FAILED' })
  expect(fileSystem.log.filter((line) => line.startsWith('write'))).toEqual([])
})

test('poison from outside stops edits under way', async () => {
  const f = await fixture()
  const applied = f.set.apply(addTable(f.set))
  const error = new WiscError('WISC_SYNC_FAILED', 'the log could not be synced')
  f.set.poison(error)
  await expect(applied).rejects.toBe(error)
  expect(reread(f)?.lastEditNumber).toBe(1)
})

test('I5: a failed write: a new manifest next, and nothing is unlinked until then', async () => {
  const f = await fixture()
  const { fileSystem, set, obsolete } = f
  const edit = addTable(set)
  await set.apply(edit)
  const pin = set.pin()
  await set.apply({ removedTables: [numberOf(edit)] })
  fileSystem.failNext(/^write MANIFEST/, 'ENOSPC')
  const results = await Promise.allSettled([
    set.apply({ lastSequence: 5 }),
    set.apply({ lastSequence: 6 }),
  ])
  for (const result of results) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_DISK_FULL' } })
  }
  pin.release()
  expect(obsolete).toEqual([])

  fileSystem.failNext(/^create MANIFEST/, 'ENOSPC')
  await expect(set.apply({ lastSequence: 7 })).rejects.toMatchObject({ code: 'WISC_DISK_FULL' })
  fileSystem.failNext(/^write MANIFEST/, 'ENOSPC')
  await expect(set.apply({ lastSequence: 7 })).rejects.toMatchObject({ code: 'WISC_DISK_FULL' })
  fileSystem.failNext(/^rename CURRENT/, 'EIO')
  await expect(set.apply({ lastSequence: 7 })).rejects.toMatchObject({ code: 'WISC_IO' })
  expect(obsolete).toEqual([])
  // Both edits were in one write, the first half of which is there: rejected means unknown after a
  // crash.
  expect(reread(f)).toMatchObject({ number: 1, version: { lastSequence: 5 } })

  fileSystem.log.length = 0
  await set.apply({ lastSequence: 8 })
  const switched = fileSystem.log.lastIndexOf('rename CURRENT')
  expect(fileSystem.log.slice(switched + 1)).toEqual(['syncDirectory ', 'syncedDirectory '])
  const live = reread(f)!
  expect(live.version).toMatchObject({ lastSequence: 8, levels: [] })
  expect(obsolete).toContainEqual({ kind: 'table', number: numberOf(edit) })
  expect(obsolete).toContainEqual({ kind: 'manifest', number: 1 })
  expect(obsolete).not.toContainEqual({ kind: 'manifest', number: live.number })
  await set.apply({ lastSequence: 9 })
  expect(reread(f)!.version.lastSequence).toBe(9)
})

test('an edit that does not fit is rejected, those behind it are made all the same', async () => {
  const { fileSystem, set } = await fixture()
  fileSystem.log.length = 0
  const results = await Promise.allSettled([
    set.apply({ removedTables: [99] }),
    set.apply({ lastSequence: 1 }),
  ])
  expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'WISC_INTERNAL' } })
  expect(results[1]).toMatchObject({ status: 'fulfilled' })
  expect(set.current.lastSequence).toBe(1)
  await set.apply({ lastSequence: 2 })
  expect(set.current.lastSequence).toBe(2)
})

test('every open begins a new manifest, numbers go on, the old one goes last', async () => {
  const f = await fixture()
  const edit = addTable(f.set)
  await f.set.apply(edit)
  await f.set.apply({ cleanEnd: { ordinal: 0, offset: 0 }, lastSequence: 44 })
  for (let i = 0; i < 4; i++) f.set.fileNumbers.take()
  const used = f.set.fileNumbers.take()
  await f.set.apply({ cleanEnd: { ordinal: 0, offset: 0 } })
  await f.set.close()
  await f.set.close()
  await expect(f.set.apply({})).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })

  const read = reread(f)!
  expect(read.version.cleanEnd).toEqual({ ordinal: 0, offset: 0 })
  f.fileSystem.log.length = 0
  const set = VersionSet.recover(f.context, read)
  const obsolete: ObsoleteFile[] = []
  set.onObsolete((file) => {
    f.fileSystem.log.push(`obsolete ${file.kind} ${file.number}`)
    obsolete.push(file)
  })
  expect(f.fileSystem.log).toEqual([])
  const next = set.fileNumbers.take()
  expect(next).toBeGreaterThan(used)
  const pin = set.pin()
  await set.apply({ lastSequence: 50, removedTables: [numberOf(edit)] })
  expect(f.fileSystem.log.slice(-4)).toEqual([
    'rename CURRENT',
    'syncDirectory ',
    'syncedDirectory ',
    'obsolete manifest 1',
  ])
  pin.release()
  expect(obsolete.at(-1)).toEqual({ kind: 'table', number: numberOf(edit) })
  expect(set.durableEdit).toBe(read.lastEditNumber + 1)
  const again = reread(f)!
  expect(again.version).toMatchObject({ lastSequence: 50, cleanEnd: undefined, levels: [] })
  expect(again.lastEditNumber).toBe(read.lastEditNumber + 1)
  expect(memoryDisk.list(f.context.directory)).not.toContain('CURRENT.tmp')
  await set.close()
})

/** A store with more files than one piece of a first version holds. */
async function largeFixture(): Promise<Fixture> {
  const f = await fixture()
  const numbers = Array.from({ length: 5000 }, () => f.set.fileNumbers.take())
  await f.set.apply({ addedFiles: numbers.map((number) => logFile(number)) })
  await f.set.close()
  const set = VersionSet.recover(f.context, reread(f)!)
  const obsolete: ObsoleteFile[] = []
  set.onObsolete((file) => obsolete.push(file))
  return { ...f, set, obsolete }
}

test('a large version is written over several turns; edits that arrive meanwhile wait, and are kept', async () => {
  const f = await largeFixture()
  const { set, fileSystem } = f
  fileSystem.log.length = 0
  const begun = set.apply({ lastSequence: 5 })
  const later: Promise<unknown>[] = []
  let turns = 0
  while (!fileSystem.log.includes('rename CURRENT')) {
    later.push(set.apply({ lastSequence: 10 + turns }))
    turns++
    await nextTurn()
  }
  expect(turns).toBeGreaterThanOrEqual(3)
  await begun
  await Promise.all(later)
  const manifest = `MANIFEST-${String(reread(f)!.number).padStart(6, '0')}`
  const synced = fileSystem.log.indexOf(`synced ${manifest}`)
  const renamed = fileSystem.log.indexOf('rename CURRENT')
  const writes = fileSystem.log.flatMap((line, i) => (line === `write ${manifest}` ? [i] : []))
  // I4: the whole version is durable before CURRENT names it, and nothing else is in it before that.
  expect(writes.filter((i) => i < renamed)).toHaveLength(10)
  expect(writes.filter((i) => i > synced && i < renamed)).toEqual([])
  expect(reread(f)!.version).toMatchObject({ lastSequence: 9 + turns })
  expect(reread(f)!.version.files.size).toBe(5000)
  await set.close()
})

test('poisoned while a large version is written, CURRENT names what it did before', async () => {
  const f = await largeFixture()
  const { set, fileSystem, obsolete } = f
  const before = reread(f)!.number
  fileSystem.log.length = 0
  const begun = set.apply({ lastSequence: 5 })
  await nextTurn()
  const error = new WiscError('WISC_SYNC_FAILED', 'the log could not be synced')
  set.poison(error)
  const { length } = fileSystem.log
  await expect(begun).rejects.toBe(error)
  // Nothing is written, synced or unlinked any more, not even what nobody would name.
  expect(fileSystem.log.slice(length)).toEqual([])
  expect(obsolete).toEqual([])
  await set.close()
  expect(reread(f)).toMatchObject({ number: before, version: { lastSequence: 0 } })
})
