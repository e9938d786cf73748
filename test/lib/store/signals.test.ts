/** Signals of callers: whichever call they end tells the reason, and nothing of it goes on. */
import { expect, test } from 'vitest'
import type { CollectionPlan } from '#dist/lib/contract/collection.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { openSmallStore } from '../../support/store/fault-store.ts'

const KEYS = 300

/** What takes a signal, all that docs/api.md names. */
const CALLS: Readonly<Record<string, (store: Store, signal: AbortSignal) => Promise<unknown>>> = {
  getMany: (store, signal) => store.getMany(allKeys(), { signal }),
  keys: async (store, signal) => store.keys({ signal }).nextMany(KEYS),
  entries: async (store, signal) => store.entries({ signal, highWaterMarkBytes: 1 }).nextMany(KEYS),
  values: async (store, signal) => store.values({ signal, highWaterMarkBytes: 1 }).nextMany(KEYS),
  getStream: async (store, signal) =>
    new Response((await store.getStream('key0', { signal })) as never).arrayBuffer(),
  putStream: (store, signal) =>
    store.putStream('new', new Blob([Buffer.alloc(500_000)]), { signal }),
  update: (store, signal) => store.update('key0', endless, { signal }),
  transaction: (store, signal) => store.transaction(() => endless(), { signal }),
  compact: (store, signal) => store.compact({}, { signal }),
  planCollection: (store, signal) => store.planCollection({ signal }),
  collect: (store, signal) => store.collect({ signal, targetSpaceAmplification: 1 }),
  'collect by a plan': async (store, signal) =>
    store.collect({ signal, plan: await planOf(store) }),
  verify: (store, signal) => store.verify({ signal }),
}

function allKeys(): string[] {
  return Array.from({ length: KEYS }, (_, i) => `key${i}`)
}

function endless(): Promise<undefined> {
  return new Promise(() => {})
}

function planOf(store: Store): Promise<CollectionPlan> {
  return store.planCollection({ targetSpaceAmplification: 1 })
}

async function filled(fileSystem: FaultFileSystem): Promise<Store> {
  const store = await openSmallStore({ collector: { enabled: false } }, fileSystem)
  for (const round of [1, 2])
    for (const key of allKeys()) await store.put(key, Buffer.alloc(2000, `${key} ${round}`))
  await store.flush()
  return store
}

/** The error of a call. */
function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no error',
    (error: unknown) => error,
  )
}

test.each(Object.entries(CALLS))('%s', async (_, call) => {
  const fileSystem = new FaultFileSystem()
  const store = await filled(fileSystem)
  const reason = new Error('enough')
  const told = { code: 'WISC_ABORTED', name: 'AbortError', cause: reason }
  expect(await failureOf(call(store, AbortSignal.abort(reason)))).toMatchObject(told)
  const controller = new AbortController()
  const failure = failureOf(call(store, controller.signal))
  controller.abort(reason)
  expect(await failure).toMatchObject(told)
  expect(store.hasSync('new')).toBe(false)
  expect(store.stats()).toMatchObject({ snapshots: { open: 0 }, transactions: { open: 0 } })
  expect((await store.verify()).damage).toEqual([])
})

test('open, while it waits for the lock', async () => {
  const fileSystem = new FaultFileSystem()
  await filled(fileSystem)
  const reason = new Error('enough')
  const controller = new AbortController()
  const { signal } = controller
  const failure = failureOf(openSmallStore({ waitForLock: { signal } }, fileSystem))
  controller.abort(reason)
  expect(await failure).toMatchObject({ code: 'WISC_ABORTED', cause: reason })
})
