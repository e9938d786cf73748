/**
 * A wait that many may await, and that is told again and again: who waits when it is told goes on, who comes later
 * waits for the next time. What is waited for is asked anew, so one telling too many does no harm:
 *
 *     while (!queue.isEmpty) await queue.changed.next()
 */
import { onAbort } from './abort.ts'
import { WiscError } from './errors.ts'

export interface WaitOptions {
  /** Gives the wait up when it fires. */
  readonly signal?: AbortSignal | undefined
  /** The wait is over after so many milliseconds, told or not. The timer keeps the process alive: somebody waits. */
  readonly ms?: number
}

interface Waiter {
  readonly told: () => void
  readonly failed: (error: WiscError) => void
}

export class Signal {
  #waiters: Waiter[] = []
  #failure: WiscError | undefined

  /** Somebody waits. */
  get isAwaited(): boolean {
    return this.#waiters.length > 0
  }

  /** Resolves when it is told next. @throws what it has failed with; WISC_ABORTED when the caller's signal fires */
  next({ signal, ms }: WaitOptions = {}): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (signal?.aborted) return Promise.reject(aborted())
    return new Promise((told, failed) => {
      if (signal === undefined && ms === undefined) this.#waiters.push({ told, failed })
      else this.#waitWithin({ told, failed }, signal, ms)
    })
  }

  #waitWithin({ told, failed }: Waiter, signal: AbortSignal | undefined, ms?: number): void {
    const timer = ms === undefined ? undefined : setTimeout(() => end(told), ms)
    const unlink = signal && onAbort(signal, () => end(() => failed(aborted())))
    const waiter = {
      told: () => end(told),
      failed: (error: WiscError) => end(() => failed(error)),
    }
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      unlink?.()
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
      settle()
    }
    this.#waiters.push(waiter)
  }

  /** All who wait go on. */
  tell(): void {
    if (this.#waiters.length === 0) return
    const waiters = this.#waiters
    this.#waiters = []
    for (const { told } of waiters) told()
  }

  /** It will be told no more: who waits, now or later, gets the error. A second one is ignored. */
  fail(error: WiscError): void {
    this.#failure ??= error
    const waiters = this.#waiters
    this.#waiters = []
    for (const { failed } of waiters) failed(this.#failure)
  }
}

function aborted(): WiscError {
  return new WiscError('WISC_ABORTED', 'the wait was cancelled')
}
