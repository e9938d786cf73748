/** The promises of the jobs that were taken, by their ids: each is settled once. */
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { Job, JobResult } from './messages.ts'
import { jobAborted, type RunOptions } from './runner.ts'

interface Waiting {
  readonly resolve: (result: JobResult) => void
  readonly reject: (error: WiscError) => void
  readonly stopListening: () => void
}

export class WaitingJobs {
  readonly #waiting: Map<number, Waiting> = new Map()
  readonly #drained: (() => void)[] = []
  #nextId = 1

  /**
   * Takes a job: `start` is called with its id, unless the signal has fired already, and `cancel`
   * when it fires.
   * @returns what {@link settle} is told
   */
  take(
    job: Job,
    options: RunOptions,
    start: (id: number, job: Job) => void,
    cancel: (id: number) => void,
  ): Promise<JobResult> {
    const { signal } = options
    if (signal?.aborted) return Promise.reject(jobAborted())
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const onAbort = (): void => cancel(id)
      signal?.addEventListener('abort', onAbort, { once: true })
      const stopListening = (): void => signal?.removeEventListener('abort', onAbort)
      this.#waiting.set(id, { resolve, reject, stopListening })
      try {
        start(id, job)
      } catch (error) {
        this.settle(id, undefined, toWiscError(error))
      }
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
    if (this.#waiting.size === 0) for (const resolve of this.#drained.splice(0)) resolve()
  }

  /** Resolves when all are settled. */
  async drained(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }
}
