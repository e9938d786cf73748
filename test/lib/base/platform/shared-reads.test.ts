/** Reads that a caller shares with a thread, step by step: both sides in every order. */
import { expect, test } from 'vitest'
import {
  newSharedReadsMemory,
  PLACES,
  type ReadCall,
  SharedReads,
} from '#dist/lib/base/platform/shared-reads.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

/** Of a file whose byte at each position is the lowest byte of that. */
const read: ReadCall = (_descriptor, target, at, length, position) => {
  for (let i = 0; i < length; i++) target[at + i] = (position + i) & 255
  return true
}

/** The length of every read here. */
const LENGTH = 10

function offerAll(caller: SharedReads, count: number): void {
  let start = 0
  for (let place = 0; place < count; place++) {
    start = caller.offer(place, start, 5, LENGTH, place * 7)
  }
  caller.share(count)
}

function bytesOf(caller: SharedReads, place: number): Uint8Array {
  const target = new Uint8Array(LENGTH)
  caller.take(place, target, 0)
  return target
}

const expected = (place: number): Uint8Array =>
  Uint8Array.from({ length: LENGTH }, (_, i) => (place * 7 + i) & 255)

test('each place goes to one side: the caller takes back what no thread has begun, the rest is read', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const memory = newSharedReadsMemory()
  const [caller, thread] = [new SharedReads(memory), new SharedReads(memory)]
  for (let batch = 0; batch < 60; batch++) {
    const count = 1 + prng.below(PLACES)
    const stopAt = prng.below(count + 1)
    const own: number[] = []
    let next = 0
    offerAll(caller, count)
    // While the thread reads, the caller goes on from the front.
    const mayRead: ReadCall = (...given) => {
      if (prng.chance(0.5) && next < stopAt && caller.takeBack(next)) own.push(next++)
      return read(...given)
    }
    while (next < stopAt && prng.chance(0.5)) if (caller.takeBack(next)) own.push(next++)
    thread.readBackwards(mayRead)
    for (let place = 0; place < count; place++) {
      if (place < own.length) {
        expect(own[place], replayHint(seed)).toBe(place)
        continue
      }
      expect(caller.takeBack(place)).toBe(false)
      expect(caller.isEnded(place)).toBe(true)
      expect(caller.isRead(place)).toBe(true)
      expect(bytesOf(caller, place), replayHint(seed)).toEqual(expected(place))
    }
  }
})

test('what a thread has begun is its own until it has ended', () => {
  const memory = newSharedReadsMemory()
  const [caller, thread] = [new SharedReads(memory), new SharedReads(memory)]
  offerAll(caller, 2)
  const seen: boolean[] = []
  thread.readBackwards((...given) => {
    seen.push(caller.takeBack(1), caller.isEnded(1))
    return read(...given)
  })
  expect(seen.slice(0, 2)).toEqual([false, false])
  expect(caller.isEnded(1)).toBe(true)
})

test('what could not be read whole says so', () => {
  const memory = newSharedReadsMemory()
  const [caller, thread] = [new SharedReads(memory), new SharedReads(memory)]
  offerAll(caller, 3)
  thread.readBackwards((...given) => read(...given) && given[4] !== 7)
  expect([0, 1, 2].map((place) => caller.isRead(place))).toEqual([true, false, true])
})

test('what has no room is not taken', () => {
  const caller = new SharedReads(newSharedReadsMemory())
  expect(caller.offer(0, 0, 5, 2 * 1024 * 1024, 0)).toBe(2 * 1024 * 1024)
  expect(caller.offer(1, 2 * 1024 * 1024, 5, 1, 0)).toBe(-1)
})

test('a thread that is stopped ends', () => {
  const reads = new SharedReads(newSharedReadsMemory())
  offerAll(reads, 1)
  reads.stop()
  reads.serve(read)
  expect(reads.isEnded(0)).toBe(false)
})
