/** How many records of a logical segment something points to or holds: a table, all tables, a relocation. */
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

/** A list of them in three arrays: a table may point to tens of thousands of segments. */
export class SegmentRecordList implements Iterable<SegmentRecords> {
  static readonly EMPTY: SegmentRecordList = new SegmentRecordList(0)

  readonly segments: Float64Array
  readonly records: Float64Array
  readonly bytes: Float64Array

  constructor(length: number) {
    this.segments = new Float64Array(length)
    this.records = new Float64Array(length)
    this.bytes = new Float64Array(length)
  }

  get length(): number {
    return this.segments.length
  }

  countRecords(): number {
    let sum = 0
    for (let i = 0; i < this.records.length; i++) sum += this.records[i]!
    return sum
  }

  *[Symbol.iterator](): Generator<SegmentRecords, void> {
    const { segments, records, bytes } = this
    for (let i = 0; i < segments.length; i++) {
      yield { segment: segments[i]!, records: records[i]!, bytes: bytes[i]! }
    }
  }
}
