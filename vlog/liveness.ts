/**
 * The port through which the collector asks the tree what lives; lib/tree/mark-pointers.ts answers.
 *
 * The collector decides nothing about visibility: a record lives if any entry of the tables points
 * at it, whoever may still see that entry.
 */
import type { VictimRecords } from './victim-records.ts'

/**
 * Marks each of the sorted records that an entry points at. Yields the bytes that each step read.
 * @throws CorruptionError if an entry points to where no record of its key and sequence begins (I8)
 */
export type MarkLive = (records: VictimRecords) => Generator<number, void>
