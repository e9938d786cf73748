/**
 * Busy callers never starve the event loop: a timer goes on firing. Counted in steps of the callers, not in time: a
 * slow machine makes fewer of them between two ticks, so that what it holds up is no pause of ours.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'

/** Of a timer of 10 ms. */
const TICKS = 25
/** In 50 ms the fastest callers make no more: 20 ticks a second. */
const STEPS_PER_TICK = 30_000

let directory: string
let store: Store

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'wisc-loop-'))
  store = await open(directory)
})

afterEach(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Runs steps one after the other in some loops, until the timer has fired often enough, or should have. */
async function ticksDuring(loops: number, step: () => Promise<unknown>): Promise<number> {
  let ticks = 0
  let steps = 0
  const timer = setInterval(() => {
    ticks++
  }, 10)
  const loop = async (): Promise<void> => {
    while (ticks < TICKS && steps++ < TICKS * STEPS_PER_TICK) await step()
  }
  await Promise.all(Array.from({ length: loops }, loop))
  clearInterval(timer)
  return ticks
}

async function fill(count: number): Promise<void> {
  const value = Buffer.alloc(1000, 1)
  for (let i = 0; i < count; i += 100) {
    const keys = Array.from({ length: 100 }, (_, at) => `key${i + at}`)
    await store.write(keys.map((key) => ({ type: 'put', key, value })))
  }
}

test('a loop that only awaits what is settled starves it: the measure finds that', async () => {
  expect(await ticksDuring(1, () => Promise.resolve())).toBe(0)
})

test('64 writers put in a loop', async () => {
  let next = 0
  const value = Buffer.alloc(1000, 7)
  expect(await ticksDuring(64, () => store.put(`key${next++ % 5000}`, value))).toBe(TICKS)
})

test('one loop awaits gets', async () => {
  await fill(2000)
  let next = 0
  expect(await ticksDuring(1, () => store.get(`key${next++ % 2000}`))).toBe(TICKS)
})

test('one loop awaits gets from tables', async () => {
  await fill(2000)
  await store.flush()
  let next = 0
  expect(await ticksDuring(1, () => store.get(`key${next++ % 2000}`))).toBe(TICKS)
})

test.each(['entries', 'keys', 'values'] as const)('one iterator runs: %s', async (kind) => {
  await fill(20_000)
  let iterator = store[kind]()
  const ticks = await ticksDuring(1, async () => {
    const { done } = await iterator.next()
    if (done) iterator = store[kind]()
  })
  await iterator.close()
  expect(ticks).toBe(TICKS)
})
