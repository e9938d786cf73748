/** The runners: real workers and the calling thread, with the same jobs. */
import { readdirSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { CorruptionError, IoError, syncFailed, WiscError } from '#dist/lib/base/errors.js'
import { nodeFileSystem } from '#dist/lib/base/node-file-system.js'
import { createRunner } from '#dist/lib/jobs/create-runner.js'
import { fromErrorMessage, toErrorMessage } from '#dist/lib/jobs/error-message.js'
import type { CompactionJob, FlushJob, JobResult } from '#dist/lib/jobs/messages.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { compareEntries, type TestEntry } from '../../support/array-cursor.ts'
import { compactionJob, flushJob, freeze, type Frozen, readTables } from '../../support/job-fixtures.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

const runners: JobRunner[] = []
afterEach(() => Promise.all(runners.splice(0).map((runner) => runner.close())))

function runnerOf(workers: number): JobRunner {
  const runner = createRunner(workers, nodeFileSystem)
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

async function flush(runner: JobRunner, directory: string, { arena, frozen }: Frozen): Promise<JobResult> {
  runner.shareArena(arena.id, arena.buffer)
  runner.shareArena(arena.id, arena.buffer)
  const job: FlushJob = { ...flushJob(directory, frozen, [1e9]), tableOptions: LARGE }
  return await runner.run(job)
}

const LARGE = { tableBytes: 256 * 1024, blockBytes: 4096, filterBitsPerKey: 10 }

/** Two runs of `count` keys, and the job that merges them. */
async function twoRuns(runner: JobRunner, directory: string, count: number): Promise<CompactionJob> {
  const older = await flush(runner, directory, memtable(1, 1, count))
  const newer = await flush(runner, directory, memtable(2, 1 + count, count))
  const inputs = [newer, older].map(({ tables }) => tables.map(({ meta }) => meta))
  return { ...compactionJob(directory, inputs, [1e9]), tableOptions: LARGE }
}

for (const workers of [0, 1, 2]) {
  test(`workers: ${workers}: a flush and a compaction run, and their tables hold what they should`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 20_000)
    const result = await runner.run(job)
    expect(result).toMatchObject({ entriesIn: 40_000, entriesOut: 20_000 })
    expect(result.tables[0]!.references).toMatchObject([{ segment: 1 }])
    const entries = readTables(directory, result.tables.map(({ meta }) => meta))
    expect(entries).toEqual(entriesFrom(20_001, 20_000).sort(compareEntries))
  })

  test(`workers: ${workers}: a cancelled job says so and leaves no file`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 30_000)
    const before = readdirSync(directory).sort()
    const abort = new AbortController()
    const running = runner.run(job, { signal: abort.signal })
    while (readdirSync(directory).length === before.length) await new Promise((r) => setTimeout(r, 1))
    abort.abort()
    await expect(running).rejects.toMatchObject({ code: 'WISC_ABORTED' })
    expect(readdirSync(directory).sort()).toEqual(before)
    await expect(runner.run(job, { signal: abort.signal })).rejects.toMatchObject({ code: 'WISC_ABORTED' })
    expect((await runner.run(job)).entriesOut).toBe(30_000)
  })

  test(`workers: ${workers}: a flush overtakes compactions`, async () => {
    const runner = runnerOf(workers)
    const directory = temporaryDirectory()
    const job = await twoRuns(runner, directory, 40_000)
    const order: string[] = []
    const compactions = [1, 2].map((n) => {
      const fileNumbers = job.fileNumbers.map((number) => number + n * 1_000_000)
      return runner.run({ ...job, fileNumbers }).then(() => order.push(`compaction ${n}`))
    })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await flush(runner, directory, memtable(3, 1, 100)).then(() => order.push('flush'))
    await Promise.all(compactions)
    expect(order[0]).toBe('flush')
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
    const jobs = Promise.allSettled([1, 2, 3].map((n) =>
      runner.run({ ...job, fileNumbers: job.fileNumbers.map((number) => number + n * 1_000_000) })))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([runner.close(), runner.close()])
    for (const result of await jobs) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'WISC_ABORTED' } })
    }
    expect(readdirSync(directory).sort()).toEqual(before)
    await expect(runner.run(job)).rejects.toMatchObject({ code: 'WISC_NOT_OPEN' })
  })
}

test('a worker that dies fails its job, and the next job has another worker', async () => {
  const runner = runnerOf(1)
  const directory = temporaryDirectory()
  const job = await twoRuns(runner, directory, 2000)
  // The reader asks a number for a method: an error that no job body expects comes out of the step, not of the thread;
  // so the thread is killed by memory that it cannot have.
  const hostile = { ...job, readableSequences: undefined as never }
  await expect(runner.run(hostile)).rejects.toMatchObject({ code: 'WISC_INTERNAL' })
  const dying = runner.run({ kind: 'flush', get memtable() { return undefined as never } } as never)
  await expect(dying).rejects.toMatchObject({ code: 'WISC_INTERNAL' })
  expect((await runner.run(job)).entriesOut).toBe(2000)
})

test('a process with an idle pool ends by itself', async () => {
  const { execFileSync } = await import('node:child_process')
  const directory = temporaryDirectory()
  const fixtures = await twoRuns(runnerOf(0), directory, 1000)
  const url = new URL('../../../dist/lib/jobs/create-runner.js', import.meta.url).href
  const script = `
    const { createRunner } = await import(${JSON.stringify(url)})
    const job = JSON.parse(process.argv[1], (k, v) => v?.hex === undefined ? v : new Uint8Array(Buffer.from(v.hex, 'hex')))
    const result = await createRunner(2, undefined).run(job)
    console.log(result.entriesOut)`
  const json = JSON.stringify(fixtures, (_, value: unknown) =>
    value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value)
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, json], { timeout: 20_000 })
  expect(output.toString().trim()).toBe('1000')
})

test('errors keep class, code, fields and causes on their way', () => {
  const cause = new IoError('fsync', '/x', 'EIO', { cause: new Error('system') })
  const sent = structuredClone(toErrorMessage(syncFailed('/x', cause)))
  const error = fromErrorMessage(sent)
  expect(error).toMatchObject({ code: 'WISC_SYNC_FAILED', cause: { code: 'WISC_IO', errno: 'EIO', operation: 'fsync' } })
  expect(error.cause).toBeInstanceOf(IoError)
  expect(fromErrorMessage(toErrorMessage(new CorruptionError('f', 3, 'bad')))).toEqual(new CorruptionError('f', 3, 'bad'))
  expect(fromErrorMessage(toErrorMessage(new WiscError('WISC_ABORTED', 'no'))).stack).toContain('runners.test')
  expect(readFileSync).toBeDefined()
})
