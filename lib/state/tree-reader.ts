/**
 * The tree as readers see it: memtables and the runs of the current version, newest first.
 *
 * A `ReadState` is replaced as a whole when any part of it changes, so two readings of the same object see the
 * same files and memtables. Nothing here waits: what a lookup returns was true at one moment.
 */

import { hashRange } from '../base/bytes.ts'
import { wallTime } from '../base/clock.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'
import { MergeCursor } from '../tree/compaction/merge-cursor.ts'
import { type Entry, type EntryCursor, isGone, KIND } from '../tree/entry.ts'
import type { Memtable } from '../tree/memtable/memtable.ts'
import { CoveredCursor } from '../tree/ranges/covered-cursor.ts'
import { RangeList } from '../tree/ranges/range-list.ts'
import { RunCursor } from '../tree/table/run-cursor.ts'
import { findTable, type Run, type Version } from '../tree/version/version.ts'
import { TableRanges } from './table-ranges.ts'
import type { TableCache } from './tables.ts'

/** A memtable as readers see it. */
export type ReadMemtable = Pick<Memtable, 'find' | 'cursor' | 'ranges' | 'largestSequence'>

export interface ReadState {
  /** Newest first. */
  readonly memtables: readonly ReadMemtable[]
  /** The runs of all levels of the version, newest first. */
  readonly runs: readonly Run[]
  readonly version: Version
}

export function readState(memtables: readonly ReadMemtable[], version: Version): ReadState {
  return { memtables, runs: version.levels.flatMap((level) => level.runs), version }
}

export class TreeReader {
  readonly #engine: { readonly state: ReadState }
  readonly #tables: TableCache
  readonly #cache: BlockCache
  readonly #tableRanges: TableRanges

  /** @param engine its state is asked for anew by each read */
  constructor(engine: { readonly state: ReadState }, tables: TableCache, cache: BlockCache) {
    this.#engine = engine
    this.#tables = tables
    this.#cache = cache
    this.#tableRanges = new TableRanges(tables)
  }

  get state(): ReadState {
    return this.#engine.state
  }

  /**
   * Finds the newest entry of a key at or below a sequence. What is older than a range tombstone, or was evicted, is
   * not looked for.
   * @param moment by which it may not have expired: milliseconds since 1970, now if there is none
   * @returns true if the key has a value then; `found` says where. False if it has none or is gone: if something has
   *   deleted it, `found` has the sequence of that, if it has expired, its own; else it has its sequence of before
   */
  find(key: Uint8Array, sequence: Sequence, found: Entry, moment?: number): boolean {
    const state = this.#engine.state
    const hash = hashRange(key, 0, key.length, 0)
    found.keyBytes = key
    found.keyEnd = key.length
    const covering = this.#coveringSequence(state, key, sequence)
    for (const memtable of state.memtables) {
      if (memtable.largestSequence < covering) continue
      if (memtable.find(key, hash, sequence, found)) return hasValue(found, covering, moment)
    }
    for (const run of state.runs) {
      const table = findTable(run, key)
      if (table === undefined || table.largestSequence < covering) continue
      const reader = this.#tables.get(table.number)
      if (reader.find(key, hash, sequence, found, this.#cache))
        return hasValue(found, covering, moment)
    }
    if (covering > 0) found.sequence = covering
    return false
  }

  /**
   * The entry of this sequence, and all older ones of the key, are gone: a range tombstone that the reader sees has
   * deleted them, or they were evicted, whoever reads.
   */
  #coveringSequence(state: ReadState, key: Uint8Array, sequence: Sequence): Sequence {
    let covering = evictedThrough(state.version)
    if (!hasRanges(state)) return covering
    for (const { ranges } of state.memtables) {
      if (ranges.count === 0) continue
      const found = ranges.coveringSequence(key, 0, key.length, sequence)
      if (found > covering) covering = found
    }
    if (state.version.ranged.length === 0) return covering
    for (const ranges of this.#tableRanges.of(state.version)) {
      const found = ranges.coveringSequence(key, 0, key.length, sequence)
      if (found > covering) covering = found
    }
    return covering
  }

  /** The range tombstones of tables, run by run. @throws CorruptionError, WISC_FORMAT_VERSION, IoError */
  tableRanges(version: Version): readonly RangeList[] {
    return this.#tableRanges.of(version)
  }

  /** All range tombstones, as lists of which each has some. */
  #rangesOf({ memtables, version }: ReadState): RangeList[] {
    const lists = memtables.map(({ ranges }) => ranges).filter(({ count }) => count > 0)
    return [...lists, ...this.#tableRanges.of(version)]
  }

  /** Lists of all range tombstones above a sequence, with older ones among them. @throws as `tableRanges` does */
  rangesAbove({ memtables, version }: ReadState, sequence: Sequence): RangeList[] {
    const lists: RangeList[] = []
    for (const { largestSequence, ranges } of memtables) {
      if (largestSequence > sequence && ranges.count > 0) lists.push(ranges)
    }
    for (const table of version.ranged) {
      if (table.largestSequence > sequence)
        lists.push(new RangeList([this.#tableRanges.chunkOf(table)]))
    }
    return lists
  }

  /** Changes when open tables have been closed: a cursor of an earlier turn would be slow. */
  get evictions(): number {
    return this.#tables.evictions
  }

  /**
   * A cursor over all entries of a state, for who reads at a sequence. What range tombstones delete for that reader is
   * a tombstone, and so is what was evicted. It is good while that state is the current one, and fast while `evictions`
   * has not changed.
   */
  cursor(state: ReadState, sequence: Sequence): EntryCursor {
    const memtables = state.memtables.map((memtable) => memtable.cursor())
    const runs = state.runs.map(({ tables }) => this.#runCursor(tables))
    const entries = this.#merge([...memtables, ...runs])
    const { evictedBelow } = state.version
    if (evictedBelow === 0 && !hasRanges(state)) return entries
    return new CoveredCursor(entries, this.#rangesOf(state), sequence, evictedBelow)
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

/** The highest sequence that was evicted. */
function evictedThrough({ evictedBelow }: Version): Sequence {
  return Math.max(0, evictedBelow - 1)
}

function hasRanges({ memtables, version }: ReadState): boolean {
  if (version.ranged.length > 0) return true
  for (const memtable of memtables) if (memtable.ranges.count > 0) return true
  return false
}

/**
 * True for a value that nothing hides and that has not expired. One that is hidden gets the sequence of what deleted
 * it, or of the last that was evicted.
 */
function hasValue(found: Entry, covering: Sequence, moment: number | undefined): boolean {
  if (found.sequence <= covering) {
    found.kind = KIND.tombstone
    found.sequence = covering
    return false
  }
  // The clock is asked only where something expires.
  if (found.expiresAt === 0) return found.kind !== KIND.tombstone
  return !isGone(found, moment ?? wallTime())
}
