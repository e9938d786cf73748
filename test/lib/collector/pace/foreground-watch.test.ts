/** How fast reclaiming may go while it makes the calling thread late: neither unbridled nor held back for good. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  ForegroundWatch,
  nextRate,
  RATE_MIN,
  RATE_TOP,
} from '#dist/lib/collector/pace/foreground-watch.js'

const UNBRIDLED = Number.POSITIVE_INFINITY

/** The rates after turns of which one in `every` is late. */
function rates(every: number, turns: number, from: number): number[] {
  const seen: number[] = []
  let rate = from
  for (let turn = 1; turn <= turns; turn++) {
    rate = nextRate(rate, turn % every === 0, true)
    seen.push(rate)
  }
  return seen
}

test('where every fifth turn is late the rate settles low, from wherever it comes', () => {
  for (const from of [UNBRIDLED, RATE_TOP, RATE_MIN]) {
    expect(Math.max(...rates(5, 1000, from).slice(100))).toBeLessThan(RATE_TOP / 8)
  }
  expect(Math.max(...rates(20, 1000, UNBRIDLED).slice(300))).toBeLessThan(RATE_TOP / 2)
})

test('the first late turn after an unbridled time holds back, and never below the least', () => {
  expect(nextRate(UNBRIDLED, true, true)).toBe(RATE_TOP / 2)
  expect(rates(1, 20, UNBRIDLED).at(-1)).toBe(RATE_MIN)
})

test('turns in time set it free again after some seconds, and so does a store without room, at once', () => {
  const seen = rates(UNBRIDLED, 200, RATE_MIN)
  expect(seen.at(-1)).toBe(UNBRIDLED)
  expect(seen.indexOf(UNBRIDLED)).toBeLessThan(150)
  expect(nextRate(RATE_MIN, true, false)).toBe(UNBRIDLED)
})

/** The clock of these tests; timers fire when they are told to. */
let now = 0
beforeEach(() => {
  now = 0
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** One turn of the watch, so many milliseconds too late. */
function turn(lateMs: number, between: () => void = () => {}): void {
  now += 20 + lateMs
  between()
  vi.advanceTimersByTime(20)
}

test('a step that begins beside another one does not forgive the turn that is late', () => {
  const watch = new ForegroundWatch(undefined)
  watch.hasRoom = true
  watch.start()
  for (let i = 0; i < 10; i++) turn(50, () => watch.start())
  expect(watch.rate.bytesPerSecond).toBe(RATE_MIN)
  watch.stop()
})

test("the user's bound holds in every state, and no bound is one when nothing is held back", () => {
  const watch = new ForegroundWatch(1000)
  watch.start()
  turn(0)
  expect(watch.rate.bytesPerSecond).toBe(1000)
  watch.hasRoom = true
  turn(50)
  expect(watch.rate.bytesPerSecond).toBe(1000)
  watch.stop()

  const free = new ForegroundWatch(undefined)
  free.hasRoom = true
  free.start()
  turn(50)
  expect(free.rate.bytesPerSecond).toBe(RATE_TOP / 2)
  free.hasRoom = false
  turn(50)
  expect(free.rate.bytesPerSecond).toBe(undefined)
  // What a step left behind is where the next one begins.
  free.hasRoom = true
  turn(50)
  free.stop()
  free.start()
  turn(0)
  expect(free.rate.bytesPerSecond).toBeLessThan(RATE_TOP)
  free.stop()
})
