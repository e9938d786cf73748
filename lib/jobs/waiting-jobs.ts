/** The promises of the jobs that were taken, by their ids: each is settled once. */

import { onAbort } from '../base/abort.ts'
import type { WiscError } from '../base/errors.ts'
import { Signal } from '../base/signal.ts'
import type { JobRate } from './job-rate.ts'
import type { Job, JobResult, ResultOf } from './messages.ts'
import { jobAborted, type RunOptions } from './runner.ts'

/** What the runner does for its caller; none of it throws. */
export interface JobActions {
  readonly start: (id: number, job: Job, rate: JobRate | undefined) => void
  readonly setRate: (id: number, bytesPerSecond: number | undefined) => void
  readonly cancel: (id: number) => void
}

interface Waiting {
  readonly resolve: (result: JobResult) => void
  readonly reject: (error: WiscError) => void
  readonly stopListening: () => void
}

export class WaitingJobs {
  readonly #actions: JobActions
  readonly #waiting: Map<number, Waiting> = new Map()
  readonly #settled: Signal = new Signal()
  readonly #newId: () => number

  /** @param newId numbers for jobs, none of them twice */
  constructor(actions: JobActions, newId: () => number = counter()) {
    this.#actions = actions
    this.#newId = newId
  }

  /**
   * Takes a job: it is started with an id of its own, unless the signal has fired already, cancelled when that fires,
   * and told when its rate changes.
   * @returns what {@link settle} is told
   */
  take<J extends Job>(job: J, { signal, rate, progress }: RunOptions): Promise<ResultOf<J>> {
    if (signal?.aborted) return Promise.reject(jobAborted())
    const id = this.#newId()
    return new Promise((resolve, reject) => {
      const stopSignal = signal && onAbort(signal, () => this.#actions.cancel(id))
      const stopRate = rate?.onChange((bytesPerSecond) => this.#actions.setRate(id, bytesPerSecond))
      const stopListening = (): void => {
        stopSignal?.()
        stopRate?.()
      }
      this.#waiting.set(id, {
        // A job is settled with the result of its own kind.
        resolve: (result) => resolve(result as ResultOf<J>),
        reject,
        stopListening,
      })
      this.#actions.start(id, progress ? { ...job, progress: progress.memory } : job, rate)
    })
  }

  /** Ids of the jobs that are not settled. */
  ids(): number[] {
    return [...this.#waiting.keys()]
  }

  settle(id: number, result: JobResult | undefined, error: WiscError | undefined): void {
    const waiting = this.#waiting.get(id)
    if (!waiting) return
    this.#waiting.delete(id)
    waiting.stopListening()
    if (result) waiting.resolve(result)
    else waiting.reject(error ?? jobAborted())
    this.#settled.tell()
  }

  /** Resolves when all are settled. */
  async drained(): Promise<void> {
    while (this.#waiting.size > 0) await this.#settled.next()
  }
}

function counter(): () => number {
  let last = 0
  return () => ++last
}
