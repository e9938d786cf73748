/**
 * Covered garbage, estimated: what range tombstones delete is garbage from the moment on in which they are written.
 * Whole tables by their own figures, others by their index blocks; nothing of the entries is read.
 *
 * What those of tables cover a compaction exposes, and lets go of whole tables by an edit alone. What those of
 * memtables cover is known as well, but a flush has to come first.
 */
import type { BlockCache } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'
import { isAnyBetween } from '../state/readable-sequences.ts'
import type { TableCache } from '../state/tables.ts'
import type { TableMeta } from '../tree/entry.ts'
import { tableWeight } from '../tree/entry-weight.ts'
import { endsBefore } from '../tree/key-span.ts'
import {
  type FragmentList,
  firstFragmentReaching,
  mergeFragments,
  NO_FRAGMENTS,
} from '../tree/ranges/range-fragments.ts'
import type { RangeList } from '../tree/ranges/range-list.ts'
import type { Version } from '../tree/version/version.ts'
import type { CountedStreams } from './stream-garbage.ts'

/** Bytes of records are those of whole records of the value log. */
export interface CoveredSum {
  readonly recordBytes: number
  /** Of keys and values, inline ones too. */
  readonly valueBytes: number
  /** What their entries take of tables (entry-weight.ts). */
  readonly weight: number
}

/** Of a table: each takes some microseconds, in a turn of the event loop. */
const FRAGMENTS_ASKED_MAX = 256

const NOTHING: CoveredSum = { recordBytes: 0, valueBytes: 0, weight: 0 }

/** What some fragment covers of a table: seen by readers from the older sequence on, up to the newer one. */
interface CoveredPart extends CoveredSum {
  readonly older: Sequence
  readonly newer: Sequence
}

export class CoveredGarbageEstimate {
  readonly #tables: Pick<TableCache, 'get'>
  readonly #cache: BlockCache
  readonly #streams: CountedStreams
  #levels: Version['levels'] = []
  /** Those of memtables that are counted. */
  #above: readonly RangeList[] = []
  #parts: readonly CoveredPart[] = []
  #byTables: CoveredSum = NOTHING
  #byMemtables: CoveredSum = NOTHING

  /** @param streams are left out, but for what their entries take of tables */
  constructor(tables: Pick<TableCache, 'get'>, cache: BlockCache, streams: CountedStreams) {
    this.#tables = tables
    this.#cache = cache
    this.#streams = streams
  }

  /** By range tombstones of tables. */
  get byTables(): CoveredSum {
    return this.#byTables
  }

  /** Of tables, by range tombstones of memtables, beside what those of tables cover. */
  get byMemtables(): CoveredSum {
    return this.#byMemtables
  }

  /** Of what those of tables cover, what these readers see. @param held their sequences, ascending */
  pinnedBy(held: readonly Sequence[]): Omit<CoveredSum, 'valueBytes'> {
    const seen = this.#parts.filter(({ older, newer }) => isAnyBetween(held, older, newer))
    return sumOf(seen)
  }

  /**
   * Brings the figures to a version and what memtables hold now.
   * @param memtables newest first @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  update({ levels, ranged }: Version, memtables: readonly { readonly ranges: RangeList }[]): void {
    const lists = memtables.map(({ ranges }) => ranges).filter(({ count }) => count > 0)
    const isSame =
      lists.length === this.#above.length && lists.every((list, i) => list === this.#above[i])
    if (levels === this.#levels && isSame) return
    this.#parts = ranged.length === 0 ? [] : this.#cover(levels, NO_FRAGMENTS)
    this.#byTables = sumOf(this.#parts)
    const above = mergeFragments(lists.map(({ fragments }) => fragments))
    const byAll = above.length === 0 ? this.#byTables : sumOf(this.#cover(levels, above))
    this.#byMemtables = {
      recordBytes: Math.max(0, byAll.recordBytes - this.#byTables.recordBytes),
      valueBytes: Math.max(0, byAll.valueBytes - this.#byTables.valueBytes),
      weight: Math.max(0, byAll.weight - this.#byTables.weight),
    }
    this.#levels = levels
    this.#above = lists
  }

  /**
   * A run is covered by newer ones: who wrote it has left out what its own range tombstones cover.
   * @param above those of memtables
   */
  #cover(levels: Version['levels'], above: FragmentList): CoveredPart[] {
    const parts: CoveredPart[] = []
    let newer = above
    for (const { runs } of levels) {
      for (const { tables } of runs) {
        if (newer.length > 0) for (const table of tables) this.#coverTable(table, newer, parts)
        const own = tables.filter(({ fragments }) => fragments > 0)
        if (own.length > 0) {
          newer = mergeFragments([
            newer,
            ...own.map(({ number }) => this.#tables.get(number).ranges),
          ])
        }
      }
    }
    return parts
  }

  #coverTable(table: TableMeta, fragments: FragmentList, parts: CoveredPart[]): void {
    const { smallestKey, smallestSequence, largestSequence, pointedBytes } = table
    const first = firstFragmentReaching(fragments, smallestKey, 0, smallestKey.length)
    const end = endOfTable(fragments, first, table)
    if (first === end || table.entries === 0) return
    const reader = this.#tables.get(table.number)
    const { keyBytes, valueBytes } = reader.properties
    const weight = tableWeight(table, reader.properties, reader.references)
    const streamBytes = this.#streams.bytesIn(reader.references)
    // Of very many one stands for its neighbours.
    const each = Math.ceil((end - first) / FRAGMENTS_ASKED_MAX)
    let left = 1
    for (let at = first; at < end; at += each) {
      const fragment = fragments[at]!
      const newer = fragment.sequences[0]!
      const older = shareBelow(newer, table)
      if (older === 0) continue
      const share = Math.min(left, each * older * reader.shareWithin(fragment, this.#cache))
      left -= share
      parts.push({
        older: smallestSequence,
        newer: Math.min(newer, largestSequence + 1),
        recordBytes: Math.round(share * (pointedBytes - streamBytes)),
        valueBytes: Math.round(share * Math.max(0, keyBytes + valueBytes - streamBytes)),
        weight: share * weight.puts,
      })
    }
  }
}

/** Index of the first fragment that begins behind a table. */
function endOfTable(fragments: FragmentList, first: number, table: TableMeta): number {
  let low = first
  let high = fragments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { start } = fragments[middle]!
    if (endsBefore(table, start, 0, start.length)) high = middle
    else low = middle + 1
  }
  return low
}

/** The part of a table's entries that is older than a sequence, as if they were spread evenly. */
function shareBelow(sequence: Sequence, { smallestSequence, largestSequence }: TableMeta): number {
  if (sequence > largestSequence) return 1
  if (sequence <= smallestSequence) return 0
  return (sequence - smallestSequence) / (largestSequence - smallestSequence + 1)
}

function sumOf(parts: readonly CoveredPart[]): CoveredSum {
  let [recordBytes, valueBytes, weight] = [0, 0, 0]
  for (const part of parts) {
    recordBytes += part.recordBytes
    valueBytes += part.valueBytes
    weight += part.weight
  }
  return { recordBytes, valueBytes, weight }
}
