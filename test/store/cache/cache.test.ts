/** Caches: what is evicted, in which order, and what every reader sees of it; options that fight. */
import { expect, onTestFinished, test, vi } from 'vitest'
import type { EvictedEvent } from '#dist/lib/contract/events.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import type { Store } from '#dist/lib/store/store.js'
import { checkNoOrphans } from '../../support/crash/recover-image.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { startClock, stopClock } from '../../support/stopped-clock.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'
import { settled } from '../../support/store/settled.ts'
import { CACHE, CachedStore, MAX_BYTES } from './cached-store.ts'

const seed = testSeed()
const { cache: _, ...NO_CACHE } = CACHE

function keyOf(number: number): string {
  return `key${String(number).padStart(5, '0')}`
}

/** Puts new keys until the first of them are gone. */
async function fill(cached: CachedStore, length: number, from = 0): Promise<number> {
  let count = from
  const before = cached.evictedBelow
  while (cached.evictedBelow === before) await cached.put(keyOf(count++), length)
  return count
}

test('what was written first goes first, whole segments of it, and the event says so', async () => {
  const cached = await CachedStore.open()
  const events: EvictedEvent[] = []
  cached.store.on('evicted', (event) => events.push(event))
  const count = await fill(cached, 5000)
  await settled(cached.fileSystem)
  const { evictedBelow } = cached
  expect(count * 5000).toBeGreaterThan(MAX_BYTES / 2)
  expect(events.at(-1)).toMatchObject({ belowSequence: evictedBelow, streams: 0 })
  const sums = events.reduce(
    (sum, { segments, bytes }) => [sum[0]! + segments, sum[1]! + bytes],
    [0, 0],
  )
  expect(cached.store.stats().evicted).toEqual({
    segments: sums[0],
    streams: 0,
    bytes: sums[1],
    belowSequence: evictedBelow,
  })
  // Keys were put one by one: a bound of the sequences is one of the keys.
  for (let i = 0; i < count; i++)
    expect(cached.store.hasSync(keyOf(i)), keyOf(i)).toBe(i + 1 >= evictedBelow)
  await cached.checkAll()
  expect((await cached.store.verify()).damage).toEqual([])
  await cached.store.close()
  checkNoOrphans(cached.fileSystem)
})

/** Evictions of what is in no table yet: nothing would come back of it. */
function evictedEarly(cached: CachedStore): readonly string[] {
  const early: string[] = []
  cached.store.on('evicted', ({ belowSequence }) => {
    const { unflushedFrom } = cached
    if (belowSequence > unflushedFrom) early.push(`${belowSequence} of ${unflushedFrom}`)
  })
  return early
}

test.each([
  ['inline values', 120, 1, 1 / 64],
  ['values of segments', 3000, 1, 1 / 2],
  ['streams', 20_000, 0, 1 / 2],
  ['all of them', 3000, 0.5, 1 / 2],
])('%s: the bound holds at each put, and nothing younger is lost', async (...row) => {
  const [, length, puts, leastShare] = row
  const prng = new Prng(seed)
  const cached = await CachedStore.open()
  const early = evictedEarly(cached)
  for (let i = 0; i * (length + 100) < 1.6 * MAX_BYTES; i++) {
    const key = keyOf(prng.below(100_000))
    if (prng.chance(puts)) await cached.put(key, prng.below(2 * length))
    else await cached.putStream(key, length + prng.below(length))
    if (length > 1000 || i % 64 === 0)
      expect(cached.diskBytes, replayHint(seed)).toBeLessThanOrEqual(MAX_BYTES)
  }
  const { evictedBelow } = cached
  expect(evictedBelow).toBeGreaterThan(0)
  expect(early, replayHint(seed)).toEqual([])
  await cached.checkAll()
  for (const key of [...cached.model.keys()].slice(-20)) await cached.checkKey(key)
  // What is evicted is what is oldest, not all. Over 50 seeds more than 0.67 stayed; of inline values, which have room
  // for a compaction beside them, 0.095 to 0.243, with a deviation of 0.03.
  const bytes = [...cached.expected().values()].reduce((sum, value) => sum + value.length, 0)
  expect(bytes, replayHint(seed)).toBeGreaterThan(MAX_BYTES * leastShare)
  expect((await cached.store.verify()).damage).toEqual([])
})

