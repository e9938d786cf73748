/** Iterators: ranges, both directions, seeks, calls that are not awaited, failures, and what an iterator pins. */
import { describe, expect, test } from 'vitest'
import type { RangeOptions, StoreIterator } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

function key(i: number): string {
  return `key${String(i).padStart(4, '0')}`
}

function value(i: number): string {
  return `${i}-${'v'.repeat(i % 3 === 0 ? 200 : 20)}`
}

/** Keys 0, 2, 4 ... in tables and memtables, some overwritten, some deleted. */
async function fill(store: Store, count: number): Promise<Map<string, string>> {
  const model = new Map<string, string>()
  const put = async (i: number, text: string): Promise<void> => {
    await store.put(key(i), text)
    model.set(key(i), text)
  }
  for (let i = 0; i < count; i += 2) await put(i, 'old')
  await store.flush()
  for (let i = 0; i < count; i += 4) await put(i, value(i))
  for (let i = 0; i < count; i += 10) {
    await store.delete(key(i))
    model.delete(key(i))
  }
  await store.flush()
  for (let i = 0; i < count; i += 6) await put(i, value(i))
  return new Map([...model].sort(([left], [right]) => (left < right ? -1 : 1)))
}

function inRange(model: Map<string, string>, range: RangeOptions): [string, string][] {
  const { prefix, gt, gte, lt, lte, reverse, limit } = range as Record<string, string> &
    RangeOptions
  const found = [...model].filter(
    ([one]) =>
      (prefix === undefined || one.startsWith(String(prefix))) &&
      (gt === undefined || one > String(gt)) &&
      (gte === undefined || one >= String(gte)) &&
      (lt === undefined || one < String(lt)) &&
      (lte === undefined || one <= String(lte)),
  )
  if (reverse) found.reverse()
  return found.slice(0, limit)
}

async function collect(store: Store, range: RangeOptions): Promise<[string, string][]> {
  const found: [string, string][] = []
  for await (const [one, text] of store.entries(range))
    found.push([one.toString(), text.toString()])
  return found
}

async function all<T>(iterator: StoreIterator<T>): Promise<T[]> {
  const items = await iterator.nextMany(10_000)
  expect(await iterator.nextMany(1)).toEqual([])
  return items
}

describe('ranges', () => {
  test('give what a sorted map gives, in both directions, with any limit', async () => {
    const store = await openSmallStore()
    const model = await fill(store, 600)
    const seed = testSeed()
    const prng = new Prng(seed)
    const end = (): string =>
      prng.chance(0.1) ? prng.pick(['', 'key', 'z']) : key(prng.below(620))
    for (let round = 0; round < 150; round++) {
      const range: Record<string, unknown> = { reverse: prng.chance(0.5) }
      if (prng.chance(0.7)) range[prng.pick(['gt', 'gte'])] = end()
      if (prng.chance(0.7)) range[prng.pick(['lt', 'lte'])] = end()
      if (prng.chance(0.3)) range['prefix'] = end().slice(0, prng.below(8))
      if (prng.chance(0.5)) range['limit'] = prng.below(50)
      if (prng.chance(0.2)) range['highWaterMarkBytes'] = 1
      const label = `${JSON.stringify(range)} ${replayHint(seed)}`
      const expected = inRange(model, range)
      expect(await collect(store, range), label).toEqual(expected)
      const keys = await all(store.keys(range))
      expect(keys.map(String), label).toEqual(expected.map(([one]) => one))
      const values = await all(store.values(range))
      expect(values.map(String), label).toEqual(expected.map(([, text]) => text))
    }
    expect(store.stats().iterators.open).toBe(0)
  })

  test('contradictory ends are refused, a lower end above the upper one is empty', async () => {
    const store = await openSmallStore()
    await store.put('b', '1')
    expect(await codeOf(() => store.entries({ gt: 'a', gte: 'a' }))).toBe('WISC_INVALID_ARGUMENT')
    expect(await collect(store, { gte: 'c', lte: 'a' })).toEqual([])
    expect(await collect(store, { gte: 'c', lte: 'a', reverse: true })).toEqual([])
    expect(store.stats().iterators.open).toBe(0)
  })
})

