/** The sequences at which somebody may still read. */
import { expect, test } from 'vitest'
import { ReadableSequences } from '#dist/lib/state/readable-sequences.js'

test('readable sequences are those that someone holds, and the visible one', () => {
  const readers = new ReadableSequences(20)
  expect(readers.oldest).toBeUndefined()
  for (const sequence of [5, 9, 5]) readers.hold(sequence)
  expect(readers.count).toBe(3)
  expect(readers.list()).toEqual([5, 9, 20])
  readers.release(5)
  readers.newest = 9
  expect(readers.list()).toEqual([5, 9])
  readers.newest = 20
  readers.release(5)
  expect(readers.oldest).toBe(9)
  readers.release(77)
  expect(readers.list()).toEqual([9, 20])
})
