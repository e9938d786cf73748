/** Buffers that jobs take and give back. */
import { expect, test } from 'vitest'
import { giveBuffer, takeBuffer } from '#dist/lib/base/buffer-pool.js'

const MIB = 1024 * 1024

test('a buffer is taken by one at a time, and again when it was given back', () => {
  const first = takeBuffer(MIB)
  const second = takeBuffer(MIB)
  expect(second).not.toBe(first)
  giveBuffer(first)
  expect(takeBuffer(2 * MIB)).not.toBe(first)
  expect(takeBuffer(MIB)).toBe(first)
  expect(takeBuffer(MIB)).not.toBe(first)
})

test('one that is given back twice would be taken by two', () => {
  const buffer = takeBuffer(MIB)
  giveBuffer(buffer)
  expect(() => giveBuffer(buffer)).toThrow(/given back once/)
})

test('I10: what is kept is bounded, and the oldest goes first', () => {
  const buffers = Array.from({ length: 40 }, () => takeBuffer(MIB))
  for (const buffer of buffers) giveBuffer(buffer)
  const again = Array.from({ length: 40 }, () => takeBuffer(MIB))
  expect(again.filter((buffer) => buffers.includes(buffer))).toEqual(buffers.slice(-8).reverse())
  giveBuffer(new Uint8Array(9 * MIB))
  giveBuffer(new Uint8Array(100))
  const last = takeBuffer(MIB)
  giveBuffer(last)
  // Neither the large nor the small one has pushed it out.
  expect(takeBuffer(MIB)).toBe(last)
})
