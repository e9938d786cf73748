/** I11: a read-only store writes nothing and needs no lock, also beside a writer, in this process and in another. */
import { describe, expect, test } from 'vitest'
import { open } from '#dist/lib/index.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { nextLine, startModule } from '../../support/processes/child-process.ts'
import { codeOf, openSmallStore, SMALL_OPTIONS } from '../../support/store/fault-store.ts'
import { idle, runTimers } from '../../support/store/idle.ts'

const READ_ONLY = { readOnly: true }
/** A collection pins versions: when their files go would be chance. */
const NOT_COLLECTED = { collector: { enabled: false } }

async function fill(store: Store, round: number): Promise<void> {
  for (let i = 0; i < 200; i++)
    await store.put(`key${i}`, `${round} `.repeat(i % 2 === 0 ? 5 : 100))
}

function expectRound(store: Store, round: number): void {
  for (let i = 0; i < 200; i++)
    expect(String(store.getSync(`key${i}`))).toMatch(new RegExp(`^${round} `))
}

test('I11: opens beside a writer, writes nothing, takes no lock, and shows the state of its open', async () => {
  runTimers()
  const fileSystem = new FaultFileSystem()
  // A collector looks again when writes have ceased: what it does then is none of the reader's.
  const writer = await openSmallStore({ collector: { enabled: false } }, fileSystem)
  await fill(writer, 1)
  await writer.flush()
  await fill(writer, 2)
  // Some time after a sync the log notes it.
  await idle(fileSystem)
  const before = fileSystem.log.length
  const asked = new Set<string>()
  fileSystem.onCall = ({ kind }) => asked.add(kind)
  const reader = await openSmallStore(READ_ONLY, fileSystem)
  expectRound(reader, 2)
  expect((await reader.verify()).damage).toEqual([])
  expect((await reader.keys().nextMany(1000)).length).toBe(200)
  reader.stats()
  const readers = await Promise.all([1, 2].map(() => openSmallStore(READ_ONLY, fileSystem)))
  for (const one of readers) await one.close()
  fileSystem.onCall = undefined
  expect(fileSystem.log.length).toBe(before)
  expect([...asked].sort()).toEqual(['list', 'open', 'read', 'stat'])
  await fill(writer, 3)
  expectRound(reader, 2)
  await reader.close()
  expect(await codeOf(() => reader.get('key1'))).toBe('WISC_NOT_OPEN')
})

test('every write is refused with WISC_READ_ONLY', async () => {
  const fileSystem = new FaultFileSystem()
  await (await openSmallStore({}, fileSystem)).close()
  const reader = await openSmallStore(READ_ONLY, fileSystem)
  for (const action of [
    () => reader.put('a', '1'),
    () => reader.delete('a'),
    () => reader.write([]),
    () => reader.sync(),
    () => reader.flush(),
    () => reader.compact(),
  ]) {
    expect(await codeOf(action)).toBe('WISC_READ_ONLY')
  }
})

