/**
 * Marks which records of the value log live: those that an entry of these tables points at.
 *
 * Records and tables have the same order, so both are gone through together, and whichever is behind
 * leaps: it costs no more than the entries of a table, nor than a search for each record. The
 * references of a table say how many of its pointers lead to these records, so that not one can be
 * missed.
 */

import type { CorruptionError } from '../../base/errors.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import { SEQUENCE_MAX, type SegmentNumber, type Sequence } from '../../base/ids.ts'
import { keepUntilNext } from '../../base/kept.ts'
import { type Entry, type EntryCursor, KIND } from '../entry.ts'
import { isEndless } from '../key-span.ts'
import type { TableReader } from '../table/table-reader.ts'
import {
  eachPointingTable,
  miscounted,
  type PointedSegments,
  type PointingTables,
} from './table-pointers.ts'

/** A slice ends after so many moves of records or cursor: about a millisecond. */
const SLICE_MOVES = 4096
/** Entries that a cursor passes one by one before it seeks; a seek costs about as much. */
const NEXT_MAX = 16
/** What a seek counts for, in moves. */
const SEEK_MOVES = 16
/** About what a seek reads. */
const SEEK_BYTES = 4096

/** What is marked: records, at positions in the order of entries. Pointers into their segments must lead to them. */
export interface MarkableRecords extends PointedSegments {
  readonly count: number
  /** Sets what `compare` and `reach` hold records against. */
  probe(keyBytes: Uint8Array, keyStart: number, keyEnd: number, sequence: Sequence): void
  /** Negative if the record at a position lies before the probe. */
  compare(position: number): number
  /** The first position, from one on, whose record does not lie before the probe. */
  reach(position: number): number
  keyAt(position: number): Uint8Array
  sequenceAt(position: number): number
  /** @returns false if the record there is not the one that a pointer names */
  mark(position: number, segment: SegmentNumber, offset: number, length: number): boolean
  /** The error for a pointer that leads to no record of its own; `from` is the name of its table. */
  pointerError(segment: SegmentNumber, offset: number, from: string): CorruptionError
}

/**
 * Marks by these tables, one open at a time. Yields about how many bytes each slice read.
 * @throws CorruptionError if a table is damaged, or a pointer leads to where no record of its key and
 *   sequence begins (I8); WISC_FORMAT_VERSION, IoError
 */
export function markPointers(
  input: PointingTables,
  fileSystem: FileSystem,
): (records: MarkableRecords) => Generator<number, void> {
  return (records) =>
    eachPointingTable(input, fileSystem, records, (table, name, pointers) =>
      markTable(table, name, pointers, records),
    )
}

function* markTable(
  table: TableReader,
  name: string,
  pointers: number,
  records: MarkableRecords,
): Generator<number, void> {
  const slice = new MarkSlice(table, name, records)
  keepUntilNext('mark by a table', { table, slice })
  for (let more = true; more; ) {
    more = slice.run()
    yield slice.takeBytes()
  }
  if (slice.found === pointers) return
  yield* findLost(table, name, records)
  throw miscounted(table, name, slice.found, pointers)
}

class MarkSlice {
  /** Pointers that led to a record. */
  found = 0
  readonly #cursor: EntryCursor
  readonly #name: string
  readonly #records: MarkableRecords
  readonly #entryBytes: number
  /** Positions of the records in the range of the table that are still to come. */
  #position: number
  readonly #end: number
  #moves = 0
  #bytes = 0

  constructor(table: TableReader, name: string, records: MarkableRecords) {
    const { smallestKey, largestKey, bytes, entries } = table.meta
    const isOpen = isEndless(table.meta)
    this.#cursor = table.cursor()
    this.#name = name
    this.#records = records
    this.#entryBytes = bytes / entries
    records.probe(smallestKey, 0, smallestKey.length, SEQUENCE_MAX)
    this.#position = records.reach(0)
    // Behind all entries of the key.
    records.probe(largestKey, 0, largestKey.length, -1)
    this.#end = isOpen ? records.count : records.reach(this.#position)
    if (this.#position < this.#end) this.#seek()
  }

  /** Goes on until the slice is full. @returns false if there is nothing more to mark */
  run(): boolean {
    const cursor = this.#cursor
    const records = this.#records
    this.#moves = 0
    while (this.#position < this.#end && cursor.valid) {
      if (this.#moves >= SLICE_MOVES) return true
      this.#moves++
      probe(records, cursor.entry)
      const order = records.compare(this.#position)
      if (order < 0) this.#position = records.reach(this.#position + 1)
      else if (order > 0) this.#catchUp()
      else {
        this.#meet()
        this.#position++
        this.#next()
      }
    }
    return false
  }

  /** About how many bytes were read since the last call. */
  takeBytes(): number {
    const bytes = this.#bytes
    this.#bytes = 0
    return Math.ceil(bytes)
  }

  /** Cursor and record have the same key and sequence. */
  #meet(): void {
    const { kind, segment, offset, length } = this.#cursor.entry
    // An inline value and a tombstone have a record in the log, too; nobody reads it any more.
    if (kind !== KIND.pointer || !this.#records.holdsSegment(segment)) return
    if (!this.#records.mark(this.#position, segment, offset, length)) {
      throw this.#records.pointerError(segment, offset, this.#name)
    }
    this.found++
  }

  /** Moves the cursor to the record, or behind it. */
  #catchUp(): void {
    const cursor = this.#cursor
    const records = this.#records
    for (let i = 0; i < NEXT_MAX; i++) {
      this.#next()
      if (!cursor.valid) return
      probe(records, cursor.entry)
      if (records.compare(this.#position) <= 0) return
    }
    this.#seek()
  }

  #next(): void {
    this.#cursor.next()
    this.#moves++
    this.#bytes += this.#entryBytes
  }

  #seek(): void {
    const records = this.#records
    this.#cursor.seek(records.keyAt(this.#position), records.sequenceAt(this.#position))
    this.#moves += SEEK_MOVES
    this.#bytes += SEEK_BYTES
  }
}

function probe(records: MarkableRecords, { keyBytes, keyStart, keyEnd, sequence }: Entry): void {
  records.probe(keyBytes, keyStart, keyEnd, sequence)
}

/** Looks through a whole table for a pointer that was passed over, and reports it. */
function* findLost(
  table: TableReader,
  name: string,
  records: MarkableRecords,
): Generator<number, void> {
  const cursor = table.cursor()
  let moves = 0
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
    const { kind, segment, offset, length } = cursor.entry
    if (kind === KIND.pointer && records.holdsSegment(segment)) {
      probe(records, cursor.entry)
      const position = records.reach(0)
      const found = position < records.count && records.compare(position) === 0
      if (!found || !records.mark(position, segment, offset, length)) {
        throw records.pointerError(segment, offset, name)
      }
    }
    if (++moves % SLICE_MOVES === 0) yield 0
  }
}
