/** What encodings refuse: values that they cannot encode, which change nothing, and bytes that they cannot decode. */
import { describe, expect, test } from 'vitest'
import type { Encoding, PutOperation, Value } from '#dist/lib/index.js'
import { codeOf, openSmallStore } from '../../support/store/fault-store.ts'

const INVALID = 'WISC_INVALID_ARGUMENT'

/** Negative numbers have no place in it. */
const HEXADECIMAL: Encoding<number> = {
  encode: (value) => {
    if (value < 0) throw new RangeError('negative')
    return value.toString(16).padStart(8, '0')
  },
  decode: (bytes) => Number.parseInt(bytes.toString(), 16),
}

describe('what cannot be encoded', () => {
  const circle: { self?: unknown } = {}
  circle.self = circle

  test('rejects the call before anything is written, and does not throw', async () => {
    const store = await openSmallStore()
    const json = store.with({ key: 'tuple', value: 'json' })
    const good = { type: 'put', key: ['good'], value: 1 } as const
    const { lastSequence } = store.stats()
    for (const value of [undefined, () => 1, Symbol('x'), 5n, circle, { toJSON: () => circle }]) {
      const put = json.put(['k'], value)
      await expect(put).rejects.toMatchObject({ code: INVALID })
      const write = json.write([good, { type: 'put', key: ['k'], value }, good])
      await expect(write).rejects.toMatchObject({ code: INVALID })
    }
    for (const key of [undefined, null, 'k', [undefined], [{}], new Date()] as never[]) {
      for (const call of [
        () => json.put(key, 1),
        () => json.delete(key),
        () => json.write([good, { type: 'delete', key }]),
        () => json.get(key),
        () => json.getMany([['good'], key]),
        () => json.has(key),
        () => json.stat(key),
      ]) {
        // Not thrown, but rejected.
        await expect(call(), String(call)).rejects.toMatchObject({ code: INVALID })
      }
      if (key !== undefined) expect(await codeOf(() => json.keys({ gt: key }))).toBe(INVALID)
    }
    const text = store.with({ key: 'utf8', value: 'utf8' })
    for (const one of ['\ud800', 'a\udc00b', 5, Buffer.from('x')] as never[]) {
      expect(await codeOf(() => text.put(one, 'x'))).toBe(INVALID)
      expect(await codeOf(() => text.put('x', one))).toBe(INVALID)
    }
    const pack = store.with({ value: 'msgpack' })
    for (const value of [undefined, () => 1, Symbol('x')]) {
      expect(await codeOf(() => pack.put('k', value))).toBe(INVALID)
    }
    const late = store.with({ value: { encode: async () => 'x', decode: String } as never })
    await expect(late.put('k', 'x' as never)).rejects.toThrow('await it')
    expect(await codeOf(() => json.put([Buffer.alloc(65536)], 1))).toBe(INVALID)
    await expect(json.write([good, { type: 'put', key: ['k'], value: 5n }])).rejects.toThrow(
      'operations[1].value',
    )
    await expect(json.put(['a', [1, undefined]] as never, 1)).rejects.toThrow(
      'key cannot be encoded encoding=tuple: item 1: item 1: undefined is no item of a tuple',
    )
    expect(store.stats().lastSequence).toBe(lastSequence)
    expect(await store.keys().nextMany(5)).toEqual([])
  })

  test('an own encoder that throws: nothing is written, of a batch, an update or a transaction neither', async () => {
    const store = await openSmallStore()
    const view = store.with({ key: 'utf8', value: HEXADECIMAL })
    await view.put('old', 1)
    const { lastSequence } = store.stats()
    const [good, bad] = [2, -1].map((value) => ({ type: 'put', key: 'old', value }) as const)
    const encoded = (operation: typeof good): Value =>
      (view.operation(operation!) as PutOperation).value
    for (const call of [
      () => view.put('old', -1),
      () => view.write([good!, bad!, good!]),
      () => store.write([good!, bad!].map((operation) => view.operation(operation))),
      () => store.update('old', () => encoded(bad)),
      () =>
        store.transaction((tx) => {
          for (const each of [good, bad]) tx.put('old', encoded(each))
        }),
      () =>
        store.transactionSync((tx) => {
          for (const each of [good, bad]) tx.put('old', encoded(each))
        }),
    ]) {
      const failure = { code: INVALID, cause: { message: 'negative' } }
      await expect((async () => call())(), String(call)).rejects.toMatchObject(failure)
    }
    expect(store.stats().lastSequence).toBe(lastSequence)
    expect(await view.entries().nextMany(5)).toEqual([['old', 1]])
  })

  test('a closed store is closed for what its encoder writes, too', async () => {
    const store = await openSmallStore()
    const view = store.with({
      value: {
        encode: (text: string) => {
          void store.close()
          return text
        },
        decode: String,
      },
    })
    expect(await codeOf(() => view.put('k', 'x'))).toBe('WISC_NOT_OPEN')
  })

  test('unknown encodings and prefixes that mean nothing are refused', async () => {
    const store = await openSmallStore()
    for (const encodings of [
      null,
      'json',
      { value: 'yaml' },
      { value: 'tuple' },
      { value: '__proto__' },
      { key: 5 },
      { key: {} },
      { key: { encode: String } },
      { keyEncoding: 'utf8' },
    ] as never[]) {
      expect(await codeOf(() => store.with(encodings)), JSON.stringify(encodings)).toBe(INVALID)
    }
    for (const key of ['json', 'msgpack', HEXADECIMAL] as const) {
      expect(await codeOf(() => store.with({ key }).keys({ prefix: 'a' as never }))).toBe(INVALID)
    }
    expect(store.stats().iterators.open).toBe(0)
  })
})

