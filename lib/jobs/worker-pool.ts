/**
 * Runs jobs in worker threads.
 *
 * Workers start with the first job that needs one, and keep the process alive only while they work. Which one a job
 * goes to is said in worker-choice.ts; there it may stand still meanwhile for a more urgent one (step-queue.ts). A
 * worker that dies fails its jobs; the next job starts another. Where no thread can be had (the process has no
 * descriptor or no thread left), a job runs on the calling thread, and the next one asks for a thread again.
 */
import { Worker } from 'node:worker_threads'
import { toWiscError, WiscError } from '../base/errors.ts'
import { nodeFileSystem } from '../base/node-file-system.ts'
import { fromErrorMessage } from './error-message.ts'
import { InlineRunner } from './inline-runner.ts'
import { type Job, type JobResult, PRIORITY, type ResultOf } from './messages.ts'
import { type JobRunner, jobAborted, type RunOptions, runnerClosed } from './runner.ts'
import { WaitingJobs } from './waiting-jobs.ts'
import { chooseWorker, type PlacedJob } from './worker-choice.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

const WORKER_ENTRY = new URL('./worker.js', import.meta.url)

interface QueuedJob extends PlacedJob {
  readonly id: number
}

export class WorkerPool implements JobRunner {
  readonly #workersMax: number
  readonly #entry: URL
  readonly #workers: Set<PoolWorker> = new Set()
  readonly #arenas: Map<number, SharedArrayBuffer> = new Map()
  readonly #waiting: WaitingJobs
  /** Jobs that no worker is free for: the most urgent first, then in order of arrival. */
  #queued: QueuedJob[] = []
  readonly #makeInline: () => JobRunner
  /** Runs what no thread can be had for. */
  #inline: JobRunner | undefined
  /** Cancel what runs there, by id. */
  readonly #inlineAborts: Map<number, AbortController> = new Map()
  #closing: Promise<void> | undefined

