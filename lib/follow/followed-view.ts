/**
 * One state of a store that is followed: a version, and the log behind its checkpoint in memtables.
 *
 * The present view is what gets read. While its version stays, and after it, as long as the checkpoint stays, its
 * memtables take what the writer appends; nobody who reads at an older sequence sees that. A view that has been
 * superseded is kept as long as a snapshot or an iterator reads it: its memtables lie in this process, its tables and
 * values in files that the writer may have removed or punched, which is found out by reading them (WISC_STALE).
 */
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import type { WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'
import type { HeldView, ViewGiver } from '../reads/read-view.ts'
import type { ValueCache } from '../reads/value-cache.ts'
import type { LogTail } from '../recovery/log-tail.ts'
import type { Memtables } from '../state/memtables.ts'
import { ReadableSequences } from '../state/readable-sequences.ts'
import type { TableCache } from '../state/tables.ts'
import { type ReadState, readState, TreeReader } from '../state/tree-reader.ts'
import type { ReadManifest } from '../tree/version/manifest.ts'
import type { Version } from '../tree/version/version.ts'

/** What all views of an engine share. */
export interface ViewParts extends ViewGiver {
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
  readonly memtables: Memtables
  readonly tail: LogTail
  readonly readers: ReadableSequences
  #tree: TreeReader | undefined
  #state: ReadState
  /** Of the memtables that the state has. */
  #epoch: number

  constructor(
    engine: ViewParts,
    number: number,
    manifest: ReadManifest,
    memtables: Memtables,
    tail: LogTail,
  ) {
    this.engine = engine
    this.number = number
    this.manifest = manifest
    this.memtables = memtables
    this.tail = tail
    this.#epoch = memtables.epoch
    this.#state = readState(memtables.list(manifest.version.checkpoint), manifest.version)
    this.readers = new ViewReaders(this.lastSequence, engine.readers)
  }

  get version(): Version {
    return this.manifest.version
  }

  /** What the view shows ends with it, as long as it is the present one. */
  get lastSequence(): Sequence {
    return Math.max(this.manifest.version.lastSequence, this.tail.lastSequence)
  }

  get state(): ReadState {
    const { memtables, manifest } = this
    if (this.#epoch !== memtables.epoch) {
      this.#epoch = memtables.epoch
      this.#state = readState(memtables.list(manifest.version.checkpoint), manifest.version)
    }
    return this.#state
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
