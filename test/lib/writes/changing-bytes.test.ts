/**
 * What callers do with their bytes while a write is under way: reuse, change, shrink, grow and give away arrays.
 * What is stored is what was passed, or the write is refused, alone; frame and memtable never differ.
 */
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { checksum } from '#dist/lib/base/checksum.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Operation } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { ARENA_VALUE_BYTES_MAX } from '#dist/lib/tree/entry.js'
import { TAKEN_VALUE_BYTES_MAX } from '#dist/lib/writes/write.js'
import { STAGED_VALUE_BYTES_MAX } from '#dist/vlog/log/group.js'
import type { DiskImage } from '../../support/files/disk-model.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { bytesOf } from '../../support/parts/log-segments.ts'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const MIB = 1024 * 1024
/** Larger than a group: goes through the thread pool, which takes some turns. */
const POOL_BYTES = 2 * MIB
const REFUSED = 'WISC_INVALID_ARGUMENT'
/** Values stay in the tree, so that the memtable takes part. */
const INLINE: Options = { valueThreshold: Number.POSITIVE_INFINITY, memtableBytes: MIB }
const SIZES = [0, 1, 100, STAGED_VALUE_BYTES_MAX, STAGED_VALUE_BYTES_MAX + 1, TAKEN_VALUE_BYTES_MAX]

/** What the store, and another one after a crash, must hold. */
async function expectContents(
  fileSystem: FaultFileSystem,
  store: Store,
  expected: ReadonlyMap<string, Uint8Array | undefined>,
  options: Options,
): Promise<void> {
  const compare = async (which: Store): Promise<void> => {
    for (const [key, value] of expected) {
      const found = which.getSync(key)
      expect(found?.length, key).toBe(value?.length)
      expect(found === undefined || Buffer.compare(found, value!) === 0, key).toBe(true)
    }
    const live = [...expected].filter(([, value]) => value !== undefined).map(([key]) => key)
    const keys = await which.keys().nextMany(1000)
    expect(keys.map(String)).toEqual(live.sort())
    expect((await which.verify()).damage).toEqual([])
  }
  await compare(store)
  expect(fileSystem.violations).toEqual([])
  const again = await openSmallStore(options, fileSystem.kill())
  await compare(again)
  await again.flush()
  await compare(again)
}

/** A buffer that can change its size; the types of this target do not know it. */
function resizable(bytes: number, most: number): ArrayBuffer & { resize(length: number): void } {
  const options = { maxByteLength: most }
  return Reflect.construct(ArrayBuffer, [bytes, options]) as ReturnType<typeof resizable>
}

