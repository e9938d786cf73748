/** How iterators and snapshots end that nobody closes: by a signal, by a failure in a loop, as garbage. */
import { getEventListeners } from 'node:events'
import v8 from 'node:v8'
import vm from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import type { Store } from '#dist/lib/store/store.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

async function filledStore(fileSystem: FaultFileSystem, count: number = 600): Promise<Store> {
  const store = await openSmallStore({}, fileSystem)
  // Separated, so that reading a batch reads files.
  for (let i = 0; i < count; i++) await store.put(keyOf(i), Buffer.alloc(200, i))
  await store.flush()
  return store
}

function keyOf(i: number): string {
  return `key ${String(i).padStart(4, '0')}`
}

/** Reads of the log fail while the returned function says so. */
function failReads(fileSystem: FaultFileSystem): { on: boolean } {
  const fault = { on: true }
  fileSystem.faults = ({ kind, path }) =>
    fault.on && kind === 'read' && path.endsWith('.vlog') ? { errno: 'EIO' } : undefined
  return fault
}

function readers(store: Store): { iterators: number; snapshots: number } {
  const { iterators, snapshots } = store.stats()
  return { iterators: iterators.open, snapshots: snapshots.open }
}

const NONE = { iterators: 0, snapshots: 0 }

describe('a loop', () => {
  test('whose read fails closes its iterator', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await filledStore(fileSystem)
    failReads(fileSystem)
    const loop = async (): Promise<void> => {
      for await (const _ of store.entries()) expect(store.stats().iterators.open).toBe(1)
    }
    expect(await codeOf(loop)).toBe('WISC_IO')
    expect(readers(store)).toEqual(NONE)
  })

  test('whose signal fires closes its iterator, and the error is called as the platform calls it', async () => {
    const store = await filledStore(new FaultFileSystem())
    const controller = new AbortController()
    const seen: string[] = []
    const error = await (async () => {
      for await (const key of store.keys({ signal: controller.signal })) {
        seen.push(key.toString())
        if (seen.length === 3) controller.abort(new Error('enough'))
      }
    })().catch((thrown: unknown) => thrown)
    expect(seen).toHaveLength(3)
    expect(error).toBeInstanceOf(WiscError)
    expect(error).toMatchObject({
      name: 'AbortError',
      code: 'WISC_ABORTED',
      cause: controller.signal.reason,
    })
    expect(readers(store)).toEqual(NONE)
  })
})

describe('a limit', () => {
  test('that is used up ends what its iterator pins: who takes the first of a queue closes nothing', async () => {
    const store = await filledStore(new FaultFileSystem())
    for (let i = 0; i < 50; i++) {
      expect(String((await store.keys({ limit: 1 }).next()).value)).toBe(keyOf(i))
      await store.delete(keyOf(i))
    }
    expect(await store.values({ limit: 3, reverse: true }).nextMany(3)).toHaveLength(3)
    expect(readers(store)).toEqual(NONE)
    const iterator = store.entries({ limit: 2 })
    await iterator.next()
    iterator.seek(keyOf(300))
    expect(readers(store).iterators).toBe(1)
    expect(String((await iterator.next()).value?.[0])).toBe(keyOf(300))
    expect(readers(store)).toEqual(NONE)
    iterator.seek(keyOf(100))
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })
})

describe('a signal', () => {
  test('closes iterators at once, also those that nobody reads; it has no listener afterwards', async () => {
    const store = await filledStore(new FaultFileSystem())
    const controller = new AbortController()
    const { signal } = controller
    const iterators = Array.from({ length: 20 }, () => store.entries({ signal }))
    await iterators[0]!.next()
    expect(store.stats().iterators.open).toBe(20)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    controller.abort()
    expect(readers(store)).toEqual(NONE)
    for (const iterator of iterators) {
      expect(await codeOf(() => iterator.next())).toBe('WISC_ABORTED')
      expect(await codeOf(() => iterator.nextMany(3))).toBe('WISC_ABORTED')
      await iterator.close()
    }
    expect(readers(store)).toEqual(NONE)
  })

  test('that lives long keeps no listener of what has ended', async () => {
    const store = await filledStore(new FaultFileSystem())
    const { signal } = new AbortController()
    for (let i = 0; i < 3; i++) {
      for await (const _ of store.entries({ signal, limit: 2 }));
      for await (const _ of store.keys({ signal })) break
      const iterator = store.values({ signal })
      await iterator.next()
      await iterator.close()
      await store.put(keyOf(i), 'new')
      await store.compact({}, { signal })
      await store.planCollection({ signal })
      await store.collect({ signal })
      await store.verify({ signal })
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('a batch that could not be read', () => {
  test('does not count for the limit', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await filledStore(fileSystem)
    const fault = failReads(fileSystem)
    const iterator = store.entries({ limit: 40 })
    expect(await codeOf(() => iterator.next())).toBe('WISC_IO')
    // Going on would leave its entries out.
    expect(await codeOf(() => iterator.next())).toBe('WISC_IO')
    fault.on = false
    iterator.seek(keyOf(100))
    const found = await iterator.nextMany(1000)
    expect(found.map(([key]) => key.toString())).toEqual(
      Array.from({ length: 40 }, (_, i) => keyOf(100 + i)),
    )
    expect(readers(store)).toEqual(NONE)
  })

  test('takes nothing away that nextMany has read before it', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await filledStore(fileSystem)
    const iterator = store.entries()
    const first = await iterator.next()
    expect(String(first.value?.[0])).toBe(keyOf(0))
    failReads(fileSystem)
    const rest = await iterator.nextMany(1000)
    expect(rest.length).toBeGreaterThan(0)
    expect(rest.map(([key]) => key.toString())).toEqual(rest.map((_, i) => keyOf(1 + i)))
    expect(await codeOf(() => iterator.nextMany(1000))).toBe('WISC_IO')
    await iterator.close()
    expect(readers(store)).toEqual(NONE)
  })
})

describe('garbage', () => {
  v8.setFlagsFromString('--expose-gc')
  const collectGarbage = vm.runInNewContext('gc') as () => void

  /** Collects garbage until `isDone`: how often that takes is the engine's secret. */
  async function collectUntil(isDone: () => boolean): Promise<void> {
    for (let i = 0; i < 200 && !isDone(); i++) {
      collectGarbage()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  test('iterators and snapshots that nobody closed are closed when they are garbage, with a warning', async () => {
    const store = await filledStore(new FaultFileSystem())
    const { signal } = new AbortController()
    const warnings: string[] = []
    store.on('warning', (message: string) => warnings.push(message))
    const kept = [store.entries(), store.snapshot()] as const
    onTestFinished(async () => {
      kept[1].close()
      await kept[0].close()
    })
    await forget(store, signal)
    expect(readers(store)).toEqual({ iterators: 4, snapshots: 3 })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await collectUntil(() => warnings.length === 5)
    expect(readers(store)).toEqual({ iterators: 1, snapshots: 1 })
    expect(warnings.filter((message) => message.startsWith('an iterator'))).toHaveLength(3)
    expect(warnings.filter((message) => message.startsWith('a snapshot'))).toHaveLength(2)
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    // Those that somebody has are not touched.
    expect(String((await kept[0].next()).value?.[0])).toBe(keyOf(0))
    expect(await store.get(keyOf(1), { snapshot: kept[1] })).toHaveLength(200)
  })

  async function forget(store: Store, signal: AbortSignal): Promise<void> {
    store.snapshot()
    store.entries()
    store.keys({ signal })
    await store.values({ snapshot: store.snapshot() }).next()
  }
})
