/**
 * Runs jobs in worker threads.
 *
 * Workers start with the first job that needs one, and keep the process alive only while they work.
 * A flush goes to an idle worker, or else to one that is busy with a compaction, which stands still
 * meanwhile. Of two or more workers one is always left for flushes. A worker that dies fails its
 * jobs; the next job starts another.
 */
import { Worker } from 'node:worker_threads'
import { WiscError } from '../base/errors.ts'
import { fromErrorMessage } from './error-message.ts'
import type { Job, JobResult } from './messages.ts'
import { type JobRunner, jobAborted, type RunOptions, runnerClosed } from './runner.ts'
import { WaitingJobs } from './waiting-jobs.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

const WORKER_ENTRY = new URL('./worker.js', import.meta.url)

interface QueuedJob {
  readonly id: number
  readonly job: Job
}

export class WorkerPool implements JobRunner {
  readonly #workersMax: number
  readonly #entry: URL
  readonly #workers: Set<PoolWorker> = new Set()
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #waiting: WaitingJobs = new WaitingJobs()
  /** Compactions that no worker is free for. */
  #queued: QueuedJob[] = []
  #closing: Promise<void> | undefined

  /**
   * @param workers how many there may be, at least 1
   * @param entry the code of a worker; a test passes one that dies
   */
  constructor(workers: number, entry: URL = WORKER_ENTRY) {
    this.#workersMax = workers
    this.#entry = entry
  }

  run(job: Job, options: RunOptions = {}): Promise<JobResult> {
    if (this.#closing) return Promise.reject(runnerClosed())
    return this.#waiting.take(
      job,
      options,
      (id, taken) => this.#start({ id, job: taken }),
      (id) => this.#cancel(id),
    )
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#arenas.set(id, buffer)
  }

  forgetArena(id: number): void {
    this.#arenas.delete(id)
    for (const worker of this.#workers) worker.forgetArena(id)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const id of this.#waiting.ids()) this.#cancel(id)
    await this.#waiting.drained()
    await Promise.all([...this.#workers].map((worker) => worker.terminate()))
  }

  #start(queued: QueuedJob): void {
    if (queued.job.kind === 'flush') this.#dispatch(queued, this.#idleWorker() ?? this.#leastBusy())
    else {
      this.#queued.push(queued)
      this.#startQueued()
    }
  }

  #startQueued(): void {
    const most = Math.max(1, this.#workersMax - 1)
    while (this.#queued.length > 0) {
      const compacting = [...this.#workers].filter((worker) => worker.isCompacting).length
      const worker = compacting < most ? this.#idleWorker() : undefined
      if (!worker) return
      this.#dispatch(this.#queued.shift()!, worker)
      // The one for flushes starts ahead: a flush is waited for.
      this.#idleWorker()
    }
  }

  /** A worker without a job, a new one if there is room. */
  #idleWorker(): PoolWorker | undefined {
    for (const worker of this.#workers) if (worker.jobs.size === 0) return worker
    return this.#workers.size < this.#workersMax ? this.#addWorker() : undefined
  }

  #leastBusy(): PoolWorker {
    return [...this.#workers].reduce((best, worker) =>
      worker.jobs.size < best.jobs.size ? worker : best,
    )
  }

  #addWorker(): PoolWorker {
    const worker = new PoolWorker(
      this.#entry,
      (message) => this.#onMessage(worker, message),
      (error) => this.#onDeath(worker, error),
    )
    this.#workers.add(worker)
    return worker
  }

  #dispatch({ id, job }: QueuedJob, worker: PoolWorker): void {
    if (job.kind === 'flush') {
      const { arenaId } = job.memtable
      const buffer = this.#arenas.get(arenaId)
      if (buffer) worker.shareArena(arenaId, buffer)
    }
    worker.start(id, job)
  }

  #cancel(id: number): void {
    const before = this.#queued.length
    this.#queued = this.#queued.filter((queued) => queued.id !== id)
    if (this.#queued.length < before) this.#waiting.settle(id, undefined, jobAborted())
    for (const worker of this.#workers) worker.cancel(id)
  }

  #onMessage(worker: PoolWorker, message: FromWorker): void {
    worker.ended(message.id)
    if (message.type === 'result') this.#waiting.settle(message.id, message.result, undefined)
    else this.#waiting.settle(message.id, undefined, fromErrorMessage(message.error))
    this.#startQueued()
  }

  #onDeath(worker: PoolWorker, cause: unknown): void {
    this.#workers.delete(worker)
    for (const id of worker.jobs.keys()) {
      this.#waiting.settle(
        id,
        undefined,
        new WiscError('WISC_INTERNAL', 'worker thread died', { cause }),
      )
    }
    this.#startQueued()
  }
}

/** One thread, its jobs, and the arenas that it knows. */
class PoolWorker {
  readonly jobs: Map<number, Job> = new Map()
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #thread: Worker

  constructor(
    entry: URL,
    onMessage: (message: FromWorker) => void,
    onDeath: (error: unknown) => void,
  ) {
    // Flags of the process, such as --input-type and --import, are not meant for it.
    this.#thread = new Worker(entry, { name: 'wisc', execArgv: [] })
    let failure: unknown
    this.#thread.on('message', onMessage)
    this.#thread.on('error', (error) => {
      failure = error
    })
    this.#thread.on('messageerror', (error) => {
      failure = error
      void this.#thread.terminate()
    })
    this.#thread.on('exit', (code) => onDeath(failure ?? new Error(`worker exited, code=${code}`)))
    // Last: adding a listener for messages makes the thread count again.
    this.#thread.unref()
  }

  get isCompacting(): boolean {
    for (const job of this.jobs.values()) if (job.kind === 'compaction') return true
    return false
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    if (this.#arenas.get(id) === buffer) return
    this.#arenas.set(id, buffer)
    this.#post({ type: 'arena', id, buffer })
  }

  forgetArena(id: number): void {
    if (this.#arenas.delete(id)) this.#post({ type: 'forgetArena', id })
  }

  start(id: number, job: Job): void {
    this.#post({ type: 'job', id, job })
    this.jobs.set(id, job)
    this.#thread.ref()
  }

  /** It answers with an error, or with its result if that came first. */
  cancel(id: number): void {
    if (this.jobs.has(id)) this.#post({ type: 'cancel', id })
  }

  ended(id: number): void {
    this.jobs.delete(id)
    if (this.jobs.size === 0) this.#thread.unref()
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate()
  }

  #post(message: ToWorker): void {
    this.#thread.postMessage(message)
  }
}
