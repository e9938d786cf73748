/** Tuples: what goes in comes out, and the order of the bytes is that of the values. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TupleItem } from '#dist/lib/contract/encodings.js'
import { decodeTuple, encodeTuple } from '#dist/lib/encodings/tuple.js'
import { replayHint, testSeed } from '../../support/random.ts'

const NUMBERS: readonly (number | bigint)[] = [
  0,
  -0,
  1,
  -1,
  0.1,
  Number.EPSILON,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  Number.MAX_SAFE_INTEGER,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  2 ** 1023,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  0n,
  1n,
  -1n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  2n ** 1024n - 1n,
  -(2n ** 1024n),
  2n ** 5000n,
  2n ** 5000n + 1n,
]
const STRINGS = [
  '',
  '\0',
  '\x01',
  '\x02',
  'a',
  'a\0',
  'ab',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
  '\ud800',
  '\udfff',
]

const number = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.maxSafeInteger().map(BigInt),
)
const string = fc.oneof(
  fc.constantFrom(...STRINGS),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.string({ maxLength: 6 }),
)
const { item } = fc.letrec<{ item: TupleItem; array: TupleItem[] }>((tie) => ({
  item: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    number,
    fc.date({ noInvalidDate: true }),
    string,
    fc
      .uint8Array({ maxLength: 5 })
      .map((bytes) => bytes.map((byte) => (byte < 128 ? byte % 3 : byte))),
    tie('array'),
  ),
  array: fc.array(tie('item'), { maxLength: 4 }),
}))
const tuple = fc.array(item, { maxLength: 4 })

/** The order of values, as the page says it. */
function compare(left: TupleItem, right: TupleItem): number {
  const kind = kindOf(left) - kindOf(right)
  if (kind !== 0) return kind
  if (Array.isArray(left)) return compareTuples(left, right as TupleItem[])
  if (left instanceof Uint8Array) return Buffer.compare(left, right as Uint8Array)
  if (left instanceof Date) return left.getTime() - (right as Date).getTime()
  if (typeof left === 'number' || typeof left === 'bigint') {
    return compareNumbers(left, right as number | bigint)
  }
  return left! < right! ? -1 : left! > right! ? 1 : 0
}

function kindOf(value: TupleItem): number {
  if (value === null) return 0
  if (Array.isArray(value)) return 6
  if (value instanceof Uint8Array) return 5
  if (value instanceof Date) return 3
  return ['boolean', 'number', 'bigint', 'string'].indexOf(typeof value) < 1
    ? 1
    : typeof value === 'string'
      ? 4
      : 2
}

/** Numbers and bigints by value; beside each other, a bigint lies away from zero. */
function compareNumbers(left: number | bigint, right: number | bigint): number {
  if (Number.isNaN(left) || Number.isNaN(right)) {
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
  }
  if (left !== right && left < right) return -1
  if (left > right) return 1
  const side = Number(typeof left === 'bigint') - Number(typeof right === 'bigint')
  return left < 0 ? -side : side
}

function compareTuples(left: readonly TupleItem[], right: readonly TupleItem[]): number {
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const order = compare(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** -0 comes back as 0, bytes as a Buffer. */
function normal(value: TupleItem): TupleItem {
  if (Array.isArray(value)) return value.map(normal)
  if (value instanceof Uint8Array) return Buffer.from(value)
  return value === 0 ? 0 : value
}

const seed = testSeed()
const settings = { seed: seed | 0, numRuns: 3000 }

describe('every tuple', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(tuple, (values) => {
        expect(decodeTuple(encodeTuple(values)), replayHint(seed)).toEqual(normal(values))
      }),
      settings,
    )
  })

  test('has its place in the order of values', () => {
    fc.assert(
      fc.property(tuple, tuple, (left, right) => {
        const order = Math.sign(Buffer.compare(encodeTuple(left), encodeTuple(right)))
        expect(order, replayHint(seed)).toBe(Math.sign(compareTuples(left, right)))
      }),
      settings,
    )
  })

  test('begins with the bytes of its beginnings, and of no other tuple', () => {
    const begins = (bytes: Uint8Array, start: Uint8Array): boolean =>
      Buffer.from(bytes).subarray(0, start.length).equals(start)
    fc.assert(
      fc.property(tuple, tuple, fc.nat(4), (values, other, count) => {
        const bytes = encodeTuple(values)
        expect(begins(bytes, encodeTuple(values.slice(0, count))), replayHint(seed)).toBe(true)
        const same = compareTuples(values.slice(0, other.length), other) === 0
        expect(begins(bytes, encodeTuple(other)), replayHint(seed)).toBe(same)
      }),
      settings,
    )
  })
})

