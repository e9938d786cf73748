/**
 * One state of a store that is followed: a version, and the log behind its checkpoint in memtables.
 *
 * The present view is what gets read. Its memtables take what the writer appends, while its version stays and after
 * it; nobody who reads at an older sequence sees that. What they have below its checkpoint is left out. A view that has
 * been superseded is kept as long as a snapshot or an iterator reads it: its memtables lie in this process, its tables
 * and values in files that the writer may have removed or punched, which is found out by reading them (WISC_STALE).
 */
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import type { WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'
import { compareLogPositions } from '../base/log-position.ts'
import type { HeldView, ViewGiver } from '../reads/read-view.ts'
import type { ValueCache } from '../reads/value-cache.ts'
import type { LogTail } from '../recovery/log-tail.ts'
import { EmptyRanges } from '../state/empty-ranges.ts'
import { ReadableSequences } from '../state/readable-sequences.ts'
import type { TableCache } from '../state/tables.ts'
import { type ReadMemtable, type ReadState, readState, TreeReader } from '../state/tree-reader.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import type { Version } from '../tree/version/version.ts'
import { UnflushedPart } from './unflushed-part.ts'

/** What all views of an engine share. */
export interface ViewParts extends ViewGiver {
  presentView(): HeldView
  readonly tables: TableCache
  readonly cache: BlockCache
  readonly valueCache: ValueCache | undefined
  /** Of all views. */
  readonly readers: ReadableSequences
  /** What is reported when a read has failed in a view. */
  failureIn(view: FollowedView, error: unknown): WiscError
}

export class FollowedView implements HeldView {
  readonly engine: ViewParts
  /** Counts the views of an engine. */
  readonly number: number
  readonly manifest: ReadManifest
  readonly tail: LogTail
  /** The last sequence below the checkpoint, if memtables have that, too. */
  readonly flushed: Sequence
  readonly readers: ReadableSequences
  #tree: TreeReader | undefined
  #state: ReadState
  /** Of the memtables that the state has. */
  #epoch: number
  readonly #ownRanges: { readonly emptyRanges: EmptyRanges } = { emptyRanges: new EmptyRanges() }

  constructor(
    engine: ViewParts,
    number: number,
    manifest: ReadManifest,
    tail: LogTail,
    flushed: Sequence,
  ) {
    this.engine = engine
    this.number = number
    this.manifest = manifest
    this.tail = tail
    this.flushed = flushed
    this.#epoch = tail.memtables.epoch
    this.#state = this.#readState()
    this.readers = new ViewReaders(this.lastSequence, engine.readers)
  }

  get version(): Version {
    return this.manifest.version
  }

  /** What the view shows ends with it, as long as it is the present one: its tables hold nothing newer. */
  get lastSequence(): Sequence {
    return this.tail.lastSequence
  }

  get state(): ReadState {
    const { epoch } = this.tail.memtables
    if (this.#epoch !== epoch) {
      this.#epoch = epoch
      this.#state = this.#readState()
    }
    return this.#state
  }

  #readState(): ReadState {
    const { version, tail, flushed } = this
    const { checkpoint } = version
    const unflushed = tail.memtables
      .list(checkpoint)
      .map(
        (memtable): ReadMemtable =>
          compareLogPositions(memtable.start, checkpoint) < 0
            ? new UnflushedPart(memtable, flushed)
            : memtable,
      )
    return readState(unflushed, version)
  }

  /**
   * A newer version has more tombstones, of what has expired since: a range that is empty there need not be here, and
   * what is remembered of the memtables is of the newest.
   */
  get memtables(): { readonly emptyRanges: EmptyRanges } {
    return this.engine.presentView() === this ? this.tail.memtables : this.#ownRanges
  }

  /** For those who hold the view. */
  get tree(): TreeReader {
    const { tables, cache } = this.engine
    this.#tree ??= new TreeReader(this, tables, cache)
    return this.#tree
  }

  get values(): ValueReader {
    return this.engine.values
  }

  get valueCache(): ValueCache | undefined {
    return this.engine.valueCache
  }

  get turn(): EventLoopTurn {
    return this.engine.turn
  }

  /** All are, as long as the readers are not stale. */
  checkReadable(_sequence: Sequence): void {}

  viewFailure(error: unknown): WiscError {
    return this.engine.failureIn(this, error)
  }
}

/** Those of one view, who count among all. */
class ViewReaders extends ReadableSequences {
  readonly #all: ReadableSequences

  constructor(newest: Sequence, all: ReadableSequences) {
    super(newest)
    this.#all = all
  }

  override hold(sequence: Sequence, moment: number): void {
    super.hold(sequence, moment)
    this.#all.hold(sequence, moment)
  }

  override release(sequence: Sequence, moment: number): void {
    super.release(sequence, moment)
    this.#all.release(sequence, moment)
  }
}
