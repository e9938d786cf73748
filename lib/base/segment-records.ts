/** Counts of records by logical segment: of those that a table, all tables or a relocation point to or hold. */
import { placeMark } from './bytes.ts'
import type { SegmentNumber } from './ids.ts'

/** A sum of records while it is counted up; bytes are those of whole records. */
export interface RecordSum {
  records: number
  bytes: number
}

export interface SegmentRecords extends Readonly<RecordSum> {
  readonly segment: SegmentNumber
}

/** The same while it is counted up. */
export interface GrowingSegmentRecords extends RecordSum {
  readonly segment: SegmentNumber
}

/** What pointers name of a segment: how much, and by the fingerprint which records these are. */
export interface ReferenceSum extends RecordSum {
  /** The sum of those of the pointers, modulo 2^32: as a signed integer, which V8 keeps in place. */
  fingerprint: number
}

export interface Reference extends Readonly<ReferenceSum> {
  readonly segment: SegmentNumber
}

export function noReferences(): ReferenceSum {
  return { records: 0, bytes: 0, fingerprint: 0 }
}

/** Counts a pointer. */
export function addPointer(sum: ReferenceSum, offset: number, length: number): void {
  sum.records++
  sum.bytes += length
  sum.fingerprint = (sum.fingerprint + fingerprint(offset, length)) | 0
}

/** Takes back what {@link addPointer} has counted. */
export function removePointer(sum: ReferenceSum, offset: number, length: number): void {
  sum.records--
  sum.bytes -= length
  sum.fingerprint = (sum.fingerprint - fingerprint(offset, length)) | 0
}

export function addSum(
  sum: ReferenceSum,
  { records, bytes, fingerprint }: Readonly<ReferenceSum>,
): void {
  sum.records += records
  sum.bytes += bytes
  sum.fingerprint = (sum.fingerprint + fingerprint) | 0
}

/** True if both name the same records, unless 32 bits agree by chance. */
export function nameTheSame(left: Readonly<ReferenceSum>, right: Readonly<ReferenceSum>): boolean {
  return (
    left.records === right.records &&
    left.bytes === right.bytes &&
    left.fingerprint === right.fingerprint
  )
}

/**
 * Of a pointer. DO NOT CHANGE: sums of it are on disk (lib/tree/FORMAT.md, F-T27). One to one for records of one length
 * in the first 4 GiB of a segment: none of them can stand for another.
 */
function fingerprint(offset: number, length: number): number {
  return placeMark(Math.imul(length, 0xc2b2ae35), offset)
}

/** References in four arrays: a table may point to tens of thousands of segments. */
export class ReferenceList implements Iterable<Reference> {
  static readonly EMPTY: ReferenceList = new ReferenceList(0)

  readonly segments: Float64Array
  readonly records: Float64Array
  readonly bytes: Float64Array
  readonly fingerprints: Int32Array

  constructor(length: number) {
    this.segments = new Float64Array(length)
    this.records = new Float64Array(length)
    this.bytes = new Float64Array(length)
    this.fingerprints = new Int32Array(length)
  }

  get length(): number {
    return this.segments.length
  }

  countRecords(): number {
    let sum = 0
    for (let i = 0; i < this.records.length; i++) sum += this.records[i]!
    return sum
  }

  /** Those of which there is something. */
  withRecords(): ReferenceList {
    let kept = 0
    for (let i = 0; i < this.length; i++) if (this.records[i]! > 0) kept++
    if (kept === this.length) return this
    const list = new ReferenceList(kept)
    for (let from = 0, to = 0; from < this.length; from++) {
      if (this.records[from]! === 0) continue
      list.segments[to] = this.segments[from]!
      list.records[to] = this.records[from]!
      list.bytes[to] = this.bytes[from]!
      list.fingerprints[to] = this.fingerprints[from]!
      to++
    }
    return list
  }

  *[Symbol.iterator](): Generator<Reference, void> {
    const { segments, records, bytes, fingerprints } = this
    for (let i = 0; i < segments.length; i++) {
      yield {
        segment: segments[i]!,
        records: records[i]!,
        bytes: bytes[i]!,
        fingerprint: fingerprints[i]!,
      }
    }
  }
}
