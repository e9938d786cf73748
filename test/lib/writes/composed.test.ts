/** Batches that are composed inside of a group: what they read, what they share a write with, what they fail with. */
import { expect, onTestFinished, test, vi } from 'vitest'
import type { SyncTransaction } from '#dist/lib/contract/transactions.js'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const seed = testSeed()

/** No turn of the event loop grows old: what waits at the same time is one group, also on a busy machine. */
function stopClock(): void {
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
  onTestFinished(() => clock.mockRestore())
}

/** Writes of the log, from now on. */
function countWrites(fileSystem: FaultFileSystem): { count: number } {
  const calls = { count: 0 }
  fileSystem.onCall = ({ kind, path }) => {
    if (kind === 'write' && path.endsWith('.vlog')) calls.count++
  }
  return calls
}

const plusOne = (value: Buffer | undefined): string => String(Number(value ?? 0) + 1)

test('updates and transactions of one moment share a write, in the order of their calls', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  stopClock()
  const writes = countWrites(fileSystem)
  const seen: string[] = []
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < 20; i++) {
    calls.push(store.update('n', plusOne))
    calls.push(store.transactionSync((tx) => seen.push(String(tx.get('n')))))
    calls.push(store.put('n', String(100 * i + 100)))
    calls.push(codeOf(() => store.put('n', 'late', { if: { value: 'never' } })))
  }
  await Promise.all(calls)
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => String(100 * i + 1)))
  // Refused conditions end a group.
  expect(writes.count).toBeLessThan(25)
  writes.count = 0
  await Promise.all(Array.from({ length: 64 }, () => store.update('m', plusOne)))
  expect(String(store.getSync('m'))).toBe('64')
  // The budget of space may end one, too.
  expect(writes.count).toBeLessThan(5)
})

/** What a transaction does to a map, in the same way. */
interface Mapped {
  get(key: string): string | undefined
  put(key: string, value: string): void
  delete(key: string): void
  keys(from: string, to: string, reverse: boolean, limit: number): string[]
}

function ofMap(map: Map<string, string>): Mapped {
  return {
    get: (key) => map.get(key),
    put: (key, value) => void map.set(key, value),
    delete: (key) => void map.delete(key),
    keys: (from, to, reverse, limit) => {
      const keys = [...map.keys()].filter((key) => key >= from && key < to).sort()
      return (reverse ? keys.reverse() : keys).slice(0, limit)
    },
  }
}

function ofTransaction(tx: SyncTransaction): Mapped {
  return {
    get: (key) => {
      const value = tx.get(key)
      expect(tx.has(key)).toBe(value !== undefined)
      return value && String(value)
    },
    put: (key, value) => tx.put(key, value),
    delete: (key) => tx.delete(key),
    keys: (gte, lt, reverse, limit) => {
      const entries = [...tx.entries({ gte, lt, reverse, limit })]
      for (const [key, value] of entries) expect(tx.get(key)).toEqual(value)
      return entries.map(([key]) => String(key))
    },
  }
}

const keyOf = (prng: Prng): string => `k${prng.below(30).toString().padStart(2, '0')}`

/** The same steps for both: all that it sees, and writes. */
function runOn(target: Mapped, steps: Prng): string[] {
  const seen: string[] = []
  for (let left = steps.below(6); left >= 0; left--) {
    const key = keyOf(steps)
    const what = steps.below(5)
    if (what === 0) seen.push(`${key}=${target.get(key)}`)
    else if (what === 1) target.put(key, `${key} ${steps.below(1000)}`.repeat(1 + steps.below(20)))
    else if (what === 2) target.delete(key)
    else seen.push(target.keys(key, `${keyOf(steps)}x`, what === 3, 1 + steps.below(12)).join())
  }
  return seen
}

test(`each sees what the batches before it write, in ranges too; ${replayHint(seed)}`, async () => {
  const prng = new Prng(seed)
  const store = await openSmallStore({ memtableBytes: 65536 })
  const map = new Map<string, string>()
  for (let round = 0; round < 40; round++) {
    const calls: Promise<void>[] = []
    for (let i = prng.below(20); i >= 0; i--) {
      const fork = prng.u32()
      const expected = runOn(ofMap(map), new Prng(fork))
      const running = store.transactionSync((tx) => runOn(ofTransaction(tx), new Prng(fork)))
      calls.push(running.then((seen) => expect(seen).toEqual(expected)))
      const key = keyOf(prng)
      const kind = prng.below(4)
      if (kind === 0) {
        map.delete(key)
        calls.push(store.delete(key))
      } else if (kind === 1) {
        const before = map.get(key)
        map.set(key, `${before} and`.slice(-500))
        calls.push(store.update(key, (value) => `${value} and`.slice(-500)))
      }
    }
    await Promise.all(calls)
    if (prng.chance(0.2)) await store.flush()
  }
  const held = await store.entries().nextMany(100)
  const expected = [...map].sort(([left], [right]) => (left < right ? -1 : 1))
  expect(held.map((entry) => entry.map(String))).toEqual(expected)
})

