/**
 * The views of a store that follows its writer: memtables that several share, old views beside the newest files, and
 * what becomes of them when the log of the writer is another one.
 */
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { FileNumber } from '#dist/lib/base/ids.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { FollowingEngine } from '#dist/lib/follow/following-engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { Entry, KIND } from '#dist/lib/tree/entry.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem } from '../../support/files/history-file-system.ts'
import { passTime, startClock, stopClock } from '../../support/stopped-clock.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'

const FOLLOWING = { readOnly: true, follow: true }
const NOT_COLLECTED = { collector: { enabled: false } }

function engine(store: Store): FollowingEngine {
  return engineOf(store) as FollowingEngine
}

function look(follower: Store): void {
  engine(follower).moveOn()
}

async function pair(
  options: Options = {},
  following: Options = {},
): Promise<{ writer: Store; follower: Store; fileSystem: FaultFileSystem }> {
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore({ ...NOT_COLLECTED, ...options }, fileSystem)
  const follower = await openSmallStore({ ...FOLLOWING, ...following }, fileSystem)
  return { writer, follower, fileSystem }
}

/** Puts, with looks, until a memtable has been flushed, and something is behind it that is not. @returns what it put */
async function putPastFlush(
  writer: Store,
  follower: Store,
  contentOf: (i: number) => string,
): Promise<Map<string, string>> {
  const put = new Map<string, string>()
  const { flushes } = writer.stats()
  const { version } = engineOf(writer)
  for (let i = 0; writer.stats().flushes === flushes || i % 10 !== 0; i++) {
    put.set(`key${i}`, contentOf(i))
    await writer.put(`key${i}`, contentOf(i))
    look(follower)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(engineOf(writer).memtables.hasEntries).toBe(true)
  expect(engineOf(writer).version.checkpoint).not.toEqual(version.checkpoint)
  return put
}

test('memtables go on when the writer has flushed: of the log nothing is read twice', async () => {
  stopTimers()
  const { writer, follower, fileSystem } = await pair({ segmentBytes: 4 * 1024 * 1024 })
  await writer.put('key0', 'first')
  look(follower)
  const { memtables } = engine(follower)
  const put = await putPastFlush(writer, follower, (i) => `${i} `.repeat(20))
  const { checkpoint } = engineOf(writer).version
  look(follower)
  expect(engine(follower).memtables).toBe(memtables)
  expect(engine(follower).version.checkpoint).toEqual(checkpoint)
  // One that stands at the checkpoint, for its sequence, and one that goes on: nothing has been written since.
  const opened: string[] = []
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'open') opened.push(path)
  }
  look(follower)
  expect(opened.filter((path) => path.endsWith('.vlog'))).toEqual([])
  fileSystem.onCall = undefined
  for (const [key, value] of put) expect(String(follower.getSync(key))).toBe(value)
  const entries = await follower.entries().nextMany(put.size + 1)
  expect(entries.map(String).sort()).toEqual([...put].map(String).sort())
  const back = await follower.entries({ reverse: true }).nextMany(put.size + 1)
  expect(back.map(String)).toEqual(entries.map(String).reverse())
  // Everything is in tables: there is nothing to leave out.
  await writer.flush()
  look(follower)
  expect(engine(follower).memtables).not.toBe(memtables)
  expect(follower.stats().memtableBytes).toBe(0)
  for (const [key, value] of put) expect(String(follower.getSync(key))).toBe(value)
})

