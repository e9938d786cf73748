/**
 * The loop of flush and compaction: entries from a cursor, through the rule of retention, into a
 * run.
 *
 * A generator that yields after a bounded slice, so that its caller can do something else, or end
 * it: `return()` closes and unlinks what it has written. The hot loop is a function of its own, for
 * speed.
 */
import { type DeadRecords, DeadRecordsBuilder } from '../../base/dead-records.ts'
import { keepUntilNext } from '../../base/kept.ts'
import { type BuiltTable, Entry, type EntryCursor, isGone, KIND } from '../entry.ts'
import type { FragmentList } from '../ranges/range-fragments.ts'
import { RetainedRanges } from '../ranges/retained-ranges.ts'
import { LastKey } from '../table/last-key.ts'
import type { RecordPlaces } from './fold.ts'
import type { Retention } from './retention.ts'
import type { RunWriter } from './run-writer.ts'

/** A slice ends after so many entries ... */
const SLICE_ENTRIES = 2000
/** What a folded pointer counts for, in entries: a page of an index may be read for it. */
const FOLDED_ENTRIES = 8
/**
 * ... or so many bytes of inline values; together 1 to 3 ms, and the sync of a table now and then.
 */
const SLICE_VALUE_BYTES = 1024 * 1024

/** What a job has made. */
export interface RunResult {
  /** The run that was written, in key order; all files are synced, the directory is not. */
  readonly tables: readonly BuiltTable[]
  readonly bytesWritten: number
  readonly entriesIn: number
  readonly entriesOut: number
  /** Pointers that name the present place of their record now, and did not before. */
  readonly foldedPointers: number
  /** Records that an entry pointed to which was not kept: once the run is in the tree, nothing names them any more. */
  readonly dead: DeadRecords
}

/**
 * The value of an entry of kind `deferred`, read from the log. The entry's fields say where, and
 * what to prove.
 */
export type ReadDeferred = (entry: Entry) => Uint8Array

/** What a slice yields: nothing, or what has to be settled before the next one. */
export type RunSlice = Promise<void> | undefined

/**
 * Writes what survives of `cursor`, all of it, and of range tombstones; then finishes the writer.
 * @param expiredBy what expires at this moment or before has done so for every reader
 */
export function* writeRetained(
  cursor: EntryCursor,
  retention: Retention,
  writer: RunWriter,
  readDeferred: ReadDeferred | undefined,
  places: RecordPlaces | undefined,
  fragments: FragmentList,
  expiredBy: number,
): Generator<RunSlice, RunResult> {
  const ranges = fragments.length === 0 ? undefined : new RetainedRanges(fragments, retention)
  const slice = new RetainedSlice(
    cursor,
    retention,
    writer,
    readDeferred,
    places,
    ranges,
    expiredBy,
  )
  keepUntilNext('run of a flush or a compaction', { slice })
  let entriesIn = 0
  for (cursor.seekToFirst(); cursor.valid; ) {
    entriesIn += slice.run()
    yield undefined
    yield* writer.syncSlices()
  }
  while (slice.runRanges(undefined, SLICE_ENTRIES) === SLICE_ENTRIES) {
    yield undefined
    yield* writer.syncSlices()
  }
  const tables = writer.finish()
  yield* writer.syncSlices()
  const { foldedPointers } = slice
  const { bytesWritten, entries: entriesOut } = writer
  const dead = slice.dead.finish()
  return { tables, bytesWritten, entriesIn, entriesOut, foldedPointers, dead }
}

class RetainedSlice {
  readonly #cursor: EntryCursor
  readonly #retention: Retention
  readonly #writer: RunWriter
  readonly #readDeferred: ReadDeferred | undefined
  readonly #places: RecordPlaces | undefined
  /** Undefined if there are no range tombstones. */
  readonly #ranges: RetainedRanges | undefined
  readonly #expiredBy: number
  /** Of the last newest entry of a key that was dropped. */
  readonly #droppedKey: LastKey = new LastKey()
  /** For an entry that is written as another one than it was read: deferred, or a pointer that is folded. */
  readonly #standIn: Entry = new Entry()
  /** Pointers that were folded. */
  foldedPointers = 0
  readonly dead: DeadRecordsBuilder = new DeadRecordsBuilder()

