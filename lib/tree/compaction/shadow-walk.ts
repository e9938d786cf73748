/**
 * The shadow walk: merges all tables once, writes nothing, and says exactly what of the value log the newest entries
 * point to, and what only older ones do.
 *
 * The newest entry of a key is live, unless a range tombstone hides it, it has expired or was evicted; a tombstone, and
 * what has expired for every reader and so becomes one, has nothing. An older one is *pinned* if somebody may read at a
 * sequence that sees it (retention.ts), else *hidden*: the next compaction that meets it drops it. Memtables are part
 * of the walk if they are given to it: then it is as if everything were flushed. Else they may shadow more.
 */

import type { FileSystem } from '../../base/files/file-system.ts'
import type { DatabaseDirectory } from '../../base/files/store-directory.ts'
import type { SegmentNumber, Sequence } from '../../base/ids.ts'
import {
  type Entry,
  type EntryCursor,
  isGone,
  KIND,
  type TableMeta,
  valueLength,
} from '../entry.ts'
import { entryWeight } from '../entry-weight.ts'
import { type FragmentList, mergeFragments } from '../ranges/range-fragments.ts'
import { RetainedRanges } from '../ranges/retained-ranges.ts'
import { LastKey } from '../table/last-key.ts'
import { fragmentsOf, InputRun } from './input-run.ts'
import { MergeCursor } from './merge-cursor.ts'
import { Retention } from './retention.ts'

export interface ShadowWalkInput extends DatabaseDirectory {
  /** All runs of a version, newest first; the tables of a run in key order. */
  readonly runs: readonly (readonly TableMeta[])[]
  /** Sequences at which someone may still read, ascending, at least one. */
  readonly readableSequences: readonly Sequence[]
  /** Entries with a lower sequence were evicted. */
  readonly evictedBelow: Sequence
  /** What expires at this moment or before has done so for every reader. */
  readonly expiredBy: number
}

export interface ShadowWalkPorts {
  readonly fileSystem: FileSystem
  /** Memtables that are walked, too. */
  readonly unflushed?: readonly EntryCursor[]
  /** Their range tombstones. */
  readonly unflushedRanges?: readonly FragmentList[]
  /** Whether the places of what is kept of a segment are wanted; of none without it. */
  readonly wantsPlaces?: (segment: SegmentNumber) => boolean
}

/** Records of one logical segment that entries point to; bytes are those of whole records. */
export interface SegmentShadows {
  readonly segment: SegmentNumber
  readonly liveBytes: number
  readonly liveRecords: number
  readonly hiddenBytes: number
  readonly hiddenRecords: number
  readonly pinnedBytes: number
  readonly pinnedRecords: number
  /** Offsets of live and pinned records, ascending; undefined if they are not wanted, or too many. */
  readonly places?: readonly number[]
}

export interface ShadowWalkResult {
  /** Keys whose newest entry is a put. */
  readonly keys: number
  /** Bytes of these keys and of their values, inline ones included. */
  readonly liveKeyBytes: number
  readonly liveValueBytes: number
  /**
   * Of the tables, what a compaction of all of them would give back: entries that nobody can see, and tombstones. An
   * estimate from the lengths of entries.
   */
  readonly tableGarbageBytes: number
  /** What entries take of tables, in proportion to each other: all, and those that a compaction drops. */
  readonly weight: number
  readonly garbageWeight: number
  /** In ascending order. */
  readonly segments: readonly SegmentShadows[]
}

/** A slice ends after so many entries ... */
const SLICE_ENTRIES = 4000
/** ... or so many bytes of inline values, which are read with them; together 1 to 3 ms. */
const SLICE_VALUE_BYTES = 1024 * 1024
/** More places than that are not kept in memory. */
const PLACES_MAX = 16 * 1024 * 1024

