/** The commit queue: batches whole, order of visibility, failures that stay with their group, bounds. */
import { describe, expect, test, vi } from 'vitest'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { recordBytes } from '#dist/vlog/record.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

function logCalls(fileSystem: FaultFileSystem, kind: string): { count: number } {
  const calls = { count: 0 }
  fileSystem.onCall = (call) => {
    if (call.kind === kind && call.path.endsWith('.vlog')) calls.count++
  }
  return calls
}

describe('batches', () => {
  test('I2: are seen whole or not at all', async () => {
    const store = await openSmallStore()
    await store.put('a', '0')
    await store.put('b', '0')
    let round = 0
    const writer = (async () => {
      for (round = 1; round <= 200; round++) {
        await store.write([
          { type: 'put', key: 'a', value: String(round) },
          { type: 'put', key: 'b', value: String(round) },
        ])
      }
    })()
    for (let i = 0; i < 300; i++) {
      const [a, b] = await store.getMany(['a', 'b'])
      expect(String(a)).toBe(String(b))
      expect(String(store.getSync('a'))).toBe(String(store.getSync('b')))
    }
    await writer
  })

  test('the last operation on a key counts', async () => {
    const store = await openSmallStore()
    await store.write([
      { type: 'put', key: 'a', value: '1' },
      { type: 'delete', key: 'a' },
      { type: 'put', key: 'b', value: '1' },
      { type: 'put', key: 'b', value: '2' },
      { type: 'delete', key: 'c' },
    ])
    expect((await store.getMany(['a', 'b', 'c'])).map(String)).toEqual([
      'undefined',
      '2',
      'undefined',
    ])
    await store.compact()
    expect((await store.getMany(['a', 'b', 'c'])).map(String)).toEqual([
      'undefined',
      '2',
      'undefined',
    ])
  })

  test('without operations write nothing; with sync they make durable what was before', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await store.put('a', '1')
    const { lastSequence } = store.stats()
    await store.write([])
    await store.write([], { sync: true })
    expect(store.stats()).toMatchObject({ lastSequence, durableSequence: lastSequence })
  })

  test('that no arena of the store holds get one of their own', async () => {
    const store = await openSmallStore({ valueThreshold: 70_000 })
    const operations = Array.from({ length: 3000 }, (_, i) => ({
      type: 'put' as const,
      key: `k${i}`,
      value: Buffer.alloc(1000, i),
    }))
    await store.write(operations)
    for (const i of [0, 1500, 2999]) expect(store.getSync(`k${i}`)).toEqual(Buffer.alloc(1000, i))
    await store.put('after', '1')
    await store.flush()
    expect((await store.keys().nextMany(5000)).length).toBe(3001)
  })

  test('that no arena can hold are refused before anything is written', async () => {
    const store = await openSmallStore({ valueThreshold: Number.POSITIVE_INFINITY })
    const shared = Buffer.alloc(65_536)
    const operations = Array.from({ length: 4200 }, (_, i) => ({
      type: 'put' as const,
      key: `k${i}`,
      value: shared,
    }))
    expect(await codeOf(() => store.write(operations))).toBe('WISC_INVALID_ARGUMENT')
    expect(store.stats().logBytesWritten).toBe(0)
  })
})

describe('order', () => {
  test('writes of one tick form one group, and become visible in their order', async () => {
    const fileSystem = new FaultFileSystem()
    // Up to the first look of a collector an eighth of a segment may be written, which is less than these.
    const store = await openSmallStore({ collector: { enabled: false } }, fileSystem)
    const writes = logCalls(fileSystem, 'write')
    const settled: number[] = []
    const puts = Array.from({ length: 50 }, (_, i) =>
      store.put('key', String(i)).then(() => settled.push(i)),
    )
    expect(store.getSync('key')).toBeUndefined()
    await Promise.all(puts)
    expect(writes.count).toBe(1)
    expect(settled).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(String(await store.get('key'))).toBe('49')
  })

  test('64 synced writers share syncs', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const syncs = logCalls(fileSystem, 'sync')
    await Promise.all(Array.from({ length: 64 }, (_, i) => store.put(`k${i}`, 'x', { sync: true })))
    expect(syncs.count).toBeLessThanOrEqual(2)
    const { lastSequence, durableSequence } = store.stats()
    expect(durableSequence).toBe(lastSequence)
  })

  test('sync: true of the options is the default of every write', async () => {
    const store = await openSmallStore({ sync: true })
    await store.put('a', '1')
    expect(store.stats().durableSequence).toBe(1)
    await store.put('b', '1', { sync: false })
    expect(store.stats().durableSequence).toBe(1)
  })

  test('syncIntervalMs syncs by itself', async () => {
    const store = await openSmallStore({ syncIntervalMs: 10 })
    await store.put('a', '1')
    while (store.stats().durableSequence < 1) await new Promise((resolve) => setTimeout(resolve, 5))
  })
})

