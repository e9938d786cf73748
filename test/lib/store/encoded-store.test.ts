/** Views with encodings: what they give back. Values and bytes that they refuse: encoding-errors.test.ts. */
import { describe, expect, test } from 'vitest'
import type { Encoding, TypedRange } from '#dist/lib/index.js'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const INVALID = 'WISC_INVALID_ARGUMENT'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Keys of an own kind, in the order of the numbers; negative ones have no place. */
const HEXADECIMAL: Encoding<number> = {
  encode: (value) => {
    if (value < 0) throw new RangeError('negative')
    return value.toString(16).padStart(8, '0')
  },
  decode: (bytes) => Number.parseInt(bytes.toString(), 16),
}

describe('values come back as they were', () => {
  test('json: what JSON can say', async () => {
    const store = await openSmallStore()
    const view = store.with({ key: 'utf8', value: 'json' })
    const long = { text: 'ä€😀'.repeat(1000) }
    for (const value of [
      null,
      false,
      0,
      -1.5,
      '',
      'text',
      [],
      [1, [2]],
      {},
      { a: { b: null } },
      long,
    ]) {
      await view.put('k', value)
      expect(await view.get('k')).toEqual(value)
      expect(view.getSync('k')).toEqual(value)
    }
    expect(String(await store.get('k'))).toBe(JSON.stringify(long))
    expect(await view.get('missing')).toBeUndefined()
    expect(view.getSync('missing')).toBeUndefined()
  })

  test('msgpack: dates, bigints, maps in maps, sets and bytes, too', async () => {
    const store = await openSmallStore()
    const view = store.with({ value: 'msgpack' })
    const values = [
      null,
      { at: new Date(1234567890123), big: 2n ** 100n, small: -5n, set: new Set([1, 'x']) },
      { bytes: Buffer.from([1, 2, 3]), list: [1.5, -1, 2 ** 40, 'ä'], none: null },
      Number.NaN,
    ]
    for (const [i, value] of values.entries()) await view.put(`k${i}`, value)
    expect(await view.getMany(values.map((_, i) => `k${i}`))).toEqual(values)
    await store.flush()
    expect(await all(view.values())).toEqual(values)
    // So large that the store does not copy what the encoder has made.
    const large = Array.from({ length: 4 }, (_, i) => ({ bytes: Buffer.alloc(100_000, i) }))
    await Promise.all(large.map((value, i) => view.put(`large${i}`, value)))
    for (const [i, { bytes }] of large.entries()) {
      const found = (await view.get(`large${i}`)) as { readonly bytes: Buffer }
      expect(bytes.equals(found.bytes)).toBe(true)
    }
  })

  test('msgpack: no map reaches a prototype', async () => {
    const store = await openSmallStore()
    const view = store.with({ value: 'msgpack' })
    const hostile = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":2}}}',
    ) as object
    await view.put('object', hostile)
    await view.put(
      'map',
      new Map<unknown, unknown>([
        ['__proto__', { polluted: 3 }],
        ['a', 1],
      ]),
    )
    // Records of msgpackr, which this encoding does not write: two names, one of them hostile.
    await store.put('record', Buffer.from('d4724092a95f5f70726f746f5f5fa1610102', 'hex'))
    for (const key of ['object', 'map', 'record']) {
      const found = (await view.get(key)) as { readonly polluted?: unknown }
      expect(Object.getPrototypeOf(found), key).toBe(Object.prototype)
      expect(found.polluted, key).toBeUndefined()
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    // Nor do they change how other values are read.
    await view.put('n', 64)
    expect(await view.get('n')).toBe(64)
  })

  test('json: a key __proto__ is a key like any other', async () => {
    const view = (await openSmallStore()).with({ value: 'json' })
    await view.put('k', JSON.parse('{"__proto__":{"polluted":1}}'))
    const found = (await view.get('k')) as object
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    expect(Object.keys(found)).toEqual(['__proto__'])
  })

  test('binary and utf8: bytes and text', async () => {
    const store = await openSmallStore()
    await store.with({}).put(Uint8Array.of(0xff), 'x')
    expect(await store.with({ value: 'utf8' }).get(Uint8Array.of(0xff))).toBe('x')
    expect(await store.with({ key: 'binary' }).entries().nextMany(2)).toEqual([
      [Buffer.of(0xff), Buffer.from('x')],
    ])
    expect(await codeOf(() => store.with({ key: 'utf8' }).keys().next())).toBe(INVALID)
  })

  test('encodings of your own', async () => {
    const view = (await openSmallStore()).with({ key: HEXADECIMAL, value: HEXADECIMAL })
    for (const i of [300, 2, 10]) await view.put(i, i * 2)
    expect(await view.entries({ gt: 2 }).nextMany(5)).toEqual([
      [10, 20],
      [300, 600],
    ])
    await expect(view.put(-1, 1)).rejects.toMatchObject({
      code: INVALID,
      cause: { message: 'negative' },
    })
  })
})

