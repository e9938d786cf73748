/** When a store that follows its writer looks for news, and what becomes of looks that fail. */
import type { EventEmitter } from 'node:events'
import { toWiscError, type WiscError } from '../base/errors.ts'
import { emitSafely } from '../contract/events.ts'
import { Attempts } from '../reads/read-again.ts'

/** Between two looks. What is written is shown within twice as much, unless the process has no time. */
const LOOK_MS = 50
/** Between looks that fail for a reason that stays. */
const FAILED_LOOK_MS = 1000

export class Looks {
  readonly #events: EventEmitter
  readonly #look: (isAnew: boolean) => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #keepsAlive = false
  #isClosed = false
  /** Of looks that have failed since one has not. */
  #attempts: Attempts | undefined
  #error: WiscError | undefined

  /** @param look is told to rely on nothing that it has read before if the last one has failed */
  constructor(events: EventEmitter, look: (isAnew: boolean) => Promise<void>) {
    this.#events = events
    this.#look = look
  }

  /** Why nothing new is shown. */
  get error(): WiscError | undefined {
    return this.#error
  }

  begin(): void {
    this.#lookIn(LOOK_MS)
  }

  /** A process that waits for news is kept alive, one that reads now and then is not. */
  keepAlive(keepsAlive: boolean): void {
    this.#keepsAlive = keepsAlive
    if (keepsAlive) this.#timer?.ref()
    else this.#timer?.unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #lookIn(ms: number): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => void this.#lookNow(), ms)
    if (!this.#keepsAlive) this.#timer.unref()
  }

  async #lookNow(): Promise<void> {
    try {
      await this.#look(this.#attempts !== undefined)
      this.#attempts = undefined
      this.#error = undefined
    } catch (error) {
      this.#noteFailure(error)
    }
    this.#lookIn(this.#error ? FAILED_LOOK_MS : LOOK_MS)
  }

  /** What fails beside a writer is looked at again; what stays is told once. */
  #noteFailure(error: unknown): void {
    if (this.#isClosed || this.#error) return
    this.#attempts ??= new Attempts()
    try {
      this.#attempts.again(error)
    } catch (failure) {
      this.#error = toWiscError(failure)
      if (this.#events.listenerCount('error') > 0) emitSafely(this.#events, 'error', this.#error)
    }
  }
}