test('a failed write rejects its own group; later ones succeed, and nothing of it is ever seen', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('a', '1')
  let failed = false
  fileSystem.faults = ({ kind, path, bytes }) => {
    if (failed || kind !== 'write' || !path.endsWith('.vlog')) return undefined
    failed = true
    return { errno: 'EIO', partialBytes: bytes }
  }
  const group = [store.put('a', '2'), store.put('b', '2'), store.delete('a')]
  for (const result of await Promise.allSettled(group)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_IO' } })
  }
  expect(String(await store.get('a'))).toBe('1')
  await store.put('c', '3', { sync: true })
  expect(store.stats().backgroundError).toBeUndefined()
  const killed = fileSystem.kill()
  const again = await openSmallStore({}, killed)
  const found = (await again.entries().nextMany(10)).map((entry) => entry.map(String))
  expect(found).toEqual([
    ['a', '1'],
    ['c', '3'],
  ])
})

test('a range that was deleted durably stays deleted when a sync of the next delete fails', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('a', '1')
  await store.put('b', '1', { sync: true })
  await store.deleteRange({ prefix: 'a' }, { sync: true })
  await store.deleteRange({ prefix: 'b' })
  // On a busy machine the next write would be acknowledged some turns later, and the sync have ended: from the
  // beginning of a turn on no time passes.
  await new Promise(setImmediate)
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
  const syncing = store.sync()
  const { durableSequence } = store.stats()
  await store.deleteRange({ gte: '' })
  expect(store.stats().durableSequence, 'the sync still runs').toBe(durableSequence)
  clock.mockRestore()
  await syncing
  expect(store.stats().durableSequence, 'it did not cover the last one').toBe(durableSequence + 1)
  fileSystem.faults = ({ kind, path }) =>
    kind === 'sync' && path.endsWith('.vlog') ? { errno: 'EIO' } : undefined
  await store.deleteRange({ gte: '' })
  expect(await codeOf(() => store.sync())).toBe('WISC_SYNC_FAILED')
  fileSystem.faults = undefined
  for (const key of ['a', 'b']) expect(store.getSync(key)).toBe(undefined)
  expect(await store.entries().nextMany(9)).toEqual([])
  expect(await codeOf(() => store.close())).toBe('WISC_SYNC_FAILED')
})

test('a failed sync stops all writes; readers see what was durable', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('a', '1', { sync: true })
  await store.put('a', '2')
  const snapshot = store.snapshot()
  const iterator = store.entries()
  const errors: unknown[] = []
  store.on('error', (error) => errors.push(error))
  fileSystem.faults = ({ kind, path }) =>
    kind === 'sync' && path.endsWith('.vlog') ? { errno: 'EIO' } : undefined
  expect(await codeOf(() => store.sync())).toBe('WISC_SYNC_FAILED')
  fileSystem.faults = undefined
  for (const action of [
    () => store.put('b', '1'),
    () => store.delete('a'),
    () => store.write([{ type: 'put', key: 'b', value: '1' }]),
    () => store.sync(),
    () => store.flush(),
    () => store.compact(),
    () => store.get('a', { snapshot }),
    () => iterator.next(),
  ]) {
    expect(await codeOf(action), String(action)).toBe('WISC_SYNC_FAILED')
  }
  expect(String(store.getSync('a'))).toBe('1')
  expect(String(await store.get('a'))).toBe('1')
  expect((await store.entries().nextMany(9)).map((entry) => entry.map(String))).toEqual([
    ['a', '1'],
  ])
  expect(store.stats().backgroundError).toMatchObject({ code: 'WISC_SYNC_FAILED' })
  expect(errors).toHaveLength(1)
  // It cannot promise that everything is durable.
  expect(await codeOf(() => store.close())).toBe('WISC_SYNC_FAILED')
  expect(fileSystem.openFiles).toBe(0)
  expect(fileSystem.violations).toEqual([])
})

