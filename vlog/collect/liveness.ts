/**
 * The port through which the collector asks the tree what lives; lib/tree answers.
 *
 * The collector decides nothing about visibility: a record lives if any entry of the tables points
 * at it, whoever may still see that entry.
 */
import type { SegmentNumber } from '../../lib/base/ids.ts'
import type { RecordPointer } from '../record-pointer.ts'
import type { VictimRecords } from './victim-records.ts'

/**
 * Marks each of the sorted records that an entry points at. Yields the bytes that each slice read.
 * @throws CorruptionError if an entry points to where no record of its key and sequence begins (I8)
 */
export type MarkLive = (records: VictimRecords) => Generator<number, void>

/** What a rewrite asks: either way finds the same. */
export interface Liveness {
  /** Entries that `visitPointers` goes through: those of all tables that may point at the records. */
  readonly entries: number
  readonly markLive: MarkLive
  /**
   * Visits every entry that points into the segments. A pointer is good until `visit` returns; `from` is the name of
   * its table. Yields the bytes that each slice read.
   */
  readonly visitPointers: (
    segments: { holdsSegment(segment: SegmentNumber): boolean },
    visit: (pointer: RecordPointer, from: string) => void,
  ) => Generator<number, void>
}
