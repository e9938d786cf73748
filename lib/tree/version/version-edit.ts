/**
 * Version edits: one atomic change of a version, and its bytes in the manifest.
 *
 *   edit  := field*                       in ascending order of tags; only tags marked * may repeat
 *   field := varint tag, varint length, length bytes
 *
 *   tag  bytes (all numbers are varints)
 *     2  nextFileNumber
 *     4  lastSequence
 *     6  checkpoint        segment, offset
 *     8  durable           segment, offset
 *    10  cleanEnd          segment, offset
 *    12* removed table     number
 *    14* added table       level, runId, number, bytes, entries, tombstones, pointedBytes,
 *                          smallestSequence, largestSequence, smallestKeyLength, smallestKey,
 *                          largestKeyLength, largestKey
 *    16* added segment     number, salt
 *    18* sealed segment    number, length, lastSequence
 *    20* removed segment   number
 *    22* added relocation  number, salt, length, parts, and for each part: segment, records, bytes
 *    24* removed relocation  number
 *
 * DO NOT CHANGE: tags are on disk. An unknown even tag makes the edit unreadable
 * (WISC_FORMAT_VERSION), an unknown odd one is skipped. A field's bytes must be used up exactly.
 * Rules: lib/tree/FORMAT.md, section 3.
 */

import { compareBytes } from '../../base/bytes.ts'
import { CorruptionError, WiscError } from '../../base/errors.ts'
import { FILE_BYTES_MAX, FILE_NUMBER_MAX } from '../../base/ids.ts'
import type { LogPosition } from '../../base/log-position.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from '../../base/varint.ts'
import { KEY_BYTES_MAX, type TableMeta } from '../entry.ts'

/** Levels are numbered 0 .. LEVELS_MAX - 1. */
export const LEVELS_MAX = 32

/**
 * Every field may be missing. Removals come before additions: a table in both lists changes its
 * place.
 */
export interface VersionEdit {
  /** All file numbers below are used up. */
  readonly nextFileNumber?: number
  /** The highest sequence that any table or sealed segment may hold. */
  readonly lastSequence?: number
  /** Records before it lie in tables. */
  readonly checkpoint?: LogPosition
  /** The log was durable up to here when the edit was made. */
  readonly durable?: LogPosition
  /** The store was closed cleanly, and the log ends exactly here. Holds for the last edit only. */
  readonly cleanEnd?: LogPosition
  readonly removedTables?: readonly number[]
  readonly addedTables?: readonly AddedTable[]
  readonly addedSegments?: readonly AddedSegment[]
  readonly sealedSegments?: readonly SegmentSeal[]
  /** Logical segments that nothing refers to any more, and the files of those that are not relocated. */
  readonly removedSegments?: readonly number[]
  /** The segments of its parts are held by this file from now on, and by no other. */
  readonly addedRelocations?: readonly RelocationState[]
  /** Files whose segments have gone or are held by another relocation. */
  readonly removedRelocations?: readonly number[]
}

/** A file with the surviving records of segments, under their old addresses. */
export interface RelocationState {
  readonly number: number
  /** From its file header. */
  readonly salt: number
  /** Bytes of the file. */
  readonly length: number
  /**
   * Of segments that are still in the version, in ascending order of their numbers. None if all pointers name the file
   * itself by now.
   */
  readonly parts: readonly SegmentRecords[]
}

export interface AddedTable {
  readonly level: number
  /** The run that takes it; it is made if the level has none of that id. */
  readonly runId: number
  readonly meta: TableMeta
}

export interface AddedSegment {
  readonly number: number
  /** From the segment's file header: a file with another one is not that segment. */
  readonly salt: number
}

export interface SegmentSeal {
  readonly number: number
  /** Bytes of the segment: what lies behind them does not belong to the log. */
  readonly length: number
  /** Of its last record. */
  readonly lastSequence: number
}

const TAG = {
  nextFileNumber: 2,
  lastSequence: 4,
  checkpoint: 6,
  durable: 8,
  cleanEnd: 10,
  removedTable: 12,
  addedTable: 14,
  addedSegment: 16,
  sealedSegment: 18,
  removedSegment: 20,
  addedRelocation: 22,
  removedRelocation: 24,
} as const
const LAST_SINGLE_TAG = TAG.cleanEnd
/** Varints of an added table, beside the lengths of its keys. */
const FIELD_VARINTS = 11

