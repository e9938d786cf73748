/** Bad input: each a WiscError with its code, nothing written before, nothing lost after. */
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Options, open, type Store, WiscError } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import { SMALL_OPTIONS } from '../support/store/fault-store.ts'
import { contents } from '../support/store/store-contents.ts'

const INVALID = 'WISC_INVALID_ARGUMENT'
const BAD_BYTES: readonly unknown[] = [
  undefined,
  null,
  5,
  true,
  {},
  [],
  new ArrayBuffer(3),
  Symbol('s'),
  () => 1,
]

async function expectCode(code: string, action: () => unknown, label?: string): Promise<void> {
  try {
    await action()
  } catch (error) {
    expect(error, label ?? String(action)).toBeInstanceOf(WiscError)
    expect((error as WiscError).code, label ?? String(action)).toBe(code)
    expect((error as WiscError).message).not.toBe('')
    return
  }
  expect.unreachable(label ?? String(action))
}

describe('calls', () => {
  let store: Store
  let written: number

  beforeEach(async () => {
    store = await open(temporaryDirectory(), { ...SMALL_OPTIONS })
    await store.put('kept', 'value')
    written = store.stats().lastSequence
    return async () => {
      expect(store.stats().lastSequence).toBe(written)
      expect(store.stats().iterators.open).toBe(0)
      expect(String(await store.get('kept'))).toBe('value')
      await store.close()
    }
  })

  test('with wrong types are refused', async () => {
    for (const bad of BAD_BYTES as readonly never[]) {
      await expectCode(INVALID, () => store.put(bad, 'x'))
      await expectCode(INVALID, () => store.put('x', bad))
      await expectCode(INVALID, () => store.delete(bad))
      await expectCode(INVALID, () => store.get(bad))
      await expectCode(INVALID, () => store.getSync(bad))
      await expectCode(INVALID, () => store.getMany([bad]))
      await expectCode(INVALID, () => store.has(bad))
      await expectCode(INVALID, () => store.hasSync(bad))
      await expectCode(INVALID, () => store.write([{ type: 'put', key: bad, value: 'x' }]))
      await expectCode(INVALID, () => store.write([{ type: 'put', key: 'x', value: bad }]))
      await expectCode(INVALID, () => store.write([{ type: 'delete', key: bad }]))
      await expectCode(INVALID, () => store.entries().seek(bad))
    }
    // Each of them left an iterator open.
    expect(store.stats().iterators.open).toBe(BAD_BYTES.length)
    await store.close()
    store = await open(temporaryDirectory(), { ...SMALL_OPTIONS })
    await store.put('kept', 'value')
  })

  test('with bad batches are refused whole', async () => {
    const good = { type: 'put', key: 'good', value: 'x' }
    const bad: readonly unknown[] = [
      undefined,
      null,
      5,
      'x',
      [],
      {},
      { type: 'merge', key: 'k' },
      { key: 'k', value: 'v' },
      { type: 'put', key: 'k', value: 'v', lifetime: 5 },
      { type: 'put', key: 'k', value: 'v', ttl: -5 },
      { type: 'delete', key: 'k', ttl: 5 },
      { type: 'delete', key: 'k', value: 'v' },
    ]
    for (const operation of bad)
      await expectCode(INVALID, () => store.write([good, operation, good] as never))
    for (const operations of [undefined, null, 'x', {}, new Set([good])]) {
      await expectCode(INVALID, () => store.write(operations as never))
      await expectCode(INVALID, () => store.getMany(operations as never))
    }
    const noKey = [good, { type: 'put', value: 'v' }]
    await expect(store.write(noKey as never)).rejects.toThrow('operations[1].key must be')
    await expect(store.getMany(['k', 5] as never)).rejects.toThrow('keys[1] must be')
    const holes: unknown[] = [good]
    holes[2] = good
    await expectCode(INVALID, () => store.write(holes as never))
    await expectCode(INVALID, () => store.getMany(Object.assign([], { 1: 'kept' })))
    expect(await store.get('good')).toBeUndefined()
  })

  test('with too long keys are refused', async () => {
    const key = Buffer.alloc(65537)
    await expectCode(INVALID, () => store.put(key, 'x'))
    await expectCode(INVALID, () => store.delete(key))
    await expectCode(INVALID, () => store.get(key))
    await expectCode(INVALID, () => store.write([{ type: 'delete', key }]))
    await expectCode(INVALID, () => store.entries({ gt: key }))
    await expectCode(INVALID, () => store.keys({ prefix: key }))
    await expectCode(INVALID, () => store.put('k'.repeat(65537), 'x'))
  })

  test('with unknown or wrong options are refused', async () => {
    for (const options of [null, 5, 'x', [], { sync: 'yes' }, { fsync: true }] as never[]) {
      await expectCode(INVALID, () => store.put('k', 'v', options))
      await expectCode(INVALID, () => store.delete('k', options))
      await expectCode(INVALID, () => store.write([], options))
    }
    for (const options of [
      null,
      5,
      'x',
      [],
      { snapshot: {} },
      { snapshot: 5 },
      { fillCache: true },
    ] as never[]) {
      await expectCode(INVALID, () => store.get('k', options))
      await expectCode(INVALID, () => store.getSync('k', options))
      await expectCode(INVALID, () => store.getMany(['k'], options))
      await expectCode(INVALID, () => store.has('k', options))
      await expectCode(INVALID, () => store.entries(options))
      await expectCode(INVALID, () => store.keys(options))
      await expectCode(INVALID, () => store.values(options))
    }
    for (const options of [
      null,
      5,
      { deep: 1 },
      { depth: 1 },
      { signal: 'x' },
      { onProgress: 5 },
    ] as never[]) {
      await expectCode(INVALID, () => store.verify(options))
    }
    for (const options of [null, 5, { signal: 5 }, { force: true }] as never[]) {
      await expectCode(INVALID, () => store.compact({}, options))
    }
    await expectCode('WISC_ABORTED', () => store.compact({}, { signal: AbortSignal.abort() }))
  })

  test('with contradictory ranges are refused, with empty ones find nothing', async () => {
    for (const range of [
      { gt: 'a', gte: 'a' },
      { lt: 'b', lte: 'b' },
      { gte: null },
      { limit: -1 },
    ] as never[]) {
      await expectCode(INVALID, () => store.entries(range))
    }
    await expectCode(INVALID, () => store.compact({ gt: 'a', gte: 'a' }))
    const empty = store.keys({ gt: 'z', lt: 'a' })
    expect(await empty.nextMany(5)).toEqual([])
    await store.compact({ gt: 'z', lt: 'a' })
  })

  test('with a snapshot of another store are refused', async () => {
    const other = await open(temporaryDirectory(), SMALL_OPTIONS)
    await expectCode(INVALID, () => store.get('kept', { snapshot: other.snapshot() }))
    await other.close()
    const snapshot = store.snapshot()
    snapshot.close()
    snapshot.close()
    await expectCode('WISC_NOT_OPEN', () => store.get('kept', { snapshot }))
  })
})

