/**
 * The run of keys with nothing to see over which a scan goes now, from the first one on, in its direction.
 *
 * It lives within one synchronous step of the scan: only then nothing can be put behind its back. Data plane: nothing
 * is allocated for a key.
 */

import { copyRange } from '../base/bytes.ts'
import type { Sequence } from '../base/ids.ts'
import type { Edge, EmptyRange, EmptyRanges } from '../state/empty-ranges.ts'

/** A shorter run costs less than it takes to remember it. */
const REMEMBERED_KEYS_MIN = 16

export class EmptyRun {
  readonly #reverse: boolean
  #keys = 0
  #jumps = 0
  readonly #first: GrowingEdge = new GrowingEdge()
  readonly #last: GrowingEdge = new GrowingEdge()

  constructor(reverse: boolean) {
    this.#reverse = reverse
  }

  /** True if nothing was passed yet. */
  get isEmpty(): boolean {
    return this.#keys + this.#jumps === 0
  }

  /** Forgets what was passed. */
  begin(): void {
    this.#keys = 0
    this.#jumps = 0
  }

  /** Keys that were passed one by one. */
  get keys(): number {
    return this.#keys
  }

  /**
   * The next key has no value to see, nor did it get one later on.
   * @returns its bytes, a view that is good until the next call
   */
  pass(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (this.isEmpty) this.#first.set(bytes, start, end, this.#reverse)
    this.#keys++
    return this.#last.set(bytes, start, end, !this.#reverse)
  }

  /** All of a range is passed at once. @returns where the scan goes on */
  jump(range: EmptyRange): Edge {
    const [from, to] = this.#reverse ? [range.upper, range.lower] : [range.lower, range.upper]
    if (this.isEmpty) this.#first.set(from.key, 0, from.key.length, from.behind)
    this.#jumps++
    this.#last.set(to.key, 0, to.key.length, to.behind)
    return to
  }

  /** The run ends before the next key: something is to be seen there, or the scan stops. */
  end(ranges: EmptyRanges, sequence: Sequence): void {
    const isNew = this.#jumps > 1 || (this.#jumps === 1 && this.#keys > 0)
    if (isNew || this.#keys >= REMEMBERED_KEYS_MIN) {
      if (this.#reverse) ranges.add(this.#last, this.#first, sequence)
      else ranges.add(this.#first, this.#last, sequence)
    }
    this.begin()
  }
}

/** An edge whose bytes are written over and over. */
class GrowingEdge implements Edge {
  #memory: Uint8Array = new Uint8Array(64)
  key: Uint8Array = this.#memory
  behind = false

  set(bytes: Uint8Array, start: number, end: number, behind: boolean): Uint8Array {
    const length = end - start
    if (length > this.#memory.length) this.#memory = new Uint8Array(length * 2)
    copyRange(bytes, start, end, this.#memory, 0)
    this.key = this.#memory.subarray(0, length)
    this.behind = behind
    return this.key
  }
}
