/** Checks of what callers pass: keys, values, options of calls, ranges. */
import { describe, expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import {
  checkSnapshotOptions,
  isEmptyRange,
  keyBytes,
  partOf,
  type ResolvedRange,
  resolveCompactRange,
  resolveScan,
  throwIfAborted,
  valueBytes,
  writeSync,
} from '#dist/lib/contract/arguments.js'
import type { RangeOptions, ReadOptions, WriteOptions } from '#dist/lib/contract/types.js'

function code(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error instanceof WiscError ? error.code : error
  }
  return undefined
}

function holds({ lower, lowerOpen, upper, upperOpen }: ResolvedRange, key: Uint8Array): boolean {
  const fromLower = lower === undefined ? 1 : Buffer.compare(key, lower)
  const toUpper = upper === undefined ? 1 : Buffer.compare(upper, key)
  return (lowerOpen ? fromLower > 0 : fromLower >= 0) && (upperOpen ? toUpper > 0 : toUpper >= 0)
}

const INVALID = 'WISC_INVALID_ARGUMENT'

describe('keys and values', () => {
  test('are bytes or strings', () => {
    expect(Buffer.from(keyBytes('ä€')).toString()).toBe('ä€')
    expect(keyBytes('')).toHaveLength(0)
    const bytes = Uint8Array.of(1, 2)
    expect(keyBytes(bytes)).toBe(bytes)
    expect(valueBytes(bytes)).toBe(bytes)
  })

  test.each([
    undefined,
    null,
    5,
    {},
    [1],
    true,
    5n,
    new ArrayBuffer(4),
    new Uint16Array(2),
    new DataView(new ArrayBuffer(1)),
  ])('%s is neither', (value) => {
    expect(code(() => keyBytes(value as never))).toBe(INVALID)
    expect(code(() => valueBytes(value as never))).toBe(INVALID)
  })

  test('a key has at most 64 KiB, counted in bytes', () => {
    expect(keyBytes(new Uint8Array(65536))).toHaveLength(65536)
    expect(code(() => keyBytes(new Uint8Array(65537)))).toBe(INVALID)
    expect(keyBytes('ä'.repeat(32768))).toHaveLength(65536)
    expect(code(() => keyBytes('ä'.repeat(32769)))).toBe(INVALID)
  })
})

test('write options hold sync and if alone', () => {
  expect(writeSync(undefined, true)).toBe(true)
  expect(writeSync({}, false)).toBe(false)
  expect(writeSync({ sync: true }, false)).toBe(true)
  for (const options of [null, 5, 'sync', [], { sync: 1 }, { Sync: true }, Buffer.from('x')]) {
    expect(code(() => writeSync(options as WriteOptions, false))).toBe(INVALID)
  }
})

test('options of reads of whole values hold a snapshot alone', () => {
  checkSnapshotOptions({})
  for (const options of [null, 5, [], { offset: 1 }, { fillCache: true }]) {
    expect(code(() => checkSnapshotOptions(options as ReadOptions))).toBe(INVALID)
  }
})

test('a part of a value begins and ends at whole bytes', () => {
  const most = Number.MAX_SAFE_INTEGER
  expect(partOf({})).toBeUndefined()
  expect(partOf({ offset: undefined, length: undefined } as object)).toBeUndefined()
  expect(partOf({ offset: 0 })).toEqual({ offset: 0, length: most })
  expect(partOf({ length: 7 })).toEqual({ offset: 0, length: 7 })
  expect(partOf({ offset: most, length: Infinity })).toEqual({ offset: most, length: most })
  for (const bad of [-1, 0.5, Number.NaN, -Infinity, 2 ** 53, '1', null, 1n]) {
    for (const options of [{ offset: bad }, { length: bad }]) {
      expect(
        code(() => partOf(options as ReadOptions)),
        String(bad),
      ).toBe(INVALID)
    }
  }
  for (const options of [{ offset: Infinity }, null, 5, [], { fillCache: true }]) {
    expect(code(() => partOf(options as ReadOptions))).toBe(INVALID)
  }
})