/**
 * Yields after each slice the bytes that it read; the tables' bytes are spread evenly over their entries.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function* shadowWalkSlices(
  input: ShadowWalkInput,
  { fileSystem, unflushed = [], unflushedRanges = [], wantsPlaces }: ShadowWalkPorts,
): Generator<number, ShadowWalkResult> {
  const runs = input.runs.map((tables) => new InputRun(tables, input, fileSystem))
  const tables = input.runs.flat()
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0)
  const entries = tables.reduce((sum, table) => sum + table.entries, 0)
  const cursor = new MergeCursor([...unflushed, ...runs.map((run) => run.cursor)])
  const retention = new Retention(input.readableSequences, [], input.evictedBelow)
  const fragments = mergeFragments([fragmentsOf(tables, input, fileSystem), ...unflushedRanges])
  const ranges = fragments.length === 0 ? undefined : new RetainedRanges(fragments, retention)
  const walk = new Walk(cursor, retention, ranges, input, wantsPlaces)
  try {
    let walked = 0
    let bytesRead = 0
    for (cursor.seekToFirst(); cursor.valid; ) {
      walked += walk.slice()
      const share = Math.round(bytes * Math.min(1, walked / Math.max(1, entries))) - bytesRead
      bytesRead += share
      yield share
    }
    return walk.result(bytes)
  } finally {
    for (const run of runs) run.close()
  }
}

/** Fields of a row of sums. */
const LIVE_BYTES = 0
const LIVE_RECORDS = 1
const HIDDEN_BYTES = 2
const HIDDEN_RECORDS = 3
const PINNED_BYTES = 4
const PINNED_RECORDS = 5
const ROW_FIELDS = 6

class Walk {
  readonly #cursor: EntryCursor
  readonly #retention: Retention
  readonly #ranges: RetainedRanges | undefined
  readonly #expiredBy: number
  readonly #evictedBelow: Sequence
  readonly #lastKey: LastKey = new LastKey()
  #keys = 0
  #liveKeyBytes = 0
  #liveValueBytes = 0
  #weight = 0
  #garbageWeight = 0
  /** Where the row of a segment begins in the sums. */
  readonly #rows: Map<number, number> = new Map()
  #sums: Float64Array = new Float64Array(64 * ROW_FIELDS)
  /** The segment of the pointer before, and its row: mostly the next one's, too. */
  #lastSegment = -1
  #lastRow = 0
  readonly #wantsPlaces: ShadowWalkPorts['wantsPlaces']
  readonly #places: Map<SegmentNumber, number[]> = new Map()
  #placeCount = 0
  /** Those of the last segment, if they are wanted. */
  #lastPlaces: number[] | undefined

  constructor(
    cursor: EntryCursor,
    retention: Retention,
    ranges: RetainedRanges | undefined,
    { expiredBy, evictedBelow }: ShadowWalkInput,
    wantsPlaces: ShadowWalkPorts['wantsPlaces'],
  ) {
    this.#cursor = cursor
    this.#retention = retention
    this.#ranges = ranges
    this.#expiredBy = expiredBy
    this.#evictedBelow = evictedBelow
    this.#wantsPlaces = wantsPlaces
  }

