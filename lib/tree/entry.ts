/**
 * Entries and cursors: the words in which memtables, tables, merges and jobs talk about the tree.
 *
 * An entry is one state of a key: (key, sequence, kind) with an inline value, a value pointer or nothing
 * (a tombstone). Entries are ordered by key, as unsigned bytes, then by sequence, newest first.
 */

import { NO_BYTES } from '../base/bytes.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { plainBytes, storedLengthOf } from '../base/record-size.ts'
import type { KeySpan } from './key-span.ts'

/**
 * Four bits, in memtables and in tables. DO NOT CHANGE: kinds are on disk, but for `deferred`. lib/tree/FORMAT.md has
 * those that are reserved.
 */
export const KIND = {
  tombstone: 0,
  inline: 1,
  pointer: 2,
  /** Memtables only: an inline value too large for an arena, which the flush fetches from the log. */
  deferred: 15,
} as const
export type Kind = (typeof KIND)[keyof typeof KIND]

/** The longest key, in bytes. */
export const KEY_BYTES_MAX = 65536
/** An inline value above this is held in the memtable as a pointer into the log (kind `deferred`). */
export const ARENA_VALUE_BYTES_MAX = 65536

/**
 * One state of a key: what a lookup finds, what stands under a cursor, what a table is built of. One class for all of
 * them: hot code that meets objects of several shapes is several times slower (bench/micro/merge.ts).
 *
 * Its owner fills it again and again, so the fields mean something only until the next lookup or move; key and value
 * are views of memory that somebody else owns, to be copied before they leave the store.
 */
export class Entry {
  kind: Kind = KIND.tombstone
  sequence: Sequence = 0
  /** The key is keyBytes[keyStart .. keyEnd). A lookup, which was given the key, leaves it alone. */
  keyBytes: Uint8Array = NO_BYTES
  keyStart = 0
  keyEnd = 0
  /** Kind inline: the value is valueBytes[valueStart .. valueEnd). */
  valueBytes: Uint8Array = NO_BYTES
  valueStart = 0
  valueEnd = 0
  /** Kinds pointer and deferred: where the record lies, and its whole length. */
  segment: SegmentNumber = 0
  offset = 0
  length = 0
  /** From this moment on it is as if it were a tombstone: milliseconds since 1970. 0: it never expires. */
  expiresAt = 0

  /** Becomes the same; key and value stay views of the same memory. */
  copyFrom(other: Entry): void {
    this.kind = other.kind
    this.sequence = other.sequence
    this.keyBytes = other.keyBytes
    this.keyStart = other.keyStart
    this.keyEnd = other.keyEnd
    this.valueBytes = other.valueBytes
    this.valueStart = other.valueStart
    this.valueEnd = other.valueEnd
    this.segment = other.segment
    this.offset = other.offset
    this.length = other.length
    this.expiresAt = other.expiresAt
  }
}

/** True if the key has no value by this entry, at a moment: the one rule for all who read, retain or mark. */
export function isGone({ kind, expiresAt }: Entry, moment: number): boolean {
  return kind === KIND.tombstone || hasExpired(expiresAt, moment)
}

/** @param expiresAt 0 for what never does */
export function hasExpired(expiresAt: number, moment: number): boolean {
  return expiresAt !== 0 && expiresAt <= moment
}

/**
 * A position among sorted entries. All moves are synchronous and may throw a CorruptionError or IoError, after which
 * the cursor is invalid.
 */
export interface EntryCursor {
  readonly valid: boolean
  /**
   * The entry under the cursor, while it is `valid` and until the next move. It may be another object then: a cursor
   * over cursors hands on theirs.
   */
  readonly entry: Entry
  /** To the first entry. */
  seekToFirst(): void
  /** To the last entry. */
  seekToLast(): void
  /** To the first entry at or after (key, sequence): with SEQUENCE_MAX, the newest entry of the first key >= `key`. */
  seek(key: Uint8Array, sequence: Sequence): void
  /** To the last entry whose key is below `key`: the oldest entry of that key. */
  seekBefore(key: Uint8Array): void
  next(): void
  previous(): void
}

/**
 * Bytes of the value of an entry whose key has `keyLength`; 0 for a tombstone. A pointer that is too short for any
 * record counts as one to an empty value: whoever follows it finds out.
 */
export function valueLength(entry: Entry, keyLength: number): number {
  if (entry.kind === KIND.tombstone) return 0
  if (entry.kind === KIND.inline) return entry.valueEnd - entry.valueStart
  const stored = Math.max(0, storedLengthOf(entry.length, keyLength))
  return entry.kind === KIND.deferred ? plainBytes(stored) : stored
}

/** How tables are built; a part of the options of the store. */
export interface TableOptions {
  /** A table is ended when it has this many bytes (all entries of a key stay in one table). */
  readonly tableBytes: number
  /** A block is ended when it has this many bytes. */
  readonly blockBytes: number
  /** Bits of filter a key; 0 for none. */
  readonly filterBitsPerKey: number
}

/**
 * What the manifest keeps of a table. Both keys are copies, owned by the object. They span its entries and its range
 * tombstones, and so do the sequences.
 */
export interface TableMeta extends KeySpan {
  readonly number: FileNumber
  /** Bytes of the file. */
  readonly bytes: number
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records that its entries point to: with `bytes` its compensated size. */
  readonly pointedBytes: number
  /** Fragments of range tombstones (ranges/range-fragments.ts). There may be no entries beside them. */
  readonly fragments: number
  readonly smallestSequence: Sequence
  readonly largestSequence: Sequence
}

/** Sums over the entries of a table that its file keeps and the manifest does not. */
export interface TableFigures {
  readonly distinctKeys: number
  /** Bytes of all values as stored, those of pointers included; tombstones have none. */
  readonly valueBytes: number
  /** Bytes of the keys of all entries but tombstones. */
  readonly keyBytes: number
}

/** A table as a job hands it over: with the sums that the manifest does not keep. */
export interface BuiltTable extends TableFigures {
  readonly meta: TableMeta
}
