/**
 * Limits of ids, and log positions: the small words that value log and tree share.
 *
 * All are plain numbers of 0 to 2^53 - 1. File numbers stay below 2^32: at one new file a
 * millisecond that is seven weeks of writing 64 TB a day, and it keeps arenas and caches compact.
 */

/** The largest file number. */
export const FILE_NUMBER_MAX: number = 2 ** 32 - 1
/** Offsets and lengths inside files stay below this, so that 48 bits hold them. */
export const FILE_BYTES_MAX: number = 2 ** 48 - 1
/** The largest sequence. */
export const SEQUENCE_MAX: number = Number.MAX_SAFE_INTEGER

/** A place between two bytes of the log. Segments are ordered by their numbers. */
export interface LogPosition {
  readonly segment: number
  readonly offset: number
}

export const LOG_START: LogPosition = { segment: 0, offset: 0 }

/** Negative if `left` lies before `right`. */
export function compareLogPositions(left: LogPosition, right: LogPosition): number {
  return left.segment === right.segment ? left.offset - right.offset : left.segment - right.segment
}
