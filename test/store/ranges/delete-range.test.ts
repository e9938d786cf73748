/** deleteRange as its users see it: every way to read, batches, conditions, transactions, views, bad input, space. */
import { expect, test } from 'vitest'
import { open, type Store, WiscError } from '#dist/lib/index.js'
import { Salvage } from '#dist/lib/inspect/salvage/salvage.js'
import { eventually } from '../../support/eventually.ts'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'

const OPTIONS = { createIfMissing: true, workers: 0 } as const
const COUNT = 300

function keyOf(i: number): string {
  return `key/${String(i).padStart(4, '0')}`
}

async function filled(options: object = {}): Promise<{ store: Store; directory: string }> {
  const directory = temporaryDirectory()
  const store = await open(directory, { ...OPTIONS, valueThreshold: 100, ...options })
  for (let i = 0; i < COUNT; i++) void store.put(keyOf(i), Buffer.alloc(i % 3 === 0 ? 5 : 900, i))
  await store.sync()
  return { store, directory }
}

async function textOf(keys: AsyncIterable<Buffer>): Promise<string[]> {
  const found: string[] = []
  for await (const key of keys) found.push(key.toString())
  return found
}

const LEFT = [0, 99, 200, 299].map(keyOf)
const GONE = [100, 150, 199].map(keyOf)

async function expectDeleted(store: Store): Promise<void> {
  for (const key of LEFT) expect(store.getSync(key)?.length).toBeGreaterThan(0)
  for (const key of GONE) {
    expect(store.getSync(key)).toBe(undefined)
    expect(await store.get(key)).toBe(undefined)
    expect(await store.get(key, { offset: 1, length: 2 })).toBe(undefined)
    expect(store.hasSync(key)).toBe(false)
    expect(await store.stat(key)).toBe(undefined)
    expect(await store.getStream(key)).toBe(undefined)
  }
  expect((await store.getMany([...LEFT, ...GONE])).map((value) => value !== undefined)).toEqual([
    ...LEFT.map(() => true),
    ...GONE.map(() => false),
  ])
  const expected = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i < 100 || i >= 200)
  expect(await textOf(store.keys())).toEqual(expected.map(keyOf))
  expect(await textOf(store.keys({ reverse: true }))).toEqual(expected.map(keyOf).toReversed())
  expect(await textOf(store.keys({ gte: keyOf(150), limit: 1 }))).toEqual([keyOf(200)])
  expect(await textOf(store.keys({ lt: keyOf(150), limit: 1, reverse: true }))).toEqual([keyOf(99)])
}

test('every way to read knows of it, in memtables, in tables, compacted, and in the next process', async () => {
  const { store, directory } = await filled()
  await store.deleteRange({ gte: keyOf(100), lt: keyOf(200) })
  await expectDeleted(store)
  await store.flush()
  await expectDeleted(store)
  await store.compact()
  await expectDeleted(store)
  expect((await store.verify()).damage).toEqual([])
  await store.close()
  const again = await open(directory, OPTIONS)
  await expectDeleted(again)
  await again.close()
})

test('snapshots and iterators from before it see what it has deleted, those behind it do not', async () => {
  const { store } = await filled()
  const snapshot = store.snapshot()
  const iterator = store.keys()
  expect((await iterator.nextMany(50)).length).toBe(50)
  await store.deleteRange({ prefix: 'key/' })
  const behind = store.snapshot()
  await store.put(keyOf(7), 'new')
  const check = async (): Promise<void> => {
    expect((await textOf(store.keys({ snapshot }))).length).toBe(COUNT)
    expect((await textOf(store.keys({ snapshot, reverse: true }))).length).toBe(COUNT)
    expect(store.getSync(keyOf(150), { snapshot })?.length).toBe(5)
    expect(await textOf(store.keys({ snapshot: behind }))).toEqual([])
    expect(await textOf(store.keys())).toEqual([keyOf(7)])
  }
  await check()
  await store.flush()
  await check()
  await store.compact()
  await check()
  expect((await iterator.nextMany(1000)).length).toBe(COUNT - 50)
  snapshot.close()
  behind.close()
  await iterator.close()
  await store.compact()
  expect(await textOf(store.keys())).toEqual([keyOf(7)])
  const { entries } = store
    .stats()
    .levels.reduce((sum, level) => ({ entries: sum.entries + level.entries }), { entries: 0 })
  expect(entries).toBe(1)
  await store.close()
})