test('below the checkpoint memtables are not asked: the records of inline values may be gone', async () => {
  stopTimers()
  // Inline for the writer, pointers in the memtables of the follower.
  const { writer, follower } = await pair({ valueThreshold: 5000 }, { valueThreshold: 100 })
  const put = await putPastFlush(writer, follower, (i) => `${i} `.repeat(300))
  look(follower)
  const { tree, visibleSequence, version } = engine(follower)
  const kinds = new Map<number, number>()
  const found = new Entry()
  for (const [key, value] of put) {
    expect(tree.find(Buffer.from(key), visibleSequence, found)).toBe(true)
    kinds.set(found.kind, (kinds.get(found.kind) ?? 0) + 1)
    expect(String(follower.getSync(key))).toBe(value)
  }
  const flushed = version.levels.flatMap(({ runs }) => runs.flatMap(({ tables }) => tables))
  const count = flushed.reduce((sum, { entries }) => sum + entries, 0)
  expect(kinds).toEqual(
    new Map([
      [KIND.inline, count],
      [KIND.pointer, put.size - count],
    ]),
  )
})

test('I10: memtables below the checkpoint stay for as long as an older view reads them', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  await writer.put('key0', 'first')
  look(follower)
  const { memtables } = engine(follower)
  const before = new Map<string, string>()
  const snapshot = follower.snapshot()
  for (let round = 0; round < 3; round++) {
    const put = await putPastFlush(writer, follower, (i) => `${round}.${i} `.repeat(9))
    look(follower)
    for (const [key, value] of put) before.set(key, value)
  }
  expect(engine(follower).memtables).toBe(memtables)
  const held = memtables.usedBytes
  expect(memtables.bytesBelow(engine(follower).version.checkpoint)).toBeGreaterThan(0)
  expect(String(await follower.get('key0', { snapshot }))).toBe('first')
  const keys = follower.keys({ snapshot })
  expect(await keys.nextMany(9)).toEqual([Buffer.from('key0')])
  await keys.close()
  for (const [key, value] of before) expect(String(follower.getSync(key))).toBe(value)
  snapshot.close()
  expect(memtables.usedBytes).toBeLessThan(held)
  expect(memtables.bytesBelow(engine(follower).version.checkpoint)).toBe(0)
  for (const [key, value] of before) expect(String(follower.getSync(key))).toBe(value)
})

test('I10: one old view alone does not keep memtables without bound', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  await writer.put('key0', 'first')
  look(follower)
  const snapshot = follower.snapshot()
  const { memtables } = engine(follower)
  for (let round = 0; round < 14; round++) {
    await putPastFlush(writer, follower, (i) => `${round}.${i} `.repeat(9))
    look(follower)
  }
  expect(await codeOf(() => follower.get('key0', { snapshot }))).toBe('WISC_STALE')
  expect(engine(follower).viewCount).toBe(1)
  expect(memtables.bytesBelow(engine(follower).version.checkpoint)).toBe(0)
  snapshot.close()
})

test('a snapshot goes on when the file that its end lies in was flushed and collected between two looks', async () => {
  stopTimers()
  const { writer, follower } = await pair({ valueThreshold: 5000 }, { valueThreshold: 5000 })
  for (let i = 0; i < 20; i++) await writer.put(`key${i}`, `first ${i}`)
  look(follower)
  const snapshot = follower.snapshot()
  const number = follower.segments()[0]!.id as FileNumber
  for (let i = 0; i < 20; i++) await writer.put(`key${i}`, `second ${i}`)
  await writer.flush()
  for (let i = 0; i < 20; i++) await writer.put(`key${i}`, Buffer.alloc(6000, i))
  await writer.flush()
  await writer.compact()
  await writer.collect({ targetSpaceAmplification: 1, maxCopyBytes: 2 ** 30 })
  look(follower)
  expect(engine(follower).version.files.has(number)).toBe(false)
  expect(String(await follower.get('key7', { snapshot }))).toBe('first 7')
  expect((await follower.get('key7'))?.length).toBe(6000)
  snapshot.close()
})

