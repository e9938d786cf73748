/** The checksum: known values on both sides of its limit, shared memory, every bit counts. */

import { expect, test } from 'vitest'
import { checksum, crc32From, XXH3_FROM_BYTES } from '#dist/lib/base/checksum.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

test('below the limit it is CRC-32, with the check value cbf43926', () => {
  expect(checksum(bytesOf('123456789'))).toBe(0xcbf43926)
  expect(checksum(new Uint8Array(0))).toBe(0)
})

/** The data that the vectors of xxHash's own self-test are made of. */
function xxhashTestData(length: number): Uint8Array {
  let state = 2654435761n
  return Uint8Array.from({ length }, () => {
    const byte = Number(state >> 56n)
    state = BigInt.asUintN(64, state * 11400714785074694797n)
    return byte
  })
}

test('from the limit on it is the low half of XXH3-64: the vectors of its self-test', () => {
  expect(XXH3_FROM_BYTES).toBe(2048)
  expect(checksum(xxhashTestData(2048))).toBe(0xa5f038e0)
  expect(checksum(xxhashTestData(2240))).toBe(0x39cf2948)
  expect(checksum(xxhashTestData(2367))).toBe(0xe5d361ed)
  expect(checksum(xxhashTestData(2047))).toBe(crc32From(0, xxhashTestData(2047)))
})

test('a view over shared memory and one at an offset have the checksum of their bytes', () => {
  for (const length of [100, 5000]) {
    const plain = Uint8Array.from({ length }, (_, i) => (i * 31) & 255)
    const shared = new Uint8Array(new SharedArrayBuffer(length + 3), 3)
    shared.set(plain)
    expect(checksum(shared)).toBe(checksum(plain))
  }
})

test('each flipped bit changes it', () => {
  for (const length of [1, 64, 2047, 2048]) {
    const bytes = new Uint8Array(length).fill(0x5a)
    const expected = checksum(bytes)
    for (let bit = 0; bit < length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      if (checksum(bytes) === expected) expect.fail(`length=${length} bit=${bit}`)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
  }
})

test('a CRC continues over ranges that do not lie together', () => {
  expect(crc32From(crc32From(0, bytesOf('1234')), bytesOf('56789'))).toBe(0xcbf43926)
})