test('I10: a memtable is full of them when they take its bytes of memory, 600 each and more', async () => {
  const { store } = await filled({ memtableBytes: 65536 })
  await store.flush()
  const before = store.stats().flushes
  for (let i = 0; i < 1000; i++) await store.deleteRange({ gte: `gone/${i}/a`, lt: `gone/${i}/b` })
  await store.flush()
  expect(store.stats().flushes - before).toBeGreaterThanOrEqual((1000 * 600) / 65536)
  await store.close()
})

test('in a batch the order counts: what is put behind it stays', async () => {
  const { store } = await filled()
  await store.write([
    { type: 'put', key: keyOf(10), value: 'gone' },
    { type: 'deleteRange', gt: keyOf(9), lte: keyOf(20) },
    { type: 'put', key: keyOf(11), value: 'stays' },
  ])
  expect(await textOf(store.keys({ gte: keyOf(9), lte: keyOf(21) }))).toEqual(
    [9, 11, 21].map(keyOf),
  )
  await store.close()
})

test('I2: a crash keeps all of a batch with it or nothing', async () => {
  const { store, directory } = await filled()
  await store.write(
    [
      { type: 'deleteRange', gte: keyOf(0) },
      { type: 'put', key: 'other', value: 'x' },
    ],
    { sync: true },
  )
  const reader = await open(directory, { readOnly: true })
  expect(await textOf(reader.keys())).toEqual(['other'])
  await reader.close()
  await store.close()
})

test('conditions: a key that it covers is absent, also in the same group', async () => {
  const { store } = await filled()
  const results = await Promise.allSettled([
    store.deleteRange({ gte: keyOf(0), lt: keyOf(5) }),
    store.put(keyOf(1), 'new', { if: { absent: true } }),
    store.put(keyOf(2), 'new', { if: { present: true } }),
    store.write([{ type: 'put', key: keyOf(3), value: 'x' }], {
      if: [{ key: keyOf(1), value: 'new' }],
    }),
  ])
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
  await expect(store.put(keyOf(4), 'x', { if: { present: true } })).rejects.toMatchObject({
    code: 'WISC_CONFLICT',
  })
  await store.close()
})

test('transactions: what it covers of what they have read is a conflict', async () => {
  const { store } = await filled()
  const reading = (read: (tx: { key: string }) => unknown): unknown => read({ key: keyOf(5) })
  expect(reading(({ key }) => key)).toBe(keyOf(5))
  for (const way of ['key', 'range', 'phantom'] as const) {
    for (const flushes of [false, true]) {
      await store.put(keyOf(5), 'there')
      let calls = 0
      await store.transaction(async (tx) => {
        calls++
        if (way === 'key') await tx.get(keyOf(5))
        else if (way === 'range') await textOf(tx.keys({ gte: keyOf(3), lt: keyOf(8) }))
        else await tx.get('not there')
        if (calls === 1) {
          await store.deleteRange(
            way === 'phantom' ? { gte: 'n', lt: 'o' } : { gte: keyOf(4), lt: keyOf(6) },
          )
          if (flushes) await store.flush()
        }
        tx.put('result', way)
      })
      expect([way, flushes, calls]).toEqual([way, flushes, 2])
    }
  }
  let calls = 0
  await store.transaction(async (tx) => {
    calls++
    await textOf(tx.keys({ gte: keyOf(10), lt: keyOf(20) }))
    await store.deleteRange({ gte: keyOf(20), lt: keyOf(30) })
    tx.put('result', 'x')
  })
  expect(calls).toBe(1)
  await store.close()
})

