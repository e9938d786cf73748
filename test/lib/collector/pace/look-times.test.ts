/** When the collector looks, by counts of looks; the clock is the test's. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LookTimes } from '#dist/lib/collector/pace/look-times.js'

const SEGMENT = 16_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

function timesOf(lookMs = 0) {
  const log = { bytesWritten: 0 }
  const looks: boolean[] = []
  const looker = {
    isActive: true,
    look: (isQuiet: boolean) => {
      times.begun()
      looks.push(isQuiet)
      vi.setSystemTime(Date.now() + lookMs)
      now += lookMs
      times.ended(lookMs)
    },
  }
  let now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const readers = { oldestMoment: Number.POSITIVE_INFINITY, awaited: Number.POSITIVE_INFINITY }
  const times: LookTimes = new LookTimes(looker, log, readers, SEGMENT)
  const write = (bytes: number): void => {
    times.writing()
    log.bytesWritten += bytes
  }
  const pass = (ms: number): void => {
    now += ms
    vi.advanceTimersByTime(ms)
  }
  return { times, log, looker, looks, readers, write, pass }
}

test('a look follows each sixteenth of a segment that was written, however many groups it took', () => {
  const { looks, write, pass } = timesOf()
  for (let i = 0; i < 10; i++) write(100)
  pass(1)
  expect(looks).toEqual([])
  write(100)
  write(100)
  pass(1)
  expect(looks).toEqual([false])
})

test('the last look is when writes have ceased, and an idle store is looked at no more', () => {
  const { looks, write, pass } = timesOf()
  write(100)
  pass(200)
  write(100)
  pass(200)
  expect(looks).toEqual([])
  pass(400)
  expect(looks).toEqual([true])
  pass(60_000)
  expect(looks).toEqual([true])
})

test('changes that come together are looked at once; who waits is looked after by and by', () => {
  const { times, looks, pass } = timesOf()
  times.soon()
  times.soon()
  times.again()
  times.again()
  pass(1)
  expect(looks).toEqual([true])
  pass(100)
  pass(1)
  expect(looks).toEqual([true, true])
})

test('a long look is followed by a rest of four times its length', () => {
  const { times, looks, pass } = timesOf(10)
  times.soon()
  pass(1)
  times.soon()
  pass(35)
  expect(looks.length).toBe(1)
  pass(10)
  expect(looks.length).toBe(2)
})

test('it knows whether anything was written since the last look', () => {
  const { times, looker, write } = timesOf()
  expect(times.isUpToDate).toBe(true)
  write(100)
  expect(times.isUpToDate).toBe(false)
  looker.look(true)
  expect(times.isUpToDate).toBe(true)
})

test('nothing is looked at while nobody would act on it, nor after a stop', () => {
  const { times, looker, looks, write, pass } = timesOf()
  looker.isActive = false
  times.soon()
  pass(10)
  expect(looks).toEqual([])
  looker.isActive = true
  write(100)
  times.again()
  times.stop()
  pass(60_000)
  expect(looks).toEqual([])
})

test('an idle store is looked at when something expires, or when the reader ends that still sees it', () => {
  const { times, looks, readers, pass } = timesOf()
  const began = Date.now()
  times.at(began + 5000)
  pass(4999)
  expect(looks).toEqual([])
  pass(2)
  expect(looks).toEqual([true])
  // It has expired, but for a snapshot that is older: no timer, that one tells.
  readers.oldestMoment = began
  times.at(began + 5000)
  pass(60_000)
  expect([looks.length, readers.awaited]).toEqual([1, began + 5000])
  // It has not yet, whoever reads.
  times.at(Date.now() + 5000)
  expect(readers.awaited).toBe(Number.POSITIVE_INFINITY)
  pass(5001)
  expect(looks.length).toBe(2)
})
