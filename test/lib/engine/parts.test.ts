/** Small parts of the store: turns of the event loop, held sequences, memtables and their arenas, statistics. */
import { describe, expect, test, vi } from 'vitest'
import { EventLoopTurn } from '#dist/lib/base/event-loop-turn.js'
import { Memtables } from '#dist/lib/state/memtables.js'
import { ReadableSequences } from '#dist/lib/state/readable-sequences.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { LEVEL_0_RUNS_STOP } from '#dist/lib/tree/version/tree-shape.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

describe('a turn of the event loop', () => {
  test('is old after a millisecond, until the loop has turned', async () => {
    let now = 5000
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
    const turn = new EventLoopTurn()
    expect(turn.isOld()).toBe(false)
    now += 2
    expect(turn.isOld()).toBe(true)
    const order: string[] = []
    await new Promise<void>((resolve) => {
      turn.later(() => order.push('first'))
      turn.later(() => {
        order.push('second')
        resolve()
      })
      setImmediate(() => order.push('behind'))
      order.push('now')
    })
    clock.mockRestore()
    expect(order).toEqual(['now', 'first', 'second'])
    expect(turn.isOld()).toBe(false)
  })
})

test('readable sequences are those that someone holds, and the visible one', () => {
  const readers = new ReadableSequences(20)
  expect(readers.oldest).toBeUndefined()
  for (const sequence of [5, 9, 5]) readers.hold(sequence)
  expect(readers.count).toBe(3)
  expect(readers.list()).toEqual([5, 9, 20])
  readers.release(5)
  readers.newest = 9
  expect(readers.list()).toEqual([5, 9])
  readers.newest = 20
  readers.release(5)
  expect(readers.oldest).toBe(9)
  readers.release(77)
  expect(readers.list()).toEqual([9, 20])
})

describe('memtables', () => {
  const START = { ordinal: 1, offset: 0 }
  const put = (memtables: Memtables, sequence: number): void => {
    memtables.active.insert(Buffer.from('key'), sequence, KIND.pointer, undefined, 1, sequence, 50)
  }

  test.each([65_536, 65_537, 65_539])(
    'I10: three arenas of %i serve, and are used again',
    (bytes) => {
      const memtables = new Memtables(bytes, START)
      const used = new Set<SharedArrayBuffer>()
      for (let i = 1; i <= 10; i++) {
        put(memtables, i)
        while (!memtables.freeze({ ordinal: 1, offset: i * 100 }, 0)) memtables.dropOldest()
        const { frozen } = memtables.oldestFrozen!
        used.add(memtables.arenaBuffer(frozen.arenaId))
        // The active one, and those that wait.
        expect(memtables.list(START).length).toBeLessThanOrEqual(3)
      }
      expect(used.size).toBeLessThanOrEqual(3)
    },
  )

  test('a batch too large for an arena gets one of its own; one too large for any is refused', () => {
    const memtables = new Memtables(65536, START)
    expect(memtables.freeze(START, 1_000_000)).toBe(true)
    expect(memtables.active.hasRoom(900_000)).toBe(true)
    expect(() => memtables.freeze(START, 2 ** 30)).toThrow(
      expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }),
    )
  })

  test('the list is newest first, without those below the checkpoint', () => {
    const memtables = new Memtables(65536, START)
    const first = memtables.active
    put(memtables, 1)
    memtables.freeze({ ordinal: 1, offset: 100 }, 0)
    const second = memtables.active
    put(memtables, 2)
    memtables.freeze({ ordinal: 2, offset: 200 }, 0)
    expect(memtables.list(START)).toEqual([memtables.active, second, first])
    expect(memtables.list({ ordinal: 1, offset: 100 })).toEqual([memtables.active, second])
    expect(memtables.list({ ordinal: 2, offset: 200 })).toEqual([memtables.active])
  })
})