test('evicted entries are gone for snapshots and iterators that were there before, too', async () => {
  const cached = await CachedStore.open()
  for (let i = 0; i < 20; i++) await cached.put(keyOf(i), i % 2 === 0 ? 100 : 4000)
  await cached.store.flush()
  const { model } = cached
  const snapshot = cached.store.snapshot()
  const iterator = cached.store.entries()
  const keys = cached.store.keys({ reverse: true })
  const stream = await cached.store.getStream(keyOf(1))
  expect((await iterator.next()).value).toEqual([
    Buffer.from(keyOf(0)),
    cached.model.get(keyOf(0))!.value,
  ])
  await cached.checkAll(model, snapshot)
  for (let i = 1000; cached.evictedBelow < 20; i++) await cached.put(keyOf(i), 5000)
  expect(cached.expected(model).size).toBeLessThanOrEqual(1)
  await cached.checkAll(model, snapshot)
  for (let i = 0; i < 20; i++) await cached.checkKey(keyOf(i), model, snapshot)
  // What it had read ahead it gives out.
  for await (const [key, value] of iterator)
    expect(model.get(String(key))?.value.equals(value)).toBe(true)
  const rest: string[] = []
  for await (const key of keys) rest.push(String(key))
  expect(rest).toEqual([...cached.expected(model).keys()].reverse())
  expect(await codeOf(() => new Response(stream).arrayBuffer())).toMatch(/no error|WISC_STALE/)
  snapshot.close()
})

test('what was evicted stays so when it is written over, deleted, or its range is, through compactions', async () => {
  const cached = await CachedStore.open()
  await cached.put('old', 100)
  await cached.put('old', 4000)
  await cached.put('range/a', 100)
  await cached.deleteRange('range/', 'range0')
  await fill(cached, 5000)
  expect(cached.store.hasSync('old')).toBe(false)
  await cached.put('old', 300)
  await cached.delete('old')
  await cached.put('range/b', 100)
  for (const settle of [() => cached.store.flush(), () => cached.store.compact()]) {
    await settle()
    await cached.checkKey('old')
    await cached.checkKey('range/a')
    await cached.checkAll()
  }
  // Nothing older than the bound is left in tables.
  await cached.store.compact()
  const tables = [...engineOf(cached.store).version.tables.values()]
  for (const { meta } of tables)
    expect(meta.smallestSequence).toBeGreaterThanOrEqual(cached.evictedBelow)
})

test('tables of which everything was evicted go without being read', async () => {
  const cached = await CachedStore.open({ ...CACHE, memtableBytes: 65536 })
  const reasons: string[] = []
  cached.store.on('compaction', ({ reason }) => reasons.push(reason))
  for (let i = 0; i < 500; i++) await cached.put(keyOf(i), 4000)
  await settled(cached.fileSystem)
  expect(reasons).toContain('covered')
})

test('the bound survives an open without cache: nothing comes back or is evicted any more', async () => {
  const cached = await CachedStore.open()
  await fill(cached, 5000)
  await settled(cached.fileSystem)
  const { evictedBelow } = cached
  await cached.store.close()
  await cached.open({ ...NO_CACHE, collector: { targetSpaceAmplification: 1.3 } })
  expect(cached.evictedBelow).toBe(evictedBelow)
  await cached.checkAll()
  for (let i = 0; i < 300; i++) await cached.put(keyOf(i % 50), 5000)
  expect(cached.evictedBelow).toBe(evictedBelow)
  await cached.store.collect()
  await cached.checkAll()
  const { liveBytes, diskBytes } = cached.store.stats()
  expect(diskBytes).toBeLessThan(1.6 * liveBytes + 3 * 32768)
  expect((await cached.store.verify()).damage).toEqual([])
})

