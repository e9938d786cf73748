/** Iterators, snapshots and streams that are read: what they hold, and what is said of those that somebody forgot. */

import { SlabAllocator } from '../../vlog/read/slab.ts'
import type { Sequence } from '../base/ids.ts'
import { type ResolvedScan, resolveScan, throwIfAborted } from '../contract/arguments.ts'
import { emitSafely } from '../contract/events.ts'
import type { RangeOptions, Snapshot, SnapshotOptions } from '../contract/types.ts'
import { Hold, momentOf } from '../reads/hold.ts'
import { staleView } from '../reads/read-again.ts'
import { bindView, presentView, type ReadView, viewOf } from '../reads/read-view.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { IteratorParts } from './iterator.ts'
import { StoreSnapshot, sequenceOf } from './snapshot.ts'

export class StoreReaders {
  readonly #engine: ReadingEngine
  readonly #checkOpen: () => void
  readonly #slabs: SlabAllocator = new SlabAllocator()
  /** Iterators that are not closed, and streams that are read. */
  iterators = 0
  #closed = false

  /** @param checkOpen throws WISC_NOT_OPEN if the store is closed */
  constructor(engine: ReadingEngine, checkOpen: () => void) {
    this.#engine = engine
    this.#checkOpen = checkOpen
  }

  /** Before something is bound to the view: see `catchUp` of the engine. */
  catchUp(): void {
    this.#engine.catchUp?.()
  }

  /** That of a reader that begins now. */
  get moment(): number {
    return this.#engine.readers.moment
  }

  /** The one to read at. @throws if the store is closed, or the snapshot cannot be read any more */
  sequence(options: SnapshotOptions | undefined): Sequence {
    this.#checkOpen()
    return options === undefined ? this.#engine.visibleSequence : sequenceOf(options, this.#engine)
  }

  /** What an iterator over a range needs. It is open from now on. */
  iteration(range: RangeOptions | undefined): [IteratorParts, ResolvedScan] {
    const resolved = resolveScan(range)
    const { signal } = resolved
    throwIfAborted(signal)
    this.#checkOpen()
    const snapshot = range?.snapshot
    if (!snapshot) this.catchUp()
    const sequence = this.sequence(snapshot && { snapshot })
    const view = snapshot ? viewOf(snapshot, this.#engine) : presentView(this.#engine)
    const cure = 'read it to its end, or close it'
    return [this.#reader(view, sequence, momentOf(range), signal, 'an iterator', cure), resolved]
  }

  /** The same for a value that is read as a stream. @param view in which it begins; the present one, without */
  stream(
    view: ReadView | undefined,
    sequence: Sequence,
    moment: number,
    signal: AbortSignal | undefined,
  ): IteratorParts {
    const cure = 'read it to its end, or cancel it'
    const from = view ?? presentView(this.#engine)
    return this.#reader(from, sequence, moment, signal, 'a stream', cure)
  }

  /** What a snapshot reads; undefined if there is none. */
  viewOf(snapshot: Snapshot | undefined): ReadView | undefined {
    return snapshot && viewOf(snapshot, this.#engine)
  }

  #reader(
    engine: ReadView,
    sequence: Sequence,
    moment: number | undefined,
    signal: AbortSignal | undefined,
    what: string,
    cure: string,
  ): IteratorParts {
    // Those of the view that it begins in: a read-only store may take another one.
    const { readers } = engine
    this.iterators++
    const hold = new Hold(readers, sequence, {
      moment,
      signal,
      ended: () => this.iterators--,
      forgotten: () => this.#warn(what, cure),
    })
    const checkOpen = this.#checkOpen
    return {
      engine,
      hold,
      moment: hold.moment,
      slabs: this.#slabs,
      get sequence() {
        checkOpen()
        if (readers.stale) throw staleView()
        engine.checkReadable(sequence)
        return sequence
      },
    }
  }

  snapshot(): Snapshot {
    this.#checkOpen()
    this.catchUp()
    const { visibleSequence } = this.#engine
    const view = this.#engine.presentView?.()
    const { readers } = view ?? this.#engine
    const forgotten = (): void => this.#warn('a snapshot', 'close it')
    const snapshot = new StoreSnapshot(readers, visibleSequence, forgotten)
    if (view) bindView(snapshot, view)
    return snapshot
  }

  /** The store is closed: nobody is warned any more. */
  close(): void {
    this.#closed = true
  }

  #warn(what: string, cure: string): void {
    const message = `${what} became garbage before it was closed, and kept what it could see until then: ${cure}`
    if (!this.#closed) emitSafely(this.#engine.events, 'warning', message)
  }
}
