/**
 * Runs jobs step by step on the present thread: one at a time, flushes before compactions.
 *
 * Between two steps the event loop turns, so that timers, messages and callers get their share. A
 * compaction stands still while a flush runs.
 */
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { Job, JobResult } from './messages.ts'
import { type JobContext, startJob } from './run-job.ts'
import { jobAborted } from './runner.ts'

interface QueuedJob {
  readonly job: Job
  readonly id: number
  /** Not set until its first step. */
  steps: Generator<void, JobResult> | undefined
}

/** Called once for each job, with its result or why there is none. */
export type JobEnded = (
  id: number,
  result: JobResult | undefined,
  error: WiscError | undefined,
) => void

export class StepQueue {
  readonly #context: JobContext
  readonly #ended: JobEnded
  /** In order of arrival, flushes first. */
  readonly #jobs: QueuedJob[] = []
  #scheduled = false

  constructor(context: JobContext, ended: JobEnded) {
    this.#context = context
    this.#ended = ended
  }

  /** Takes a job; it begins when the event loop turns. */
  add(id: number, job: Job): void {
    const queued = { job, id, steps: undefined }
    const firstCompaction = this.#jobs.findIndex((other) => other.job.kind !== 'flush')
    if (job.kind === 'flush' && firstCompaction >= 0) this.#jobs.splice(firstCompaction, 0, queued)
    else this.#jobs.push(queued)
    this.#schedule()
  }

  /** Ends a job, if it has not ended: it takes back its files and is reported as cancelled. */
  cancel(id: number): void {
    const queued = this.#jobs.find((other) => other.id === id)
    if (!queued) return
    let error: WiscError = jobAborted()
    try {
      queued.steps?.return(undefined as never)
    } catch (cause) {
      error = toWiscError(cause)
    }
    this.#end(queued, undefined, error)
  }

  #schedule(): void {
    if (this.#scheduled || this.#jobs.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#step()
      this.#schedule()
    })
  }

  #step(): void {
    const queued = this.#jobs[0]
    if (!queued) return
    let result: IteratorResult<void, JobResult>
    try {
      queued.steps ??= startJob(queued.job, this.#context)
      result = queued.steps.next()
    } catch (error) {
      this.#end(queued, undefined, toWiscError(error))
      return
    }
    if (result.done) this.#end(queued, result.value, undefined)
  }

  #end(queued: QueuedJob, result: JobResult | undefined, error: WiscError | undefined): void {
    this.#jobs.splice(this.#jobs.indexOf(queued), 1)
    this.#ended(queued.id, result, error)
  }
}
