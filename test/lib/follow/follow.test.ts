/** A store that follows its writer, on a file system in memory: what it is told, what it keeps, how it ends. */
import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { Snapshot } from '#dist/lib/contract/types.js'
import type { FollowingEngine } from '#dist/lib/follow/following-engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { runModule } from '../../support/processes/child-process.ts'
import { codeOf, openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'
import { settled } from '../../support/store/settled.ts'

const FOLLOWING = { readOnly: true, follow: true }
/** A collection pins versions: when their files go would be chance. */
const NOT_COLLECTED = { collector: { enabled: false } }

function look(follower: Store): void {
  engineOf(follower).moveOn!(undefined)
}

async function pair(options = {}): Promise<{ writer: Store; follower: Store }> {
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore({ ...NOT_COLLECTED, ...options }, fileSystem)
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  return { writer, follower }
}

async function fill(store: Store, round: number): Promise<void> {
  for (let i = 0; i < 200; i++)
    await store.put(`key${i}`, `${round} `.repeat(i % 2 === 0 ? 5 : 100))
}

test('follow needs readOnly', async () => {
  expect(await codeOf(() => openSmallStore({ follow: true }))).toBe('WISC_INVALID_ARGUMENT')
})

test('shows what is written, and tells of it, without a call', async () => {
  const { writer, follower } = await pair()
  expect(follower.getSync('a')).toBeUndefined()
  const advanced = once(follower, 'advanced')
  await writer.put('a', '1')
  const [event] = await advanced
  expect(event).toEqual({ previousSequence: 0, lastSequence: 1 })
  expect(String(follower.getSync('a'))).toBe('1')
  const again = once(follower, 'advanced')
  await writer.deleteRange({ gte: 'a' })
  await again
  expect(follower.getSync('a')).toBeUndefined()
  expect(await codeOf(() => follower.put('b', '1'))).toBe('WISC_READ_ONLY')
})

test('I11: writes nothing and takes no lock', async () => {
  stopTimers()
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  await fill(writer, 1)
  await writer.compact()
  const before = fileSystem.log.length
  const asked = new Set<string>()
  fileSystem.onCall = ({ kind }) => asked.add(kind)
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  look(follower)
  expect(String(follower.getSync('key3'))).toMatch(/^1 /)
  follower.stats()
  await follower.close()
  fileSystem.onCall = undefined
  expect(fileSystem.log.length).toBe(before)
  expect([...asked].sort()).toEqual(['list', 'open', 'read', 'stat'])
})

test('a look without news asks for little', async () => {
  stopTimers()
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  await writer.put('a', '1')
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  const { viewNumber } = engineOf(follower)
  const before = fileSystem.calls
  look(follower)
  expect(fileSystem.calls - before).toBeLessThan(8)
  expect(engineOf(follower).viewNumber).toBe(viewNumber)
})

test('a snapshot and an iterator see nothing of what comes, and a get sees all', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  await fill(writer, 1)
  look(follower)
  using snapshot = follower.snapshot()
  const iterator = follower.entries({ highWaterMarkBytes: 1 })
  await fill(writer, 2)
  look(follower)
  // Flushed: another version, other memtables, and the old ones are still read.
  await writer.flush()
  look(follower)
  await writer.put('key0', '3 ')
  await writer.put('new', '3 ')
  look(follower)
  expect(String(await follower.get('key1', { snapshot }))).toMatch(/^1 /)
  expect(String(follower.getSync('key1'))).toMatch(/^2 /)
  expect(String(follower.getSync('key0'))).toBe('3 ')
  const entries = await iterator.nextMany(1000)
  expect(entries.length).toBe(200)
  for (const [, value] of entries) expect(String(value)).toMatch(/^1 /)
  const stream = await follower.getStream('key1', { snapshot })
  expect(await new Response(stream as never).text()).toMatch(/^1 /)
  expect(follower.stats().snapshots.open).toBe(1)
  await iterator.close()
  expect(follower.stats().iterators.open).toBe(0)
  const other = (await pair()).follower
  expect(await codeOf(() => other.get('key1', { snapshot }))).toBe('WISC_INVALID_ARGUMENT')
})

