/**
 * Entries and cursors: the words in which memtables, tables, merges and jobs talk about the tree.
 *
 * An entry is one state of a key: (key, sequence, kind) with an inline value, a value pointer or nothing
 * (a tombstone). Entries are ordered by key, as unsigned bytes, then by sequence, newest first.
 */

import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { storedBytes } from '../base/record-size.ts'
import type { SegmentRecords } from '../base/segment-records.ts'

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
 * What a lookup found. One object is reused by its owner for many lookups, so its fields mean something only
 * until the next one; the value is a view of memory that the tree owns, to be copied before it leaves the store.
 */
export interface FoundEntry {
  kind: Kind
  sequence: Sequence
  /** Kind inline: the value is valueBytes[valueStart .. valueEnd). */
  valueBytes: Uint8Array
  valueStart: number
  valueEnd: number
  /** Kinds pointer and deferred: where the record lies, and its whole length. */
  segment: SegmentNumber
  offset: number
  length: number
}

/**
 * A position among sorted entries. Fields describe the entry under the cursor and mean something only while
 * `valid`, until the next move; the key is keyBytes[keyStart .. keyEnd). All moves are synchronous and may
 * throw a CorruptionError or IoError, after which the cursor is invalid.
 */
export interface EntryCursor extends FoundEntry {
  valid: boolean
  keyBytes: Uint8Array
  keyStart: number
  keyEnd: number
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
export function valueLength(entry: FoundEntry, keyLength: number): number {
  if (entry.kind === KIND.tombstone) return 0
  if (entry.kind === KIND.inline) return entry.valueEnd - entry.valueStart
  return Math.max(0, storedBytes(entry.length, keyLength))
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

/** What the manifest keeps of a table. Both keys are copies, owned by the object. */
export interface TableMeta {
  readonly number: FileNumber
  /** Bytes of the file. */
  readonly bytes: number
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records that its entries point to: with `bytes` its compensated size. */
  readonly pointedBytes: number
  readonly smallestKey: Uint8Array
  readonly largestKey: Uint8Array
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
  readonly references: readonly SegmentRecords[]
}