describe('what cannot be decoded', () => {
  test('an own decode that gives undefined, which would say that nothing is there', async () => {
    const store = await openSmallStore()
    const view = store.with({ value: { encode: String, decode: () => undefined } })
    await view.put('key', 'value')
    expect(await codeOf(() => view.get('key'))).toBe('WISC_INVALID_ARGUMENT')
    expect(await view.get('none')).toBeUndefined()
  })

  test('fails the read, and says why', async () => {
    const store = await openSmallStore()
    await store.put('k', '{"a":')
    const view = store.with({ value: 'json' })
    for (const call of [
      () => view.get('k'),
      async () => view.getSync('k'),
      () => view.getMany(['k']),
      () => view.values().next(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: INVALID, cause: expect.any(SyntaxError) })
    }
    await store.put('k', Uint8Array.of(0xc1, 0xff))
    expect(await codeOf(() => store.with({ value: 'msgpack' }).get('k'))).toBe(INVALID)
    expect(await codeOf(() => store.with({ value: 'utf8' }).get('k'))).toBe(INVALID)
    const tuples = store.with({ key: 'tuple' }).keys()
    await expect(tuples.next()).rejects.toThrow('a key was written with another encoding')
  })

  test('stops an iterator where it is, until a seek passes it; a loop lets go of what it pins', async () => {
    const store = await openSmallStore()
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.put(key, key === 'd' ? 'no json' : '1')
    const view = store.with({ key: 'utf8', value: 'json' })
    const many = view.entries()
    expect(await many.nextMany(9)).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
    expect(await codeOf(() => many.nextMany(9))).toBe(INVALID)
    expect(await codeOf(() => many.next())).toBe(INVALID)
    many.seek('e')
    expect(await many.nextMany(9)).toEqual([['e', 1]])
    await many.close()
    const single = view.values()
    const found: unknown[] = []
    const last = codeOf(async () => {
      for (;;) found.push((await single.next()).value)
    })
    expect([await last, found]).toEqual([INVALID, [1, 1, 1]])
    await single.close()
    expect(store.stats().iterators.open).toBe(0)
    const loop = codeOf(async () => {
      for await (const _ of view.entries({ gt: 'a' })) await Promise.resolve()
    })
    expect(await loop).toBe(INVALID)
    expect(store.stats().iterators.open).toBe(0)
  })
})