  constructor(
    cursor: EntryCursor,
    retention: Retention,
    writer: RunWriter,
    readDeferred: ReadDeferred | undefined,
    places: RecordPlaces | undefined,
    ranges: RetainedRanges | undefined,
    expiredBy: number,
  ) {
    this.#cursor = cursor
    this.#expiredBy = expiredBy
    this.#retention = retention
    this.#writer = writer
    this.#readDeferred = readDeferred
    this.#places = places
    this.#ranges = ranges
  }

  /** Takes entries until the slice is full or there are no more. @returns how many */
  run(): number {
    const cursor = this.#cursor
    const retention = this.#retention
    const writer = this.#writer
    const ranges = this.#ranges
    const foldedMax = this.foldedPointers + SLICE_ENTRIES / FOLDED_ENTRIES
    let entries = 0
    let valueBytes = 0
    while (
      cursor.valid &&
      entries < SLICE_ENTRIES &&
      valueBytes < SLICE_VALUE_BYTES &&
      this.foldedPointers < foldedMax
    ) {
      entries++
      let { entry } = cursor
      // The newest entry of a key was written, or dropped as a tombstone or behind a range tombstone.
      const isNewKey = !writer.hasLastKey(entry) && !this.#droppedKey.is(entry)
      if (isNewKey) retention.startKey()
      const { kind, sequence } = entry
      if (ranges !== undefined) {
        if (isNewKey) {
          this.runRanges(entry, Number.POSITIVE_INFINITY)
          ranges.startKey(entry)
        }
        ranges.serve(sequence, retention)
      }
      const isKept = retention.keeps(sequence)
      // What has expired for everybody is a tombstone from here on, and until that goes it hides what is older.
      const isTombstone = isGone(entry, this.#expiredBy)
      if (kind === KIND.pointer && (isTombstone || !isKept))
        this.dead.add(entry.segment, entry.offset, entry.length)
      if (!isKept) {
        // It was the newest of its key if a range tombstone hides it: older ones go on with what has been served.
        if (isNewKey) this.#droppedKey.set(entry)
      } else if (
        isTombstone &&
        retention.dropsTombstone(sequence, entry.keyBytes, entry.keyStart, entry.keyEnd)
      ) {
        this.#droppedKey.set(entry)
      } else {
        if (isTombstone) entry = kind === KIND.tombstone ? entry : this.#tombstone(entry)
        else if (kind === KIND.deferred) entry = this.#fetch(entry)
        else if (kind === KIND.pointer && this.#places) entry = this.#fold(entry, this.#places)
        if (entry.kind === KIND.inline) valueBytes += entry.valueEnd - entry.valueStart
        writer.add(entry)
      }
      cursor.next()
    }
    return entries
  }

  /** Writes range tombstones that begin at or before an entry, or all; `most` of them. @returns how many */
  runRanges(before: Entry | undefined, most: number): number {
    let count = 0
    while (count < most) {
      const fragment = this.#ranges?.takeKept(before)
      if (fragment === undefined) break
      this.#writer.addRange(fragment)
      count++
    }
    return count
  }

  #tombstone(entry: Entry): Entry {
    const tombstone = this.#standIn
    tombstone.copyFrom(entry)
    tombstone.kind = KIND.tombstone
    tombstone.expiresAt = 0
    return tombstone
  }

  #fold(entry: Entry, places: RecordPlaces): Entry {
    if (!places.find(entry.segment, entry.offset)) return entry
    const folded = this.#standIn
    folded.copyFrom(entry)
    folded.segment = places.segment
    folded.offset = places.offset
    this.foldedPointers++
    return folded
  }

  #fetch(entry: Entry): Entry {
    const value = this.#readDeferred!(entry)
    const inline = this.#standIn
    inline.copyFrom(entry)
    inline.kind = KIND.inline
    inline.valueBytes = value
    inline.valueStart = 0
    inline.valueEnd = value.length
    return inline
  }
}
