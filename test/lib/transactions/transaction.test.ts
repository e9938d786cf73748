/** Optimistic transactions: one moment is read, what was read is unchanged at the commit, or all is done again. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Transaction } from '#dist/lib/contract/transactions.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

/** What happens to the store between a read and the commit: nothing of it may hide a change. */
const MEANWHILE: Record<string, (store: Store) => Promise<void>> = {
  nothing: async () => {},
  'a flush': (store) => store.flush(),
  'a compaction': (store) => store.compact(),
}

/** Runs `read`, then `meddle` beside it, then a write: the code with which that ends without retries. */
async function outcome(
  store: Store,
  read: (tx: Transaction) => unknown,
  meddle: () => Promise<unknown>,
): Promise<unknown> {
  const run = (): Promise<void> =>
    store.transaction(
      async (tx) => {
        await read(tx)
        await meddle()
        tx.put('result', 'x')
      },
      { retries: 0 },
    )
  return codeOf(run)
}

const drain = async (iterable: AsyncIterable<unknown>): Promise<unknown[]> => {
  const items: unknown[] = []
  for await (const item of iterable) items.push(item)
  return items
}

describe.each(Object.keys(MEANWHILE))('with %s before the commit', (name) => {
  /** Keys b, d, f in a table, and the outcome of a change. */
  async function outcomeOf(
    read: (tx: Transaction) => unknown,
    change: (store: Store) => Promise<unknown>,
  ): Promise<unknown> {
    const store = await openSmallStore()
    for (const key of ['b', 'd', 'f']) await store.put(key, key.repeat(150))
    await store.flush()
    const result = await outcome(store, read, async () => {
      await change(store)
      await MEANWHILE[name]!(store)
    })
    expect(store.hasSync('result')).toBe(result === 'no error')
    return result
  }
  const put = (key: string) => (store: Store) => store.put(key, 'new')
  const remove = (key: string) => (store: Store) => store.delete(key)

  test('lost updates: a key that was read and is written meanwhile is a conflict', async () => {
    expect(await outcomeOf((tx) => tx.get('d'), put('d'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => tx.get('d'), remove('d'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => tx.get('c'), put('c'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => tx.has('d'), remove('d'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => tx.getMany(['a', 'd']), put('a'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => tx.getMany(['a', 'd']), put('b'))).toBe('no error')
    expect(await outcomeOf((tx) => tx.get('d'), put('dd'))).toBe('no error')
  })

  test('phantoms: a key that comes into a range that was read, or goes, is a conflict', async () => {
    const range = (tx: Transaction): unknown => drain(tx.keys({ gte: 'b', lt: 'f' }))
    for (const key of ['b', 'bb', 'c', 'd', 'e']) {
      expect(await outcomeOf(range, put(key)), key).toBe('WISC_CONFLICT')
    }
    for (const key of ['b', 'd']) expect(await outcomeOf(range, remove(key))).toBe('WISC_CONFLICT')
    for (const key of ['a', 'f', 'g'])
      expect(await outcomeOf(range, put(key)), key).toBe('no error')
    const all = (tx: Transaction): unknown => drain(tx.entries())
    for (const key of ['', 'a', 'c', 'z'])
      expect(await outcomeOf(all, put(key))).toBe('WISC_CONFLICT')
    expect(await outcomeOf((tx) => drain(tx.values({ prefix: 'e' })), put('e1'))).toBe(
      'WISC_CONFLICT',
    )
    expect(await outcomeOf((tx) => drain(tx.values({ prefix: 'e' })), put('f1'))).toBe('no error')
  })

  test('a range counts as far as it was read, whatever was read ahead', async () => {
    const first = (tx: Transaction): unknown => tx.entries().next()
    expect(await outcomeOf(first, put('a'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf(first, put('b'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf(first, put('c'))).toBe('no error')
    const last = (tx: Transaction): unknown => tx.keys({ reverse: true, limit: 1 }).nextMany(5)
    expect(await outcomeOf(last, put('g'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf(last, remove('f'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf(last, put('e'))).toBe('no error')
    const sought = (tx: Transaction): unknown => {
      const keys = tx.keys()
      keys.seek('c')
      return keys.next()
    }
    expect(await outcomeOf(sought, put('c'))).toBe('WISC_CONFLICT')
    expect(await outcomeOf(sought, put('bb'))).toBe('no error')
    expect(await outcomeOf(sought, put('e'))).toBe('no error')
    const nothing = (tx: Transaction): unknown => tx.keys()
    expect(await outcomeOf(nothing, put('c'))).toBe('no error')
  })
})

test('write skew: two that each read what the other writes cannot both be', async () => {
  const store = await openSmallStore()
  await store.write([
    { type: 'put', key: 'ann', value: 'on call' },
    { type: 'put', key: 'bob', value: 'on call' },
  ])
  const leave = (who: string, other: string): Promise<string> =>
    store.transaction(async (tx) => {
      const [mine, theirs] = await tx.getMany([who, other])
      await nextTurn()
      if (String(mine) !== 'on call' || String(theirs) !== 'on call') return 'stays'
      tx.put(who, 'away')
      return 'leaves'
    })
  const both = await Promise.all([leave('ann', 'bob'), leave('bob', 'ann')])
  expect(both.sort()).toEqual(['leaves', 'stays'])
})

test('the conflict names the key; unread keys and own writes are none', async () => {
  const store = await openSmallStore()
  const conflict = store.transaction(
    async (tx) => {
      tx.put('own', '1')
      await tx.get('own')
      await tx.get('read')
      await store.put('own', '2')
      await store.put('unread', '2')
      await store.put('read', '2')
    },
    { retries: 0 },
  )
  await expect(conflict).rejects.toMatchObject({ code: 'WISC_CONFLICT', key: Buffer.from('read') })
  expect(store.stats().transactions).toMatchObject({ open: 0, conflicts: 1 })
  await store.transaction(async (tx) => {
    await tx.get('own')
    tx.put('own', '3')
  })
  expect(String(store.getSync('own'))).toBe('3')
})

test('increments of sixteen callers are all there, with retries', async () => {
  const store = await openSmallStore()
  const increment = (): Promise<void> =>
    store.transaction(
      async (tx) => {
        const value = Number((await tx.get('n')) ?? 0)
        await nextTurn()
        tx.put('n', String(value + 1))
      },
      { retries: 10_000 },
    )
  await Promise.all(Array.from({ length: 16 }, increment))
  expect(String(store.getSync('n'))).toBe('16')
  expect(store.stats().transactions.conflicts).toBeGreaterThan(0)
})

test('reads are of one moment, and one that only reads never conflicts', async () => {
  const store = await openSmallStore()
  await store.put('a', '1')
  await store.put('b', '1')
  const seen = await store.transaction(
    async (tx) => {
      const a = await tx.get('a')
      await store.write([
        { type: 'put', key: 'a', value: '2' },
        { type: 'put', key: 'b', value: '2' },
      ])
      await store.compact()
      return [a, await tx.get('b'), ...(await drain(tx.values()))].map(String)
    },
    { retries: 0 },
  )
  expect(seen).toEqual(['1', '1', '1', '1'])
})

test('its callback ends it: late calls are refused, aborted ones write nothing', async () => {
  const store = await openSmallStore()
  let kept!: Transaction
  let keys!: ReturnType<Transaction['keys']>
  const result = await store.transaction(async (tx) => {
    kept = tx
    keys = tx.keys()
    tx.put('a', '1')
    tx.abort()
    expect(await codeOf(() => tx.get('a'))).toBe('WISC_NOT_OPEN')
    return 'result'
  })
  expect(result).toBe('result')
  for (const call of [
    () => kept.get('a'),
    () => kept.getMany(['a']),
    () => kept.has('a'),
    () => kept.keys(),
    () => keys.next(),
    () => kept.put('a', '1'),
    () => kept.delete('a'),
    () => kept.abort(),
  ]) {
    expect(await codeOf(call)).toBe('WISC_NOT_OPEN')
  }
  const mine = new Error('mine')
  await expect(
    store.transaction(async (tx) => {
      tx.put('a', '1')
      await nextTurn()
      throw mine
    }),
  ).rejects.toBe(mine)
  expect(store.stats()).toMatchObject({
    lastSequence: 0,
    transactions: { open: 0 },
    snapshots: { open: 0, oldestSequence: undefined },
    iterators: { open: 0 },
  })
})

test('calls inside of a callback that would be no part of it are refused', async () => {
  const store = await openSmallStore()
  await store.transaction(async () => {
    expect(await codeOf(() => store.transaction(async () => 1))).toBe('WISC_INVALID_ARGUMENT')
  })
  await store.transaction(async () => {
    expect(await codeOf(() => store.update('a', () => '1'))).toBe('WISC_INVALID_ARGUMENT')
  })
  // What it calls later is a write like any other's.
  await store.transaction(async () => {
    await nextTurn()
    await store.update('a', () => '1')
  })
  expect(String(store.getSync('a'))).toBe('1')
})

test('one that is too old ends, and gives up what it pins; stats names the oldest', async () => {
  const store = await openSmallStore()
  await store.put('a', '1')
  const hanging = codeOf(() =>
    store.transaction(
      async (tx) => {
        await tx.keys().next()
        await new Promise(() => {})
      },
      { maxAgeMs: 30 },
    ),
  )
  const { transactions, snapshots, iterators } = store.stats()
  expect(transactions).toMatchObject({ open: 1, oldestSequence: 1 })
  expect(transactions.oldestAgeMs).toBeGreaterThanOrEqual(0)
  expect([snapshots.open, iterators.open]).toEqual([0, 1])
  expect(await hanging).toBe('WISC_STALE')
  expect(store.stats()).toMatchObject({
    transactions: { open: 0, oldestSequence: undefined, oldestAgeMs: undefined },
    snapshots: { open: 0, oldestSequence: undefined },
    iterators: { open: 0 },
  })
})

test('a signal and a close end it at once', async () => {
  const store = await openSmallStore()
  const controller = new AbortController()
  const never = (): Promise<void> => new Promise(() => {})
  const aborted = codeOf(() => store.transaction(never, { signal: controller.signal }))
  const closed = codeOf(() => store.transaction(never))
  controller.abort()
  expect(await aborted).toBe('WISC_ABORTED')
  const late = codeOf(() => store.transaction(never, { signal: controller.signal }))
  expect(await late).toBe('WISC_ABORTED')
  await store.close()
  expect(await closed).toBe('WISC_NOT_OPEN')
  expect(await codeOf(() => store.transaction(never))).toBe('WISC_NOT_OPEN')
})

test('I10: what it reads is bounded in memory', async () => {
  const store = await openSmallStore({ transactions: { maxReadSetBytes: 8192 } })
  const reading = store.transaction(async (tx) => {
    for (let i = 0; i < 1000; i++) await tx.get(`key ${i}`)
  })
  await expect(reading).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
  for (let i = 0; i < 1000; i++) await store.put(`key ${i}`, '')
  const count = await store.transaction(async (tx) => (await drain(tx.keys())).length)
  expect(count).toBe(1000)
})

type Loose = Record<string, (...given: unknown[]) => unknown>

/** As calls of the store may have them. */
const OPTIONS_IN_VAIN = [
  ['get', 'a', { offset: 1 }],
  ['has', 'a', { snapshot: 1 }],
  ['getMany', ['a'], { snapshot: 1 }],
  ['put', 'a', 'b', { sync: true }],
  ['delete', 'a', { sync: true }],
].map(
  ([name, ...given]) =>
    (tx: Transaction): unknown =>
      (tx as unknown as Loose)[name as string]!(...given),
)

test('bad calls are refused', async () => {
  const store = await openSmallStore()
  for (const [callback, options] of [
    [undefined, {}],
    [5, {}],
    [async () => 1, { retries: -1 }],
    [async () => 1, { maxAgeMs: 0 }],
    [async () => 1, { sync: 'yes' }],
    [async () => 1, { signal: {} }],
    [async () => 1, { isolation: 'none' }],
  ]) {
    const call = (): unknown => store.transaction(callback as never, options as never)
    expect(await codeOf(call)).toBe('WISC_INVALID_ARGUMENT')
  }
  const bad: ((tx: Transaction) => unknown)[] = [
    (tx) => tx.get(5 as never),
    (tx) => tx.has(null as never),
    (tx) => tx.getMany('a' as never),
    (tx) => tx.put('a', 5 as never),
    (tx) => tx.delete({} as never),
    (tx) => tx.keys({ signal: AbortSignal.abort() } as never),
    (tx) => tx.entries({ gt: 'a', gte: 'b' }),
    ...OPTIONS_IN_VAIN,
  ]
  for (const call of bad) {
    expect(await codeOf(() => store.transaction(async (tx) => call(tx)))).toBe(
      'WISC_INVALID_ARGUMENT',
    )
  }
  expect(store.stats().lastSequence).toBe(0)
})

test('I2: with sync its batch is durable, whole', async () => {
  const store = await openSmallStore()
  await store.transaction(
    async (tx) => {
      tx.put('a', '1')
      tx.put('b', 'long'.repeat(1000))
    },
    { sync: true },
  )
  expect(store.stats()).toMatchObject({ lastSequence: 2, durableSequence: 2 })
})

test('the empty key and the empty value are like any other, in each way of writing', async () => {
  const store = await openSmallStore()
  await store.update('', () => '')
  await store.put('', '', { if: { value: '' } })
  await store.transaction((tx) => tx.put('', Buffer.alloc(0)))
  await store.transactionSync((tx) => tx.put(Buffer.alloc(0), ''))
  expect((await store.entries().nextMany(9)).flat().map(String)).toEqual(['', ''])
  await store.transaction((tx) => tx.delete(''))
  expect(await store.keys().nextMany(9)).toEqual([])
})

test('behind a failed sync one is refused as every write is: what it can read is no conflict', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ collector: { enabled: false } }, fileSystem)
  await store.put('key', 'durable', { sync: true })
  await store.put('key', 'not durable')
  fileSystem.faults = ({ kind }) => (kind === 'sync' ? { errno: 'EIO' } : undefined)
  expect(await codeOf(() => store.sync())).toBe('WISC_SYNC_FAILED')
  let calls = 0
  const read: unknown[] = []
  const transacted = store.transaction(async (tx) => {
    calls++
    read.push(String(await tx.get('key')))
    tx.put('other', 'x')
  })
  expect(await codeOf(() => transacted)).toBe('WISC_SYNC_FAILED')
  expect([calls, read]).toEqual([1, ['durable']])
  expect(store.stats().transactions.conflicts).toBe(0)
})
