/** Updates: read, compute, write if nothing came between; those of one key take turns. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const plusOne = (value: Buffer | undefined): string => String(Number(value ?? 0) + 1)

test.each([
  ['synchronous', plusOne],
  [
    'asynchronous',
    async (value: Buffer | undefined) => {
      await nextTurn()
      return plusOne(value)
    },
  ],
  [
    // As a query is that is sent when somebody awaits it, and a promise of another realm.
    'lazy',
    (value: Buffer | undefined): PromiseLike<string> => ({
      // biome-ignore lint/suspicious/noThenProperty: that is what it is about
      then: (resolve, reject) => nextTurn(plusOne(value)).then(resolve, reject),
    }),
  ],
  [
    'foreign',
    runInNewContext('(value) => Promise.resolve(String(Number(value ?? 0) + 1))') as (
      value: Buffer | undefined,
    ) => Promise<string>,
  ],
])('a hundred %s increments of one key are a hundred, each called once', async (_, callback) => {
  const store = await openSmallStore()
  let calls = 0
  const all = Array.from({ length: 100 }, () =>
    store.update('n', (value) => {
      calls++
      return callback(value)
    }),
  )
  await Promise.all(all)
  expect(String(store.getSync('n'))).toBe('100')
  expect(calls).toBe(100)
})

test('undefined removes the key, and leaves one that is not there alone', async () => {
  const store = await openSmallStore()
  await store.put('key', 'long'.repeat(100))
  await store.update('key', (value) => {
    expect(String(value)).toBe('long'.repeat(100))
    return undefined
  })
  expect(store.hasSync('key')).toBe(false)
  const { lastSequence } = store.stats()
  await store.update('key', () => undefined)
  expect(store.stats().lastSequence).toBe(lastSequence)
})

test('is called again when another write was faster, as often as it may', async () => {
  const store = await openSmallStore()
  let calls = 0
  const meddle = async (value: Buffer | undefined): Promise<string> => {
    calls++
    if (calls < 4) await store.put('key', `other ${calls}`)
    return `${value} seen`
  }
  await store.update('key', meddle)
  expect(String(store.getSync('key'))).toBe('other 3 seen')
  expect(calls).toBe(4)
  calls = 0
  expect(await codeOf(() => store.update('key', meddle, { retries: 2 }))).toBe('WISC_CONFLICT')
  expect(String(store.getSync('key'))).toBe('other 3')
})

test('what a callback throws is the caller’s, and the next one goes on', async () => {
  const store = await openSmallStore()
  const mine = new Error('mine')
  const failing = [
    store.update('key', () => {
      throw mine
    }),
    store.update('key', async () => {
      await nextTurn()
      throw mine
    }),
    store.update('key', () => 5 as never),
  ]
  const last = store.update('key', plusOne)
  const settled = await Promise.allSettled(failing)
  expect(settled.slice(0, 2)).toEqual([
    { status: 'rejected', reason: mine },
    { status: 'rejected', reason: mine },
  ])
  expect(settled[2]).toMatchObject({ reason: { code: 'WISC_INVALID_ARGUMENT' } })
  await last
  expect(String(store.getSync('key'))).toBe('1')
})

test('one that never comes back ends with its age or its signal, and those behind it go on in order', async () => {
  const store = await openSmallStore({ transactions: { maxAgeMs: 20 } })
  const controller = new AbortController()
  const hanging = codeOf(() => store.update('key', () => new Promise<string>(() => {})))
  const waiting = codeOf(() => store.update('key', plusOne, { signal: controller.signal }))
  const seen: string[] = []
  const behind = ['a', 'b'].map((name) =>
    store.update('key', () => {
      seen.push(name)
      return name
    }),
  )
  controller.abort()
  expect(await waiting).toBe('WISC_ABORTED')
  expect(seen).toEqual([])
  expect(await hanging).toBe('WISC_STALE')
  await Promise.all(behind)
  expect(seen).toEqual(['a', 'b'])
})

test('I1: with sync it is durable, and many share a sync', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  let syncs = 0
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'sync' && path.endsWith('.vlog')) syncs++
  }
  await Promise.all(Array.from({ length: 32 }, () => store.update('n', plusOne, { sync: true })))
  const { lastSequence, durableSequence } = store.stats()
  expect(durableSequence).toBe(lastSequence)
  expect(syncs).toBeLessThan(16)
})

test('I1: what comes back while the store closes is not acknowledged, and not there', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  await store.put('key', 'before')
  let comeBack = (): void => {}
  const slow = new Promise<void>((resolve) => {
    comeBack = resolve
  })
  const first = codeOf(() => store.update('key', () => slow.then(() => 'after')))
  const second = codeOf(() => store.update('key', () => 'after that'))
  await nextTurn()
  fileSystem.onCall = ({ kind }) => {
    // The table of the last flush: the end of the log is not written yet.
    if (kind === 'sync') comeBack()
  }
  await store.close()
  expect([await first, await second]).toEqual(['WISC_NOT_OPEN', 'WISC_NOT_OPEN'])
  const again = await openSmallStore({}, fileSystem)
  expect(String(again.getSync('key'))).toBe('before')
})

test('bad calls are refused, and a closed store', async () => {
  const store = await openSmallStore()
  const bad: [unknown, unknown, unknown][] = [
    [undefined, plusOne, {}],
    ['key', undefined, {}],
    ['key', 'value', {}],
    ['key', plusOne, { retries: -1 }],
    ['key', plusOne, { retries: '1' }],
    ['key', plusOne, { sync: 1 }],
    ['key', plusOne, { signal: 1 }],
    ['key', plusOne, { if: {} }],
    ['key', plusOne, null],
  ]
  for (const [key, callback, options] of bad) {
    const call = (): unknown => store.update(key as never, callback as never, options as never)
    expect(await codeOf(call)).toBe('WISC_INVALID_ARGUMENT')
  }
  expect(await codeOf(() => store.update('a', plusOne, { signal: AbortSignal.abort() }))).toBe(
    'WISC_ABORTED',
  )
  expect(store.stats().lastSequence).toBe(0)
  await store.close()
  expect(await codeOf(() => store.update('key', plusOne))).toBe('WISC_NOT_OPEN')
})