describe('seek', () => {
  test.each([false, true])('goes to the key or the next one, reverse: %s', async (reverse) => {
    const store = await openSmallStore()
    const model = await fill(store, 400)
    const seed = testSeed()
    const prng = new Prng(seed)
    const range = { gt: key(50), lte: key(350), reverse }
    const iterator = store.entries(range)
    for (let round = 0; round < 200; round++) {
      const target = prng.chance(0.1) ? prng.pick(['', 'zzz']) : key(prng.below(420))
      iterator.seek(target)
      const rest = inRange(model, range).filter(([one]) =>
        reverse ? one <= target : one >= target,
      )
      const count = 1 + prng.below(20)
      if (rest.length === 0) continue // Reading there would end the iterator.
      const found = (await iterator.nextMany(count)).map(([one, text]) => [
        String(one),
        String(text),
      ])
      expect(found, `${target} ${replayHint(seed)}`).toEqual(rest.slice(0, count))
    }
    await iterator.close()
  })

  test('gives back what was read ahead: the limit counts what was given out', async () => {
    const store = await openSmallStore()
    for (let i = 0; i < 50; i++) await store.put(key(i), 'x')
    const iterator = store.keys({ limit: 10 })
    await iterator.next()
    iterator.seek(key(30))
    expect((await iterator.nextMany(100)).map(String)).toEqual(
      Array.from({ length: 9 }, (_, i) => key(30 + i)),
    )
  })

  test('waits for a call that is under way', async () => {
    const store = await openSmallStore()
    for (let i = 0; i < 50; i++) await store.put(key(i), Buffer.alloc(i === 0 ? 2_000_000 : 10))
    const iterator = store.entries()
    const first = iterator.next()
    iterator.seek(key(40))
    const second = iterator.next()
    expect((await first).value?.[0].toString()).toBe(key(0))
    expect((await second).value?.[0].toString()).toBe(key(40))
    await iterator.close()
  })

  test('takes a copy of its key', async () => {
    const store = await openSmallStore()
    for (const one of ['a', 'b', 'c']) await store.put(one, one)
    const iterator = store.keys()
    const target = Buffer.from('c')
    iterator.seek(target)
    target[0] = 97
    expect(String((await iterator.next()).value)).toBe('c')
    await iterator.close()
  })
})

describe('calls', () => {
  test('that do not wait for each other give every entry once, in order', async () => {
    const store = await openSmallStore()
    const model = await fill(store, 300)
    const iterator = store.entries()
    const calls = Array.from({ length: model.size + 5 }, () => iterator.next())
    const results = await Promise.all(calls)
    expect(
      results.filter(({ done }) => !done).map(({ value: entry }) => String(entry![0])),
    ).toEqual([...model.keys()])
    expect(results.slice(-5).every(({ done }) => done)).toBe(true)
  })

  test('of both kinds, mixed', async () => {
    const store = await openSmallStore()
    const model = await fill(store, 300)
    const iterator = store.keys()
    const parts = await Promise.all([
      iterator.nextMany(7),
      iterator.next().then(({ value: one }) => [one!]),
      iterator.nextMany(60),
      iterator.next().then(({ value: one }) => [one!]),
      iterator.nextMany(10_000),
    ])
    expect(parts.flat().map(String)).toEqual([...model.keys()])
  })

  test('behind the end are done; nextMany checks its count', async () => {
    const store = await openSmallStore()
    await store.put('a', '1')
    const iterator = store.entries()
    for (const count of [0, -1, 1.5, '3', undefined]) {
      // A promise in every case: nothing is thrown at once.
      const call = iterator.nextMany(count as number)
      await expect(call).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    }
    expect(await iterator.nextMany(5)).toHaveLength(1)
    expect(await iterator.nextMany(5)).toEqual([])
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(await codeOf(() => iterator.seek('a'))).toBe('WISC_NOT_OPEN')
    expect(store.stats().iterators.open).toBe(0)
  })

  test('after close, return and the end of a loop find nothing pinned', async () => {
    const store = await openSmallStore()
    for (let i = 0; i < 100; i++) await store.put(key(i), 'x')
    const iterator = store.entries()
    await iterator.next()
    expect(store.stats()).toMatchObject({ iterators: { open: 1 }, snapshots: { open: 0 } })
    await iterator.close()
    await iterator.close()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    for await (const _ of store.entries()) break
    await store.values()[Symbol.asyncDispose]()
    expect(store.stats().iterators.open).toBe(0)
    const unread = store.entries()
    await store.close()
    expect(await codeOf(() => unread.next())).toBe('WISC_NOT_OPEN')
  })
})

