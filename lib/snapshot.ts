/** Snapshots: the store as it was at one sequence. */
import { invalidArgument, WiscError } from './base/errors.ts'
import { Hold } from './hold.ts'
import { staleView } from './look-again.ts'
import type { ReadableSequences } from './readable-sequences.ts'

/**
 * A view of the store at one moment. What it can see is kept, so close it: garbage that it pins is not reclaimed. One
 * that becomes garbage without being closed is closed then, and a 'warning' tells of it.
 * Made by {@link Store.snapshot}.
 */
export class Snapshot {
  /** Writes up to this sequence are seen. */
  readonly sequence: number
  readonly #owner: ReadableSequences
  readonly #hold: Hold

  /** @internal `forgotten` is called if it becomes garbage before it is closed. */
  constructor(owner: ReadableSequences, sequence: number, forgotten: () => void = () => {}) {
    this.#owner = owner
    this.sequence = sequence
    this.#hold = new Hold(owner, sequence, { forgotten })
    this.#hold.belongsTo(this)
  }

  /** Gives up the view; a second call does nothing. */
  close(): void {
    this.#hold.release()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal The sequence, if this is an open snapshot of the store with these readers. */
  static sequenceOf(snapshot: unknown, owner: ReadableSequences): number {
    if (snapshot instanceof Snapshot && snapshot.#owner.stale) throw staleView()
    if (!(snapshot instanceof Snapshot) || snapshot.#owner !== owner) {
      throw invalidArgument('snapshot is not one of this store')
    }
    if (snapshot.#hold.isOver) throw new WiscError('WISC_NOT_OPEN', 'snapshot is closed')
    return snapshot.sequence
  }
}