  /**
   * @param workers how many there may be, at least 1
   * @param entry the code of a worker; a test passes one of its own
   * @param makeInline called when the first job has to run on the calling thread
   */
  constructor(
    workers: number,
    entry: URL = WORKER_ENTRY,
    makeInline: () => JobRunner = () => new InlineRunner(nodeFileSystem),
  ) {
    this.#workersMax = workers
    this.#entry = entry
    this.#makeInline = makeInline
    this.#waiting = new WaitingJobs({
      start: (id, job, rate) => this.#start({ id, job, rate }),
      setRate: (id, bytesPerSecond) => this.#setRate(id, bytesPerSecond),
      cancel: (id) => this.#cancel(id),
    })
  }

  run<J extends Job>(job: J, options: RunOptions = {}): Promise<ResultOf<J>> {
    if (this.#closing) return Promise.reject(runnerClosed())
    return this.#waiting.take(job, options)
  }

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    this.#arenas.set(id, buffer)
    this.#inline?.shareArena(id, buffer)
  }

  forgetArena(id: number): void {
    this.#arenas.delete(id)
    this.#inline?.forgetArena(id)
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
    await this.#inline?.close()
  }

  #start(queued: QueuedJob): void {
    const priority = PRIORITY[queued.job.kind]
    const behind = this.#queued.findIndex(({ job }) => PRIORITY[job.kind] > priority)
    this.#queued.splice(behind < 0 ? this.#queued.length : behind, 0, queued)
    this.#startQueued()
  }

  #startQueued(): void {
    for (;;) {
      const [first] = this.#queued
      const worker = first && this.#workerFor(first.job.kind)
      // Where a job has to wait, one that is not more urgent has to wait, too.
      if (!worker) return
      this.#queued.shift()
      if (worker === 'none') {
        this.#runInline(first)
        continue
      }
      this.#dispatch(first, worker)
      // The next worker starts ahead, so that a flush that comes finds it idle.
      if (first.job.kind !== 'flush') this.#workerFor('flush')
    }
  }

  /** @returns undefined if the job has to wait; 'none' if there is no thread, and none can be had */
  #workerFor(kind: Job['kind']): PoolWorker | 'none' | undefined {
    const workers = [...this.#workers]
    const choice = chooseWorker(kind, workers, this.#workersMax)
    if (choice !== 'new') return choice
    try {
      return this.#addWorker()
    } catch {
      // No thread can be had now: those that there are do the work, or else the calling thread.
      const other = chooseWorker(kind, workers, workers.length)
      return workers.length === 0 || other === 'new' ? 'none' : other
    }
  }

  #runInline({ id, job, rate }: QueuedJob): void {
    if (!this.#inline) {
      this.#inline = this.#makeInline()
      for (const [arena, buffer] of this.#arenas) this.#inline.shareArena(arena, buffer)
    }
    const abort = new AbortController()
    this.#inlineAborts.set(id, abort)
    const ended = (result: JobResult | undefined, error: WiscError | undefined): void => {
      this.#inlineAborts.delete(id)
      this.#waiting.settle(id, result, error)
    }
    this.#inline.run(job, { signal: abort.signal, ...(rate && { rate }) }).then(
      (result) => ended(result, undefined),
      (error: unknown) => ended(undefined, toWiscError(error)),
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

  #dispatch({ id, job, rate }: QueuedJob, worker: PoolWorker): void {
    try {
      if (job.kind === 'flush') {
        const { arenaId } = job.memtable
        const buffer = this.#arenas.get(arenaId)
        if (buffer) worker.shareArena(arenaId, buffer)
      }
      worker.start(id, { job, rate })
    } catch (error) {
      this.#waiting.settle(id, undefined, toWiscError(error))
    }
  }

  #setRate(id: number, bytesPerSecond: number | undefined): void {
    for (const worker of this.#workers) worker.setRate(id, bytesPerSecond)
    // A job that is held back from now on leaves room for others.
    this.#startQueued()
  }

  #cancel(id: number): void {
    const before = this.#queued.length
    this.#queued = this.#queued.filter((queued) => queued.id !== id)
    if (this.#queued.length < before) this.#waiting.settle(id, undefined, jobAborted())
    for (const worker of this.#workers) worker.cancel(id)
    this.#inlineAborts.get(id)?.abort()
  }

  #onMessage(worker: PoolWorker, message: FromWorker): void {
    if (message.type === 'ready') {
      worker.isReady = true
      return
    }
    worker.ended(message.id)
    if (message.type === 'result') this.#waiting.settle(message.id, message.result, undefined)
    else this.#waiting.settle(message.id, undefined, fromErrorMessage(message.error))
    this.#startQueued()
  }

  #onDeath(worker: PoolWorker, cause: unknown): void {
    this.#workers.delete(worker)
    for (const [id, placed] of worker.jobs) {
      // It has begun nothing: its thread had no descriptor for its own needs, for instance.
      if (!worker.isReady) {
        if (worker.cancelled.has(id)) this.#waiting.settle(id, undefined, jobAborted())
        else this.#runInline({ id, ...placed })
        continue
      }
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
  readonly jobs: Map<number, PlacedJob> = new Map()
  /** It takes jobs: one that has been posted may have begun. */
  isReady = false
  readonly cancelled: Set<number> = new Set()
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

  shareArena(id: number, buffer: SharedArrayBuffer): void {
    if (this.#arenas.get(id) === buffer) return
    this.#arenas.set(id, buffer)
    this.#post({ type: 'arena', id, buffer })
  }

  forgetArena(id: number): void {
    if (this.#arenas.delete(id)) this.#post({ type: 'forgetArena', id })
  }

  start(id: number, placed: PlacedJob): void {
    const { job, rate } = placed
    this.#post({ type: 'job', id, job, bytesPerSecond: rate?.bytesPerSecond })
    this.jobs.set(id, placed)
    this.#thread.ref()
  }

  setRate(id: number, bytesPerSecond: number | undefined): void {
    if (this.jobs.has(id)) this.#post({ type: 'rate', id, bytesPerSecond })
  }

  /** It answers with an error, or with its result if that came first. */
  cancel(id: number): void {
    if (!this.jobs.has(id)) return
    this.cancelled.add(id)
    this.#post({ type: 'cancel', id })
  }

  ended(id: number): void {
    this.jobs.delete(id)
    this.cancelled.delete(id)
    if (this.jobs.size === 0) this.#thread.unref()
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate()
  }

  #post(message: ToWorker): void {
    this.#thread.postMessage(message)
  }
}