describe('when the writer removes files', () => {
  async function pair(): Promise<{ writer: Store; reader: Store; fileSystem: FaultFileSystem }> {
    const fileSystem = new FaultFileSystem()
    const writer = await openSmallStore(NOT_COLLECTED, fileSystem)
    await fill(writer, 1)
    await writer.compact()
    const reader = await openSmallStore(READ_ONLY, fileSystem)
    return { writer, reader, fileSystem }
  }

  test('a get starts again from CURRENT', async () => {
    const { writer, reader } = await pair()
    await fill(writer, 2)
    await writer.compact()
    expectRound(reader, 2)
    await fill(writer, 3)
    await writer.compact()
    expect(String(await reader.get('key1'))).toMatch(/^[23] /)
    // Files that the reader has open still answer: it need not follow the writer.
    const [second, third] = await reader.getMany(['key2', 'key3'])
    expect(String(second)).toMatch(/^[23] /)
    expect(String(third)[0]).toBe(String(second)[0])
    expect(await reader.has('key7')).toBe(true)
  })

  test('snapshots and iterators whose files are gone fail with WISC_STALE', async () => {
    const { writer, reader } = await pair()
    const snapshot = reader.snapshot()
    const iterator = reader.entries({ highWaterMarkBytes: 1 })
    const unread = reader.entries()
    await fill(writer, 2)
    await writer.compact()
    expect(await codeOf(() => reader.get('key1', { snapshot }))).toBe('WISC_STALE')
    expect(await codeOf(() => iterator.nextMany(500))).toBe('WISC_STALE')
    // The store itself starts again, which ends every older view.
    expectRound(reader, 2)
    expect(await codeOf(() => reader.get('key1', { snapshot }))).toBe('WISC_STALE')
    expect(await codeOf(() => unread.next())).toBe('WISC_STALE')
    expect(await codeOf(() => reader.entries({ snapshot }))).toBe('WISC_STALE')
    const fresh = reader.snapshot()
    expect(String(await reader.get('key1', { snapshot: fresh }))).toMatch(/^2 /)
  })

  test('after WISC_STALE a new iterator or snapshot is one of the newest state', async () => {
    const { writer, reader } = await pair()
    const old = reader.snapshot()
    await fill(writer, 2)
    await writer.compact()
    expect(await codeOf(() => reader.entries().nextMany(500))).toBe('WISC_STALE')
    const entries = await reader.entries().nextMany(500)
    expect(entries.length).toBe(200)
    for (const [, value] of entries) expect(String(value)).toMatch(/^2 /)
    expect(await codeOf(() => reader.get('key1', { snapshot: old }))).toBe('WISC_STALE')
    const fresh = reader.snapshot()
    expect(String(await reader.get('key1', { snapshot: fresh }))).toMatch(/^2 /)
  })
})

test('a log that ends in the middle of a frame is neither error nor loss', async () => {
  const fileSystem = new FaultFileSystem()
  const writer = await openSmallStore({}, fileSystem)
  await writer.put('a', '1', { sync: true })
  await writer.put('b', Buffer.alloc(500))
  const image = fileSystem.visibleImage()
  const [name, bytes] = [...image.files].find(
    ([one, found]) => one.endsWith('.vlog') && found.length > 0,
  )!
  for (let cut = 1; cut < 600; cut += 37) {
    const files = new Map(image.files).set(name, bytes.slice(0, -cut))
    const torn = new FaultFileSystem({}, { directories: image.directories, files })
    const reader = await openSmallStore(READ_ONLY, torn)
    expect(String(reader.getSync('a'))).toBe('1')
    expect(reader.getSync('b')).toBeUndefined()
    expect((await reader.verify()).damage).toEqual([])
    expect(torn.log).toEqual([])
  }
})

test('I11: beside a writer of another process that flushes and compacts without end', async () => {
  const directory = temporaryDirectory()
  const child = startModule(
    `const { open } = await import(DIST + 'lib/index.js')
    const store = await open(process.argv[1], ${JSON.stringify({ ...SMALL_OPTIONS, workers: 1 })})
    let ended = false
    process.stdin.on('end', () => { ended = true }).resume()
    for (let round = 1; !ended; round++) {
      for (let i = 0; i < 100; i++) await store.put('key' + i, (round + ' ').repeat(i % 2 ? 5 : 100))
      if (round === 2) console.log('ready')
      if (round % 3 === 0) await store.compact(); else await store.flush()
    }
    await store.close()`,
    directory,
  )
  expect(await nextLine(child)).toBe('ready')
  let least = 0
  for (let i = 0; i < 15; i++) {
    const reader = await open(directory, READ_ONLY)
    for (let turn = 0; turn < 40; turn++) {
      const value = String(await reader.get(`key${(turn * 7) % 100}`))
      expect(value).toMatch(/^(\d+ )\1+$/)
      expect(Number.parseInt(value, 10)).toBeGreaterThanOrEqual(least)
    }
    const first = Number.parseInt(String(await reader.get('key99')), 10)
    least = Math.max(least, first - 1)
    await reader.close()
  }
  const ended = new Promise((resolve) => child.on('exit', resolve))
  child.stdin?.end()
  expect(await ended).toBe(0)
})
