/** How many records of a logical segment something points to or holds: a table, all tables, a relocation. */
import type { SegmentNumber } from './ids.ts'

/** A sum of records; bytes are those of whole records. */
export interface SegmentRecords {
  readonly segment: SegmentNumber
  readonly records: number
  readonly bytes: number
}
