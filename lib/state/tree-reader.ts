/**
 * The tree as readers see it: memtables and the runs of the current version, newest first.
 *
 * A `ReadState` is replaced as a whole when any part of it changes, so two readings of the same object see the
 * same files and memtables. Nothing here waits: what a lookup returns was true at one moment.
 */

import { hashRange } from '../base/bytes.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'
import { MergeCursor } from '../tree/compaction/merge-cursor.ts'
import { type Entry, type EntryCursor, KIND } from '../tree/entry.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import { RunCursor } from '../tree/table/run-cursor.ts'
import { findTable, type Run, type Version } from '../tree/version/version.ts'
import type { TableCache } from './tables.ts'

export interface ReadState {
  /** Newest first. */
  readonly memtables: readonly Memtable[]
  /** The runs of all levels of the version, newest first. */
  readonly runs: readonly Run[]
  readonly version: Version
}

export function readState(memtables: readonly Memtable[], version: Version): ReadState {
  return { memtables, runs: version.levels.flatMap((level) => level.runs), version }
}

export class TreeReader {
  readonly #engine: { readonly state: ReadState }
  readonly #tables: TableCache
  readonly #cache: BlockCache

  /** @param engine its state is asked for anew by each read */
  constructor(engine: { readonly state: ReadState }, tables: TableCache, cache: BlockCache) {
    this.#engine = engine
    this.#tables = tables
    this.#cache = cache
  }

  get state(): ReadState {
    return this.#engine.state
  }

  /**
   * Finds the newest entry of a key at or below a sequence.
   * @returns true if the key has a value then; `found` says where. False if it has none or is deleted
   */
  find(key: Uint8Array, sequence: Sequence, found: Entry): boolean {
    const state = this.#engine.state
    const hash = hashRange(key, 0, key.length, 0)
    found.keyBytes = key
    found.keyEnd = key.length
    for (const memtable of state.memtables) {
      if (memtable.find(key, hash, sequence, found)) return found.kind !== KIND.tombstone
    }
    for (const run of state.runs) {
      const table = findTable(run, key)
      if (table === undefined) continue
      const reader = this.#tables.get(table.number)
      if (reader.find(key, hash, sequence, found, this.#cache)) {
        return found.kind !== KIND.tombstone
      }
    }
    return false
  }

  /** Changes when open tables have been closed: a cursor of an earlier turn would be slow. */
  get evictions(): number {
    return this.#tables.evictions
  }

  /**
   * A cursor over all entries of a state. It is good while that state is the current one, and fast while `evictions`
   * has not changed.
   */
  cursor(state: ReadState): EntryCursor {
    const memtables = state.memtables.map((memtable) => memtable.cursor())
    return this.#merge([...memtables, ...state.runs.map(({ tables }) => this.#runCursor(tables))])
  }

  /** The same over what may hold entries above a sequence, with older ones among them. */
  cursorAbove(state: ReadState, sequence: Sequence): EntryCursor {
    const sources: EntryCursor[] = []
    for (const memtable of state.memtables) {
      if (memtable.largestSequence > sequence) sources.push(memtable.cursor())
    }
    for (const run of state.runs) {
      const tables = run.tables.filter((table) => table.largestSequence > sequence)
      if (tables.length > 0) sources.push(this.#runCursor(tables))
    }
    return this.#merge(sources)
  }

  #merge(sources: EntryCursor[]): EntryCursor {
    return sources.length === 1 ? sources[0]! : new MergeCursor(sources)
  }

  #runCursor(tables: Run['tables']): EntryCursor {
    return new RunCursor(tables, (table) => this.#tables.get(table.number).cursor(this.#cache))
  }
}