test('an old view finds what lives where the newest version has it', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  for (let i = 0; i < 40; i++) await writer.put(`key${i}`, Buffer.alloc(3000, i))
  await writer.putStream('stream', new Blob([Buffer.alloc(100_000, 7)]))
  await writer.compact()
  look(follower)
  const snapshot = follower.snapshot()
  const segments = follower.segments().length
  for (let i = 0; i < 40; i += 2) await writer.put(`key${i}`, 'again')
  await writer.delete('stream')
  await writer.collect({ targetSpaceAmplification: 1, maxCopyBytes: 2 ** 30 })
  look(follower)
  expect(follower.stats().relocations).toBeGreaterThan(0)
  expect(follower.segments().length).toBeLessThan(segments)
  const codes = new Map<unknown, number>()
  for (let i = 0; i < 40; i++) {
    const code = await codeOf(async () => {
      const value = await follower.get(`key${i}`, { snapshot })
      expect(value).toEqual(Buffer.alloc(3000, i))
    })
    // What lives was moved, its table is open still.
    if (i % 2 === 1) expect(code).toBe('no error')
    codes.set(code, (codes.get(code) ?? 0) + 1)
  }
  expect([...codes.keys()].sort()).toEqual(['WISC_STALE', 'no error'])
  expect(await codeOf(() => follower.get('stream', { snapshot }))).toBe('WISC_STALE')
  expect(await codeOf(() => follower.entries({ snapshot }).nextMany(40))).toBe('WISC_STALE')
  expect((await follower.keys({ snapshot }).nextMany(99)).length).toBe(41)
})

test('what old views miss in the same place is no damage', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  for (let i = 0; i < 40; i++) await writer.put(`key${i}`, Buffer.alloc(3000, i))
  await writer.compact()
  look(follower)
  const first = follower.snapshot()
  await writer.put('other', '1')
  await writer.flush()
  look(follower)
  const second = follower.snapshot()
  for (let i = 0; i < 40; i += 2) await writer.put(`key${i}`, 'again')
  await writer.collect({ targetSpaceAmplification: 1, maxCopyBytes: 2 ** 30 })
  look(follower)
  // Neither record is in the relocation: both failures are told of its first byte.
  const read = (snapshot: typeof first): Promise<unknown> =>
    codeOf(() => follower.get('key2', { snapshot }))
  expect(await read(first)).toBe('WISC_STALE')
  await writer.put('other', '2')
  await writer.flush()
  look(follower)
  expect(await read(second)).toBe('WISC_STALE')
  expect(await read(first)).toBe('WISC_STALE')
  expect(String(await follower.get('key2'))).toBe('again')
})

test('a long look shows frame by frame, streams too, and tells of it', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  const isOld = vi.spyOn(engine(follower).turn, 'isOld').mockReturnValue(true)
  await writer.put('a', '1')
  await writer.putStream('stream', new Blob([Buffer.alloc(100_000, 7)]))
  await writer.put('b', '2')
  const shown: string[] = []
  const failed: unknown[] = []
  const end = new Promise<void>((resolve) => {
    follower.on('advanced', async () => {
      const snapshot = follower.snapshot()
      const keys = (await follower.keys({ snapshot }).nextMany(9)).map(String)
      shown.push(keys.join())
      if (keys.includes('stream'))
        await follower.get('stream', { snapshot }).catch((error) => failed.push(error))
      if (keys.includes('b')) resolve()
    })
  })
  vi.advanceTimersByTime(60)
  await end
  isOld.mockRestore()
  expect(failed).toEqual([])
  expect(shown).toEqual(['a', 'a,stream', 'a,b,stream'])
})

