/** Log positions: the small word that value log and tree share. */
import type { LogOrdinal } from './ids.ts'

/** A place between two bytes of the log: an offset in one of its files, whose numbers play no part in the order. */
export interface LogPosition {
  readonly ordinal: LogOrdinal
  readonly offset: number
}

export const LOG_START: LogPosition = { ordinal: 0, offset: 0 }

/** Negative if `left` lies before `right`. */
export function compareLogPositions(left: LogPosition, right: LogPosition): number {
  return left.ordinal === right.ordinal ? left.offset - right.offset : left.ordinal - right.ordinal
}