describe('a view', () => {
  test('iterates over ranges of typed keys, their prefixes and snapshots', async () => {
    const store = await openSmallStore()
    const view = store.with<readonly [string, number, string], string>({
      key: 'tuple',
      value: 'utf8',
    })
    for (const album of ['a', 'a\0b', 'ab']) {
      for (const year of [-5, 2, 10]) await view.put([album, year, 'x'], `${album} ${year}`)
    }
    const snapshot = store.snapshot()
    await view.delete(['a', 2, 'x'])
    const values = (range: TypedRange<readonly [string, number, string]>): Promise<string[]> =>
      all(view.values(range))
    expect(await values({ prefix: ['a'] })).toEqual(['a -5', 'a 10'])
    expect(await values({ prefix: ['a'], snapshot })).toEqual(['a -5', 'a 2', 'a 10'])
    expect(await values({ prefix: ['a', 10] })).toEqual(['a 10'])
    expect(await values({ prefix: [], limit: 1 })).toEqual(['a -5'])
    expect(await values({ gte: ['a', 10], lt: ['ab', 2] })).toEqual([
      'a 10',
      'a\0b -5',
      'a\0b 2',
      'a\0b 10',
      'ab -5',
    ])
    expect(await values({ prefix: ['ab'], gt: ['ab', 2, 'x'], reverse: true })).toEqual(['ab 10'])
    expect(await view.get(['a', 2, 'x'], { snapshot })).toBe('a 2')
    expect(
      await view.getMany(
        [
          ['a', 2, 'x'],
          ['a', 10, 'x'],
        ],
        { snapshot },
      ),
    ).toEqual(['a 2', 'a 10'])
    snapshot.close()
    const keys = view.keys({ reverse: true })
    keys.seek(['a', 3])
    expect(await all(keys)).toEqual([['a', -5, 'x']])
    for await (const [[album, year], value] of view.entries({ prefix: ['ab'] })) {
      expect(value).toBe(`${album} ${year}`)
    }
    expect(await view.has(['ab', 2, 'x'])).toBe(true)
    expect(view.hasSync(['ab', 3, 'x'])).toBe(false)
    expect((await view.stat(['ab', 2, 'x']))?.size).toBe(4)
    expect(store.stats().iterators.open).toBe(0)
  })

  test('writes batches, also together with others', async () => {
    const store = await openSmallStore()
    const photos = store.with({ key: 'utf8', value: 'json' })
    const byYear = store.with({ key: 'tuple' })
    await photos.write([
      { type: 'put', key: 'photo/1', value: { year: 1999 } },
      { type: 'put', key: 'photo/2', value: { year: 2000 } },
      { type: 'delete', key: 'photo/2' },
    ])
    await store.write([
      photos.operation({ type: 'put', key: 'photo/3', value: { year: 2001 } }),
      byYear.operation({ type: 'put', key: ['by year', 2001, 'photo/3'], value: '' }),
    ])
    expect(await photos.keys({ prefix: 'photo/' }).nextMany(9)).toEqual(['photo/1', 'photo/3'])
    expect(await byYear.keys({ prefix: ['by year'] }).nextMany(9)).toEqual([
      ['by year', 2001, 'photo/3'],
    ])
  })

  test('writes under conditions of its types', async () => {
    const store = await openSmallStore()
    const view = store.with<readonly [string], { n: number }>({ key: 'tuple', value: 'json' })
    await view.put(['a'], { n: 1 }, { if: { absent: true } })
    const found = (await view.get(['a'], { withSequence: true }))!
    expect(found).toEqual({ value: { n: 1 }, sequence: 1 })
    expect(await view.get(['b'], { withSequence: true })).toBeUndefined()
    await view.put(['a'], { n: 2 }, { if: { sequence: found.sequence } })
    const again = view.put(['a'], { n: 3 }, { if: { sequence: found.sequence } })
    await expect(again).rejects.toMatchObject({ code: 'WISC_CONFLICT' })
    await view.delete(['a'], { if: { value: { n: 2 } } })
    const condition = { key: ['a'], absent: true } as const
    await view.write([{ type: 'put', key: ['b'], value: { n: 4 } }], { if: [condition] })
    await store.write([view.operation({ type: 'delete', key: ['b'] })], {
      if: [view.condition({ key: ['b'], value: { n: 4 } })],
    })
    expect(await all(view.keys())).toEqual([])
    expect(await codeOf(() => view.put(['a'], { n: 1 }, { if: 5 as never }))).toBe(INVALID)
    expect(await codeOf(() => view.write([], { if: 5 as never }))).toBe(INVALID)
    expect(await codeOf(() => view.write([], { if: [{ key: ['a'] } as never] }))).toBe(INVALID)
  })

  test('hands on what the store says of options, closing and the rest', async () => {
    const store = await openSmallStore()
    const view = store.with({ value: 'json' })
    await view.put('k', 1, { sync: true })
    expect(store.stats().durableSequence).toBe(1)
    expect(await codeOf(() => view.put('k', 1, { Sync: true } as never))).toBe(INVALID)
    expect(await codeOf(() => view.get('k', { offset: 1 } as never))).toBe(INVALID)
    expect(await codeOf(() => view.getMany(['k'], { signal: AbortSignal.abort() }))).toBe(
      'WISC_ABORTED',
    )
    expect(await codeOf(() => view.keys({ start: 1 } as never))).toBe(INVALID)
    expect(await codeOf(() => view.write([{ type: 'merge', key: 'k' }] as never))).toBe(INVALID)
    expect(await codeOf(() => view.write('k' as never))).toBe(INVALID)
    expect(await codeOf(() => view.getMany('k' as never))).toBe(INVALID)
    await store.close()
    for (const call of [
      () => view.put('k', 1),
      () => view.delete('k'),
      () => view.write([{ type: 'delete', key: 'k' }]),
      () => view.get('k'),
      () => view.getSync('k'),
      () => view.entries(),
    ]) {
      expect(await codeOf(call), String(call)).toBe('WISC_NOT_OPEN')
    }
  })
})
