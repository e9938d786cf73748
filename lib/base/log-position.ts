/** Log positions: the small word that value log and tree share. */
import type { SegmentNumber } from './ids.ts'

/** A place between two bytes of the log. Segments are ordered by their numbers. */
export interface LogPosition {
  readonly segment: SegmentNumber
  readonly offset: number
}

export const LOG_START: LogPosition = { segment: 0, offset: 0 }

/** Negative if `left` lies before `right`. */
export function compareLogPositions(left: LogPosition, right: LogPosition): number {
  return left.segment === right.segment ? left.offset - right.offset : left.segment - right.segment
}
