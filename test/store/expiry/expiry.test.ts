/** What is gone by itself: every way of reading, snapshots with their moment, flushes, compactions, opens. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { EXPIRY_OPTION_BYTES } from '#dist/lib/base/record-size.js'
import type { KeyIterator, Snapshot } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { passTime, startClock, stopClock } from '../../support/stopped-clock.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

afterEach(startClock)

const LONG = 'long'.repeat(100)

async function keysOf(store: Store, options: { reverse?: boolean } = {}): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.keys(options)) keys.push(String(key))
  return keys
}

/** What each way of reading says of a key. */
async function seenOf(store: Store, key: string): Promise<boolean> {
  const seen = [
    (await store.get(key)) !== undefined,
    store.getSync(key) !== undefined,
    await store.has(key),
    store.hasSync(key),
    (await store.stat(key)) !== undefined,
    (await store.getMany([key]))[0] !== undefined,
    (await keysOf(store)).includes(key),
    (await keysOf(store, { reverse: true })).includes(key),
    await store.transactionSync((tx) => tx.has(key)),
    await store.transaction(async (tx) => tx.has(key)),
    (await codeOf(() => store.write([], { if: [{ key, present: true }] }))) === 'no error',
  ]
  expect(new Set(seen).size, `${key}: ${seen}`).toBe(1)
  return seen[0]!
}

describe.each([
  ['in memory', async (store: Store) => void store],
  ['flushed', (store: Store) => store.flush()],
  ['compacted', (store: Store) => store.compact()],
])('%s', (_name, settle) => {
  test.each([
    ['inline', 'short'],
    ['separated', LONG],
  ])(
    'a value that is %s is there until its moment, and gone from then on',
    async (_kind, value) => {
      stopClock()
      const store = await openSmallStore()
      await store.put('key', 'before')
      await store.put('key', value, { ttl: 1000 })
      await store.put('other', value)
      await store.write([{ type: 'put', key: 'batch', value, expiresAt: Date.now() + 1000 }])
      await settle(store)
      const expiresAt = Date.now() + 1000
      expect(await store.stat('key')).toMatchObject({ size: value.length, expiresAt })
      expect(await store.stat('other')).toMatchObject({ expiresAt: undefined })
      passTime(999)
      expect([await seenOf(store, 'key'), await seenOf(store, 'batch')]).toEqual([true, true])
      expect(String(await store.get('key'))).toBe(value)
      passTime(1)
      expect([await seenOf(store, 'key'), await seenOf(store, 'batch')]).toEqual([false, false])
      expect(await seenOf(store, 'other')).toBe(true)
      await settle(store)
      expect(await seenOf(store, 'key')).toBe(false)
      expect((await store.verify()).damage).toEqual([])
    },
  )
})

test('snapshots and iterators keep the moment of their creation, through flushes and compactions', async () => {
  stopClock()
  const store = await openSmallStore()
  for (const key of ['a', 'b', 'c']) await store.put(key, key === 'b' ? LONG : key, { ttl: 1000 })
  await store.put('d', 'stays')
  passTime(500)
  const snapshot = store.snapshot()
  const iterator = store.entries()
  passTime(500)
  expect(await keysOf(store)).toEqual(['d'])
  await store.compact()
  expect((await store.keys({ snapshot }).nextMany(9)).map(String)).toEqual(['a', 'b', 'c', 'd'])
  expect((await store.keys({ snapshot, reverse: true }).nextMany(9)).length).toBe(4)
  expect(String(await store.get('b', { snapshot }))).toBe(LONG)
  expect((await store.getMany(['a', 'b'], { snapshot })).map((value) => value?.length)).toEqual([
    1, 400,
  ])
  expect((await iterator.nextMany(9)).length).toBe(4)
  snapshot.close()
  await iterator.close()
  await store.compact()
  expect(await keysOf(store)).toEqual(['d'])
})