test('numbers, bigints among them, and strings lie in their order, each at its place', () => {
  const sorted = (values: readonly TupleItem[]): TupleItem[] =>
    values
      .toSorted((left, right) => Buffer.compare(encodeTuple([left]), encodeTuple([right])))
      .map(normal)
  expect(sorted(NUMBERS)).toEqual(NUMBERS.toSorted(compareNumbers).map(normal))
  // As JavaScript sorts: what takes two code units comes before the last ones.
  expect(sorted(STRINGS)).toEqual(STRINGS.toSorted())
})

test('the bytes are those of the drawing', () => {
  const hex = (...values: TupleItem[]): string => Buffer.from(encodeTuple(values)).toString('hex')
  expect(hex()).toBe('')
  expect(hex(null, false, true)).toBe('102021')
  expect(hex(1)).toBe('30bff000000000000080')
  expect(hex(-1)).toBe('30400fffffffffffff7f')
  expect(hex(1n)).toBe('30bff000000000000081')
  expect(hex(2n ** 53n + 1n)).toBe('30c3400000000000008201')
  expect(hex(-(2n ** 53n) - 1n)).toBe('303cbfffffffffffff7dfe')
  expect(hex(2n ** 2024n)).toMatch(/^30ffeffffffffffffffe000000fd(ff|00|08)+$/)
  expect(hex(Number.NaN)).toBe('30fff800000000000080')
  expect(hex(new Date(1))).toBe('40bff0000000000000')
  expect(hex('a\0é😀')).toBe('50610101c3a9eda0bdedb88000')
  expect(hex(Uint8Array.of(0, 1, 2, 255))).toBe('60010101020' + '2ff00')
  expect(hex([], ['a'])).toBe('70007050610000')
})

test('what has no place in the order is refused', () => {
  for (const values of [
    [undefined],
    new Array(1),
    [{}],
    [Symbol('x')],
    [() => 1],
    [new Date(Number.NaN)],
    [new Map()],
    [[[undefined]]],
    'abc',
    null,
    { length: 1, 0: 'a' },
  ]) {
    expect(() => encodeTuple(values as never)).toThrow(
      expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }),
    )
  }
  const circle: unknown[] = []
  circle.push(circle)
  expect(() => encodeTuple(circle as never)).toThrow()
})

test('bytes that are no tuple are refused, and never read beyond their end', () => {
  const whole = encodeTuple([
    'text é',
    5,
    2n ** 70n,
    new Date(9),
    Uint8Array.of(1, 5),
    [null, ['x']],
  ])
  const ends = [0]
  for (let i = 1; i <= 6; i++) {
    ends.push(encodeTuple(decodeTuple(whole).slice(0, i)).length)
  }
  for (let length = 0; length < whole.length; length++) {
    const cut = (): unknown => decodeTuple(whole.subarray(0, length))
    if (ends.includes(length)) expect(cut()).toHaveLength(ends.indexOf(length))
    else
      expect(cut, String(length)).toThrow(
        expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }),
      )
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      try {
        expect(decodeTuple(bytes), replayHint(seed)).toBeInstanceOf(Array)
      } catch (error) {
        expect(error, replayHint(seed)).toHaveProperty('code', 'WISC_INVALID_ARGUMENT')
      }
    }),
    settings,
  )
})
