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