  /** Takes entries until the slice is full or there are no more. @returns how many */
  slice(): number {
    const cursor = this.#cursor
    const retention = this.#retention
    const lastKey = this.#lastKey
    const ranges = this.#ranges
    let entries = 0
    let valueBytes = 0
    while (cursor.valid && entries < SLICE_ENTRIES && valueBytes < SLICE_VALUE_BYTES) {
      entries++
      const { entry } = cursor
      const isNewest = lastKey.advance(entry)
      if (isNewest) {
        retention.startKey()
        ranges?.startKey(entry)
      }
      ranges?.serve(entry.sequence, retention)
      const isTombstone = isGone(entry, this.#expiredBy)
      const isLive =
        isNewest &&
        !isTombstone &&
        entry.sequence >= this.#evictedBelow &&
        ranges?.isDeletedAfter(entry.sequence) !== true
      // Tombstones, too, serve the readers that see them.
      const isKept = retention.keeps(entry.sequence)
      const { kind, keyBytes, keyStart, keyEnd } = entry
      const isGarbage =
        !isKept ||
        (isTombstone && retention.dropsTombstone(entry.sequence, keyBytes, keyStart, keyEnd))
      const weight = entryWeight(entry, keyEnd - keyStart)
      this.#weight += weight
      if (isGarbage) this.#garbageWeight += weight
      if (kind === KIND.inline) valueBytes += entry.valueEnd - entry.valueStart
      if (isLive) this.#addLive(entry)
      if (kind === KIND.pointer) this.#addRecord(entry, isLive, isKept && !isTombstone)
      cursor.next()
    }
    return entries
  }

  /** @param tableBytes of all tables that were walked */
  result(tableBytes: number): ShadowWalkResult {
    const sums = this.#sums
    for (const places of this.#places.values()) places.sort((left, right) => left - right)
    const segments = [...this.#rows].map(
      ([segment, row]): SegmentShadows => ({
        segment,
        liveBytes: sums[row + LIVE_BYTES]!,
        liveRecords: sums[row + LIVE_RECORDS]!,
        hiddenBytes: sums[row + HIDDEN_BYTES]!,
        hiddenRecords: sums[row + HIDDEN_RECORDS]!,
        pinnedBytes: sums[row + PINNED_BYTES]!,
        pinnedRecords: sums[row + PINNED_RECORDS]!,
        ...(this.#places.has(segment) && { places: this.#places.get(segment)! }),
      }),
    )
    return {
      keys: this.#keys,
      liveKeyBytes: this.#liveKeyBytes,
      liveValueBytes: this.#liveValueBytes,
      tableGarbageBytes: Math.round(tableBytes * (this.#garbageWeight / Math.max(1, this.#weight))),
      weight: this.#weight,
      garbageWeight: this.#garbageWeight,
      segments: segments.sort((left, right) => left.segment - right.segment),
    }
  }

  #addLive(entry: Entry): void {
    const keyLength = entry.keyEnd - entry.keyStart
    this.#keys++
    this.#liveKeyBytes += keyLength
    this.#liveValueBytes += valueLength(entry, keyLength)
  }

  #addRecord({ segment, offset, length: bytes }: Entry, isLive: boolean, isKept: boolean): void {
    if (segment !== this.#lastSegment) this.#useSegment(segment)
    const sums = this.#sums
    const row = this.#lastRow
    if (isKept && this.#lastPlaces) this.#addPlace(segment, offset)
    if (isLive) {
      sums[row + LIVE_BYTES]! += bytes
      sums[row + LIVE_RECORDS]!++
    } else if (isKept) {
      sums[row + PINNED_BYTES]! += bytes
      sums[row + PINNED_RECORDS]!++
    } else {
      sums[row + HIDDEN_BYTES]! += bytes
      sums[row + HIDDEN_RECORDS]!++
    }
  }

  #addPlace(segment: SegmentNumber, place: number): void {
    this.#lastPlaces!.push(place)
    if (++this.#placeCount <= PLACES_MAX) return
    this.#places.delete(segment)
    this.#placeCount -= this.#lastPlaces!.length
    this.#lastPlaces = undefined
  }

  #useSegment(segment: SegmentNumber): void {
    let row = this.#rows.get(segment)
    if (row === undefined) {
      row = this.#rows.size * ROW_FIELDS
      this.#rows.set(segment, row)
      if (this.#wantsPlaces?.(segment)) this.#places.set(segment, [])
      if (row === this.#sums.length) {
        const grown = new Float64Array(this.#sums.length * 2)
        grown.set(this.#sums)
        this.#sums = grown
      }
    }
    this.#lastSegment = segment
    this.#lastRow = row
    this.#lastPlaces = this.#places.get(segment)
  }
}
