/** The sequences at which somebody may still read. */
import { expect, test, vi } from 'vitest'
import { ReadableSequences } from '#dist/lib/state/readable-sequences.js'

const NOW = Date.now()

test('readable sequences are those that someone holds, and the visible one', () => {
  const readers = new ReadableSequences(20)
  expect(readers.oldest).toBeUndefined()
  for (const sequence of [5, 9, 5]) readers.hold(sequence, NOW)
  expect(readers.count).toBe(3)
  expect(readers.list()).toEqual([5, 9, 20])
  readers.release(5, NOW)
  readers.newest = 9
  expect(readers.list()).toEqual([5, 9])
  readers.newest = 20
  readers.release(5, NOW)
  expect(readers.oldest).toBe(9)
  readers.release(77, NOW)
  expect(readers.list()).toEqual([9, 20])
})

test('only who gives up an older sequence, as the last one, may leave garbage behind', () => {
  const readers = new ReadableSequences(20)
  let released = 0
  readers.released = () => {
    released++
  }
  for (const sequence of [20, 9, 9]) readers.hold(sequence, NOW)
  readers.release(20, NOW)
  readers.release(9, NOW)
  expect(released).toBe(0)
  readers.release(9, NOW)
  expect(released).toBe(1)
  readers.hold(20, NOW)
  readers.newest = 21
  readers.release(20, NOW)
  expect(released).toBe(2)
})

test('what expires has done so for every reader when it has for the earliest moment', () => {
  const readers = new ReadableSequences(20)
  const before = Date.now()
  expect(readers.expiredBy).toBeGreaterThanOrEqual(before)
  for (const moment of [900, 700, 700]) readers.hold(9, moment)
  expect(readers.expiredBy).toBe(700)
  readers.release(9, 700)
  expect(readers.expiredBy).toBe(700)
  readers.release(9, 700)
  expect(readers.expiredBy).toBe(900)
  readers.release(9, 900)
  expect(readers.expiredBy).toBeGreaterThanOrEqual(before)
  // A clock that has jumped back since.
  readers.hold(9, Number.MAX_SAFE_INTEGER)
  expect(readers.expiredBy).toBeLessThan(Number.MAX_SAFE_INTEGER)
})

test('who awaits an expiry is told when the last reader ends that is older, and by no other', () => {
  const readers = new ReadableSequences(20)
  let released = 0
  readers.released = () => {
    released++
  }
  for (const moment of [NOW, NOW, NOW + 10]) readers.hold(20, moment)
  readers.awaited = NOW + 5
  readers.release(20, NOW + 10)
  readers.release(20, NOW)
  expect(released).toBe(0)
  readers.release(20, NOW)
  expect(released).toBe(1)
})

test('a reader begins at no moment before those by which jobs that run have judged', () => {
  const readers = new ReadableSequences(20)
  const later = NOW + 3_600_000
  const clock = vi.spyOn(Date, 'now').mockReturnValue(later)
  const [first, second] = [readers.judge(), readers.judge()]
  expect([first.expiredBy, second.expiredBy]).toEqual([later, later])
  clock.mockReturnValue(NOW)
  // It has been set back: what the jobs drop this reader must not have seen.
  expect(readers.moment).toBe(later)
  readers.hold(20, NOW - 1)
  const third = readers.judge()
  expect(third.expiredBy).toBe(NOW - 1)
  first.end()
  expect(readers.moment).toBe(later)
  second.end()
  expect(readers.moment).toBe(NOW)
  third.end()
  clock.mockRestore()
})