test('transactions delete ranges themselves: their own reads see it, and puts behind it', async () => {
  const { store } = await filled()
  await store.transaction(async (tx) => {
    tx.put(keyOf(12), 'gone')
    tx.deleteRange({ gte: keyOf(1), lt: keyOf(COUNT - 1) })
    tx.put(keyOf(50), 'own')
    expect(await tx.get(keyOf(12))).toBe(undefined)
    expect(await tx.has(keyOf(13))).toBe(false)
    const expected = [keyOf(0), keyOf(50), keyOf(COUNT - 1)]
    expect(await textOf(tx.keys())).toEqual(expected)
    expect(await textOf(tx.keys({ reverse: true }))).toEqual(expected.toReversed())
    expect(await textOf(tx.keys({ gt: keyOf(0), limit: 1 }))).toEqual([keyOf(50)])
  })
  expect(await textOf(store.keys())).toEqual([keyOf(0), keyOf(50), keyOf(COUNT - 1)])
  await store.transactionSync((tx) => {
    tx.deleteRange({ lt: keyOf(60) })
    expect([...tx.keys()].map(String)).toEqual([keyOf(COUNT - 1)])
  })
  expect(await textOf(store.keys())).toEqual([keyOf(COUNT - 1)])
  await store.close()
})

test('views with encodings give ranges as they give keys', async () => {
  const { store } = await filled()
  const view = store.with({ key: 'tuple', value: 'json' })
  for (const user of ['ann', 'bob']) {
    for (let i = 0; i < 3; i++) await view.put([user, i], { i })
  }
  await view.deleteRange({ prefix: ['ann'] })
  await view.write([{ type: 'deleteRange', gte: ['bob', 2] }])
  const left = []
  for await (const key of view.keys({ prefix: ['bob'] })) left.push(key)
  expect(left).toEqual([
    ['bob', 0],
    ['bob', 1],
  ])
  expect(view.getSync(['ann', 1])).toBe(undefined)
  await store.close()
})

test('what is no range is refused, and nothing is done', async () => {
  const { store } = await filled()
  const bad: [unknown, string][] = [
    [undefined, 'range must be an object'],
    ['key', 'range must be an object'],
    [{}, 'range has no end'],
    [{ gte: undefined, lt: undefined }, 'range has no end'],
    [{ prefix: '' }, 'range has no end'],
    [{ prefix: Buffer.alloc(0), lt: undefined }, 'range has no end'],
    [{ prefix: [] }, 'prefix must be'],
    [{ gte: 'b', lt: 'a' }, 'range is empty'],
    [{ gte: 'a', lt: 'a' }, 'range is empty'],
    [{ gt: 'a', lt: 'a\0' }, 'range is empty'],
    [{ lt: '' }, 'range is empty'],
    [{ prefix: 'a', gte: 'b' }, 'range is empty'],
    [{ gt: 'a', gte: 'a' }, 'both gt and gte'],
    [{ gte: 'a', limit: 3 }, 'limit'],
    [{ gte: 'a', reverse: true }, 'reverse'],
    [{ gte: 5 }, 'key'],
  ]
  for (const [range, message] of bad) {
    const refused = await store.deleteRange(range as never).catch((error: unknown) => error)
    expect(refused, message).toBeInstanceOf(WiscError)
    expect(refused).toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
    expect((refused as WiscError).message).toContain(message)
    if (typeof range !== 'object' || range === null) continue
    const operations = [
      { type: 'delete', key: keyOf(0) },
      { ...range, type: 'deleteRange' },
    ]
    await expect(store.write(operations as never)).rejects.toMatchObject({
      code: 'WISC_INVALID_ARGUMENT',
    })
  }
  await expect(
    store.deleteRange({ gte: 'a' }, { if: { absent: true } } as never),
  ).rejects.toMatchObject({ code: 'WISC_INVALID_ARGUMENT' })
  expect((await textOf(store.keys())).length).toBe(COUNT)
  await store.close()
})