export function encodeVersionEdit(edit: VersionEdit): Uint8Array {
  const writer = new FieldWriter()
  if (edit.nextFileNumber !== undefined) writer.field(TAG.nextFileNumber, [edit.nextFileNumber])
  if (edit.lastSequence !== undefined) writer.field(TAG.lastSequence, [edit.lastSequence])
  if (edit.checkpoint) writer.position(TAG.checkpoint, edit.checkpoint)
  if (edit.durable) writer.position(TAG.durable, edit.durable)
  if (edit.cleanEnd) writer.position(TAG.cleanEnd, edit.cleanEnd)
  for (const number of edit.removedTables ?? []) writer.field(TAG.removedTable, [number])
  for (const { level, runId, meta } of edit.addedTables ?? []) {
    const { number, bytes, entries, tombstones, pointedBytes } = meta
    const { smallestSequence, largestSequence, smallestKey, largestKey } = meta
    writer.field(
      TAG.addedTable,
      [
        level,
        runId,
        number,
        bytes,
        entries,
        tombstones,
        pointedBytes,
        smallestSequence,
        largestSequence,
      ],
      smallestKey,
      largestKey,
    )
  }
  for (const { number, salt } of edit.addedSegments ?? []) {
    writer.field(TAG.addedSegment, [number, salt])
  }
  for (const { number, length, lastSequence } of edit.sealedSegments ?? []) {
    writer.field(TAG.sealedSegment, [number, length, lastSequence])
  }
  for (const number of edit.removedSegments ?? []) writer.field(TAG.removedSegment, [number])
  for (const { number, salt, length, parts } of edit.addedRelocations ?? []) {
    const numbers = parts.flatMap(({ segment, records, bytes }) => [segment, records, bytes])
    writer.field(TAG.addedRelocation, [number, salt, length, parts.length, ...numbers])
  }
  for (const number of edit.removedRelocations ?? []) writer.field(TAG.removedRelocation, [number])
  return writer.finish()
}

class FieldWriter {
  #bytes = new Uint8Array(1024)
  #length = 0
  #field = new Uint8Array(FIELD_VARINTS * VARINT_BYTES_MAX)

  position(tag: number, position: LogPosition): void {
    this.field(tag, [position.segment, position.offset])
  }