describe('an array may be used again as soon as the call has returned', () => {
  test.each([
    ['written at once', INLINE, false],
    ['through the thread pool, separated', { valueThreshold: 0 }, true],
    ['through the thread pool, in the tree', INLINE, true],
  ] as const)('%s', async (_name, options, pool) => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore(options, fileSystem)
    const expected = new Map<string, Uint8Array | undefined>([['gone', undefined]])
    await store.put('gone', 'x')
    const key = Buffer.alloc(8)
    const value = Buffer.alloc(TAKEN_VALUE_BYTES_MAX)
    const writes: Promise<void>[] = []
    for (const [i, size] of SIZES.entries()) {
      const array = value.subarray(0, size)
      array.set(bytesOf(size, i))
      key.write(`put ${i}   `)
      writes.push(store.put(key, array))
      expected.set(`put ${i}   `, array.slice())
      key.write(`batch ${i} `)
      const operations: Operation[] = [
        { type: 'put', key, value: array },
        { type: 'delete', key: Buffer.from('none') },
      ]
      writes.push(store.write(operations))
      expected.set(`batch ${i} `, Uint8Array.from(array))
      expected.set(`put ${i}   `, Uint8Array.from(array))
      operations.length = 0
      value.fill(0xee)
      key.fill(0xee)
    }
    const name = Buffer.from('gone')
    writes.push(store.delete(name))
    name.fill(0xee)
    if (pool) {
      // One group with all before it: while the pool writes it, everything changes once more.
      expected.set('large', bytesOf(POOL_BYTES))
      writes.push(store.put('large', bytesOf(POOL_BYTES)))
      value.fill(0xdd)
    }
    await Promise.all(writes)
    await expectContents(fileSystem, store, expected, options)
  })

  test('also while the queue waits, and of shared memory that another thread writes', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const shared = new Uint8Array(new SharedArrayBuffer(200_000))
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads')
      for (let i = 0; ; i++) workerData.fill(i)`,
      { eval: true, workerData: shared },
    )
    try {
      await new Promise((resolve) => worker.once('online', resolve))
      const writes: Promise<void>[] = []
      for (let i = 0; i < 24; i++) {
        writes.push(store.put(`small ${i}`, shared.subarray(0, 3000)))
        writes.push(store.put(`large ${i}`, shared))
        writes.push(store.put(shared.subarray(i * 8, i * 8 + 8), `key ${i}`))
      }
      await Promise.all(writes)
    } finally {
      await worker.terminate()
    }
    const held = async (which: Store): Promise<string[]> => {
      const found: string[] = []
      for await (const entry of which.entries()) {
        found.push(entry.map((bytes) => checksum(bytes)).join())
      }
      expect((await which.verify()).damage).toEqual([])
      return found
    }
    const before = await held(store)
    expect(before.length).toBeGreaterThan(48)
    expect(await held(await openSmallStore({}, fileSystem.kill()))).toEqual(before)
  })
})

describe('a larger value', () => {
  test.each([
    ['in the tree', INLINE, TAKEN_VALUE_BYTES_MAX + 1],
    ['in the tree, the largest', INLINE, ARENA_VALUE_BYTES_MAX],
    ['deferred', INLINE, ARENA_VALUE_BYTES_MAX + 1],
    ['separated', {}, TAKEN_VALUE_BYTES_MAX + 1],
  ] as const)(
    'that is written at once may change when the call has returned: %s',
    async (_name, options, size) => {
      const fileSystem = new FaultFileSystem()
      // Beside a collector so large a value would wait for its first look.
      const open = { ...options, collector: { enabled: false } }
      const store = await openSmallStore(open, fileSystem)
      const given = bytesOf(size)
      const value = given.slice()
      const writing = store.put('a', value)
      value.fill(0)
      await writing
      await expectContents(fileSystem, store, new Map([['a', given]]), options)
    },
  )

  const changes: [string, (bytes: Uint8Array, buffer: ReturnType<typeof resizable>) => void][] = [
    ['changes in its last byte', (bytes) => bytes.fill(0, bytes.length - 1)],
    ['changes in its first byte', (bytes) => bytes.fill(0, 0, 1)],
    ['shrinks', (bytes, buffer) => buffer.resize(bytes.length - 1)],
    ['shrinks to nothing', (_bytes, buffer) => buffer.resize(0)],
    ['is transferred', (_bytes, buffer) => structuredClone(buffer, { transfer: [buffer] })],
  ]
  test.each(changes)('that %s while it waits is refused, alone', async (_name, change) => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const writes = [store.put('first', bytesOf(POOL_BYTES))]
    const buffer = resizable(100_000, 200_000)
    const value = new Uint8Array(buffer, 0, 100_000)
    value.set(bytesOf(100_000, 7).map((byte) => byte | 1))
    writes.push(store.put('before', '1'))
    const refused = store.write([
      { type: 'put', key: 'lost 1', value: 'small' },
      { type: 'put', key: 'lost 2', value },
    ])
    const other = bytesOf(90_000, 3)
    writes.push(store.put('behind', other), store.delete('none'))
    change(value, buffer)
    expect(await codeOf(() => refused)).toBe(REFUSED)
    await Promise.all(writes)
    const expected = new Map([
      ['first', bytesOf(POOL_BYTES)],
      ['before', Buffer.from('1')],
      ['behind', other],
    ])
    await expectContents(fileSystem, store, expected, {})
  })

  test('I2: that changes while the pool writes it is there in no state after a crash; its neighbours are', async () => {
    const fileSystem = new FaultFileSystem()
    const options = { segmentBytes: 8 * MIB }
    const store = await openSmallStore(options, fileSystem)
    await store.put('a', '1')
    const images: DiskImage[] = []
    fileSystem.onCall = ({ path }) => {
      if (path.endsWith('.vlog')) images.push(fileSystem.visibleImage())
    }
    const value = bytesOf(3 * MIB + 5)
    const sound = bytesOf(70_000, 2)
    // The large batch is a group of its own.
    const before = store.put('before', 'x')
    const refused = store.write([
      { type: 'put', key: 'half', value: 'x' },
      { type: 'put', key: 'sound', value: sound },
      { type: 'put', key: 'whole', value },
    ])
    const behind = store.put('behind', 'y')
    value[value.length - 1]! ^= 1
    const code = codeOf(() => refused).then((result) => {
      images.push(fileSystem.visibleImage())
      return result
    })
    expect(await code).toBe(REFUSED)
    await Promise.all([before, behind])
    fileSystem.onCall = undefined
    const expected = new Map([
      ['a', Buffer.from('1')],
      ['before', Buffer.from('x')],
      ['behind', Buffer.from('y')],
    ])
    expect(images.length).toBeGreaterThan(3)
    for (const image of images) {
      const again = await openSmallStore(options, new FaultFileSystem({}, image))
      expect(String(again.getSync('a'))).toBe('1')
      for (const key of ['half', 'sound', 'whole']) expect(again.getSync(key)).toBeUndefined()
      await again.close()
    }
    await expectContents(fileSystem, store, expected, options)
  })

  test('that changes and changes back while the pool writes it is stored as it was', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const given = bytesOf(3 * MIB)
    const value = given.slice()
    const writing = store.put('a', value)
    value.fill(0, 0, 2 * MIB)
    await new Promise((resolve) => setImmediate(resolve))
    value.set(given)
    await writing
    await expectContents(fileSystem, store, new Map([['a', given]]), {})
  })
})

describe('an array without memory', () => {
  test('is refused as a key and as a value; an empty one is an empty one', async () => {
    const store = await openSmallStore()
    const detached = new Uint8Array(10)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const buffer = resizable(10, 20)
    const outside = new Uint8Array(buffer, 5, 5)
    buffer.resize(4)
    for (const bytes of [detached, outside]) {
      expect(await codeOf(() => store.put('a', bytes))).toBe(REFUSED)
      expect(await codeOf(() => store.put(bytes, 'a'))).toBe(REFUSED)
      expect(await codeOf(() => store.delete(bytes))).toBe(REFUSED)
      expect(await codeOf(() => store.write([{ type: 'put', key: 'a', value: bytes }]))).toBe(
        REFUSED,
      )
    }
    await store.put(new Uint8Array(0), Buffer.alloc(0))
    expect(store.getSync('')).toHaveLength(0)
    expect((await store.keys().nextMany(9)).map(String)).toEqual([''])
  })
})

describe('sizes that change', () => {
  test('an array that grows with its buffer has the bytes that it had when it was passed', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore(INLINE, fileSystem)
    const expected = new Map<string, Uint8Array>()
    const writes: Promise<void>[] = []
    for (const size of [10, 9000, TAKEN_VALUE_BYTES_MAX + 1, ARENA_VALUE_BYTES_MAX + 1]) {
      const buffer = resizable(size, 4 * size)
      // It follows the length of its buffer.
      const value = new Uint8Array(buffer)
      value.set(bytesOf(size, 5))
      const given = value.slice()
      writes.push(
        store.write([
          { type: 'put', key: `${size} first`, value: 'x' },
          { type: 'put', key: `${size} second`, value },
        ]),
      )
      expected.set(`${size} first`, Buffer.from('x')).set(`${size} second`, given)
      buffer.resize(4 * size)
    }
    await Promise.all(writes)
    await expectContents(fileSystem, store, expected, INLINE)
  })

  test('shared memory that grows, too', async () => {
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore({}, fileSystem)
    const expected = new Map<string, Uint8Array>()
    const writes: Promise<void>[] = []
    for (const size of [10, 9000, 100_000]) {
      const buffer = Reflect.construct(SharedArrayBuffer, [size, { maxByteLength: 4 * size }])
      const value = new Uint8Array(buffer)
      value.set(bytesOf(size, 5))
      writes.push(store.put(`${size}`, value), store.put(value.subarray(0, 9), 'x'))
      expected.set(`${size}`, bytesOf(size, 5))
      expected.set(Buffer.from(bytesOf(9, 5)).toString('latin1'), Buffer.from('x'))
      ;(buffer as unknown as { grow(length: number): void }).grow(4 * size)
      value.fill(0)
    }
    await Promise.all(writes)
    const found = new Map<string, Uint8Array>()
    for await (const [key, value] of store.entries()) found.set(key.toString('latin1'), value)
    expect([...found.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [key, value] of expected) {
      expect(Buffer.compare(found.get(key)!, value), key).toBe(0)
    }
    expect((await store.verify()).damage).toEqual([])
  })

  test('a subclass that lies about its length harms nobody', async () => {
    class Liar extends Uint8Array {
      override get length(): number {
        return 3
      }
    }
    const fileSystem = new FaultFileSystem()
    const store = await openSmallStore(INLINE, fileSystem)
    const value = new Liar(50)
    await Promise.all([store.put('a', 'x'), store.put('b', value), store.put('c', 'y')])
    const expected = [
      ['a', Buffer.from('x')],
      ['b', new Uint8Array(50)],
      ['c', Buffer.from('y')],
    ] as const
    await expectContents(fileSystem, store, new Map(expected), INLINE)
  })
})

test('operations are read once, and may write themselves while they are read', async () => {
  const fileSystem = new FaultFileSystem()
  const store = await openSmallStore(INLINE, fileSystem)
  const key = Buffer.from('key 1')
  const inner: Promise<void>[] = []
  let reads = 0
  const operation = {
    type: 'put' as const,
    key: 'key 2',
    get value() {
      reads++
      key.write('key 3')
      inner.push(store.put('inner', Buffer.alloc(100_000, 1)))
      return 'second'
    },
  }
  const writing = store.write([{ type: 'put', key, value: 'first' }, operation])
  key.fill(0)
  await Promise.all([writing, ...inner])
  expect(reads).toBe(1)
  const expected = new Map([
    ['key 3', Buffer.from('first')],
    ['key 2', Buffer.from('second')],
    ['inner', Buffer.alloc(100_000, 1)],
  ])
  await expectContents(fileSystem, store, expected, INLINE)
})

test('keys of getMany may be used again as soon as it has been called', async () => {
  const store = await openSmallStore()
  const keys = Array.from({ length: 600 }, (_, i) =>
    Buffer.from(`key ${String(i).padStart(3, '0')}`),
  )
  await store.write(keys.map((key) => ({ type: 'put', key, value: key })))
  const expected = keys.map(String)
  const reading = store.getMany(keys)
  for (const key of keys) key.fill(0)
  expect((await reading).map(String)).toEqual(expected)
})

test('other things with bytes are refused', async () => {
  const store = await openSmallStore()
  const buffer = new ArrayBuffer(8)
  const others: unknown[] = [new DataView(buffer), buffer, new Uint16Array(buffer), [1, 2]]
  others.push(new Proxy(new Uint8Array(3), {}), Object.create(Uint8Array.prototype))
  for (const value of others) {
    expect(await codeOf(() => store.put('a', value as Uint8Array))).toBe(REFUSED)
    expect(await codeOf(() => store.put(value as Uint8Array, 'a'))).toBe(REFUSED)
  }
})