test('a store that was collected, with relocations, becomes a cache: the oldest goes first there, too', async () => {
  const cached = await CachedStore.open({
    ...NO_CACHE,
    collector: { targetSpaceAmplification: 1.05 },
  })
  for (let round = 0; round < 4; round++)
    for (let i = round; i < 120; i += 1 + round) await cached.put(keyOf(i), 3000)
  await cached.store.collect()
  expect(cached.store.stats().relocations).toBeGreaterThan(0)
  await cached.store.close()
  await cached.open()
  for (let i = 0; i < 600 && cached.store.stats().relocations > 0; i++) {
    await cached.put(`new${i}`, 5000)
    expect(cached.diskBytes).toBeLessThanOrEqual(MAX_BYTES)
  }
  expect(cached.store.stats().relocations).toBe(0)
  await cached.checkAll()
  expect((await cached.store.verify()).damage).toEqual([])
})

test('reads that are under way when their file is evicted come to their end', async () => {
  const cached = await CachedStore.open()
  for (let i = 0; i < 100; i++) await cached.put(keyOf(i), 4000)
  await cached.store.flush()
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  cached.fileSystem.holdRead = () => held
  const value = cached.model.get(keyOf(0))!.value
  const engine = engineOf(cached.store)
  vi.spyOn(engine.values, 'readSoon').mockImplementation((asked) =>
    engine.values.readPartAhead(asked, { offset: 0, length: 9999 }, undefined),
  )
  const reading = cached.store.get(keyOf(0))
  vi.restoreAllMocks()
  for (let i = 0; cached.evictedBelow < 2; i++) await cached.put(`new${i}`, 5000)
  release()
  expect((await reading)?.equals(value)).toBe(true)
  expect(cached.fileSystem.violations).toEqual([])
})

test('a transaction that what was evicted may have changed is a conflict, and is tried again', async () => {
  const cached = await CachedStore.open()
  await cached.put('counter', 4)
  let attempts = 0
  await cached.store.transaction(async (tx) => {
    attempts++
    const seen = await tx.get('counter')
    for await (const _key of tx.keys({ gte: 'l' })) break
    if (attempts === 1) {
      // Somebody changes it, and nothing of that is left.
      await cached.put('counter', 5)
      await fill(cached, 5000)
      await cached.store.compact()
      expect(seen?.length).toBe(4)
    }
    tx.put('seen', String(seen?.length))
  })
  expect(attempts).toBe(2)
  expect(String(await cached.store.get('seen'))).toBe('undefined')
})

test('conditions take what was evicted for absent', async () => {
  const cached = await CachedStore.open()
  await cached.put('key', 100)
  const { sequence } = (await cached.store.stat('key'))!
  await fill(cached, 5000)
  expect(await codeOf(() => cached.store.put('key', 'x', { if: { sequence } }))).toBe(
    'WISC_CONFLICT',
  )
  expect(await codeOf(() => cached.store.put('key', 'x', { if: { absent: true } }))).toBe(
    'no error',
  )
})

test('what is too large for the whole cache is refused, and what comes then is taken', async () => {
  const cached = await CachedStore.open()
  await cached.put('small', 5000)
  expect(await codeOf(() => cached.put('large', 2 * MAX_BYTES))).toBe('WISC_DISK_FULL')
  expect(await codeOf(() => cached.putStream('large', 2 * MAX_BYTES))).toBe('WISC_DISK_FULL')
  for (let i = 0; i < 300; i++) await cached.put(keyOf(i), 5000)
  await cached.checkAll()
})

test('a cache is not collected, and its collector cannot be paused', async () => {
  const { store } = await CachedStore.open()
  const calls: ((store: Store) => unknown)[] = [
    (each) => each.collect(),
    (each) => each.planCollection(),
    (each) => each.pauseCollector(),
    (each) => each.resumeCollector(),
  ]
  for (const call of calls) expect(await codeOf(() => call(store))).toBe('WISC_INVALID_ARGUMENT')
})

