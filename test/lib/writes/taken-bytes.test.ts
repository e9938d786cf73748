/** Memory of the commit queue: copies hold until it is empty, then the same memory is used again. */
import { expect, test } from 'vitest'
import { TakenBytes } from '#dist/lib/writes/taken-bytes.js'
import { bytesOf } from '../../support/parts/log-segments.ts'

test('copies lie apart, whatever becomes of the arrays, and share memory that grows', () => {
  const taken = new TakenBytes()
  const sizes = [
    0, 1, 70, 5000, 65_536, 65_536, 300, 65_537, 40_000, 65_536, 65_536, 65_536, 2_000_000,
  ]
  for (let round = 0; round < 3; round++) {
    const copies = sizes.map((size, i) => {
      const array = bytesOf(size, i + round)
      const copy = taken.take(array)
      array.fill(0xee)
      return copy
    })
    for (const [i, copy] of copies.entries()) {
      expect(Buffer.compare(copy, bytesOf(sizes[i]!, i + round)), `${i}`).toBe(0)
    }
    taken.reset()
  }
})

test('a queue that empties with each group uses one piece of memory for ever', () => {
  const taken = new TakenBytes()
  const buffers = new Set<ArrayBufferLike>()
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 8; i++) buffers.add(taken.take(bytesOf(4096, i)).buffer)
    taken.reset()
  }
  expect(buffers.size).toBe(1)
  // What it needed while it waited is given up, but for some of it.
  const many = new Set<ArrayBufferLike>()
  for (let i = 0; i < 200; i++) many.add(taken.take(bytesOf(60_000)).buffer)
  taken.reset()
  const again = new Set<ArrayBufferLike>()
  for (let i = 0; i < 200; i++) again.add(taken.take(bytesOf(60_000)).buffer)
  const kept = [...again].filter((buffer) => many.has(buffer))
  expect(kept).toHaveLength(5)
})

test('I10: a queue that is never empty uses its memory again, and only what nobody needs', () => {
  const taken = new TakenBytes()
  const buffers = new Set<ArrayBufferLike>()
  const waiting: { readonly copy: Uint8Array; readonly number: number }[] = []
  for (let number = 1; number <= 2000; number++) {
    const copy = taken.take(bytesOf(60_000, number))
    if (number > 500) buffers.add(copy.buffer)
    taken.accept()
    waiting.push({ copy, number })
    if (waiting.length <= 40) continue
    const oldest = waiting.shift()!
    expect(Buffer.compare(oldest.copy, bytesOf(60_000, oldest.number))).toBe(0)
    taken.leave(1)
  }
  expect(buffers.size).toBeLessThanOrEqual(8)
})