  field(tag: number, numbers: readonly number[], ...keys: readonly Uint8Array[]): void {
    let keyBytes = 0
    for (const key of keys) keyBytes += key.length
    const needed = (numbers.length + keys.length) * VARINT_BYTES_MAX + keyBytes
    if (this.#field.length < needed) this.#field = new Uint8Array(needed)
    let at = 0
    for (const number of numbers) at = writeVarint(this.#field, at, number)
    for (const key of keys) {
      at = writeVarint(this.#field, at, key.length)
      this.#field.set(key, at)
      at += key.length
    }
    this.#reserve(at + 2 * VARINT_BYTES_MAX)
    this.#length = writeVarint(this.#bytes, this.#length, tag)
    this.#length = writeVarint(this.#bytes, this.#length, at)
    this.#bytes.set(this.#field.subarray(0, at), this.#length)
    this.#length += at
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * The edit in these bytes, which lie at `offset` of `file` (for messages). Keys are copied.
 * @throws CorruptionError, or WISC_FORMAT_VERSION for a field that this version must not ignore
 */
export function decodeVersionEdit(bytes: Uint8Array, file: string, offset: number): VersionEdit {
  const reader = new VarintReader(bytes)
  const edit: Mutable<VersionEdit> = {}
  const removedTables: number[] = []
  const addedTables: AddedTable[] = []
  const addedSegments: AddedSegment[] = []
  const sealedSegments: SegmentSeal[] = []
  const removedSegments: number[] = []
  const addedRelocations: RelocationState[] = []
  const removedRelocations: number[] = []
  let previousTag = 0
  while (reader.at < bytes.length) {
    const at = reader.at
    const tag = reader.next()
    const fieldBytes = reader.next()
    if (reader.failed || fieldBytes > bytes.length - reader.at) {
      throw new CorruptionError(file, offset + at, 'field of a version edit is cut off')
    }
    if (tag < previousTag || (tag === previousTag && tag <= LAST_SINGLE_TAG)) {
      throw new CorruptionError(
        file,
        offset + at,
        `field of a version edit out of order, tag=${tag}`,
      )
    }
    previousTag = tag
    const field = new EditFieldReader(new VarintReader(bytes, reader.at, reader.at + fieldBytes))
    reader.at += fieldBytes
    if (tag === TAG.nextFileNumber) edit.nextFileNumber = field.number(FILE_NUMBER_MAX)
    else if (tag === TAG.lastSequence) edit.lastSequence = field.number()
    else if (tag === TAG.checkpoint) edit.checkpoint = field.position()
    else if (tag === TAG.durable) edit.durable = field.position()
    else if (tag === TAG.cleanEnd) edit.cleanEnd = field.position()
    else if (tag === TAG.removedTable) removedTables.push(field.fileNumber())
    else if (tag === TAG.addedTable) addedTables.push(field.addedTable())
    else if (tag === TAG.addedSegment) addedSegments.push(field.addedSegment())
    else if (tag === TAG.sealedSegment) sealedSegments.push(field.segmentSeal())
    else if (tag === TAG.removedSegment) removedSegments.push(field.fileNumber())
    else if (tag === TAG.addedRelocation) addedRelocations.push(field.relocation())
    else if (tag === TAG.removedRelocation) removedRelocations.push(field.fileNumber())
    else if (tag % 2 === 1) continue
    else {
      throw new WiscError(
        'WISC_FORMAT_VERSION',
        `version edit has a field of another version file=${file} offset=${offset + at} tag=${tag}`,
      )
    }
    if (!field.isUsedUp) {
      throw new CorruptionError(
        file,
        offset + at,
        `field of a version edit is malformed, tag=${tag}`,
      )
    }
  }
  if (removedTables.length > 0) edit.removedTables = removedTables
  if (addedTables.length > 0) edit.addedTables = addedTables
  if (addedSegments.length > 0) edit.addedSegments = addedSegments
  if (sealedSegments.length > 0) edit.sealedSegments = sealedSegments
  if (removedSegments.length > 0) edit.removedSegments = removedSegments
  if (addedRelocations.length > 0) edit.addedRelocations = addedRelocations
  if (removedRelocations.length > 0) edit.removedRelocations = removedRelocations
  return edit
}

/** Reads one field. What is out of its limits fails it; the caller asks once, by `isUsedUp`. */
class EditFieldReader {
  readonly #reader: VarintReader

  constructor(reader: VarintReader) {
    this.#reader = reader
  }

  /** True if nothing failed and no byte is left. */
  get isUsedUp(): boolean {
    return !this.#reader.failed && this.#reader.at === this.#reader.end
  }

  number(max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#reader.next()
    this.#require(value <= max)
    return value
  }

  fileNumber(): number {
    const value = this.number(FILE_NUMBER_MAX)
    this.#require(value > 0)
    return value
  }

  position(): LogPosition {
    return { segment: this.number(FILE_NUMBER_MAX), offset: this.number(FILE_BYTES_MAX) }
  }

  addedSegment(): AddedSegment {
    return { number: this.fileNumber(), salt: this.number(2 ** 32 - 1) }
  }

  segmentSeal(): SegmentSeal {
    return {
      number: this.fileNumber(),
      length: this.number(FILE_BYTES_MAX),
      lastSequence: this.number(),
    }
  }

  relocation(): RelocationState {
    const number = this.fileNumber()
    const salt = this.number(2 ** 32 - 1)
    const length = this.number(FILE_BYTES_MAX)
    const count = this.number()
    const parts: SegmentRecords[] = []
    // Not `count` alone: each part takes bytes, and there are only so many.
    while (parts.length < count && !this.#reader.failed) {
      const segment = this.fileNumber()
      this.#require(segment > (parts.at(-1)?.segment ?? 0))
      parts.push({ segment, records: this.number(), bytes: this.number() })
    }
    return { number, salt, length, parts }
  }

  addedTable(): AddedTable {
    const level = this.number(LEVELS_MAX - 1)
    const runId = this.fileNumber()
    const number = this.fileNumber()
    const bytes = this.number(FILE_BYTES_MAX)
    const entries = this.number()
    const tombstones = this.number(entries)
    const pointedBytes = this.number()
    const smallestSequence = this.number()
    const largestSequence = this.number()
    const smallestKey = this.#key()
    const largestKey = this.#key()
    this.#require(entries > 0 && smallestSequence <= largestSequence)
    this.#require(compareBytes(smallestKey, largestKey) <= 0)
    const counts = { number, bytes, entries, tombstones, pointedBytes }
    const meta = { ...counts, smallestSequence, largestSequence, smallestKey, largestKey }
    return { level, runId, meta }
  }

  #key(): Uint8Array {
    const length = this.number(KEY_BYTES_MAX)
    // A copy of its own: what was read belongs to the caller, and a Buffer's slice would be a view.
    return new Uint8Array(this.#reader.nextBytes(this.#reader.failed ? 0 : length))
  }

  #require(condition: boolean): void {
    if (!condition) this.#reader.failed = true
  }
}
