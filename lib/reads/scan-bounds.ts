/** Where a scan begins and ends: its range, and the key at which it goes on. */
import { compareRange, equalBytes } from '../base/bytes.ts'
import { SEQUENCE_MAX } from '../base/ids.ts'
import type { ResolvedScan } from '../contract/arguments.ts'
import type { Entry, EntryCursor } from '../tree/entry.ts'

type Bounds = Pick<ResolvedScan, 'lower' | 'lowerOpen' | 'upper' | 'upperOpen' | 'reverse'>

/**
 * Moves a cursor to where a scan begins, or goes on at `position`, which never leaves the range.
 * @param includes the key at `position` is still to be given out
 * @returns a key whose entries, on which the cursor may stand, are to be passed
 */
export function seekToStart(
  cursor: EntryCursor,
  range: Bounds,
  position: Uint8Array | undefined,
  includes: boolean,
): Uint8Array | undefined {
  if (!range.reverse) return seekForward(cursor, range, position, includes)
  seekBackward(cursor, range, position, includes)
  return undefined
}

function seekForward(
  cursor: EntryCursor,
  { lower, lowerOpen }: Bounds,
  position: Uint8Array | undefined,
  includes: boolean,
): Uint8Array | undefined {
  if (position !== undefined && (lower === undefined || compareKeys(position, lower) >= 0)) {
    cursor.seek(position, SEQUENCE_MAX)
    const isOpen = !includes || (lowerOpen && lower !== undefined && equalBytes(position, lower))
    return isOpen ? position : undefined
  }
  if (lower === undefined) {
    cursor.seekToFirst()
    return undefined
  }
  cursor.seek(lower, SEQUENCE_MAX)
  return lowerOpen ? lower : undefined
}

function seekBackward(
  cursor: EntryCursor,
  { upper, upperOpen }: Bounds,
  position: Uint8Array | undefined,
  includes: boolean,
): void {
  if (position !== undefined && (upper === undefined || compareKeys(position, upper) <= 0)) {
    const isOpen = !includes || (upperOpen && upper !== undefined && equalBytes(position, upper))
    seekBack(cursor, position, isOpen)
  } else if (upper !== undefined) seekBack(cursor, upper, upperOpen)
  else cursor.seekToLast()
}

/** To the last entry at or before `key`; before it if it is open. */
export function seekBack(cursor: EntryCursor, key: Uint8Array, open: boolean): void {
  if (open) {
    cursor.seekBefore(key)
    return
  }
  cursor.seek(key, 0)
  // (key, 0) lies behind every entry of the key: step back, or the whole range lies before.
  if (cursor.valid) cursor.previous()
  else cursor.seekToLast()
}

export function isBehindUpper(
  { keyBytes, keyStart, keyEnd }: Entry,
  { upper, upperOpen }: Bounds,
): boolean {
  if (upper === undefined) return false
  const order = compareRange(keyBytes, keyStart, keyEnd, upper, 0, upper.length)
  return order > 0 || (order === 0 && upperOpen)
}

export function isBeforeLower(key: Uint8Array, { lower, lowerOpen }: Bounds): boolean {
  if (lower === undefined) return false
  const order = compareKeys(key, lower)
  return order < 0 || (order === 0 && lowerOpen)
}

function compareKeys(left: Uint8Array, right: Uint8Array): number {
  return compareRange(left, 0, left.length, right, 0, right.length)
}
