/**
 * The view that a read goes to. An engine that writes, or shows one state, is its own view. One that follows a writer
 * shows newer states all the time: snapshots and iterators go on with the view in which they began.
 */
import type { ValueReader } from '../../vlog/read/value-reader.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { Sequence } from '../base/ids.ts'
import type { EmptyRanges } from '../state/empty-ranges.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import type { TreeReader } from '../state/tree-reader.ts'
import type { Viewer } from './read-again.ts'
import type { ValueCache } from './value-cache.ts'

export interface ReadView extends Viewer {
  readonly tree: TreeReader
  readonly values: ValueReader
  /** Undefined unless one was asked for. */
  readonly valueCache: ValueCache | undefined
  readonly turn: EventLoopTurn
  readonly readers: ReadableSequences
  readonly memtables: { readonly emptyRanges: EmptyRanges }
  /** @throws if this sequence can no longer be read */
  checkReadable(sequence: Sequence): void
}

/** An engine, as far as it knows views. */
export interface ViewGiver extends ReadView {
  /** What a snapshot or an iterator reads that begins now, if that is not the engine itself. */
  presentView?(): HeldView
}

/** A view of an engine that goes on to others. */
export interface HeldView extends ReadView {
  readonly engine: ViewGiver
}

/** Snapshots of views that are not their engine's own. */
const views: WeakMap<object, HeldView> = new WeakMap()

/** What a snapshot or an iterator reads that begins now. */
export function presentView(engine: ViewGiver): ReadView {
  return engine.presentView?.() ?? engine
}

/** A snapshot reads this view from now on. */
export function bindView(snapshot: object, view: HeldView): void {
  views.set(snapshot, view)
}

/** What a snapshot reads; the engine, if it is none of its views. */
export function viewOf(snapshot: unknown, engine: ViewGiver): ReadView {
  if (engine.presentView === undefined || typeof snapshot !== 'object' || snapshot === null)
    return engine
  const view = views.get(snapshot)
  return view?.engine === engine ? view : engine
}
