/** The runners: real workers and the calling thread, with the same jobs. */
import { execFileSync } from 'node:child_process'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { CorruptionError, IoError, syncFailed, WiscError } from '#dist/lib/base/errors.js'
import { nodeFileSystem } from '#dist/lib/base/platform/node-file-system.js'
import { systemRandom } from '#dist/lib/base/random.js'
import { createRunner } from '#dist/lib/jobs/create-runner.js'
import type { CompactionJob, FlushJob, Job, TableJobResult } from '#dist/lib/jobs/messages.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { WorkerPool } from '#dist/lib/jobs/worker-pool.js'
import { fromErrorMessage, toErrorMessage } from '#dist/lib/jobs/worker-protocol.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { temporaryDirectory } from '../../support/files/temporary-directory.ts'
import { compareEntries, type TestEntry } from '../../support/parts/array-cursor.ts'
import {
  compactionJob,
  type Frozen,
  flushJob,
  freeze,
  readTables,
} from '../../support/parts/job-fixtures.ts'
import { ownPool } from '../../support/parts/own-pool.ts'

const runners: JobRunner[] = []
afterEach(() => Promise.all(runners.splice(0).map((runner) => runner.close())))

function runnerOf(workers: number): JobRunner {
  const runner = createRunner(workers, nodeFileSystem, systemRandom)
  runners.push(runner)
  return runner
}

function entriesFrom(first: number, count: number): TestEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: new TextEncoder().encode(`key${String((i * 7919) % count).padStart(6, '0')}`),
    sequence: first + i,
    kind: KIND.pointer,
    segment: 1,
    offset: i * 100,
    length: 100,
  }))
}

function memtable(arenaId: number, first: number, count: number): Frozen {
  return freeze(arenaId, entriesFrom(first, count), 200 * count + 65_536)
}

async function flush(
  runner: JobRunner,
  directory: string,
  { arena, frozen }: Frozen,
): Promise<TableJobResult> {
  runner.shareArena(arena.id, arena.buffer)
  runner.shareArena(arena.id, arena.buffer)
  const job: FlushJob = { ...flushJob(directory, frozen, [1e9]), tableOptions: LARGE }
  return await runner.run(job)
}

const LARGE = { tableBytes: 256 * 1024, blockBytes: 4096, filterBitsPerKey: 10 }

/** Two runs of `count` keys, and the job that merges them. */
async function twoRuns(
  runner: JobRunner,
  directory: string,
  count: number,
): Promise<CompactionJob> {
  const older = await flush(runner, directory, memtable(1, 1, count))
  const newer = await flush(runner, directory, memtable(2, 1 + count, count))
  const inputs = [newer, older].map(({ tables }) => tables.map(({ meta }) => meta))
  return { ...compactionJob(directory, inputs, [1e9]), tableOptions: LARGE }
}

for (const workers of [0, 1, 2]) {
  test(`workers: ${workers}: a flush and a compaction make the right tables`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 5000)
    const result = await runner.run(job)
    expect(result).toMatchObject({ entriesIn: 10_000, entriesOut: 5000 })
    const { segments, counts, offsets, lengths } = result.dead
    expect([...segments, ...counts]).toEqual([1, 5000])
    expect([...offsets].sort((a, b) => a - b)).toEqual(entriesFrom(1, 5000).map((e) => e.offset))
    expect(lengths).toEqual(new Float64Array(5000).fill(100))
    const entries = readTables(
      directory,
      result.tables.map(({ meta }) => meta),
      nodeFileSystem,
    )
    expect(entries).toEqual(entriesFrom(5001, 5000).sort(compareEntries))
  })

  test(`workers: ${workers}: a cancelled job says so and leaves no file`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 30_000)
    const before = readdirSync(directory).sort()
    const abort = new AbortController()
    const running = runner.run(job, { signal: abort.signal })
    while (readdirSync(directory).length === before.length)
      await new Promise((r) => setTimeout(r, 1))
    abort.abort()
    await expect(running).rejects.toMatchObject({ code: 'WISC_ABORTED' })
    expect(readdirSync(directory).sort()).toEqual(before)
    await expect(runner.run(job, { signal: abort.signal })).rejects.toMatchObject({
      code: 'WISC_ABORTED',
    })
    expect((await runner.run(job)).entriesOut).toBe(30_000)
  })

  test(`workers: ${workers}: a flush overtakes compactions`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 40_000)
    await runner.run(job)
    const names = readdirSync(directory).length
    const order: string[] = []
    const compactions = [1, 2].map((n) => runner.run(job).then(() => order.push(`compaction ${n}`)))
    // The first one has begun.
    while (readdirSync(directory).length === names) await new Promise(setImmediate)
    await flush(runner, directory, memtable(3, 1, 100)).then(() => order.push('flush'))
    await Promise.all(compactions)
    // On this thread it comes into the middle of the first one. A worker may have ended that by now, and a second one
    // runs the flush beside it; the other compaction waits.
    if (workers === 0) expect(order[0]).toBe('flush')
    expect(order.indexOf('flush')).toBeLessThan(order.indexOf('compaction 2'))
    expect(order).toHaveLength(3)
  })

  test(`workers: ${workers}: an error arrives with its class and fields`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 2000)
    const { number } = job.inputs[0]![0]!
    const name = `${String(number).padStart(6, '0')}.sst`
    const before = readdirSync(directory).sort()
    truncateSync(join(directory, name), 1000)
    const error = await runner.run(job).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error).toMatchObject({ code: 'WISC_CORRUPTION', file: name, offset: 1000 })
    const missing = { ...job, directory: `${directory}/nowhere` }
    const missingError = await runner.run(missing).catch((cause: unknown) => cause)
    expect(missingError).toBeInstanceOf(IoError)
    expect(missingError).toMatchObject({ errno: 'ENOENT' })
    expect(readdirSync(directory).sort()).toEqual(before)
  })

  test(`workers: ${workers}: close cancels what runs and what waits, and is final`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 30_000)
    const before = readdirSync(directory).sort()
    const jobs = Promise.allSettled([1, 2, 3].map(() => runner.run(job)))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([runner.close(), runner.close()])
    for (const result of await jobs) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_ABORTED' } })
    }
    expect(readdirSync(directory).sort()).toEqual(before)
    await expect(runner.run(job)).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
  })
}