describe('ranges', () => {
  test('without ends are open', () => {
    expect(resolveScan(undefined)).toEqual({
      lower: undefined,
      lowerOpen: false,
      upper: undefined,
      upperOpen: false,
      reverse: false,
      limit: Number.MAX_SAFE_INTEGER,
      signal: undefined,
      highWaterMarkBytes: 1024 * 1024,
    })
  })

  test.each<[unknown]>([
    [null],
    [5],
    ['a'],
    [[]],
    [{ gt: 'a', gte: 'a' }],
    [{ lt: 'a', lte: 'a' }],
    [{ gt: null }],
    [{ gte: null }],
    [{ lt: 5 }],
    [{ lte: {} }],
    [{ gt: new Uint8Array(65537) }],
    [{ prefix: null }],
    [{ prefix: new Uint8Array(65537) }],
    [{ prefix: 'a', gt: 'a', gte: 'a' }],
    [{ start: 'a' }],
    [{ reverse: 1 }],
    [{ limit: -1 }],
    [{ limit: 1.5 }],
    [{ limit: '3' }],
    [{ limit: null }],
    [{ highWaterMarkBytes: 0 }],
    [{ signal: {} }],
    [{ signal: null }],
  ])('%j is refused', (range) => {
    expect(code(() => resolveScan(range as RangeOptions))).toBe(INVALID)
  })

  test('copy their ends, those in Buffers too', () => {
    for (const key of [Buffer.from('m'), Uint8Array.of(109)]) {
      const range = resolveScan({ gte: key, lt: key })
      const prefixed = resolveScan({ prefix: key })
      key[0] = 0
      expect([...range.lower!, ...range.upper!]).toEqual([109, 109])
      expect([...prefixed.lower!, ...prefixed.upper!]).toEqual([109, 110])
    }
  })

  test('with a prefix hold the keys that begin with it and lie between the ends, 0xff too', () => {
    const edges = [0, 0xfe, 0xff]
    const keys = [
      [],
      ...edges.map((one) => [one]),
      ...edges.flatMap((a) => edges.map((b) => [a, b])),
    ]
    const all = keys.map((key) => Uint8Array.from(key))
    const ends = [undefined, ...all].flatMap((end) => [true, false].map((open) => ({ end, open })))
    const wrong: unknown[] = []
    for (const prefix of all) {
      for (const { end: lower, open: lowerOpen } of ends) {
        for (const { end: upper, open: upperOpen } of ends) {
          const given = {
            prefix,
            ...(lower && { [lowerOpen ? 'gt' : 'gte']: lower }),
            ...(upper && { [upperOpen ? 'lt' : 'lte']: upper }),
          }
          const range = resolveScan(given)
          const isWanted = (key: Uint8Array): boolean =>
            Buffer.from(key).subarray(0, prefix.length).equals(prefix) &&
            holds({ lower, lowerOpen, upper, upperOpen }, key)
          if (all.some((key) => isWanted(key) !== (holds(range, key) && !isEmptyRange(range)))) {
            wrong.push(given)
          }
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test.each<[RangeOptions, boolean]>([
    [{ gte: 'a', lte: 'a' }, false],
    [{ gt: 'a', lte: 'a' }, true],
    [{ gte: 'a', lt: 'a' }, true],
    [{ gte: 'b', lte: 'a' }, true],
    [{ gt: 'a', lt: 'b' }, false],
    [{ gte: '' }, false],
    [{ lt: '' }, false],
    [{ gte: '', lt: '' }, true],
  ])('%j: empty is %j', (range, empty) => {
    expect(isEmptyRange(resolveScan(range))).toBe(empty)
  })

  test('of compact have ends alone', () => {
    expect(resolveCompactRange({ gte: 'a' }).lower).toEqual(Uint8Array.of(97))
    expect(resolveCompactRange({ prefix: 'a' }).upper).toEqual(Uint8Array.of(98))
    for (const range of [{ limit: 1 }, { reverse: true }, null, 5]) {
      expect(code(() => resolveCompactRange(range as never))).toBe(INVALID)
    }
  })
})

test('an aborted signal keeps its reason as the cause', () => {
  throwIfAborted(undefined)
  throwIfAborted(new AbortController().signal)
  const reason = new Error('enough')
  expect(() => throwIfAborted(AbortSignal.abort(reason))).toThrow(
    expect.objectContaining({ code: 'WISC_ABORTED', cause: reason }),
  )
})
