/** Snapshots: the store as it was at one sequence. */
import { invalidArgument, WiscError } from '../base/errors.ts'
import type { Sequence } from '../base/ids.ts'
import { checkSnapshotOptions } from '../contract/arguments.ts'
import type { Snapshot, SnapshotOptions } from '../contract/types.ts'
import { Hold } from '../reads/hold.ts'
import { staleView } from '../reads/read-again.ts'
import { viewOf } from '../reads/read-view.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'

/** The sequence to read at. @throws if the options are none, or the snapshot cannot be read any more */
export function sequenceOf(options: SnapshotOptions, engine: ReadingEngine): Sequence {
  checkSnapshotOptions(options)
  const { snapshot } = options
  if (snapshot === undefined) return engine.visibleSequence
  const view = viewOf(snapshot, engine)
  const sequence = StoreSnapshot.sequenceOf(snapshot, view.readers)
  view.checkReadable(sequence)
  return sequence
}

/** A snapshot, and what keeps its sequence readable. */
export class StoreSnapshot implements Snapshot {
  /** Writes up to this sequence are seen. */
  readonly sequence: Sequence
  /** @internal What had expired by then is not seen. */
  readonly moment: number
  readonly #owner: ReadableSequences
  readonly #hold: Hold

  /**
   * @internal `forgotten` is called if it becomes garbage before it is closed; `moment` is that of its creation, if
   * there is none.
   */
  constructor(
    owner: ReadableSequences,
    sequence: Sequence,
    forgotten: () => void = () => {},
    moment?: number,
  ) {
    this.#owner = owner
    this.sequence = sequence
    this.#hold = new Hold(owner, sequence, { forgotten, moment })
    this.moment = this.#hold.moment
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
    if (snapshot instanceof StoreSnapshot && snapshot.#owner.stale) throw staleView()
    if (!(snapshot instanceof StoreSnapshot) || snapshot.#owner !== owner) {
      throw invalidArgument('snapshot is not one of this store')
    }
    if (snapshot.#hold.isOver) throw new WiscError('WISC_NOT_OPEN', 'snapshot is closed')
    return snapshot.sequence
  }
}