test('a snapshot whose files are gone is stale, and gets go on', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  await fill(writer, 1)
  await writer.compact()
  look(follower)
  const snapshot = follower.snapshot()
  await fill(writer, 2)
  await writer.compact()
  expect(await codeOf(() => follower.get('key1', { snapshot }))).toBe('WISC_STALE')
  expect(String(await follower.get('key1'))).toMatch(/^2 /)
  using fresh = follower.snapshot()
  expect(String(await follower.get('key1', { snapshot: fresh }))).toMatch(/^2 /)
})

test('I10: memtables of old views are bounded, and go with their readers', async () => {
  stopTimers()
  const { writer, follower } = await pair()
  const held: { snapshot: Snapshot; bytes: number }[] = []
  for (let round = 0; round < 60; round++) {
    await fill(writer, round)
    look(follower)
    held.push({ snapshot: follower.snapshot(), bytes: follower.stats().memtableBytes })
    await writer.flush()
    look(follower)
  }
  const codes = await Promise.all(
    held.map(({ snapshot }) => codeOf(() => follower.has('key1', { snapshot }))),
  )
  expect(codes[0]).toBe('WISC_STALE')
  expect(codes.at(-1)).toBe('no error')
  const kept = held.filter((_, i) => codes[i] === 'no error')
  const bytes = kept.reduce((sum, one) => sum + one.bytes, 0)
  expect(bytes).toBeGreaterThan(4 * SMALL_OPTIONS.memtableBytes!)
  expect(bytes).toBeLessThanOrEqual(8 * SMALL_OPTIONS.memtableBytes!)
  expect((engineOf(follower) as FollowingEngine).viewCount).toBe(kept.length + 1)
  for (const { snapshot } of held) snapshot.close()
  expect(engineOf(follower).readers.count).toBe(0)
  expect((engineOf(follower) as FollowingEngine).viewCount).toBe(1)
})

test('files that are in no view any more are closed', async () => {
  stopTimers()
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  for (let round = 0; round < 6; round++) {
    await fill(writer, round)
    await writer.compact()
    await writer.collect({ targetSpaceAmplification: 1 })
    look(follower)
    for (let i = 0; i < 200; i++) follower.getSync(`key${i}`)
  }
  const { tables, segments, relocations } = follower.stats()
  expect(follower.stats().openFiles).toBeLessThanOrEqual(tables + segments + relocations)
  await follower.close()
})

test('its account of space follows files that come and go, and holes that the writer makes', async () => {
  stopTimers()
  const fileSystem = new FaultFileSystem()
  let writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  const put = async (step: number): Promise<void> => {
    for (let i = 0; i < 60; i += step) await writer.put(`key${i}`, Buffer.alloc(17_000, i))
  }
  const collect = (options = {}): Promise<unknown> =>
    writer.collect({ targetSpaceAmplification: 1, ...options })
  const steps = {
    flushed: () => put(1).then(() => writer.flush()),
    'only in the log': () => put(2),
    shadowed: () => writer.compact(),
    punched: () => collect({ maxCopyBytes: 0 }),
    copied: () => collect(),
    streamed: () => writer.putStream('key0', new Blob([Buffer.alloc(200_000)])),
    'opened again': async () => {
      await writer.close()
      writer = await openSmallStore(NOT_COLLECTED, fileSystem)
    },
    'punched, then given up': async () => {
      await put(3)
      await writer.compact()
      await collect({ maxCopyBytes: 0 })
      await writer.deleteRange({ gte: '' })
      await writer.compact()
      await collect()
    },
  }
  const punched = new Set<string>()
  for (const [step, work] of Object.entries(steps)) {
    await work()
    await settled(fileSystem)
    look(follower)
    const { diskBytes, punchedBytes, exposedGarbageBytes } = follower.stats()
    expect(diskBytes, step).toBe(fileSystem.allocatedBytes())
    expect(writer.stats().punchedBytes, step).toBe(punchedBytes)
    const reader = await openSmallStore({ readOnly: true }, fileSystem)
    expect(reader.stats(), step).toMatchObject({ diskBytes, punchedBytes, exposedGarbageBytes })
    await reader.close()
    if (punchedBytes > 0) punched.add(step)
  }
  expect(punched).toContain('punched')
  expect(punched).not.toContain('punched, then given up')
  expect(follower.stats().diskBytes).toBeLessThan(200_000)
})

