/**
 * Holds: what keeps a sequence readable for a snapshot or an iterator, until that is closed.
 *
 * Who forgets to close one would keep garbage for as long as the store is open. So a hold ends also when the signal of
 * its iterator fires, and when its owner has become garbage itself; then a warning tells of it.
 */

import { onAbort } from '../base/abort.ts'
import type { Sequence } from '../base/ids.ts'
import type { SnapshotOptions } from '../contract/types.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'

/** What a hold tells of its end. */
export interface HoldOptions {
  /** What has not expired by then is seen: milliseconds since 1970; that of `readers`, if there is none. */
  readonly moment?: number | undefined
  /** Ends the hold when it fires. */
  readonly signal?: AbortSignal | undefined
  /** Called once, when the hold has ended. */
  readonly ended?: () => void
  /** Called when the owner was forgotten. */
  readonly forgotten: () => void
}

export class Hold {
  readonly sequence: Sequence
  readonly moment: number
  readonly #readers: ReadableSequences
  readonly #options: HoldOptions
  readonly #stopListening: (() => void) | undefined
  #isOver = false

  constructor(readers: ReadableSequences, sequence: Sequence, options: HoldOptions) {
    this.sequence = sequence
    this.#readers = readers
    this.#options = options
    this.moment = options.moment ?? readers.moment
    readers.hold(sequence, this.moment)
    this.#stopListening = options.signal && onAbort(options.signal, () => this.release())
  }

  /** Names the owner; nothing that the hold refers to may refer to it. */
  belongsTo(owner: object): void {
    garbage.register(owner, this, this)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** A second call does nothing. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    garbage.unregister(this)
    this.#stopListening?.()
    this.#readers.release(this.sequence, this.moment)
    this.#options.ended?.()
  }

  /** @internal The owner is garbage. */
  forget(): void {
    if (this.#isOver) return
    this.release()
    this.#options.forgotten()
  }
}

/** One for all stores: a store that is garbage itself must not take it along. */
const garbage = new FinalizationRegistry<Hold>((hold) => hold.forget())

/** The moment of the snapshot that a read goes by: what has expired by then is not seen. @returns undefined for now */
export function momentOf(options: SnapshotOptions | undefined): number | undefined {
  const snapshot = options?.snapshot as { readonly moment?: number } | undefined
  return snapshot?.moment
}
