/** Runs jobs on the calling thread, between the turns of its event loop (`workers: 0`). */
import { assert } from '../base/errors.ts'
import type { FileSystem } from '../base/file-system.ts'
import { type Random, systemRandom } from '../base/random.ts'
import type { Job, JobResult } from './messages.ts'
import { type JobRunner, type RunOptions, runnerClosed } from './runner.ts'
import { StepQueue } from './step-queue.ts'
import { WaitingJobs } from './waiting-jobs.ts'

export class InlineRunner implements JobRunner {
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #waiting: WaitingJobs = new WaitingJobs()
  readonly #queue: StepQueue
  #closed = false

  constructor(fileSystem: FileSystem, random: Random = systemRandom) {
    const arenaBuffer = (id: number): SharedArrayBuffer => {
      const buffer = this.#arenas.get(id)
      assert(buffer !== undefined, `arena was shared, id=${id}`)
      return buffer
    }
    this.#queue = new StepQueue({ fileSystem, random, arenaBuffer }, (id, result, error) =>
      this.#waiting.settle(id, result, error),
    )
  }

  run(job: Job, options: RunOptions = {}): Promise<JobResult> {
    if (this.#closed) return Promise.reject(runnerClosed())
    const queue = this.#queue
    return this.#waiting.take(
      job,
      options,
      (id, taken) => queue.add(id, taken),
      (id) => queue.cancel(id),
    )
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#arenas.set(id, buffer)
  }

  forgetArena(id: number): void {
    this.#arenas.delete(id)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const id of this.#waiting.ids()) this.#queue.cancel(id)
    await this.#waiting.drained()
  }
}
