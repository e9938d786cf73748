/** Bytes: order, fixed-width integers at their limits, the hash against the reference vectors. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  compareBytes,
  compareRange,
  equalBytes,
  hashRange,
  readU16,
  readU32,
  readU64,
  writeU16,
  writeU32,
  writeU64,
} from '#dist/lib/base/bytes.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

test('keys are ordered as unsigned bytes, a prefix first, as Buffer.compare orders them', () => {
  const bytes = fc.uint8Array({ maxLength: 12, max: 255 })
  fc.assert(
    fc.property(bytes, bytes, (left, right) => {
      const expected = Buffer.compare(left, right)
      expect(Math.sign(compareBytes(left, right))).toBe(expected)
      expect(equalBytes(left, right)).toBe(expected === 0)
      const padded = Uint8Array.of(7, ...right, 9)
      const end = 1 + right.length
      expect(Math.sign(compareRange(left, 0, left.length, padded, 1, end))).toBe(expected)
    }),
  )
  expect(compareBytes(Uint8Array.of(0x80), Uint8Array.of(0x7f))).toBeGreaterThan(0)
  expect(compareBytes(new Uint8Array(0), Uint8Array.of(0))).toBeLessThan(0)
})

test('integers are little-endian and survive at the limits of their widths', () => {
  const bytes = new Uint8Array(10)
  for (const value of [0, 1, 255, 256, 0xffff]) {
    writeU16(bytes, 1, value)
    expect(readU16(bytes, 1)).toBe(value)
  }
  for (const value of [0, 0x7fffffff, 0x80000000, 0xffffffff]) {
    writeU32(bytes, 1, value)
    expect(readU32(bytes, 1)).toBe(value)
  }
  for (const value of [0, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
    writeU64(bytes, 1, value)
    expect(readU64(bytes, 1)).toBe(value)
    expect(Buffer.from(bytes).readBigUInt64LE(1)).toBe(BigInt(value))
  }
  expect([bytes[0], bytes[9]]).toEqual([0, 0])
  expect(readU64(new Uint8Array(8).fill(255), 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
})

// From the verification lists of MurmurHash3_x86_32.
test.each([
  ['', 0, 0],
  ['', 1, 0x514e28b7],
  ['', 0xffffffff, 0x81f16f39],
  ['\0\0\0\0', 0, 0x2362f9de],
  ['aaaa', 0x9747b28c, 0x5a97808a],
  ['aaa', 0x9747b28c, 0x283e0130],
  ['aa', 0x9747b28c, 0x5d211726],
  ['a', 0x9747b28c, 0x7fa09ea6],
  ['abcd', 0x9747b28c, 0xf0478627],
  ['abc', 0x9747b28c, 0xc84a62dd],
  ['ab', 0x9747b28c, 0x74875592],
  ['Hello, world!', 0x9747b28c, 0x24884cba],
  ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
])('the hash of %j with seed %i is that of the reference', (text, seed, expected) => {
  const bytes = bytesOf(text)
  expect(hashRange(bytes, 0, bytes.length, seed)).toBe(expected)
  const padded = Uint8Array.of(1, 2, 3, ...bytes, 4)
  expect(hashRange(padded, 3, 3 + bytes.length, seed)).toBe(expected)
})

test('the hash reads every byte as unsigned', () => {
  const high = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
  expect(hashRange(high, 0, 4, 0)).toBe(0x76293b50)
  const one = Uint8Array.of(0x21, 0x43, 0x65, 0x87)
  expect(hashRange(one, 0, 4, 0)).toBe(0xf55b516b)
  expect(hashRange(one, 0, 3, 0)).toBe(0x7e4a8634)
  expect(hashRange(one, 0, 2, 0)).toBe(0xa0f7b07a)
  expect(hashRange(one, 0, 1, 0)).toBe(0x72661cf4)
})
