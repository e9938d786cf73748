/** Busy callers never starve the event loop: a 10 ms timer goes on firing, at least 20 times a second. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open, type Store } from '#dist/lib/index.js'

const RUN_MS = 1500
const TICKS_MIN = 20 * (RUN_MS / 1000)

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

/** Runs steps one after the other until the time is over. @returns ticks of a 10 ms timer, and the steps */
async function ticksDuring(loops: number, step: () => Promise<unknown>): Promise<[number, number]> {
  let ticks = 0
  let steps = 0
  const timer = setInterval(() => {
    ticks++
  }, 10)
  const end = performance.now() + RUN_MS
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      await step()
      steps++
    }
  }
  await Promise.all(Array.from({ length: loops }, loop))
  clearInterval(timer)
  return [ticks, steps]
}

async function fill(count: number): Promise<void> {
  const value = Buffer.alloc(1000, 1)
  for (let i = 0; i < count; i += 100) {
    const keys = Array.from({ length: 100 }, (_, at) => `key${i + at}`)
    await store.write(keys.map((key) => ({ type: 'put', key, value })))
  }
}

test('64 writers put in a loop', async () => {
  let next = 0
  const value = Buffer.alloc(1000, 7)
  const [ticks, steps] = await ticksDuring(64, () => store.put(`key${next++ % 5000}`, value))
  expect(steps).toBeGreaterThan(1000)
  expect(ticks).toBeGreaterThanOrEqual(TICKS_MIN)
})

test('one loop awaits gets', async () => {
  await fill(2000)
  let next = 0
  const [ticks, steps] = await ticksDuring(1, () => store.get(`key${next++ % 2000}`))
  expect(steps).toBeGreaterThan(1000)
  expect(ticks).toBeGreaterThanOrEqual(TICKS_MIN)
})

test('one loop awaits gets from tables', async () => {
  await fill(2000)
  await store.flush()
  let next = 0
  const [ticks] = await ticksDuring(1, () => store.get(`key${next++ % 2000}`))
  expect(ticks).toBeGreaterThanOrEqual(TICKS_MIN)
})

test.each(['entries', 'keys', 'values'] as const)('one iterator runs: %s', async (kind) => {
  await fill(20_000)
  let iterator = store[kind]()
  const [ticks, steps] = await ticksDuring(1, async () => {
    const { done } = await iterator.next()
    if (done) iterator = store[kind]()
  })
  await iterator.close()
  expect(steps).toBeGreaterThan(1000)
  expect(ticks).toBeGreaterThanOrEqual(TICKS_MIN)
})