test('small jobs start no thread', async () => {
  const pool = new WorkerPool()
  const runner = createRunner(2, nodeFileSystem, systemRandom, () => undefined, pool)
  const directory = temporaryDirectory()
  const job = await twoRuns(runner, directory, 500)
  expect(await runner.run(job)).toMatchObject({ entriesIn: 1000, entriesOut: 500 })
  expect(pool.threads).toBe(0)
  await flush(runner, directory, memtable(3, 1, 5000))
  expect(pool.threads).toBe(1)
  await runner.close()
  await pool.close()
})

/** Dies of some jobs, answers any other. */
const MORTAL = `
  import { parentPort } from 'node:worker_threads'
  parentPort.postMessage({ type: 'ready' })
  parentPort.on('message', ({ type, id, job }) => {
    if (type !== 'job') return
    if (job.directory === '/throws') throw new Error('mortal')
    if (job.directory === '/exits') process.exit(3)
    parentPort.postMessage({ type: 'result', id, result: { entriesOut: 3 } })
  })`

test('a worker that dies fails its job, and the next job has another worker', async () => {
  const runner = ownPool(1, new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`))
  runners.push(runner)
  const run = (directory: string) => runner.run(compactionJob(directory, [], [1]))
  const error = await run('/throws').catch((cause: unknown) => cause)
  expect(error).toMatchObject({ code: 'WISC_IO', errno: 'ENOMEM', cause: { message: 'mortal' } })
  const jobs = [run('/exits'), run('/lives')]
  await expect(jobs[0]!).rejects.toMatchObject({ code: 'WISC_IO' })
  expect((await jobs[1])!.entriesOut).toBe(3)
})

test('what may pass is made again; workers that die five times in a row are a fault', async () => {
  const runner = ownPool(1, new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`))
  runners.push(runner)
  const run = async (directory: string): Promise<unknown> => {
    const job = compactionJob(directory, [], [1])
    return runner.run(job).catch(({ code }: WiscError) => code)
  }
  for (let i = 0; i < 4; i++) expect(await run('/throws')).toBe('WISC_IO')
  expect(await run('/lives')).toMatchObject({ entriesOut: 3 })
  for (let i = 0; i < 4; i++) expect(await run('/throws')).toBe('WISC_IO')
  expect(await run('/throws')).toBe('WISC_INTERNAL')
})