test('I7: what has expired hides what is older, and nothing of it comes back', async () => {
  stopClock()
  const store = await openSmallStore()
  await store.put('key', 'old')
  await store.compact()
  await store.put('key', 'new', { ttl: 10 })
  await store.flush()
  passTime(10)
  expect(await store.get('key')).toBeUndefined()
  await store.put('other', '1')
  await store.flush()
  expect(await store.get('key')).toBeUndefined()
  await store.compact()
  passTime(-1000)
  expect(await store.get('key')).toBeUndefined()
})

test('a crash keeps the moment; a clock that jumps back shows what no compaction has dropped', async () => {
  stopClock()
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('inline', '1', { ttl: 1000 })
  await store.put('separated', LONG, { ttl: 1000, sync: true })
  const again = await openSmallStore({}, fileSystem.kill())
  expect(await keysOf(again)).toEqual(['inline', 'separated'])
  passTime(1000)
  expect(await keysOf(again)).toEqual([])
  passTime(-1)
  expect(await keysOf(again)).toEqual(['inline', 'separated'])
  passTime(1)
  await again.compact()
  passTime(-1000)
  expect(await keysOf(again)).toEqual([])
})

test.each([
  ['a flush', (store: Store) => store.flush()],
  ['a compaction', (store: Store) => store.compact()],
])(
  'a snapshot sees the same before and behind %s in which the clock is set back',
  async (_name, work) => {
    stopClock()
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    await store.put('inline', '1', { ttl: 1000 })
    if (_name === 'a compaction') await store.flush()
    await store.put('separated', LONG, { ttl: 1000 })
    passTime(2000)
    let snapshot: Snapshot | undefined
    let iterator: KeyIterator | undefined
    const seen = async (): Promise<unknown> => [
      await store.getMany(['inline', 'separated'], { snapshot: snapshot! }),
      await store.keys({ snapshot: snapshot! }).nextMany(9),
    ]
    let before: Promise<unknown> | undefined
    // The job that drops what has expired has begun.
    fileSystem.onCall = ({ kind, path }) => {
      if (kind !== 'create' || !path.endsWith('.sst') || snapshot) return
      passTime(-1500)
      snapshot = store.snapshot()
      iterator = store.keys()
      before = seen()
    }
    await work(store)
    expect(snapshot).toBeDefined()
    expect(await seen()).toEqual(await before)
    expect(await iterator!.nextMany(9)).toEqual(
      await store.keys({ snapshot: snapshot! }).nextMany(9),
    )
    snapshot!.close()
  },
)

test('what has expired is garbage once a compaction has met it; what has not survives collections', async () => {
  stopClock()
  const store = await openSmallStore({ collector: { enabled: false } })
  const value = Buffer.alloc(3000, 1)
  for (let i = 0; i < 100; i++)
    await store.put(`k${i}`, value, i % 2 === 0 ? { ttl: 1000 } : { ttl: 100_000 })
  await store.compact()
  passTime(1000)
  await store.compact()
  const before = store.stats().diskBytes
  await store.collect()
  expect(store.stats().diskBytes).toBeLessThan(before)
  expect((await keysOf(store)).length).toBe(50)
  for (const key of await keysOf(store)) expect((await store.get(key))?.equals(value)).toBe(true)
  expect((await store.verify()).damage).toEqual([])
  passTime(99_000)
  await store.compact()
  await store.collect()
  expect(store.stats().liveBytes).toBe(0)
})

