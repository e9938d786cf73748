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

test('only who gives up an older sequence, as the last one, may leave garbage behind', () => {
  const readers = new ReadableSequences(20)
  let released = 0
  readers.released = () => {
    released++
  }
  for (const sequence of [20, 9, 9]) readers.hold(sequence)
  readers.release(20)
  readers.release(9)
  expect(released).toBe(0)
  readers.release(9)
  expect(released).toBe(1)
  readers.hold(20)
  readers.newest = 21
  readers.release(20)
  expect(released).toBe(2)
})
