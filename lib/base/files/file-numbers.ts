/**
 * The counter that numbers all files of a store. It lies in shared memory: a job, in whatever thread, takes a number
 * when it begins a file, so that nobody guesses how many it will need, and none is used up for nothing.
 *
 * A number is given once, for the life of the process. What is durable of the counter is in the edits: each records
 * where it stands when the edit is made (version-set.ts), and whoever publishes a file has taken its number before.
 * A number that was taken for a file that no edit names comes again only in another process that finds no file of it.
 */

import { assert } from '../errors.ts'
import { FILE_NUMBER_MAX, type FileNumber } from '../ids.ts'

export class FileNumbers {
  /** For {@link FileNumbers} in other threads: they count on together. */
  readonly memory: SharedArrayBuffer
  /** The number that comes next. */
  readonly #word: Uint32Array

  /** @param memory that of another one; else a new counter, which begins with 1 */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(Uint32Array.BYTES_PER_ELEMENT)
    this.#word = new Uint32Array(this.memory)
    if (!memory) this.skip(0)
  }

  /** All numbers below it are used up. */
  get next(): number {
    return Atomics.load(this.#word, 0)
  }

  /** A number for a new file or run, that nobody else gets. */
  take(): number {
    for (;;) {
      const number = this.next
      assert(number < FILE_NUMBER_MAX, 'file numbers are left')
      if (this.#advance(number, number + 1)) return number
    }
  }

  /** Never gives `number` or one below it: a file of that number was seen. */
  skip(number: FileNumber): void {
    // The word must not overflow: at its end it gives no more.
    const after = Math.min(number + 1, FILE_NUMBER_MAX)
    for (let next = this.next; next < after; next = this.next) {
      if (this.#advance(next, after)) return
    }
  }

  /** @returns false if somebody else was faster */
  #advance(from: number, to: number): boolean {
    return Atomics.compareExchange(this.#word, 0, from, to) === from
  }
}
