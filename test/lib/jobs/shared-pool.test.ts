/** A pool whose threads several stores share. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import type { FlushJob, Job } from '#dist/lib/jobs/messages.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { WorkerPool } from '#dist/lib/jobs/worker-pool.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { type FakeResult, fakeJob, type Script } from '../../support/parts/fake-worker.ts'
import { flushJob, freeze, readTables } from '../../support/parts/job-fixtures.ts'
import { poolRunner } from '../../support/parts/own-pool.ts'

const ENTRY = new URL('../../../dist/test/support/parts/fake-worker.js', import.meta.url)
const LONG: Script = { slices: 100, sliceMs: 1 }
const ENDLESS: Script = { slices: 1e9, sliceMs: 1 }
const SHORT: Script = { slices: 3, sliceMs: 1 }

const pools: WorkerPool[] = []
const runners: JobRunner[] = []
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.close()))
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

function poolOf(entry?: URL, idleMs?: number): WorkerPool {
  const pool = new WorkerPool(entry, idleMs)
  pools.push(pool)
  return pool
}

function storeIn(pool: WorkerPool, workers: number): JobRunner {
  const runner = poolRunner(pool, workers)
  runners.push(runner)
  return runner
}

async function run(runner: JobRunner, kind: Job['kind'], script: Script): Promise<FakeResult> {
  // A flush that is only a script has no memory to share.
  const job = { ...fakeJob(kind, script), memtable: { arenaId: 1 } } as unknown as Job
  return (await runner.run(job)) as unknown as FakeResult
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}

test('twenty stores have as many threads as the one that asks for most', async () => {
  const pool = poolOf(ENTRY)
  const stores = Array.from({ length: 20 }, () => storeIn(pool, 2))
  const results = await Promise.all(
    stores.flatMap((store) => [run(store, 'compaction', SHORT), run(store, 'flush', SHORT)]),
  )
  expect(new Set(results.map(({ threadId }) => threadId)).size).toBeLessThanOrEqual(2)
  expect(pool.threads).toBe(2)
  const greedy = storeIn(pool, 3)
  await Promise.all([1, 2, 3].map(() => run(greedy, 'mark', LONG)))
  expect(pool.threads).toBe(3)
})

test('a store is on no more threads than it asks for', async () => {
  const pool = poolOf(ENTRY)
  storeIn(pool, 3)
  const modest = storeIn(pool, 1)
  const kinds = ['rewrite', 'compaction', 'flush', 'mark'] as const
  const results = await Promise.all(kinds.map((kind) => run(modest, kind, SHORT)))
  expect(new Set(results.map(({ threadId }) => threadId)).size).toBe(1)
})

test('a busy store keeps no other from working: their jobs take turns', async () => {
  const pool = poolOf(ENTRY)
  const busy = storeIn(pool, 1)
  const file = join(temporaryDirectory(), 'begun')
  const endless = run(busy, 'compaction', { ...ENDLESS, file })
  const ended = expect(endless).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  await until(() => existsSync(file))
  await run(storeIn(pool, 1), 'rewrite', SHORT)
  expect(existsSync(file)).toBe(true)
  await Promise.all([busy.close(), ended])
})

test('the close of a store ends its own jobs and no others', async () => {
  const pool = poolOf(ENTRY)
  const leaving = storeIn(pool, 1)
  const staying = storeIn(pool, 1)
  const file = join(temporaryDirectory(), 'begun')
  const cancelled = run(leaving, 'compaction', { ...ENDLESS, file })
  const goesOn = run(staying, 'compaction', LONG)
  await until(() => existsSync(file))
  await Promise.all([
    leaving.close(),
    expect(cancelled).rejects.toMatchObject({ code: 'WISC_ABORTED' }),
  ])
  expect(existsSync(file)).toBe(false)
  expect(pool.threads).toBe(1)
  await goesOn
  await run(staying, 'flush', SHORT)
})

test('threads without a job end, and come back for the next one', async () => {
  const pool = poolOf(ENTRY, 5)
  const store = storeIn(pool, 1)
  const first = await run(store, 'compaction', SHORT)
  await until(() => pool.threads === 0)
  const second = await run(store, 'compaction', SHORT)
  expect(second.threadId).not.toBe(first.threadId)
})

test('a thread that knows memory of a closed store ends as soon as it has no job', async () => {
  const pool = poolOf(ENTRY)
  const closing = storeIn(pool, 1)
  const staying = storeIn(pool, 1)
  closing.shareArena(1, new SharedArrayBuffer(16))
  await run(closing, 'flush', SHORT)
  const file = join(temporaryDirectory(), 'begun')
  const long = run(staying, 'compaction', { ...ENDLESS, file })
  const ended = expect(long).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  await until(() => existsSync(file))
  await closing.close()
  expect(pool.threads).toBe(1)
  await Promise.all([staying.close(), ended])
  expect(pool.threads).toBe(0)
  // One that shared nothing leaves the thread to others.
  const next = storeIn(pool, 1)
  await run(next, 'compaction', SHORT)
  await next.close()
  expect(pool.threads).toBe(1)
})

test('stores that name their arenas alike are not mixed up', async () => {
  const pool = poolOf()
  const flushed = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      const store = storeIn(pool, 2)
      const directory = temporaryDirectory()
      const key = new TextEncoder().encode(name)
      const entry = { key, sequence: 1, kind: KIND.pointer, segment: 1, offset: 64, length: 100 }
      const { arena, frozen } = freeze(1, [entry], 65_536)
      store.shareArena(arena.id, arena.buffer)
      const job: FlushJob = flushJob(directory, frozen, [1e9])
      const { tables } = await store.run(job)
      return readTables(
        directory,
        tables.map(({ meta }) => meta),
        nodeFileSystem,
      )
    }),
  )
  const keys = flushed.map((entries) => entries.map(({ key }) => Buffer.from(key).toString()))
  expect(keys).toEqual([['a'], ['b'], ['c']])
})

test('a thread in which stores are opened has a pool of its own, and ends by itself', async () => {
  const directory = temporaryDirectory()
  const face = new URL('../../../dist/lib/index.js', import.meta.url).href
  const script = `
    const { open } = await import(${JSON.stringify(face)})
    const store = await open(${JSON.stringify(directory)})
    for (let i = 0; i < 3000; i++) void store.put('key' + i, 'value')
    await store.flush()
    await store.compact()
    await store.close()`
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`)
  const code = await new Promise((resolve, reject) => {
    new Worker(url).on('error', reject).on('exit', resolve)
  })
  expect(code).toBe(0)
})