describe('abort', () => {
  test('before, during and between calls', async () => {
    const store = await openSmallStore()
    for (let i = 0; i < 100; i++) await store.put(key(i), 'x')
    expect(await codeOf(() => store.entries({ signal: AbortSignal.abort() }))).toBe('WISC_ABORTED')
    const controller = new AbortController()
    const iterator = store.entries({ signal: controller.signal })
    await iterator.next()
    controller.abort(new Error('enough'))
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'WISC_ABORTED',
      cause: { message: 'enough' },
    })
    await expect(iterator.nextMany(3)).rejects.toMatchObject({ code: 'WISC_ABORTED' })
    await iterator.close()
    expect(store.stats().iterators.open).toBe(0)
  })
})

test('what is read ahead is bounded by highWaterMarkBytes', async () => {
  const fileSystem = new FaultFileSystem()
  // What the collector reads meanwhile is no reading ahead.
  const options = { segmentBytes: 4 * 1024 * 1024, collector: { enabled: false } }
  const store = await openSmallStore(options, fileSystem)
  for (let i = 0; i < 40; i++) await store.put(key(i), Buffer.alloc(20_000, i))
  for (const [bytes, reads] of [
    [1, 1],
    [50_000, 3],
  ] as const) {
    const iterator = store.entries({ highWaterMarkBytes: bytes })
    let counted = 0
    fileSystem.onCall = ({ kind }) => {
      if (kind === 'read') counted++
    }
    await iterator.next()
    fileSystem.onCall = undefined
    expect(counted).toBe(reads)
    await iterator.close()
  }
})

test('an iterator sees its moment, across flushes and compactions, and keeps no file open for it', async () => {
  const store = await openSmallStore()
  const model = await fill(store, 500)
  for (const reverse of [false, true]) {
    const iterator = store.entries({ reverse, highWaterMarkBytes: 500 })
    const found: string[] = []
    for (let step = 0; ; step++) {
      const { value: entry, done } = await iterator.next()
      if (done) break
      found.push(`${entry[0]} ${entry[1]}`)
      if (step % 40 === 0) {
        await store.put(key(step), 'changed meanwhile')
        await store.delete(key(step + 2))
        if (step % 80 === 0) await store.compact()
        else await store.flush()
      }
    }
    const expected = [...model].map(([one, text]) => `${one} ${text}`)
    expect(found).toEqual(reverse ? expected.reverse() : expected)
    await store.write([...model].map(([one, text]) => ({ type: 'put', key: one, value: text })))
    for (let i = 0; i < 520; i++) if (!model.has(key(i))) await store.delete(key(i))
  }
})

test('an iterator over a snapshot sees the snapshot', async () => {
  const store = await openSmallStore()
  await store.put('a', '1')
  await store.put('b', '1')
  const snapshot = store.snapshot()
  await store.put('a', '2')
  await store.delete('b')
  await store.put('c', '2')
  await store.compact()
  expect(await collect(store, { snapshot })).toEqual([
    ['a', '1'],
    ['b', '1'],
  ])
  expect(await collect(store, { snapshot, reverse: true })).toEqual([
    ['b', '1'],
    ['a', '1'],
  ])
  expect(await collect(store, {})).toEqual([
    ['a', '2'],
    ['c', '2'],
  ])
  snapshot.close()
  expect(await codeOf(() => store.entries({ snapshot }))).toBe('WISC_NOT_OPEN')
})

test('a batch that cannot be read is never left out silently: every later call fails, too', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  for (let i = 0; i < 60; i++) await store.put(key(i), Buffer.alloc(300, i))
  const iterator = store.entries()
  expect(String((await iterator.next()).value?.[0])).toBe(key(0))
  fileSystem.faults = ({ kind }) => (kind === 'read' ? { errno: 'EIO' } : undefined)
  // What was read ahead is given out first.
  expect(await iterator.nextMany(100)).toHaveLength(15)
  await expect(iterator.nextMany(100)).rejects.toMatchObject({ code: 'WISC_IO' })
  fileSystem.faults = undefined
  await expect(iterator.next()).rejects.toMatchObject({ code: 'WISC_IO' })
  iterator.seek(key(16))
  expect(String((await iterator.next()).value?.[0])).toBe(key(16))
  await iterator.close()
})
