/** The collector's jobs in worker threads, beside flushes and compactions; their bodies follow a script. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { CorruptionError, IoError } from '#dist/lib/base/errors.js'
import { JobRate, type RateListener } from '#dist/lib/jobs/job-rate.js'
import type { Job, JobResult } from '#dist/lib/jobs/messages.js'
import type { RunOptions } from '#dist/lib/jobs/runner.js'
import { serveJobs } from '#dist/lib/jobs/serve-jobs.js'
import type { FromWorker, ToWorker } from '#dist/lib/jobs/worker-protocol.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { type FakeResult, fakeJob, type Script } from '../../support/parts/fake-worker.ts'
import { type OwnPool, ownPool } from '../../support/parts/own-pool.ts'

const ENTRY = new URL('../../../dist/test/support/parts/fake-worker.js', import.meta.url)
const MIB = 1024 * 1024

const pools: OwnPool[] = []
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())))

type Run = (kind: Job['kind'], script: Script, options?: RunOptions) => Promise<FakeResult>

function poolOf(workers: number): { readonly pool: OwnPool; readonly run: Run } {
  const pool = ownPool(workers, ENTRY)
  pools.push(pool)
  const run: Run = async (kind, script, options) => {
    // A flush that is only a script has no memory to share.
    const job = { ...fakeJob(kind, script), memtable: { arenaId: 1 } } as unknown as Job
    return (await pool.run(job, options)) as unknown as FakeResult
  }
  return { pool, run }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(1)
}

const LONG: Script = { slices: 200, sliceMs: 2 }
const SHORT: Script = { slices: 5, sliceMs: 1 }

describe('order', () => {
  test('one worker: a compaction overtakes a rewrite that has begun', async () => {
    const { run } = poolOf(1)
    const file = join(temporaryDirectory(), 'begun')
    const rewrite = run('rewrite', { ...LONG, file })
    await until(() => existsSync(file))
    const compaction = await run('compaction', SHORT)
    const slow = await rewrite
    expect(compaction.threadId).toBe(slow.threadId)
    expect(compaction.began).toBeGreaterThan(slow.began)
    expect(compaction.ended).toBeLessThan(slow.ended)
  })

  test('two workers: a flush overtakes one of two rewrites, a walk waits for both', async () => {
    const { run } = poolOf(2)
    const rewrites = [run('rewrite', LONG), run('rewrite', LONG)]
    const walk = run('walk', SHORT)
    const flush = run('flush', SHORT)
    const [slow, other, later, first] = await Promise.all([...rewrites, walk, flush])
    expect(slow!.threadId).not.toBe(other!.threadId)
    expect(first!.ended).toBeLessThan(Math.min(slow!.ended, other!.ended))
    expect(later!.began).toBeGreaterThanOrEqual(Math.min(slow!.ended, other!.ended))
  })

  test('two workers: a compaction runs beside a rewrite', async () => {
    const { run } = poolOf(2)
    const rewrite = run('rewrite', LONG)
    const compaction = await run('compaction', SHORT)
    const slow = await rewrite
    expect(compaction.threadId).not.toBe(slow.threadId)
    expect(compaction.ended).toBeLessThan(slow.ended)
  })

  test('what waits for a worker goes by urgency', async () => {
    const { run } = poolOf(1)
    const order: string[] = []
    const kinds = ['compaction', 'mark', 'punch', 'compaction', 'flush'] as const
    await Promise.all(
      kinds.map((kind, i) => run(kind, SHORT).then(() => order.push(`${kind} ${i}`))),
    )
    expect(order).toEqual(['flush 4', 'compaction 0', 'compaction 3', 'mark 1', 'punch 2'])
  })
})

describe('rate', () => {
  test('holds for the whole of a job', async () => {
    const { run } = poolOf(1)
    // 10 MiB in slices of 512 KiB at 20 MiB a second.
    const rate = new JobRate(20 * MIB)
    const { began, ended } = await run('rewrite', { slices: 20, bytes: MIB / 2 }, { rate })
    // That it is not much slower, test/lib/jobs/slice-queue.test.ts says.
    expect(ended - began).toBeGreaterThan(450)
  })

  test('a paused job holds no worker, and goes on when it may', async () => {
    const { run } = poolOf(1)
    const rate = new JobRate(0)
    let ended = false
    const paused = run('rewrite', SHORT, { rate }).finally(() => {
      ended = true
    })
    for (const kind of ['mark', 'compaction', 'walk', 'flush'] as const) await run(kind, SHORT)
    expect(ended).toBe(false)
    rate.set(undefined)
    await paused
  })

  test('a job that is paused while it runs lets those go on that wait for its worker', async () => {
    const { run } = poolOf(1)
    const rate = new JobRate(undefined)
    const file = join(temporaryDirectory(), 'begun')
    const rewrite = run('rewrite', { ...LONG, file }, { rate })
    const walk = run('walk', SHORT)
    await until(() => existsSync(file))
    rate.set(0)
    const second = await walk
    rate.set(undefined)
    const first = await rewrite
    expect(second.threadId).toBe(first.threadId)
    expect(second.began).toBeGreaterThan(first.began)
    expect(second.ended).toBeLessThan(first.ended)
  })

  test('a rate that many jobs are given in turn remembers none of them', async () => {
    let listeners = 0
    class CountingRate extends JobRate {
      override onChange(listener: RateListener): () => void {
        listeners++
        const stop = super.onChange(listener)
        return () => {
          listeners--
          stop()
        }
      }
    }
    const { run } = poolOf(1)
    const rate = new CountingRate(undefined)
    const jobs = [run('mark', SHORT, { rate }), run('punch', SHORT, { rate })]
    expect(listeners).toBe(2)
    await Promise.all(jobs)
    expect(listeners).toBe(0)
  })

  test('a change reaches a job that waits for its time', async () => {
    const { run } = poolOf(1)
    const rate = new JobRate(1000)
    const file = join(temporaryDirectory(), 'begun')
    const running = run('rewrite', { slices: 3, bytes: MIB, file }, { rate })
    await until(() => existsSync(file))
    await wait(20)
    rate.set(100 * MIB)
    const { began, ended } = await running
    expect(ended - began).toBeLessThan(5000)
  })
})

describe('cancelling', () => {
  test('takes back the files of a job that runs, waits for its time, or stands still', async () => {
    const { run } = poolOf(1)
    const directory = temporaryDirectory()
    const states = [
      ['running', undefined],
      ['slow', new JobRate(1)],
      ['paused', new JobRate(undefined)],
    ] as const
    for (const [name, rate] of states) {
      const file = join(directory, name)
      const abort = new AbortController()
      const options = { signal: abort.signal, ...(rate && { rate }) }
      const running = run('rewrite', { ...LONG, bytes: MIB, file }, options)
      await until(() => existsSync(file))
      if (name === 'paused') rate?.set(0)
      await wait(10)
      abort.abort()
      await expect(running).rejects.toMatchObject({ code: 'WISC_ABORTED' })
      expect(existsSync(file)).toBe(false)
      // It has left the worker: its rate is nobody's any more.
      rate?.set(5)
    }
    await run('mark', SHORT)
  })

  test('a job that no worker has taken yet ends at once', async () => {
    const { run } = poolOf(1)
    const abort = new AbortController()
    const rewrite = run('rewrite', LONG)
    const waiting = run('walk', SHORT, { signal: abort.signal })
    abort.abort()
    const first = await Promise.race([waiting.catch((error: unknown) => error), rewrite])
    expect(first).toMatchObject({ code: 'WISC_ABORTED' })
    await rewrite
  })

  test('close ends jobs that run, wait and are paused', async () => {
    const { pool, run } = poolOf(2)
    const directory = temporaryDirectory()
    const file = join(directory, 'running')
    const jobs = Promise.allSettled([
      run('rewrite', { ...LONG, file }),
      run('mark', LONG),
      run('punch', SHORT, { rate: new JobRate(0) }),
    ])
    await until(() => existsSync(file))
    await pool.close()
    for (const job of await jobs) {
      expect(job).toMatchObject({ status: 'rejected', reason: { code: 'WISC_ABORTED' } })
    }
    expect(existsSync(file)).toBe(false)
  })
})

test('errors cross from the worker with all their fields', async () => {
  const { run } = poolOf(1)
  const corruption = await run('mark', { slices: 1, failure: 'corruption' }).catch(
    (e: unknown) => e,
  )
  expect(corruption).toBeInstanceOf(CorruptionError)
  expect(corruption).toMatchObject({
    code: 'WISC_CORRUPTION',
    file: '000007.vlog',
    offset: 4096,
    reason: 'checksum mismatch',
  })
  const io = await run('punch', { slices: 1, failure: 'io' }).catch((e: unknown) => e)
  expect(io).toBeInstanceOf(IoError)
  expect(io).toMatchObject({ operation: 'read', path: '/store/000007.vlog', errno: 'EIO' })
})

describe('large arrays of a result', () => {
  test('arrive whole', async () => {
    const { run } = poolOf(1)
    const { files } = await run('mark', { slices: 1, holes: 100_000 })
    expect(files[0]!.holes).toHaveLength(100_000)
    expect(files[0]!.holes[99_999]).toBe(99_999)
  })

  test('are handed over, not copied', async () => {
    const { port1, port2 } = new MessageChannel()
    const none = new Float64Array(0)
    const holes = [new Float64Array([1, 2, 3, 4]), none, none, new Float64Array([5, 6])]
    const result = { files: holes.map((array) => ({ holes: array })) } as unknown as JobResult
    // biome-ignore lint/correctness/useYield: a body of one slice
    serveJobs(port1, function* () {
      return result
    })
    const answer = new Promise<FromWorker>((resolve) => {
      port2.on('message', (message: FromWorker) => message.type !== 'ready' && resolve(message))
    })
    const message: ToWorker = {
      type: 'job',
      id: 1,
      job: fakeJob('mark', { slices: 1 }),
      store: 1,
      bytesPerSecond: undefined,
    }
    port2.postMessage(message)
    expect(await answer).toEqual({
      type: 'result',
      id: 1,
      result: {
        files: [[1, 2, 3, 4], [], [], [5, 6]].map((a) => ({ holes: Float64Array.of(...a) })),
      },
    })
    expect(holes.map(({ length }) => length)).toEqual([0, 0, 0, 0])
    port1.close()
  })
})
