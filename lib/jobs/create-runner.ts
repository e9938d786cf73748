/** Chooses who runs the jobs of a store. */
import type { FileSystem } from '../base/files/file-system.ts'
import type { Ground } from '../base/files/ground.ts'
import type { Random } from '../base/random.ts'
import { InlineRunner } from './inline-runner.ts'
import type { Job, ResultOf } from './messages.ts'
import { PoolRunner } from './pool-runner.ts'
import type { JobRunner, RunOptions } from './runner.ts'
import { WorkerPool } from './worker-pool.ts'

/**
 * Bytes that a flush or a compaction of the calling thread reads.
 *
 * A worker that is not there yet takes 20 ms and 9 MiB, on a busy machine 100 to 400 ms, and the stores of a process
 * with many hold little each. At the limit, some 1,200 entries of 16-byte keys, a flush takes 0.6 ms of the calling
 * thread, in slices of at most 0.4 ms; its syncs go to the thread pool.
 */
const SMALL_JOB_BYTES_MAX: number = 64 * 1024

/** That of all stores of this thread: one for the process, unless stores are opened in worker threads, too. */
const sharedPool: WorkerPool = new WorkerPool()

/**
 * A runner that shares the worker threads of the process, and runs small jobs on the calling thread; without workers it
 * runs all jobs there.
 * @param workers how many of the threads it uses at most
 * @param fileSystem and `random` are used by jobs on the calling thread only: workers have the real ones, and make
 *   files of the same mode
 * @param warn called when no worker can be had, and none will be
 */
export function createRunner(
  workers: number,
  fileSystem: FileSystem,
  random: Random,
  warn: (message: string) => void = () => undefined,
  pool: WorkerPool = sharedPool,
): JobRunner {
  const inline = new InlineRunner(fileSystem, random)
  if (workers === 0) return inline
  const { fileMode } = fileSystem
  return new SplitRunner(inline, new PoolRunner({ pool, workers, inline, warn, fileMode }))
}

/** Small jobs on the calling thread, all others in workers. */
class SplitRunner implements JobRunner {
  readonly #inline: JobRunner
  readonly #pool: JobRunner

  constructor(inline: JobRunner, pool: JobRunner) {
    this.#inline = inline
    this.#pool = pool
  }

  run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>> {
    return (isSmallJob(job) ? this.#inline : this.#pool).run(job, options)
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#inline.shareArena(id, buffer)
    this.#pool.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#inline.forgetArena(id)
    this.#pool.forgetArena(id)
  }

  async close(): Promise<void> {
    // In this order: what no worker can be had for goes on there, and is cancelled by the pool.
    await this.#pool.close()
    await this.#inline.close()
  }
}

/** Pure. True for a job that is over before a worker has heard of it. */
function isSmallJob(job: Job): boolean {
  if (job.kind === 'flush') {
    const { usedBytes, deferredBytes } = job.memtable
    return usedBytes + deferredBytes <= SMALL_JOB_BYTES_MAX
  }
  if (job.kind !== 'compaction') return false
  let bytes = 0
  for (const tables of job.inputs) for (const table of tables) bytes += table.bytes
  return bytes <= SMALL_JOB_BYTES_MAX
}

/** Tells each job what its directory must be, and the store at once when a job has found that it is not. */
export class GroundedRunner implements JobRunner {
  readonly #base: JobRunner
  readonly #ground: Ground

  constructor(base: JobRunner, ground: Ground) {
    this.#base = base
    this.#ground = ground
  }

  async run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>> {
    try {
      return await this.#base.run({ ...job, ground: this.#ground.marks }, options)
    } catch (error) {
      // What a job cannot read may be somebody else's by now.
      throw this.#ground.findLoss() ?? error
    }
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#base.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#base.forgetArena(id)
  }

  close(): Promise<void> {
    return this.#base.close()
  }
}