test('goes on with a writer that was closed and opened again', async () => {
  const fileSystem = new FaultFileSystem()
  let writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  for (let round = 1; round < 5; round++) {
    const advanced = once(follower, 'advanced')
    await writer.put('round', String(round))
    await advanced
    expect(String(follower.getSync('round'))).toBe(String(round))
    await writer.close()
    writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  }
})

test('a range that was found empty is looked into again when a key comes', async () => {
  stopTimers()
  const { writer, follower } = await pair({ memtableBytes: 4 * 1024 * 1024 })
  const keys = Array.from({ length: 3000 }, (_, i) => `key${String(i).padStart(4, '0')}`)
  await Promise.all(keys.map((key) => writer.put(key, '1')))
  await writer.flush()
  await Promise.all(keys.map((key) => writer.delete(key)))
  look(follower)
  expect(await follower.keys().nextMany(9)).toEqual([])
  const { memtables } = engineOf(follower)
  expect(memtables.emptyRanges.count).toBeGreaterThan(0)
  await writer.put('key1500', '2')
  await writer.putStream('key1600', new Blob([Buffer.alloc(40_000)]))
  look(follower)
  expect(engineOf(follower).memtables).toBe(memtables)
  expect((await follower.keys().nextMany(9)).map(String)).toEqual(['key1500', 'key1600'])
})

test('what stays wrong is told once, and does not keep it from what it has', async () => {
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  await writer.put('a', '1')
  const follower = await openSmallStore(FOLLOWING, fileSystem)
  const failed = once(follower, 'error')
  fileSystem.faults = ({ kind, path }) =>
    kind === 'open' && path.endsWith('CURRENT') ? { errno: 'EACCES' } : undefined
  const [error] = await failed
  expect(error).toMatchObject({ code: 'WISC_IO' })
  expect(follower.stats().backgroundError).toBe(error)
  expect(String(follower.getSync('a'))).toBe('1')
  fileSystem.faults = undefined
  const advanced = once(follower, 'advanced')
  await writer.put('a', '2')
  await advanced
  expect(follower.stats().backgroundError).toBeUndefined()
  expect(String(follower.getSync('a'))).toBe('2')
})

test('keeps the process alive while somebody listens for news, and only then', async () => {
  const directory = temporaryDirectory()
  const code = `const { open } = await import(DIST + 'lib/index.js')
    const writer = await open(process.argv[1], { workers: 0 })
    const follower = await open(process.argv[1], { readOnly: true, follow: true })
    const advanced = new Promise((resolve) => follower.once('advanced', resolve))
    await writer.put('a', '1')
    await advanced
    console.log(String(follower.getSync('a')))`
  expect(await runModule(code, directory)).toBe('1\n')
})

test('closes while it looks', async () => {
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
  for (let round = 0; round < 10; round++) {
    const follower = await openSmallStore(FOLLOWING, fileSystem)
    await fill(writer, round)
    const advanced = once(follower, 'advanced')
    if (round % 2 === 0) await advanced
    await follower.close()
    expect(await codeOf(() => follower.get('key1'))).toBe('WISC_NOT_OPEN')
  }
  await writer.close()
  expect(fileSystem.openFiles).toBe(0)
})
