/**
 * One group: the frame under construction that holds the batches of one write.
 *
 *   staging: | segment header | frame header | head value head table | ...    and large values where they lie:
 *            |   (if first)   |              | small records         |        write = staged piece, value, staged piece
 *
 * Heads, tables and small values are copied into one staging buffer, larger values are written from where they lie:
 * memory of the commit queue, or of their callers (borrowed). Data plane: nothing is allocated for a record but the
 * views that checksums need. A group is used again for the next write; what it gave out (`sources`) is dead then.
 */

import { FRAME_HEADER_BYTES, writeFrameHeader } from '../../lib/base/files/frame.ts'
import type { Sequence, VersionNumber } from '../../lib/base/ids.ts'
import type { LogPosition } from '../../lib/base/log-position.ts'
import { type NewRecord, recordHeadBytes, recordLength, writeRecordHead } from '../record.ts'
import { plainTable, tableBytes, VALUE_CHUNK_BYTES } from '../value-chunks.ts'
import { SEGMENT_HEADER_BYTES, type SegmentHeader, writeSegmentHeader } from './segment-header.ts'

/**
 * A group takes batches until it has this many bytes: one synchronous write of about 1 MiB costs the
 * event loop less than 0.3 ms. The odd 64 KiB let a value of exactly 1 MiB go the same way.
 */
export const GROUP_BYTES_MAX: number = 1024 * 1024 + 65536
/** A value up to this size is copied into the staging buffer; a larger one is cheaper in a vector of its own. */
export const STAGED_VALUE_BYTES_MAX = 8192

/** A value that lies in its caller's memory while it is written, and what it must be. */
export interface BorrowedValue {
  readonly value: Uint8Array
  /** Bytes of the value when it was added: the caller's memory may shrink. */
  readonly bytes: number
  /** The table of chunks that its record has. */
  readonly table: Uint8Array
}

const PREFIX_BYTES = SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES
/** Staging grows to this and is kept; a store that writes little takes little. */
const STAGING_BYTES_MAX = PREFIX_BYTES + 2 * GROUP_BYTES_MAX
const STAGING_BYTES_AT_FIRST = 4096

/** Bytes of staging that a record takes. */
export function stagedBytes({ key, rawLength, storedLength, expiresAt }: NewRecord): number {
  const table = tableBytes(rawLength)
  const isStaged = storedLength - table <= STAGED_VALUE_BYTES_MAX
  return recordHeadBytes(key.length, expiresAt) + (isStaged ? storedLength : table)
}

export class Group {
  #ownStaging: Uint8Array = new Uint8Array(STAGING_BYTES_AT_FIRST)
  #staging: Uint8Array = this.#ownStaging
  #at = PREFIX_BYTES
  /** Where the staged piece begins that no source covers yet. */
  #pieceStart = SEGMENT_HEADER_BYTES
  #frameBytes = FRAME_HEADER_BYTES
  #firstSequence = 0
  #records = 0
  /** Pieces in front of the last one: staged piece, value, staged piece, value ... */
  #sources: Uint8Array[] = []
  #borrowed: BorrowedValue[] = []

  /** Begins a frame whose records take `staged` bytes of staging (see {@link stagedBytes}). */
  begin(firstSequence: Sequence, staged: number): void {
    const needed = PREFIX_BYTES + staged
    this.#staging = this.#stagingOf(needed)
    this.#at = PREFIX_BYTES
    this.#pieceStart = SEGMENT_HEADER_BYTES
    this.#frameBytes = FRAME_HEADER_BYTES
    this.#firstSequence = firstSequence
    this.#records = 0
    this.#sources.length = 0
    this.#borrowed.length = 0
  }

  #stagingOf(needed: number): Uint8Array {
    if (needed <= this.#ownStaging.length) return this.#ownStaging
    if (needed > STAGING_BYTES_MAX) return new Uint8Array(needed)
    const grown = Math.max(needed, 2 * this.#ownStaging.length)
    this.#ownStaging = new Uint8Array(Math.min(grown, STAGING_BYTES_MAX))
    return this.#ownStaging
  }

  /**
   * Adds a record. Keys and values up to {@link STAGED_VALUE_BYTES_MAX} are copied, larger ones must not change.
   * @returns its offset from the start of the frame
   */
  add(record: NewRecord): number {
    const offset = this.#frameBytes
    const staging = this.#staging
    const { value } = record
    const { length } = value
    if (length > VALUE_CHUNK_BYTES) record.table ??= plainTable(value)
    const { table } = record
    let to = writeRecordHead(staging, this.#at, record, this.#firstSequence + this.#records++)
    if (table) {
      staging.set(table, to)
      to += table.length
    }
    this.#at = to
    if (length <= STAGED_VALUE_BYTES_MAX) {
      staging.set(value, to)
      this.#at = to + length
    } else {
      this.#sources.push(staging.subarray(this.#pieceStart, to), value)
      if (record.borrowed) this.#borrowed.push({ value, bytes: length, table: table! })
      this.#pieceStart = to
    }
    this.#frameBytes = offset + recordLength(record)
    return offset
  }

  /** Bytes of the frame so far, its header included. */
  get frameBytes(): number {
    return this.#frameBytes
  }

  get firstSequence(): number {
    return this.#firstSequence
  }

  get records(): number {
    return this.#records
  }

  /** Values in memory of callers, which a write in the thread pool must not trust. In the order of `finish`. */
  get borrowed(): readonly BorrowedValue[] {
    return this.#borrowed
  }

  /**
   * Ends the frame.
   * @param segmentHeader written in front of it if this is the segment's first frame
   * @returns what to write, in order
   */
  finish(
    seed: number,
    offset: number,
    durable: LogPosition,
    durableEdit: VersionNumber,
    segmentHeader: SegmentHeader | undefined,
  ): readonly Uint8Array[] {
    const staging = this.#staging
    writeFrameHeader(staging, SEGMENT_HEADER_BYTES, seed, {
      offset,
      length: this.#frameBytes,
      firstSequence: this.#firstSequence,
      recordCount: this.#records,
      durable,
      durableEdit,
    })
    if (this.#at > this.#pieceStart) {
      this.#sources.push(staging.subarray(this.#pieceStart, this.#at))
    }
    if (segmentHeader) {
      writeSegmentHeader(staging, 0, segmentHeader)
      this.#sources.unshift(staging.subarray(0, SEGMENT_HEADER_BYTES))
    }
    return this.#sources
  }
}
