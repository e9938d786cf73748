/** Snapshots: the store as it was at one sequence. */
import { invalidArgument, WiscError } from './base/errors.ts'
import type { ReadableSequences } from './readable-sequences.ts'

/**
 * A view of the store at one moment. What it can see is kept, so close it: garbage that it pins is not reclaimed.
 * Made by {@link Store.snapshot}.
 */
export class Snapshot {
  /** Writes up to this sequence are seen. */
  readonly sequence: number
  readonly #owner: ReadableSequences
  #closed = false

  /** @internal */
  constructor(owner: ReadableSequences, sequence: number) {
    this.#owner = owner
    this.sequence = sequence
    owner.hold(sequence)
  }

  /** Gives up the view; a second call does nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.release(this.sequence)
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
    if (snapshot.#closed) throw new WiscError('WISC_NOT_OPEN', 'snapshot is closed')
    return snapshot.sequence
  }
}

/** A view whose files the writer has removed meanwhile. */
export function staleView(): WiscError {
  return new WiscError('WISC_STALE', 'the files of this view are gone: take a new one')
}
