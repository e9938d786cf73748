/**
 * Callbacks inside of callbacks: a transaction that begins while the callback of another one runs would be no part of
 * it. Seen is what a callback calls before it first waits.
 */
import { invalidArgument } from '../base/errors.ts'

export class Nesting {
  #isInside = false

  /** @throws WISC_INVALID_ARGUMENT */
  refuse(): void {
    if (!this.#isInside) return
    throw invalidArgument('a transaction or update begins inside of the callback of another one')
  }

  call<T>(callback: () => T): T {
    this.#isInside = true
    try {
      return callback()
    } finally {
      this.#isInside = false
    }
  }
}
