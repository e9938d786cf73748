/** The order of a flush and of a compaction, seen from the file system. */
import { describe, expect, test, vi } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { LEVEL_0_RUNS_STOP, LEVEL_0_RUNS_TRIGGER } from '#dist/lib/tree/version/tree-shape.js'
import { eventually } from '../../support/eventually.ts'
import type { Call } from '../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { stopTimers } from '../../support/store/idle.ts'

/** Flushes and compactions begin only when the test wants them. */
const NOT_COLLECTED = { collector: { enabled: false } }

/** Runs `look` at each call of the store, but not for the calls that looking makes. */
function watch(fileSystem: FaultFileSystem, look: (call: Call) => void): void {
  let looking = false
  fileSystem.onCall = (call) => {
    if (looking) return
    looking = true
    look(call)
    looking = false
  }
}

test('I3: a table is published only when the log is durable up to its highest record', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  for (let i = 0; i < 200; i++) await store.put(`key${i}`, Buffer.alloc(i))
  expect(store.stats().durableSequence).toBeLessThan(200)
  let tables = 0
  let publications = 0
  watch(fileSystem, ({ kind, path }) => {
    if (kind === 'create' && path.endsWith('.sst')) tables++
    if (kind !== 'write' || !path.includes('MANIFEST') || tables === 0) return
    publications++
    expect(store.stats().durableSequence).toBe(200)
  })
  await store.flush()
  expect(tables).toBeGreaterThan(0)
  expect(publications).toBeGreaterThan(0)
})

test('I5: what fails behind the durable edit of a flush leaves its tables alone', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  await store.put('a', '1')
  const { space } = engineOf(store) as Engine
  vi.spyOn(space.dead, 'add').mockImplementationOnce(() => {
    throw new RangeError('Array buffer allocation failed')
  })
  expect(await codeOf(() => store.flush())).toBe('WISC_INTERNAL')
  expect(store.stats().levels[0]!.tables).toBe(1)
  expect(await codeOf(() => store.close())).toBe('WISC_INTERNAL')
  const again = await openSmallStore(NOT_COLLECTED, fileSystem)
  expect(String(again.getSync('a'))).toBe('1')
})

test('what was due when a store was closed waits behind its next open, for a second or a flush', async () => {
  const fileSystem = new FaultFileSystem()
  for (let i = 0; i < LEVEL_0_RUNS_TRIGGER; i++) {
    const store = await openSmallStore(NOT_COLLECTED, fileSystem)
    await store.put(`key${i}`, '1')
    await store.close()
  }
  const timers = vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  await timers.advanceTimersByTimeAsync(900)
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve))
  expect(store.stats().levels[0]?.runs).toBe(LEVEL_0_RUNS_TRIGGER)
  await timers.advanceTimersByTimeAsync(200)
  vi.useRealTimers()
  await eventually(() => expect(store.stats().levels[0]?.runs).toBe(0))
  expect(store.stats().compactions).toBe(1)
})

test('I5: inputs of a compaction are unlinked only when its edit is durable', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  for (const round of [1, 2]) {
    for (let i = 0; i < 100; i++) await store.put(`key${i}`, `${round}`)
    await store.flush()
  }
  let manifestSynced = false
  let unlinked = 0
  watch(fileSystem, ({ kind, path }) => {
    if (kind === 'write' && path.includes('MANIFEST')) manifestSynced = false
    if (kind === 'sync' && path.includes('MANIFEST')) manifestSynced = true
    if (kind !== 'unlink' || !path.endsWith('.sst')) return
    unlinked++
    expect(manifestSynced).toBe(true)
    expect(store.stats().tables).toBe(1)
  })
  await store.compact()
  expect(unlinked).toBe(2)
  expect(fileSystem.violations).toEqual([])
})

test('I1: a compaction whose sync fails while the store closes poisons it like any other', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(NOT_COLLECTED, fileSystem)
  let flushed = false
  let closing: Promise<unknown> | undefined
  fileSystem.faults = ({ kind, path }) => {
    if (!flushed || kind !== 'sync' || !path.endsWith('.sst')) return undefined
    // The call is under way: the compaction is cancelled behind it.
    closing = store.close().then(
      () => 'closed',
      (error: { code?: unknown }) => error.code,
    )
    fileSystem.faults = undefined
    return { errno: 'EIO' }
  }
  for (let round = 0; closing === undefined; round++) {
    expect(round).toBeLessThan(20)
    for (let i = 0; i < 20; i++) await store.put(`key${i}`, `${round}`)
    flushed = false
    await store.flush()
    flushed = true
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await closing).toBe('WISC_SYNC_FAILED')
  expect(fileSystem.violations).toEqual([])
})

describe('background work', () => {
  test('I3: a flush publishes its tables when the log is durable up to them, I4: and they are', async () => {
    // The log does not note yet what was synced, however slow the machine is.
    stopTimers()
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