test('the longest keys, the empty key, and ranges without an end', async () => {
  const { store } = await filled()
  const longest = Buffer.alloc(65536, 0xff)
  const before = Buffer.concat([longest.subarray(0, 65535), Buffer.from([0xfe])])
  for (const key of ['', longest, before]) await store.put(key, 'x')
  await store.deleteRange({ gt: before })
  expect([await store.has(longest), await store.has(before)]).toEqual([false, true])
  await expect(store.deleteRange({ gt: longest })).rejects.toThrow('range is empty')
  await store.deleteRange({ lte: '' })
  expect([await store.has(''), await store.has(keyOf(0))]).toEqual([false, true])
  await store.put(longest, 'y')
  await store.deleteRange({ prefix: Buffer.from([0xff]) })
  expect([await store.has(longest), await store.has(before)]).toEqual([false, false])
  await store.flush()
  await store.deleteRange({ gte: '' })
  await store.compact()
  expect(await textOf(store.keys())).toEqual([])
  await store.close()
})

test('I7, I12: tables that it covers go without being read, when no reader needs them any more', async () => {
  const { store } = await filled({
    tree: { tableBytes: 4096, blockBytes: 512 },
    collector: { enabled: false },
  })
  await store.compact()
  const reasons: string[] = []
  store.on('compaction', ({ reason }) => reasons.push(reason))
  const tables = (): number => store.stats().levels.reduce((sum, level) => sum + level.tables, 0)
  const before = tables()
  expect(before).toBeGreaterThan(1)
  const snapshot = store.snapshot()
  await store.deleteRange({ gt: keyOf(0) })
  await store.flush()
  expect(tables()).toBe(before + 1)
  expect(reasons).toEqual([])
  expect((await textOf(store.keys({ snapshot }))).length).toBe(COUNT)
  snapshot.close()
  await store.put('another', 'flush')
  await store.flush()
  await eventually(() => expect(reasons).toContain('covered'))
  expect(tables()).toBeLessThan(before + 2)
  expect(await textOf(store.keys())).toEqual(['another', keyOf(0)].sort())
  await store.close()
})

test('what it covers counts as garbage at once, and its space comes back', async () => {
  const { store } = await filled({ segmentBytes: 32_768, valueThreshold: 0, memtableBytes: 65_536 })
  await store.flush()
  const before = store.stats()
  await store.deleteRange({ gte: keyOf(0), lt: keyOf(270) })
  const at = store.stats()
  expect(at.liveBytes).toBeLessThan(before.liveBytes / 3)
  await store.flush()
  expect(store.stats().liveBytes).toBeLessThan(before.liveBytes / 3)
  await eventually(() => expect(store.stats().diskBytes).toBeLessThan(before.diskBytes / 2))
  expect((await textOf(store.keys())).length).toBe(30)
  expect((await store.verify()).damage).toEqual([])
  await store.close()
})

test('salvage does not bring back what it has deleted, from tables or from the log', async () => {
  for (const flushes of [true, false]) {
    const { store, directory } = await filled()
    await store.flush()
    await store.deleteRange({ gte: keyOf(10) })
    await store.put(keyOf(11), 'behind it')
    if (flushes) await store.flush()
    await store.close()
    const salvage = new Salvage(directory)
    for (const _ of salvage.readSlices());
    const found: string[] = []
    for await (const { key } of salvage.entries()) found.push(key.toString())
    expect(found.sort()).toEqual(
      [...Array.from({ length: 10 }, (_, i) => keyOf(i)), keyOf(11)].sort(),
    )
    expect(salvage.deletedKeys).toBe(COUNT - 11)
    salvage.close()
  }
})

test('a thousand of them leave reads right, and one range again and again takes no more', async () => {
  const { store } = await filled()
  for (let i = 0; i < 1000; i++) void store.deleteRange({ gte: keyOf(i * 7), lt: keyOf(i * 7 + 3) })
  for (let i = 0; i < 1000; i++) void store.deleteRange({ gte: 'other/', lt: 'other0' })
  await store.flush()
  const expected = Array.from({ length: COUNT }, (_, i) => i).filter((i) => i % 7 >= 3)
  expect(await textOf(store.keys())).toEqual(expected.map(keyOf))
  for (let i = 0; i < COUNT; i++) expect(store.hasSync(keyOf(i))).toBe(i % 7 >= 3)
  await store.close()
})
