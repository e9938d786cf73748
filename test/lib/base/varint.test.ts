/** Varints: round trips, boundaries, and the forms that a reader refuses. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VarintReader, varintLength, writeVarint } from '#dist/lib/base/varint.js'

function encode(value: number): Uint8Array {
  const bytes = new Uint8Array(16)
  return bytes.subarray(0, writeVarint(bytes, 0, value))
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test.each([
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [16383, 'ff7f'],
  [16384, '808001'],
  [2 ** 28 - 1, 'ffffff7f'],
  [2 ** 28, '8080808001'],
  [2 ** 32 - 1, 'ffffffff0f'],
  [2 ** 49, '8080808080808001'],
  [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
])('%i is %s', (value, expected) => {
  expect(hex(encode(value))).toBe(expected)
  expect(varintLength(value)).toBe(expected.length / 2)
})

test('what is written is read back, one behind the other', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat(), { maxLength: 20 }), (values) => {
      const bytes = new Uint8Array(8 * values.length)
      let end = 0
      for (const value of values) end = writeVarint(bytes, end, value)
      const reader = new VarintReader(bytes, 0, end)
      expect(values.map(() => reader.next())).toEqual(values)
      expect([reader.failed, reader.at]).toEqual([false, end])
      reader.next()
      expect(reader.failed).toBe(true)
    }),
  )
})

test.each([
  ['nothing', ''],
  ['cut off', '80'],
  ['a needless zero', '8000'],
  ['above 2^53 - 1', 'ffffffffffffff10'],
  ['nine bytes', '808080808080808001'],
])('refused: %s', (_, text) => {
  const reader = new VarintReader(Uint8Array.from(Buffer.from(text, 'hex')))
  expect(reader.next()).toBe(0)
  expect(reader.failed).toBe(true)
})

test('bytes beyond the end are refused, those up to it are a view', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4)
  const reader = new VarintReader(bytes, 1, 3)
  expect([...reader.nextBytes(2)]).toEqual([2, 3])
  expect([reader.nextBytes(0).length, reader.failed]).toEqual([0, false])
  expect([reader.nextBytes(1).length, reader.failed]).toEqual([0, true])
})
