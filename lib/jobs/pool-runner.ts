/** Runs the jobs of one store in the threads of a pool that it shares with others. */
import type { WiscError } from '../base/errors.ts'
import { giveUpSpareFiles, isOutOfDescriptors } from '../base/files/spare-files.ts'
import type { Job, JobResult, ResultOf } from './messages.ts'
import type { PoolShare, SharedArena } from './pool-job.ts'
import { type JobRunner, type RunOptions, runnerClosed } from './runner.ts'
import { type JobActions, WaitingJobs } from './waiting-jobs.ts'
import type { WorkerPool } from './worker-pool.ts'

export interface PoolRunnerParts {
  readonly pool: WorkerPool
  /** The most threads that its jobs are on at a time, at least 1. */
  readonly workers: number
  /** Runs what no thread can be had for; it has the same arenas, and is closed by its owner. */
  readonly inline: JobRunner
  readonly warn: (message: string) => void
  /** Of files that its jobs make; the usual one if there is none. */
  readonly fileMode?: number | undefined
}

export class PoolRunner implements JobRunner, PoolShare {
  readonly id: number
  readonly workersMax: number
  readonly inline: JobRunner
  readonly warn: (message: string) => void
  readonly deaths: PoolShare['deaths'] = new Map()
  readonly #pool: WorkerPool
  readonly #fileMode: number | undefined
  readonly #arenas: Map<number, SharedArena> = new Map()
  readonly #waiting: WaitingJobs
  #closing: Promise<void> | undefined

  constructor({ pool, workers, inline, warn, fileMode }: PoolRunnerParts) {
    this.#fileMode = fileMode
    this.id = pool.newId()
    this.workersMax = workers
    this.inline = inline
    this.warn = warn
    this.#pool = pool
    const actions: JobActions = {
      start: (id, job, rate) => pool.add({ id, job, rate, share: this, made: [] }),
      setRate: (id, bytesPerSecond) => pool.setRate(id, bytesPerSecond),
      cancel: (id) => pool.cancel(id),
    }
    this.#waiting = new WaitingJobs(actions, () => pool.newId())
    pool.join(this)
  }

  run<J extends Job>(job: J, options: RunOptions = {}): Promise<ResultOf<J>> {
    if (this.#closing) return Promise.reject(runnerClosed())
    return this.#waiting.take({ ...job, fileMode: this.#fileMode }, options)
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    const known = this.#arenas.get(id)
    if (known?.buffer === buffer) return
    this.#arenas.set(id, { id: known?.id ?? this.#pool.newId(), buffer })
  }

  forgetArena(id: number): void {
    const known = this.#arenas.get(id)
    if (!known) return
    this.#arenas.delete(id)
    this.#pool.forgetArena(known.id)
  }

  arena(id: number): SharedArena | undefined {
    return this.#arenas.get(id)
  }

  settle(id: number, result: JobResult | undefined, error: WiscError | undefined): void {
    // A worker has none to spare: this thread has.
    if (isOutOfDescriptors(error)) giveUpSpareFiles()
    this.#waiting.settle(id, result, error)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const id of this.#waiting.ids()) this.#pool.cancel(id)
    await this.#waiting.drained()
    const arenas = [...this.#arenas.values()]
    this.#arenas.clear()
    this.#pool.leave(
      this,
      arenas.map(({ id }) => id),
    )
  }
}
