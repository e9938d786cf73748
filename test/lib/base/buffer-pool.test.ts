/** Buffers that jobs take and give back. */
import { expect, test } from 'vitest'
import { giveBuffer, takeBuffer } from '#dist/lib/base/buffer-pool.js'

// Buffers are compared by ===: matchers walk through all their bytes.
const MIB = 1024 * 1024

test('a buffer is taken by one at a time, and again when it was given back', () => {
  const first = takeBuffer(MIB)
  const second = takeBuffer(MIB)
  expect(second === first).toBe(false)
  giveBuffer(first)
  expect(takeBuffer(2 * MIB) === first).toBe(false)
  expect(takeBuffer(MIB) === first).toBe(true)
  expect(takeBuffer(MIB) === first).toBe(false)
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
  const places = again.map((buffer) => buffers.indexOf(buffer)).filter((place) => place >= 0)
  expect(places).toEqual([39, 38, 37, 36, 35, 34, 33, 32])
  giveBuffer(new Uint8Array(9 * MIB))
  giveBuffer(new Uint8Array(100))
  const last = takeBuffer(MIB)
  giveBuffer(last)
  // Neither the large nor the small one has pushed it out.
  expect(takeBuffer(MIB) === last).toBe(true)
})