test('statistics count what was asked and written', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  for (let i = 0; i < 100; i++) await store.put(`key${i}`, Buffer.alloc(200))
  await store.flush()
  const snapshot = store.snapshot()
  const iterator = store.keys({ snapshot })
  for (let i = 0; i < 100; i++) store.getSync(`key${i}`)
  for (let i = 0; i < 100; i++) expect(store.hasSync(`absent${i}`)).toBe(false)
  for (let i = 0; i < 100; i++) expect(store.hasSync(`key${i}x`)).toBe(false)
  const stats = store.stats()
  expect(stats).toMatchObject({
    userBytesWritten: 100 * 200 + 490,
    tables: stats.levels.reduce((sum, level) => sum + level.tables, 0),
    flushes: 1,
    snapshots: { open: 1, oldestSequence: 100 },
    iterators: { open: 1 },
    lastSequence: 100,
    durableSequence: 100,
    backgroundError: undefined,
  })
  expect(stats.writeAmplification).toBeCloseTo(
    (stats.logBytesWritten + stats.tableBytesWritten) / stats.userBytesWritten,
  )
  expect(stats.blockCache.hits).toBeGreaterThan(50)
  expect(stats.filter.useful / stats.filter.checked).toBeGreaterThan(0.3)
  expect(stats.levels.reduce((sum, level) => sum + level.entries, 0)).toBe(100)
  const files = [...fileSystem.visibleImage().files.keys()]
  const allocated = files.map((path) => fileSystem.statPath(path)!.allocated)
  expect(store.stats().diskBytes).toBe(allocated.reduce((sum, bytes) => sum + bytes, 0))
  snapshot.close()
  await iterator.close()
  expect(store.stats()).toMatchObject({
    snapshots: { open: 0, oldestSequence: undefined },
    iterators: { open: 0 },
  })
})

describe('background work', () => {
  test('I3: a flush publishes its tables when the log is durable up to them, I4: and they are', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await store.put('a', Buffer.alloc(500))
    const steps: string[] = []
    fileSystem.onCall = ({ kind, path }) => {
      const name = /(sst|vlog|MANIFEST)/.exec(path)?.[0]
      if ((kind === 'sync' || kind === 'write') && name) steps.push(`${kind} ${name}`)
      if (kind === 'syncDirectory') steps.push('sync names')
    }
    await store.flush()
    fileSystem.onCall = undefined
    const published = steps.lastIndexOf('write MANIFEST')
    for (const step of ['sync vlog', 'write sst', 'sync sst', 'sync names']) {
      const at = steps.indexOf(step)
      expect(at, step).toBeGreaterThanOrEqual(0)
      expect(at, step).toBeLessThan(published)
    }
    expect(steps.slice(published + 1)).toEqual(['sync MANIFEST'])
  })

  test('I10: keeps level 0 bounded while writers write', async () => {
    const store = await openSmallStore()
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 20; i++) await store.put(`key${i}-${round % 7}`, Buffer.alloc(90))
      await store.flush()
      expect(store.stats().levels[0]?.runs ?? 0).toBeLessThanOrEqual(LEVEL_0_RUNS_STOP)
    }
    expect(store.stats().compactions).toBeGreaterThan(0)
  })

  test('I7: compactions keep what a snapshot sees, and drop it when it is closed', async () => {
    const store = await openSmallStore()
    for (let i = 0; i < 50; i++) await store.put(`key${i}`, 'old')
    const snapshot = store.snapshot()
    for (let i = 0; i < 50; i++)
      await (i % 2 === 0 ? store.delete(`key${i}`) : store.put(`key${i}`, 'new'))
    await store.compact()
    for (let i = 0; i < 50; i++) {
      expect(String(store.getSync(`key${i}`, { snapshot }))).toBe('old')
      expect(String(store.getSync(`key${i}`))).toBe(i % 2 === 0 ? 'undefined' : 'new')
    }
    snapshot.close()
    await store.compact()
    const entries = store.stats().levels.reduce((sum, level) => sum + level.entries, 0)
    expect(entries).toBe(25)
  })

  test('an error of a job stops it; the next write and the statistics carry it', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const errors: unknown[] = []
    store.on('error', (error) => errors.push(error))
    await store.put('a', '1')
    // A write that comes later would be a reason to try again, and taken meanwhile.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    fileSystem.faults = ({ kind, path }) =>
      kind === 'create' && path.endsWith('.sst') ? { errno: 'EMFILE' } : undefined
    await expect(store.flush()).rejects.toMatchObject({ code: 'WISC_IO' })
    expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_IO' })
    await expect(store.put('b', '1')).rejects.toMatchObject({ code: 'WISC_IO' })
    clock.mockRestore()
    expect(errors).toHaveLength(1)
    expect(String(store.getSync('a'))).toBe('1')
  })
})
