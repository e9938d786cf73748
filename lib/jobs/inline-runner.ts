/**
 * Runs jobs on the calling thread, between the turns of its event loop: all those of a store without workers, small
 * ones (create-runner.ts), and what no thread can be had for (worker-pool.ts).
 */
import { assert } from '../base/errors.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import { lazyModule } from '../base/platform/lazy-module.ts'
import { type Random, systemRandom } from '../base/random.ts'
import type { Job, ResultOf } from './messages.ts'
import type { JobContext, JobSlices } from './run-job.ts'
import { type JobRunner, type RunOptions, runnerClosed } from './runner.ts'
import { SliceQueue } from './slice-queue.ts'
import { WaitingJobs } from './waiting-jobs.ts'

/**
 * No open waits for what jobs do, a third of a writer's code. But a process that goes on has it soon: whoever replaces
 * the package while it runs must not take its first flush away.
 */
const LOAD_MS = 500
let bodies: typeof import('./run-job.ts') | undefined
const loadBodies = lazyModule(async () => {
  bodies = await import('./run-job.ts')
})
let isLoadDue = false

function loadSoon(): void {
  if (isLoadDue) return
  isLoadDue = true
  // Where it fails the first job is told.
  setTimeout(() => void Promise.allSettled([loadBodies()]), LOAD_MS).unref()
}

function* startJob(job: Job, context: JobContext): JobSlices {
  if (!bodies) yield loadBodies()
  return yield* bodies!.startJob(job, context)
}

export class InlineRunner implements JobRunner {
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #queue: SliceQueue
  readonly #waiting: WaitingJobs
  #closed = false

  constructor(fileSystem: FileSystem, random: Random = systemRandom) {
    const arenaBuffer = (id: number): SharedArrayBuffer => {
      const buffer = this.#arenas.get(id)
      assert(buffer !== undefined, `arena was shared, id=${id}`)
      return buffer
    }
    loadSoon()
    const context = { fileSystem, random, arenaBuffer, syncsAside: true }
    const queue = new SliceQueue(
      (job) => startJob(job, context),
      (id, result, error) => this.#waiting.settle(id, result, error),
    )
    this.#queue = queue
    this.#waiting = new WaitingJobs({
      start: (id, job, rate) => queue.add(id, job, rate?.bytesPerSecond),
      setRate: (id, bytesPerSecond) => queue.setRate(id, bytesPerSecond),
      cancel: (id) => queue.cancel(id),
    })
  }

  run<J extends Job>(job: J, options: RunOptions = {}): Promise<ResultOf<J>> {
    if (this.#closed) return Promise.reject(runnerClosed())
    return this.#waiting.take(job, options)
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
