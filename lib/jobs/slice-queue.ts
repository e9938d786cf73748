/**
 * Runs jobs slice by slice on the present thread, one at a time: flushes first, then compactions, then the
 * collector's jobs. Jobs of several stores take turns, slice by slice: a compaction of one does not hold up a rewrite
 * of another; only flushes go before everything.
 *
 * Between two slices the event loop turns, so that timers, messages and callers get their share. A job stands
 * still while a more urgent one of its store runs. One whose rate forbids a slice yet is passed over; a timer waits for
 * the first that may go on, and for one that is paused nothing does. A slice that yields a promise (a sync, in the
 * thread pool) is followed by the next one when that is settled; what it is rejected with is thrown into the job.
 */
import { toWiscError, type WiscError } from '../base/errors.ts'
import { TokenBucket } from './job-rate.ts'
import { type Job, type JobResult, PRIORITY } from './messages.ts'
import type { JobSlices } from './run-job.ts'
import { jobAborted } from './runner.ts'

/** The longest time that a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1

interface QueuedJob {
  readonly job: Job
  readonly id: number
  readonly store: number
  readonly bucket: TokenBucket
  /** Not set until its first slice. */
  slices: JobSlices | undefined
  /** What its last slice has begun elsewhere is still under way. */
  isWaiting: boolean
  isCancelled: boolean
}

/** Called once for each job, with its result or why there is none. */
export type JobEnded = (
  id: number,
  result: JobResult | undefined,
  error: WiscError | undefined,
) => void

export class SliceQueue {
  readonly #start: (job: Job) => JobSlices
  readonly #ended: JobEnded
  /** The most urgent first, then in order of arrival. */
  readonly #jobs: QueuedJob[] = []
  /** The job whose slice is running. */
  #slicing: QueuedJob | undefined
  /** When each store with jobs had its last slice, as the number of that slice. */
  readonly #turns: Map<number, number> = new Map()
  #lastTurn = 0
  #scheduled = false
  #timer: NodeJS.Timeout | undefined

  constructor(start: (job: Job) => JobSlices, ended: JobEnded) {
    this.#start = start
    this.#ended = ended
  }

  /**
   * Takes a job; it begins when the event loop turns, or when its rate lets it.
   * @param store whose it is
   */
  add(id: number, job: Job, bytesPerSecond: number | undefined, store: number = 0): void {
    const bucket = new TokenBucket(bytesPerSecond, performance.now())
    const priority = PRIORITY[job.kind]
    const behind = this.#jobs.findIndex((other) => PRIORITY[other.job.kind] > priority)
    const queued = {
      job,
      id,
      store,
      bucket,
      slices: undefined,
      isWaiting: false,
      isCancelled: false,
    }
    this.#jobs.splice(behind < 0 ? this.#jobs.length : behind, 0, queued)
    this.#schedule()
  }

  setRate(id: number, bytesPerSecond: number | undefined): void {
    this.#find(id)?.bucket.setRate(bytesPerSecond, performance.now())
    this.#schedule()
  }

  /** Ends a job, if it has not ended: it takes back its files and is reported as cancelled. */
  cancel(id: number): void {
    const queued = this.#find(id)
    if (!queued) return
    // A call from inside its own slice: it ends when that does. A sync is waited for: its failure must be heard.
    if (queued === this.#slicing || queued.isWaiting) queued.isCancelled = true
    else this.#abort(queued)
    this.#schedule()
  }

  #find(id: number): QueuedJob | undefined {
    return this.#jobs.find((queued) => queued.id === id)
  }

  #schedule(): void {
    if (this.#scheduled) return
    clearTimeout(this.#timer)
    const waitMs = this.#waitMs()
    if (waitMs === 0) {
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        this.#slice()
        this.#schedule()
      })
    } else if (Number.isFinite(waitMs)) {
      this.#timer = setTimeout(() => this.#schedule(), Math.min(Math.ceil(waitMs), TIMER_MS_MAX))
    }
  }

  /** How long no job may run a slice. */
  #waitMs(): number {
    const now = performance.now()
    return this.#jobs.reduce((least, queued) => Math.min(least, waitMsOf(queued, now)), Infinity)
  }

  #slice(): void {
    const queued = this.#next(performance.now())
    if (!queued) return
    this.#turns.set(queued.store, ++this.#lastTurn)
    this.#run(queued, (slices) => slices.next())
  }

  /** The first flush that may go on, else the most urgent job of the store that has waited longest for a slice. */
  #next(nowMs: number): QueuedJob | undefined {
    const ready = this.#jobs.filter((queued) => waitMsOf(queued, nowMs) === 0)
    const [first] = ready
    if (!first || PRIORITY[first.job.kind] === PRIORITY.flush) return first
    const turnOf = ({ store }: QueuedJob): number => this.#turns.get(store) ?? 0
    // The first of a store in this order is its most urgent one.
    return ready.reduce((best, other) => (turnOf(other) < turnOf(best) ? other : best))
  }

  /** Runs a slice of a job. */
  #run(queued: QueuedJob, run: (slices: JobSlices) => IteratorResult<unknown, JobResult>): void {
    let result: IteratorResult<unknown, JobResult>
    this.#slicing = queued
    try {
      queued.slices ??= this.#start(queued.job)
      result = run(queued.slices)
    } catch (error) {
      this.#end(queued, undefined, toWiscError(error))
      return
    } finally {
      this.#slicing = undefined
    }
    if (result.done) this.#end(queued, result.value, undefined)
    else if (result.value instanceof Promise) this.#wait(queued, result.value)
    else if (queued.isCancelled) this.#abort(queued)
    else if (typeof result.value === 'number') queued.bucket.take(result.value, performance.now())
  }

  #wait(queued: QueuedJob, pending: Promise<unknown>): void {
    queued.isWaiting = true
    const settled = (failure?: { readonly error: unknown }): void => {
      queued.isWaiting = false
      if (failure) this.#run(queued, (slices) => slices.throw(failure.error))
      else if (queued.isCancelled) this.#abort(queued)
      this.#schedule()
    }
    pending.then(
      () => settled(),
      (error: unknown) => settled({ error }),
    )
  }

  #abort(queued: QueuedJob): void {
    let error: WiscError = jobAborted()
    try {
      queued.slices?.return(undefined as never)
    } catch (cause) {
      error = toWiscError(cause)
    }
    this.#end(queued, undefined, error)
  }

  #end(queued: QueuedJob, result: JobResult | undefined, error: WiscError | undefined): void {
    this.#jobs.splice(this.#jobs.indexOf(queued), 1)
    const { store } = queued
    if (!this.#jobs.some((other) => other.store === store)) this.#turns.delete(store)
    this.#ended(queued.id, result, error)
  }
}

/** How long a job may not run its next slice. */
function waitMsOf({ isWaiting, bucket }: QueuedJob, nowMs: number): number {
  return isWaiting ? Number.POSITIVE_INFINITY : bucket.waitMs(nowMs)
}
