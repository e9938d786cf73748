/**
 * The loop of flush and compaction: entries from a cursor, through the rule of retention, into a
 * run.
 *
 * A generator that yields after a bounded step, so that its caller can do something else, or end
 * it: `return()` closes and unlinks what it has written. The hot loop is a function of its own, for
 * speed.
 */
import { NO_BYTES } from '../../base/bytes.ts'
import { type DeadRecords, DeadRecordsBuilder } from '../../base/dead-records.ts'
import { type BuiltTable, type EntryCursor, KIND, type Kind } from '../entry.ts'
import type { KeyedEntry } from '../table/block-format.ts'
import { LastKey } from '../table/last-key.ts'
import type { RecordPlaces } from './fold.ts'
import type { Retention } from './retention.ts'
import type { RunWriter } from './run-writer.ts'

/** A step ends after so many entries ... */
const STEP_ENTRIES = 2000
/** What a folded pointer counts for, in entries: a page of an index may be read for it. */
const FOLDED_ENTRIES = 8
/**
 * ... or so many bytes of inline values; together 1 to 3 ms, and the sync of a table now and then.
 */
const STEP_VALUE_BYTES = 1024 * 1024

/** What a job has made. */
export interface RunResult {
  /** The run that was written, in key order; all files are synced, the directory is not. */
  readonly tables: readonly BuiltTable[]
  readonly bytesRead: number
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
export type ReadDeferred = (entry: KeyedEntry) => Uint8Array

/** What a step yields: nothing, or what has to be settled before the next one. */
export type RunStep = Promise<void> | undefined

/** Writes what survives of `cursor`, all of it, and finishes the writer. */
export function* writeRetained(
  cursor: EntryCursor,
  retention: Retention,
  writer: RunWriter,
  readDeferred: ReadDeferred | undefined,
  places: RecordPlaces | undefined,
): Generator<RunStep, Omit<RunResult, 'bytesRead'>> {
  const step = new RetainedStep(cursor, retention, writer, readDeferred, places)
  let entriesIn = 0
  for (cursor.seekToFirst(); cursor.valid; ) {
    entriesIn += step.run()
    yield undefined
    yield* writer.syncSteps()
  }
  const tables = writer.finish()
  yield* writer.syncSteps()
  const { foldedPointers } = step
  const { bytesWritten, entries: entriesOut } = writer
  const dead = step.dead.finish()
  return { tables, bytesWritten, entriesIn, entriesOut, foldedPointers, dead }
}

class RetainedStep {
  readonly #cursor: EntryCursor
  readonly #retention: Retention
  readonly #writer: RunWriter
  readonly #readDeferred: ReadDeferred | undefined
  readonly #places: RecordPlaces | undefined
  readonly #lastKey: LastKey = new LastKey()
  /** Stand in for deferred entries, and for pointers that are folded. */
  readonly #inline: KeyedEntry = standIn(KIND.inline)
  readonly #folded: KeyedEntry = standIn(KIND.pointer)
  /** Pointers that were folded. */
  foldedPointers = 0
  readonly dead: DeadRecordsBuilder = new DeadRecordsBuilder()

  constructor(
    cursor: EntryCursor,
    retention: Retention,
    writer: RunWriter,
    readDeferred: ReadDeferred | undefined,
    places: RecordPlaces | undefined,
  ) {
    this.#cursor = cursor
    this.#retention = retention
    this.#writer = writer
    this.#readDeferred = readDeferred
    this.#places = places
  }

  /** Takes entries until the step is full or there are no more. @returns how many */
  run(): number {
    const cursor = this.#cursor
    const retention = this.#retention
    const writer = this.#writer
    const foldedMax = this.foldedPointers + STEP_ENTRIES / FOLDED_ENTRIES
    let entries = 0
    let valueBytes = 0
    while (
      cursor.valid &&
      entries < STEP_ENTRIES &&
      valueBytes < STEP_VALUE_BYTES &&
      this.foldedPointers < foldedMax
    ) {
      entries++
      if (this.#lastKey.advance(cursor)) retention.startKey()
      const { kind, sequence } = cursor
      if (!retention.keeps(sequence)) {
        if (kind === KIND.pointer) this.dead.add(cursor.segment, cursor.offset, cursor.length)
      } else if (
        kind !== KIND.tombstone ||
        !retention.dropsTombstone(sequence, cursor.keyBytes, cursor.keyStart, cursor.keyEnd)
      ) {
        let entry: KeyedEntry = cursor
        if (kind === KIND.deferred) entry = this.#fetch(cursor)
        else if (kind === KIND.pointer && this.#places) entry = this.#fold(cursor, this.#places)
        if (entry.kind === KIND.inline) valueBytes += entry.valueEnd - entry.valueStart
        writer.add(entry)
      }
      cursor.next()
    }
    return entries
  }

  #fold(cursor: EntryCursor, places: RecordPlaces): KeyedEntry {
    if (!places.find(cursor.segment, cursor.offset)) return cursor
    const folded = this.#folded
    folded.sequence = cursor.sequence
    folded.keyBytes = cursor.keyBytes
    folded.keyStart = cursor.keyStart
    folded.keyEnd = cursor.keyEnd
    folded.segment = places.segment
    folded.offset = places.offset
    folded.length = cursor.length
    this.foldedPointers++
    return folded
  }

  #fetch(cursor: EntryCursor): KeyedEntry {
    const value = this.#readDeferred!(cursor)
    const inline = this.#inline
    inline.sequence = cursor.sequence
    inline.keyBytes = cursor.keyBytes
    inline.keyStart = cursor.keyStart
    inline.keyEnd = cursor.keyEnd
    inline.valueBytes = value
    inline.valueEnd = value.length
    return inline
  }
}

function standIn(kind: Kind): KeyedEntry {
  return {
    kind,
    sequence: 0,
    keyBytes: NO_BYTES,
    keyStart: 0,
    keyEnd: 0,
    valueBytes: NO_BYTES,
    valueStart: 0,
    valueEnd: 0,
    segment: 0,
    offset: 0,
    length: 0,
  }
}
