/** How the room of writers is spread over the time until more of it comes back. The clock is the test's. */
import { expect, test } from 'vitest'
import { Throttle } from '#dist/lib/collector/pace/throttle.js'

const MIB = 1024 * 1024
const VICTIM = 64 * MIB
const REWRITE_MS = 128
const ROOM = 16 * MIB
const GROUP = 128 * 1024

/** One that has seen rewrites. */
function measured(): Throttle {
  const throttle = new Throttle()
  throttle.looked(true, 0)
  for (let i = 0; i < 10; i++) {
    throttle.rewriting(VICTIM, i * REWRITE_MS)
    throttle.rewritten(VICTIM, (i + 1) * REWRITE_MS)
  }
  return throttle
}

const START = 10 * REWRITE_MS

interface Written {
  readonly at: number
  readonly roomBytes: number
}

/** Groups one after the other, as fast as they may go. */
function written(throttle: Throttle, from: number, to: number, room = ROOM): Written[] {
  const groups: Written[] = []
  let now = from
  let roomBytes = room
  while (now < to && roomBytes >= GROUP) {
    now += throttle.waitMs(GROUP, roomBytes, now)
    throttle.taken(GROUP, roomBytes, now)
    roomBytes -= GROUP
    groups.push({ at: now, roomBytes })
  }
  return groups
}

function roomAt(groups: readonly Written[], at: number): number {
  return groups.findLast((group) => group.at <= at)?.roomBytes ?? ROOM
}

test('before a rewrite was seen nobody waits, nor while nothing may come back', () => {
  const fresh = new Throttle()
  fresh.looked(true, 0)
  fresh.rewriting(VICTIM, 0)
  expect(fresh.waitMs(GROUP, ROOM, 0)).toBe(0)
  expect(fresh.growth(ROOM, 0)).toBe(Number.POSITIVE_INFINITY)
  const idle = measured()
  idle.looked(false, START)
  expect(idle.waitMs(GROUP, GROUP, START)).toBe(0)
})

test('the room is used evenly, and used up when the rewrite ends', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM, START)
  const groups = written(throttle, START, START + 2 * REWRITE_MS)
  for (const share of [1 / 4, 1 / 2, 3 / 4]) {
    const used = 1 - roomAt(groups, START + share * REWRITE_MS) / ROOM
    // Who came late at the beginning has made up for it.
    expect(Math.abs(used - share)).toBeLessThan(0.1)
  }
  expect(roomAt(groups, START + REWRITE_MS)).toBeLessThan(ROOM / 8)
})

test('a rewrite of half the size is met in half the time', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM / 2, START)
  const groups = written(throttle, START, START + REWRITE_MS)
  expect(roomAt(groups, START + REWRITE_MS / 2)).toBeLessThan(ROOM / 8)
})

test('one that is late is met more and more slowly: the room lasts', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM, START)
  const groups = written(throttle, START, START + 2 * REWRITE_MS)
  const late = groups.filter(({ at }) => at > START + REWRITE_MS)
  const waits = late.slice(1).map(({ at }, i) => at - late[i]!.at)
  expect(waits.length).toBeGreaterThan(5)
  for (let i = 1; i < waits.length; i++) expect(waits[i]!).toBeGreaterThan(waits[i - 1]!)
})

test('a pause lets writers make up for some milliseconds, not for all of it', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM, START)
  const half = START + REWRITE_MS / 2
  expect(throttle.waitMs(GROUP, ROOM, half)).toBe(0)
  const once = throttle.growth(ROOM, half)
  expect(once).toBeGreaterThan(0)
  expect(once).toBeLessThan(ROOM / 4)
  throttle.taken(once, ROOM, half)
  expect(throttle.waitMs(GROUP, ROOM - once, half)).toBeGreaterThan(0)
})

test('what is more than all the room waits no longer than what takes all of it', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM, START)
  expect(throttle.waitMs(100 * ROOM, ROOM, START)).toBe(throttle.waitMs(ROOM, ROOM, START))
  expect(Number.isFinite(throttle.waitMs(GROUP, -1, START))).toBe(true)
})

test('a group that takes long goes when it has waited so long, although it asks again', () => {
  const throttle = measured()
  throttle.rewriting(VICTIM, START)
  throttle.taken(GROUP, ROOM, START)
  const large = ROOM / 4
  const ms = throttle.waitMs(large, ROOM, START)
  expect(ms).toBeGreaterThan(REWRITE_MS / 8)
  expect(throttle.waitMs(large, ROOM, START + ms / 2)).toBeGreaterThan(0)
  expect(throttle.waitMs(large, ROOM, START + ms)).toBe(0)
  // It has paid with what it waited: the next one finds nothing of that.
  throttle.taken(large, ROOM, START + ms)
  expect(throttle.waitMs(large, ROOM - large, START + ms)).toBeGreaterThan(REWRITE_MS / 8)
})