test.each<[string, unknown]>([
  ['cache must be an object', { cache: 5 }],
  ['unknown option of cache name=bytes', { cache: { bytes: MAX_BYTES } }],
  ['cache.maxBytes must be an integer', { cache: {} }],
  ['cache.maxBytes must be an integer', { cache: { maxBytes: '1 GiB' } }],
  ['cache.maxBytes must be an integer', { cache: { maxBytes: 65536 } }],
  ['at least 4 times segmentBytes', { cache: { maxBytes: MAX_BYTES }, segmentBytes: 300_000 }],
  ['at least 4 times segmentBytes', { cache: { maxBytes: MAX_BYTES }, memtableBytes: 300_000 }],
  ['at most a quarter', { cache: { maxBytes: MAX_BYTES }, maxUnflushedLogBytes: 300_000 }],
  [
    'name=collector.maxBytesOnDisk',
    { cache: { maxBytes: MAX_BYTES }, collector: { maxBytesOnDisk: MAX_BYTES } },
  ],
  ['name=collector.enabled', { cache: { maxBytes: MAX_BYTES }, collector: { enabled: false } }],
  ['evicts nothing', { cache: { maxBytes: MAX_BYTES }, readOnly: true }],
])('refused: %s', async (message, options) => {
  const {
    cache: _cache,
    segmentBytes: _segment,
    memtableBytes: _memtable,
    maxUnflushedLogBytes: _log,
    ...rest
  } = CACHE
  await expect(
    openSmallStore({
      segmentBytes: undefined,
      memtableBytes: undefined,
      ...rest,
      ...(options as Options),
    } as Options),
  ).rejects.toThrow(message)
})

test('sizes that were not given fit the cache', async () => {
  const { options } = engineOf(
    (await CachedStore.open({ cache: { maxBytes: 4 * MAX_BYTES } })).store,
  )
  expect(options).toMatchObject({
    segmentBytes: 131072,
    memtableBytes: 131072,
    maxUnflushedLogBytes: MAX_BYTES,
  })
})

test('a stream that would push out everything else is refused: at once, or when it has pushed out half', async () => {
  const cached = await CachedStore.open()
  const { store } = cached
  for (let i = 0; cached.diskBytes < MAX_BYTES / 2; i++) await cached.put(keyOf(i), 5000)
  const blob = new Blob([Buffer.alloc(MAX_BYTES / 2 + 1)])
  const upload = (size?: number): Promise<unknown> =>
    codeOf(() => store.putStream('large', blob.stream(), size === undefined ? {} : { size }))
  expect(await upload(blob.size)).toBe('WISC_DISK_FULL')
  expect(cached.evictedBelow).toBe(0)
  await cached.checkAll()
  expect(await upload()).toBe('WISC_DISK_FULL')
  await cached.checkAll()
  const bytes = [...cached.expected().values()].reduce((sum, value) => sum + value.length, 0)
  expect(bytes).toBeGreaterThan(MAX_BYTES / 8)
  await cached.putStream('fits', MAX_BYTES / 2)
  await cached.checkAll()
})

test('a stream whose head cannot be read is evicted in its turn, and keeps nothing else from that', async () => {
  const cached = await CachedStore.open()
  const warnings: string[] = []
  cached.store.on('warning', (text) => warnings.push(text))
  let streamPath: string | undefined
  cached.fileSystem.faults = ({ kind, path }) => {
    if (kind === 'create' && path.endsWith('.vlog')) streamPath ??= path
    return kind === 'read' && path === streamPath ? { errno: 'EIO' } : undefined
  }
  await cached.putStream('stream', 50_000)
  const { file } = cached.store.segments().find(({ kind }) => kind === 'stream')!
  expect(streamPath?.endsWith(file)).toBe(true)
  // It counts as what was in tables when it was first looked at: how much that was is not given.
  for (let count = 0; cached.store.stats().streams > 0; ) {
    count = await fill(cached, 5000, count)
    expect(count * 5000).toBeLessThan(4 * MAX_BYTES)
  }
  expect(warnings.filter((text) => text.includes('stream')).length).toBe(1)
  await cached.checkAll()
})

test('a transaction in one go walks over nothing that was evicted since the last one', async () => {
  stopClock()
  onTestFinished(startClock)
  const cached = await CachedStore.open()
  const { store } = cached
  for (let i = 0; i < 8; i++) await cached.put(keyOf(i), 100)
  const keys = (): Promise<string[]> => store.transactionSync((tx) => [...tx.keys()].map(String))
  expect(await keys()).toHaveLength(8)
  await store.flush()
  // Nothing is written, and no time passes.
  await (engineOf(store) as Engine).versions.apply({ evictedBelow: 5 })
  expect(await keys()).toEqual([4, 5, 6, 7].map(keyOf))
})