test('every operation on a closed store is refused, closing it again is not', async () => {
  const directory = temporaryDirectory()
  const store = await open(directory, SMALL_OPTIONS)
  await store.put('kept', 'value')
  const snapshot = store.snapshot()
  const iterator = store.entries()
  await Promise.all([store.close(), store.close()])
  await store[Symbol.asyncDispose]()
  const before = contents(directory)
  for (const action of [
    () => store.put('a', '1'),
    () => store.delete('a'),
    () => store.write([{ type: 'delete', key: 'a' }]),
    () => store.write([]),
    () => store.get('a'),
    () => store.get('a', { snapshot }),
    () => store.getSync('a'),
    () => store.getMany(['a']),
    () => store.has('a'),
    () => store.hasSync('a'),
    () => store.entries(),
    () => store.keys(),
    () => store.values(),
    () => store.snapshot(),
    () => store.sync(),
    () => store.flush(),
    () => store.compact(),
    () => store.verify(),
    () => store.stats(),
    () => iterator.next(),
  ]) {
    await expectCode('WISC_NOT_OPEN', action)
  }
  snapshot.close()
  await iterator.close()
  expect(contents(directory)).toEqual(before)
})

test('open refuses wrong paths and options before it touches anything', async () => {
  const directory = path.join(temporaryDirectory(), 'db')
  for (const bad of [
    undefined,
    null,
    5,
    '',
    {},
    Buffer.from('x'),
    new URL('file:///tmp/x'),
    'a\0b',
  ]) {
    await expectCode(INVALID, () => open(bad as string))
  }
  await expect(open(new URL('file:///tmp/x') as unknown as string)).rejects.toThrow('fileURLToPath')
  for (const options of [
    null,
    5,
    [],
    { unknown: 1 },
    { workers: -1 },
    { tree: null },
    { compression: 'gzip' },
  ]) {
    await expectCode(INVALID, () => open(directory, options as Options))
  }
  expect(fs.existsSync(directory)).toBe(false)
})
