/** Transactions in one go: run once, in their turn, atomic against all writers. */
import { expect, test } from 'vitest'
import type { SyncTransaction } from '#dist/lib/contract/transactions.js'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

test('runs behind all earlier writes, before all later ones, and once', async () => {
  const store = await openSmallStore()
  const seen: string[] = []
  const steps = [
    store.put('n', '1'),
    store.transactionSync((tx) => {
      seen.push(String(tx.get('n')))
      tx.put('n', '2')
    }),
    store.put('n', '3', { if: { value: '2' } }),
    store.transactionSync((tx) => {
      seen.push(String(tx.get('n')))
      return tx.put('n', '4')
    }),
    store.transactionSync((tx) => seen.push(String(tx.get('n')))),
  ]
  await Promise.all(steps)
  expect(seen).toEqual(['1', '3', '4'])
  expect(String(store.getSync('n'))).toBe('4')
})

test('gives what the callback returns, reads its own writes, and writes all or none', async () => {
  const store = await openSmallStore()
  await store.write([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'c', value: 'long'.repeat(100) },
  ])
  const result = await store.transactionSync((tx) => {
    tx.put('b', '2')
    tx.delete('a')
    tx.put('d', '3')
    tx.delete('d')
    return {
      has: ['a', 'b', 'c', 'd'].map((key) => tx.has(key)),
      get: ['a', 'b', 'c', 'd'].map((key) => tx.get(key)?.length),
      keys: [...tx.keys()].map(String),
      back: [...tx.entries({ reverse: true })].map(([key, value]) => `${key}=${value.length}`),
      first: [...tx.values({ limit: 1 })].map(String),
    }
  })
  expect(result).toEqual({
    has: [false, true, true, false],
    get: [undefined, 1, 400, undefined],
    keys: ['b', 'c'],
    back: ['c=400', 'b=1'],
    first: ['2'],
  })
  expect((await store.keys().nextMany(9)).map(String)).toEqual(['b', 'c'])
})

test('what throws, is aborted, or returns a promise, writes nothing', async () => {
  const store = await openSmallStore()
  const mine = new Error('mine')
  const throwing = store.transactionSync((tx) => {
    tx.put('a', '1')
    throw mine
  })
  await expect(throwing).rejects.toBe(mine)
  const promised = store.transactionSync((async (tx: SyncTransaction) => tx.put('a', '1')) as never)
  expect(await codeOf(() => promised)).toBe('WISC_INVALID_ARGUMENT')
  // biome-ignore lint/suspicious/noThenProperty: as a query builder has one
  const thenable = store.transactionSync((tx) => tx.put('a', '1') ?? { then() {} })
  expect(await codeOf(() => thenable)).toBe('WISC_INVALID_ARGUMENT')
  const aborted = await store.transactionSync((tx) => {
    tx.put('a', '1')
    tx.abort()
    return 'result'
  })
  expect(aborted).toBe('result')
  expect(store.stats().lastSequence).toBe(0)
})

test('takes no calls when it has ended, and none of another transaction', async () => {
  const store = await openSmallStore()
  let kept: SyncTransaction | undefined
  let keys: IterableIterator<Buffer> | undefined
  const nested: Promise<unknown>[] = []
  await store.transactionSync((tx) => {
    kept = tx
    keys = tx.keys()
    nested.push(
      codeOf(() => store.transactionSync(() => 1)),
      codeOf(() => store.transaction(async () => 1)),
      codeOf(() => store.update('a', () => '1')),
    )
  })
  expect(await Promise.all(nested)).toEqual(Array(3).fill('WISC_INVALID_ARGUMENT'))
  for (const call of [
    () => kept!.get('a'),
    () => kept!.has('a'),
    () => kept!.put('a', '1'),
    () => kept!.delete('a'),
    () => kept!.abort(),
    () => keys!.next(),
    () => [...kept!.keys()],
  ]) {
    expect(await codeOf(call)).toBe('WISC_NOT_OPEN')
  }
})

test('one that was called before the close is made; its sync is shared with others', async () => {
  const store = await openSmallStore()
  const done = store.transactionSync((tx) => tx.put('a', String(tx.get('a'))), { sync: true })
  const closing = store.close()
  await done
  await closing
  expect(await codeOf(() => store.transactionSync(() => 1))).toBe('WISC_NOT_OPEN')
})

test('bad calls are refused', async () => {
  const store = await openSmallStore()
  for (const [callback, options] of [
    [undefined, {}],
    [5, {}],
    [() => 1, { retries: 1 }],
    [() => 1, { sync: 'yes' }],
    [() => 1, 5],
  ]) {
    const call = (): unknown => store.transactionSync(callback as never, options as never)
    expect(await codeOf(call)).toBe('WISC_INVALID_ARGUMENT')
  }
  expect(await codeOf(() => store.transactionSync((tx) => tx.put(5 as never, '')))).toBe(
    'WISC_INVALID_ARGUMENT',
  )
  expect(
    await codeOf(() => store.transactionSync((tx) => [...tx.keys({ signal: 1 } as never)])),
  ).toBe('WISC_INVALID_ARGUMENT')
  const getOne = (get: (...given: unknown[]) => unknown): unknown => get('a', { offset: 1 })
  expect(await codeOf(() => store.transactionSync((tx) => getOne(tx.get.bind(tx) as never)))).toBe(
    'WISC_INVALID_ARGUMENT',
  )
})

test('a large value, and a callback that writes by the store, too', async () => {
  const store = await openSmallStore()
  const large = Buffer.alloc(300_000, 7)
  const others: Promise<void>[] = []
  await store.transactionSync((tx) => {
    tx.put('large', large)
    large.fill(0)
    others.push(store.put('other', Buffer.alloc(200_000, 1)), store.put('more', '1'))
  })
  await Promise.all(others)
  expect(store.getSync('large')!.equals(Buffer.alloc(300_000, 7))).toBe(true)
  expect(store.getSync('other')!.length).toBe(200_000)
})