/** The next writes of the log fail. */
function failWrites(fileSystem: FaultFileSystem, errno: string, count: number): void {
  let left = count
  fileSystem.faults = ({ kind, path }) => {
    if (kind !== 'write' || !path.endsWith('.vlog') || left === 0) return undefined
    left--
    return { errno }
  }
}

test('I2: whoever has read what could not be written fails with it; nobody is called twice', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  stopClock()
  await store.put('n', '5')
  let calls = 0
  const count = (value: Buffer | undefined): string => {
    calls++
    return plusOne(value)
  }
  failWrites(fileSystem, 'EIO', 1)
  const failing = Promise.allSettled([
    store.put('n', '10'),
    store.update('n', count),
    store.transactionSync((tx) => tx.get('n')),
    store.transactionSync((tx) => {
      throw new Error(`read ${tx.get('n')}`)
    }),
  ])
  for (const settled of await failing)
    expect(settled).toMatchObject({ status: 'rejected', reason: { code: 'WISC_IO' } })
  expect(calls).toBe(1)
  expect(String(store.getSync('n'))).toBe('5')
  await store.update('n', count)
  expect(String(store.getSync('n'))).toBe('6')
})

test('a disk that is found to be full refuses a delete, too, that has read a refused put', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({}, fileSystem)
  stopClock()
  await store.put('done', '0')
  await store.put('other', '0')
  failWrites(fileSystem, 'ENOSPC', 1)
  const put = codeOf(() => store.put('moved', '1'))
  const moving = codeOf(() =>
    store.transactionSync((tx) => {
      if (tx.has('moved')) tx.delete('done')
    }),
  )
  const plain = store.delete('other')
  expect(await put).toBe('WISC_DISK_FULL')
  expect(await moving).toBe('WISC_DISK_FULL')
  await plain
  expect(store.hasSync('done')).toBe(true)
  expect(store.hasSync('other')).toBe(false)
})

test('a value that was changed while it waited is refused with whoever has read it', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore({ segmentBytes: 8 * 1024 * 1024 }, fileSystem)
  stopClock()
  // Too large for one call: the queue waits for the thread pool.
  const first = store.put('first', Buffer.alloc(3 * 1024 * 1024, 1))
  const value = Buffer.alloc(100_000, 7)
  const refused = codeOf(() => store.put('large', value))
  const before = store.transactionSync((tx) => tx.put('before', String(tx.has('large'))))
  const reader = codeOf(() => store.transactionSync((tx) => tx.put('copy', tx.get('large')!)))
  value[5] = 8
  expect(await refused).toBe('WISC_INVALID_ARGUMENT')
  expect(await reader).toBe('WISC_INVALID_ARGUMENT')
  expect(await codeOf(() => before)).toBe('WISC_INVALID_ARGUMENT')
  await first
  expect(store.hasSync('copy')).toBe(false)
  expect(store.hasSync('before')).toBe(false)
})

test('a large value that an update returns may not change while it waits either', async () => {
  const store = await openSmallStore({ segmentBytes: 8 * 1024 * 1024 })
  const value = Buffer.alloc(100_000, 7)
  await store.update('key', () => value)
  await store.update('key', (held) => {
    expect(held?.equals(value)).toBe(true)
    return undefined
  })
  expect(store.hasSync('key')).toBe(false)
})

test('workers that ask for the same range take job after job, from both ends, and see what is left', async () => {
  stopClock()
  const store = await openSmallStore()
  for (let i = 0; i < 300; i++) await store.put(`job/${String(i).padStart(3, '0')}`, 'task')
  const take = (reverse: boolean): Promise<string[]> =>
    store.transactionSync((tx) => {
      const keys = [...tx.keys({ prefix: 'job/', limit: 2, reverse })].map(String)
      tx.delete(keys[0]!)
      return keys
    })
  for (let round = 0; round < 3; round++) {
    const first = 40 * round
    const ends = Array.from({ length: 80 }, (_, i) => take(i % 2 === 1))
    const left = store.transactionSync((tx) => [...tx.keys({ prefix: 'job/' })].length)
    for (const [i, keys] of (await Promise.all(ends)).entries()) {
      const at = first + (i >> 1)
      const wanted = i % 2 === 0 ? [at, at + 1] : [299 - at, 298 - at]
      expect(keys.map((key) => Number(key.slice(4)))).toEqual(wanted)
    }
    expect(await left).toBe(300 - 80 * (round + 1))
  }
})

test('nothing is read in the group of a stream before that can be read', async () => {
  const store = await openSmallStore()
  const large = Buffer.alloc(2 * 1024 * 1024, 5)
  const upload = store.putStream('key', new Blob([large]).stream())
  const seen: number[] = []
  const read = async (): Promise<void> => {
    while (!store.hasSync('key')) {
      await store.transactionSync((tx) => seen.push(tx.get('key')?.length ?? 0))
      await store.update('key', (value) => {
        seen.push(value?.length ?? 0)
        return value
      })
    }
  }
  await Promise.all([upload, read()])
  expect(new Set(seen)).toEqual(new Set([0, ...seen.filter((bytes) => bytes === large.length)]))
  expect((await store.get('key'))?.equals(large)).toBe(true)
})
