/** Chooses who runs the jobs of a store. */
import type { FileSystem } from '../base/file-system.ts'
import type { Random } from '../base/random.ts'
import { InlineRunner } from './inline-runner.ts'
import type { Job, ResultOf } from './messages.ts'
import type { JobRunner, RunOptions } from './runner.ts'
import { isSmallJob } from './small-jobs.ts'
import { WorkerPool } from './worker-pool.ts'

/**
 * A runner with so many worker threads, which runs small jobs on the calling thread; with none it runs all jobs there.
 * @param fileSystem and `random` are used by jobs on the calling thread only: workers have the real
 *   ones
 */
export function createRunner(workers: number, fileSystem: FileSystem, random: Random): JobRunner {
  const inline = new InlineRunner(fileSystem, random)
  if (workers === 0) return inline
  return new SplitRunner(inline, new WorkerPool(workers, undefined, () => inline))
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
    await Promise.all([this.#inline.close(), this.#pool.close()])
  }
}
