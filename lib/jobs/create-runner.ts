/** Chooses who runs the jobs of a store. */
import type { FileSystem } from '../base/files/file-system.ts'
import type { Random } from '../base/random.ts'
import { InlineRunner } from './inline-runner.ts'
import type { Job, ResultOf } from './messages.ts'
import { PoolRunner } from './pool-runner.ts'
import type { JobRunner, RunOptions } from './runner.ts'
import { isSmallJob } from './small-jobs.ts'
import { WorkerPool } from './worker-pool.ts'

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