test('where a machine has lost the end of the log nothing of that is shown any more', async () => {
  stopTimers()
  const base = new FaultFileSystem()
  const options = { valueThreshold: 100, collector: { enabled: false } }
  const lost = await openStore(DIRECTORY, options, { fileSystem: base })
  await lost.put('kept', 'k'.repeat(200))
  const kept = base.visibleImage()
  await lost.put('key', 'lost '.repeat(100))
  await lost.put('more', 'lost '.repeat(100))
  const before = base.visibleImage()
  // Another file goes on behind what is left.
  const fileSystem = new FaultFileSystem({}, kept)
  const writer = await openStore(DIRECTORY, options, { fileSystem })
  await writer.put('key', 'other'.repeat(100))
  const after = fileSystem.visibleImage()
  let due = 0
  const disk = new HistoryFileSystem([before, after], () => due)
  const following = { ...options, ...FOLLOWING, valueCacheBytes: 1024 * 1024 }
  const follower = await openStore(DIRECTORY, following, { fileSystem: disk })
  for (let i = 0; i < 4; i++) expect(String(follower.getSync('key'))).toMatch(/^lost/)
  expect(follower.stats().valueCache.hits).toBeGreaterThan(0)
  const snapshot = follower.snapshot()
  due = 1
  const changes = vi.spyOn(engine(follower).tables, 'keepOnly')
  look(follower)
  expect(changes).toHaveBeenCalledTimes(1)
  expect(String(follower.getSync('key'))).toMatch(/^other/)
  expect(follower.hasSync('more')).toBe(false)
  expect(String(follower.getSync('kept'))).toMatch(/^kk/)
  expect(await codeOf(() => follower.get('key', { snapshot }))).toBe('WISC_STALE')
  await follower.close()
  await Promise.all([lost.close(), writer.close()])
})

test('snapshots stay when the writer is opened anew', async () => {
  stopTimers()
  const fileSystem = new FaultFileSystem()
  let writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  await writer.put('key', '1'.repeat(200))
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  const snapshot = follower.snapshot()
  for (const value of ['2', '3']) {
    await writer.close()
    writer = await openSmallStore(NOT_COLLECTED, fileSystem)
    await writer.put('key', value.repeat(200))
    look(follower)
    expect(String(follower.getSync('key'))).toBe(value.repeat(200))
    expect(String(await follower.get('key', { snapshot }))).toBe('1'.repeat(200))
  }
})

test('a range that is empty in a newer view is looked into in an older one', async () => {
  // A look is due when it is asked for: one of its own would be right, too.
  stopClock()
  onTestFinished(startClock)
  const { writer, follower } = await pair()
  const keys = Array.from({ length: 600 }, (_, i) => `key${String(i).padStart(3, '0')}`)
  for (const key of keys) await writer.put(key, '1', { ttl: 1000 })
  look(follower)
  const snapshot = follower.snapshot()
  passTime(2000)
  // What has expired becomes tombstones, or nothing.
  await writer.put('z', '1')
  await writer.compact()
  look(follower)
  expect((await follower.keys().nextMany(9)).map(String)).toEqual(['z'])
  expect((await follower.keys().nextMany(9)).map(String)).toEqual(['z'])
  expect((await follower.keys({ snapshot }).nextMany(999)).length).toBe(600)
})

test('a file that cannot be closed keeps nothing from being shown', async () => {
  stopTimers()
  const { writer, follower, fileSystem } = await pair()
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 40; i++) await writer.put(`key${i}`, `${round} `.repeat(300))
    await writer.compact()
    const { values } = engine(follower)
    const keepOnly = vi.spyOn(values, 'keepOnly').mockImplementation(() => {
      throw new Error('EIO')
    })
    look(follower)
    keepOnly.mockRestore()
    for (let i = 0; i < 40; i++) expect(String(follower.getSync(`key${i}`))).toMatch(`${round} `)
  }
  await follower.close()
  await writer.close()
  expect(fileSystem.openFiles).toBe(0)
})

test('a look that is over tells nobody when the store has been closed', async () => {
  const { writer, follower } = await pair()
  vi.spyOn(engine(follower).turn, 'isOld').mockReturnValue(true)
  for (let i = 0; i < 10; i++) await writer.put(`key${i}`, '1')
  let told = 0
  await once(follower, 'advanced')
  follower.on('advanced', () => told++)
  await follower.close()
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect(told).toBe(0)
})