test('touch renews a value that is still there, keeps its bytes, and lets other writes be first', async () => {
  stopClock()
  const store = await openSmallStore()
  await store.put('key', LONG, { ttl: 1000 })
  passTime(900)
  expect(await store.touch('key', { ttl: 1000 })).toBe(true)
  passTime(900)
  expect(String(await store.get('key'))).toBe(LONG)
  const renewed = store.touch('key', { ttl: 5000 })
  await Promise.all([renewed, store.put('key', 'other')])
  expect(['other', LONG]).toContain(String(await store.get('key')))
  expect(await store.touch('none', { ttl: 1 })).toBe(false)
  await store.put('gone', '1', { ttl: 1 })
  passTime(1)
  expect(await store.touch('gone', { ttl: 1000 })).toBe(false)
  for (const options of [{}, { ttl: 0 }, { ttl: 1, expiresAt: Date.now() + 9 }, { limit: 1 }, 5])
    expect(await codeOf(() => store.touch('key', options as never))).toBe('WISC_INVALID_ARGUMENT')
  await store.putStream('stream', new Blob([Buffer.alloc(2 << 20)]).stream())
  expect(await codeOf(() => store.touch('stream', { ttl: 1000 }))).toBe('WISC_INVALID_ARGUMENT')
})

test('bad expiries are refused', async () => {
  const store = await openSmallStore()
  for (const options of [
    { ttl: 0 },
    { ttl: -1 },
    { ttl: 1.5 },
    { ttl: '1' },
    { ttl: Number.NaN },
    { ttl: 1e16 },
    { expiresAt: 0 },
    { expiresAt: Date.now() - 1 },
    { expiresAt: new Date(Number.NaN) },
    { expiresAt: '2030-01-01' },
    { expiresAt: Date.now() + 1000, ttl: 1000 },
  ]) {
    expect(await codeOf(() => store.put('key', '1', options as never))).toBe(
      'WISC_INVALID_ARGUMENT',
    )
    const operation = { type: 'put', key: 'key', value: '1', ...options }
    expect(await codeOf(() => store.write([operation as never]))).toBe('WISC_INVALID_ARGUMENT')
  }
  expect(store.stats().lastSequence).toBe(0)
})

test('streams expire, and one that is read is read to its end', async () => {
  stopClock()
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ streamThreshold: 1000 }, fileSystem)
  const bytes = Buffer.alloc(3_000_000, 'stream')
  await store.putStream('stream', new Blob([bytes]), { ttl: 1000 })
  await store.putStream('short', new Blob(['short']), { ttl: 1000, sync: true })
  const expiresAt = Date.now() + 1000
  for (const key of ['stream', 'short']) expect(await store.stat(key)).toMatchObject({ expiresAt })
  expect(await codeOf(() => store.touch('stream', { ttl: 1000 }))).toBe('WISC_INVALID_ARGUMENT')

  const again = await openSmallStore({ streamThreshold: 1000 }, fileSystem.kill())
  for (const key of ['stream', 'short']) expect(await again.stat(key)).toMatchObject({ expiresAt })
  await again.flush()
  const reader = (await again.getStream('stream'))!.getReader()
  const parts = [(await reader.read()).value!]
  passTime(1000)
  expect(await keysOf(again)).toEqual([])
  expect(await again.getStream('stream')).toBeUndefined()
  await again.compact()
  await again.collect()
  expect(again.stats().streams).toBe(1)
  for (let part = await reader.read(); !part.done; part = await reader.read())
    parts.push(part.value)
  expect(Buffer.concat(parts).equals(bytes)).toBe(true)
  await again.compact()
  await again.collect()
  expect(again.stats().streams).toBe(0)
})

test('transactions put what expires, and go by the moment at which they began', async () => {
  stopClock()
  const store = await openSmallStore()
  await store.put('seen', '1', { ttl: 1000 })
  await store.transaction(async (tx) => {
    tx.put('async', 'value', { ttl: 2000 })
    expect(() => tx.put('async', 'value', { sync: true } as never)).toThrow('sync')
    passTime(1500)
    expect(await store.has('seen')).toBe(false)
    expect([await tx.has('seen'), await tx.has('async')]).toEqual([true, true])
  })
  await store.transactionSync((tx) => {
    expect(tx.has('seen')).toBe(false)
    tx.put('sync', 'value', { expiresAt: new Date(Date.now() + 2000) })
  })
  expect(await keysOf(store)).toEqual(['async', 'sync'])
  passTime(500)
  expect(await keysOf(store)).toEqual(['sync'])
  await store.update('sync', (value) => value)
  passTime(10_000)
  expect(await keysOf(store)).toEqual(['sync'])
})