test('I2: a group that could be inserted by half ends the store, and the next open has all of it', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('before', '1')
  const { memtables } = engineOf(store) as Engine
  const insert = memtables.insert.bind(memtables)
  let inserted = 0
  vi.spyOn(memtables, 'insert').mockImplementation((...args) => {
    if (++inserted === 2) throw new RangeError('Array buffer allocation failed')
    return insert(...args)
  })
  const batch = (['a', 'b', 'c'] as const).map((key) => ({ type: 'put', key, value: '2' }) as const)
  expect(await codeOf(() => store.write(batch))).toBe('WISC_INTERNAL')
  // Nothing is seen of it, and no later write makes it seen.
  expect(await codeOf(() => store.put('d', '3'))).toBe('WISC_INTERNAL')
  expect(await codeOf(() => store.flush())).toBe('WISC_INTERNAL')
  expect(['a', 'b', 'c', 'd'].map((key) => store.getSync(key))).toEqual(Array(4).fill(undefined))
  expect(String(store.getSync('before'))).toBe('1')
  expect(await codeOf(() => store.close())).toBe('WISC_INTERNAL')
  const again = await openSmallStore({}, fileSystem)
  expect(['before', 'a', 'b', 'c'].map((key) => String(again.getSync(key)))).toEqual([
    '1',
    '2',
    '2',
    '2',
  ])
})

describe('I10: bounds', () => {
  test('a caller that never awaits is written for as soon as maxPendingBytes have gathered', async () => {
    const store = await openSmallStore({
      maxPendingBytes: 65536,
      segmentBytes: 64 * 1024 * 1024,
      memtableBytes: 1024 * 1024,
    })
    const puts: Promise<void>[] = []
    const value = Buffer.alloc(4096)
    let given = 0
    // A write that a busy machine made slow would send the next ones to the thread pool, where they wait for the loop.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    for (let i = 0; i < 500; i++) {
      puts.push(store.put(`k${i}`, value))
      given += recordBytes(`k${i}`.length, value.length)
      expect(given - store.stats().logBytesWritten).toBeLessThan(65536 + 4200)
    }
    clock.mockRestore()
    await Promise.all(puts)
  })

  test('writers wait while flushes are behind, and the waits are counted', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await writeMuch(store, 8000)
    const { stalls, memtableBytes, levels } = store.stats()
    expect(stalls.count).toBeGreaterThan(0)
    expect(memtableBytes).toBeLessThanOrEqual(3 * 65536)
    expect(levels[0]?.runs ?? 0).toBeLessThanOrEqual(17)
    expect((await store.keys().nextMany(10_000)).length).toBe(8000)
  })

  test('the log behind the checkpoint stays within maxUnflushedLogBytes', async () => {
    const fileSystem = new FaultFileSystem()
    const bound = 1024 * 1024
    const options = { maxUnflushedLogBytes: bound, memtableBytes: 1024 * 1024 }
    const store = await openSmallStore(options, fileSystem)
    for (let i = 0; i < 1500; i++) await store.put(`k${i}`, Buffer.alloc(4000))
    const killed = fileSystem.kill()
    const again = await openSmallStore(options, killed)
    const { recovery } = again.stats()
    expect(recovery.replayedRecords).toBeGreaterThan(0)
    expect(recovery.replayedRecords * 4050).toBeLessThanOrEqual(bound)
  })
})

async function writeMuch(store: Store, count: number): Promise<void> {
  const puts: Promise<void>[] = []
  for (let i = 0; i < count; i++) puts.push(store.put(`key${i}`, `value${i}`.repeat(8)))
  await Promise.all(puts)
}