test('a worker that dies of many jobs has died once', async () => {
  const runner = ownPool(1, new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`))
  runners.push(runner)
  const job = { ...compactionJob('/throws', [], [1]), kind: 'compress', level: 3 } as unknown as Job
  const jobs = Array.from({ length: 6 }, () => runner.run(job))
  const ended = await Promise.allSettled(jobs)
  expect(new Set(ended.map((each) => each.status === 'rejected' && each.reason.code))).toEqual(
    new Set(['WISC_IO']),
  )
})

/** Says that it has made the file that the job's directory names, and dies. */
const LITTERING = `
  import { parentPort } from 'node:worker_threads'
  parentPort.postMessage({ type: 'ready' })
  parentPort.on('message', ({ type, id, job }) => {
    if (type !== 'job') return
    parentPort.postMessage({ type: 'made', id, path: job.directory })
    setImmediate(() => process.exit(3))
  })`

test('what a worker has made that dies is removed', async () => {
  const runner = ownPool(1, new URL(`data:text/javascript,${encodeURIComponent(LITTERING)}`))
  runners.push(runner)
  const directory = temporaryDirectory()
  const [made, other] = ['000007.sst', '000008.sst'].map((name) => join(directory, name))
  for (const path of [made!, other!]) writeFileSync(path, 'x')
  await expect(runner.run(compactionJob(made!, [], [1]))).rejects.toMatchObject({ code: 'WISC_IO' })
  expect(readdirSync(directory)).toEqual(['000008.sst'])
})

test('a thread that ends in the middle of a job leaves no file', async () => {
  const runner = ownPool(1)
  runners.push(runner)
  const directory = temporaryDirectory()
  const job = await twoRuns(runner, directory, 100_000)
  const before = readdirSync(directory).sort()
  const running = runner.run(job).catch(({ code }: WiscError) => code)
  while (readdirSync(directory).length === before.length)
    await new Promise((resolve) => setTimeout(resolve, 1))
  await runner.pool.close()
  // Unless it has come to its end before.
  if (typeof (await running) !== 'string') return
  expect(await running).toBe('WISC_IO')
  expect(readdirSync(directory).sort()).toEqual(before)
})

/** Dies before it takes a job, as a thread does that has no descriptor to load its code with. */
const STILLBORN = "throw new Error('no descriptor')"

test('where no thread can be had jobs run on the calling thread, and can be cancelled there', async () => {
  const directory = temporaryDirectory()
  const entry = new URL(`data:text/javascript,${encodeURIComponent(STILLBORN)}`)
  const runner = ownPool(2, entry)
  runners.push(runner)
  const job = await twoRuns(runner, directory, 2000)
  expect(await runner.run(job)).toMatchObject({ entriesIn: 4000, entriesOut: 2000 })
  const before = readdirSync(directory).length
  const abort = new AbortController()
  const cancelled = runner.run(job, { signal: abort.signal })
  abort.abort()
  await expect(cancelled).rejects.toMatchObject({ code: 'WISC_ABORTED' })
  const closed = runner.run(job)
  await Promise.all([
    runner.close(),
    expect(closed).rejects.toMatchObject({ code: 'WISC_ABORTED' }),
  ])
  expect(readdirSync(directory)).toHaveLength(before)
})

test('where the constructor of a thread fails, too', async () => {
  const directory = temporaryDirectory()
  // The platform refuses this address at once, as it refuses a thread that the system does not give.
  const runner = ownPool(2, new URL('http://nowhere/'))
  runners.push(runner)
  const job = await twoRuns(runner, directory, 100)
  const jobs = [1, 2, 3].map(() => runner.run(job))
  for (const { entriesOut } of await Promise.all(jobs)) expect(entriesOut).toBe(100)
})

test('a job that cannot be posted is rejected', async () => {
  const runner = ownPool(1)
  runners.push(runner)
  const job = { ...compactionJob('/nowhere', [], [1]), olderRanges: (() => undefined) as never }
  await expect(runner.run(job)).rejects.toMatchObject({ code: 'WISC_INTERNAL' })
})

test('a process with an idle pool ends by itself', async () => {
  const directory = temporaryDirectory()
  const fixtures = await twoRuns(runnerOf(0), directory, 10_000)
  const url = new URL('../../../dist/lib/jobs/create-runner.js', import.meta.url).href
  const script = `
    const { createRunner } = await import(${JSON.stringify(url)})
    const bytes = (_, v) => v?.hex === undefined ? v : new Uint8Array(Buffer.from(v.hex, 'hex'))
    const job = JSON.parse(process.argv[1], bytes)
    job.fileNumbers = new SharedArrayBuffer(4)
    new Uint32Array(job.fileNumbers)[0] = 1_000_000
    const result = await createRunner(2, {}).run(job)
    console.log(result.entriesOut)`
  const json = JSON.stringify(fixtures, (_, value: unknown) =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value,
  )
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, json], {
    timeout: 600_000,
  })
  expect(output.toString().trim()).toBe('10000')
})

test('errors keep class, code, fields and causes on their way', () => {
  const cause = new IoError('fsync', '/x', 'EIO', { cause: new Error('system') })
  const sent = structuredClone(toErrorMessage(syncFailed('/x', cause)))
  const error = fromErrorMessage(sent)
  expect(error).toMatchObject({
    code: 'WISC_SYNC_FAILED',
    cause: { code: 'WISC_IO', errno: 'EIO', operation: 'fsync' },
  })
  expect(error.cause).toBeInstanceOf(IoError)
  expect(fromErrorMessage(toErrorMessage(new CorruptionError('f', 3, 'bad')))).toEqual(
    new CorruptionError('f', 3, 'bad'),
  )
  expect(fromErrorMessage(toErrorMessage(new WiscError('WISC_ABORTED', 'no'))).stack).toContain(
    'runners.test',
  )
})