test('what has expired among what stays is garbage at once, and becomes space', async () => {
  stopClock()
  const store = await openSmallStore({ collector: { enabled: false } })
  const value = Buffer.alloc(3000, 1)
  const putAll = async (): Promise<void> => {
    for (let i = 0; i < 200; i++)
      await store.put(`k${i}`, value, i % 2 === 0 ? { ttl: 1000 } : undefined)
  }
  await putAll()
  await store.flush()
  const { liveBytes } = store.stats()
  const snapshot = store.snapshot()
  passTime(1000)
  expect(store.stats()).toMatchObject({ hiddenGarbageBytesEstimate: 0, liveBytes })
  snapshot.close()
  const { hiddenGarbageBytesEstimate: hidden, liveBytes: left } = store.stats()
  // The option of each record counts as value.
  expect(left).toBe((liveBytes - 100 * EXPIRY_OPTION_BYTES) / 2)
  expect(hidden).toBeGreaterThan(100 * 3000)
  const plan = await store.planCollection({ targetSpaceAmplification: 1 })
  expect(plan.before.hiddenGarbageBytes).toBe(hidden)
  await store.collect({ targetSpaceAmplification: 1 })
  expect(store.stats()).toMatchObject({ hiddenGarbageBytesEstimate: 0, liveBytes: left })
  expect(store.stats().diskBytes).toBeLessThan(1.5 * left)
  expect((await store.verify()).damage).toEqual([])
})

test('a store that nobody uses gives back what expires', async () => {
  const store = await openSmallStore({ collector: { targetSpaceAmplification: 1.1 } })
  const value = Buffer.alloc(30_000, 1)
  for (let i = 0; i < 40; i++) await store.put(`k${i}`, value, { ttl: 200 })
  await store.flush()
  const isGone = (): void => {
    const { diskBytes, liveBytes } = store.stats()
    expect(liveBytes).toBe(0)
    expect(diskBytes).toBeLessThan(300_000)
  }
  await vi.waitFor(isGone, { timeout: 60_000 })
}, 90_000)

test('views put, touch and tell what expires', async () => {
  stopClock()
  const store = await openSmallStore()
  const view = store.with({ key: 'tuple', value: 'json' })
  await view.put(['a', 1], { b: 2 }, { ttl: 1000 })
  await view.write([{ type: 'put', key: ['a', 2], value: 3, ttl: 1000 }])
  expect(await view.touch(['a', 1], { ttl: 5000 })).toBe(true)
  expect(await view.stat(['a', 1])).toMatchObject({ expiresAt: Date.now() + 5000 })
  passTime(1000)
  expect(await view.keys().nextMany(9)).toEqual([['a', 1]])
})

test('a synchronous transaction knows no keys of an earlier moment', async () => {
  stopClock()
  const store = await openSmallStore()
  await store.put('a', '1', { ttl: 1000 })
  await store.put('b', '2')
  const listed = (): Promise<string[]> =>
    store.transactionSync((tx) => [...tx.entries()].map(([key, value]) => `${key}=${value}`))
  expect(await listed()).toEqual(['a=1', 'b=2'])
  passTime(1000)
  expect(await listed()).toEqual(['b=2'])
  await store.put('c', '3', { ttl: 1000 })
  const walked = await store.transactionSync((tx) => {
    const [first, ...rest] = [...tx.keys()].map(String)
    passTime(1000)
    return [first, ...rest, String(tx.get('c')), tx.has('c')]
  })
  expect(walked).toEqual(['b', 'c', '3', true])
})
