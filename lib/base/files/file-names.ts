/**
 * The names of the files of a database. File content never becomes a path: a name is always made here, from a number.
 */

import { FILE_NUMBER_MAX, type FileNumber, type SegmentNumber } from '../ids.ts'
export const CURRENT_NAME = 'CURRENT'
export const CURRENT_TEMPORARY_NAME = 'CURRENT.tmp'
export const LOCK_NAME = 'LOCK'
/** Beside LOCK for a moment, where the system has no locks. */
export const LOCK_GUARD_NAME = 'LOCK.guard'
export const BALLAST_NAME = 'BALLAST'
export const LOST_NAME = 'lost'
/** Lies in what a salvage has not finished. */
export const SALVAGE_NAME = 'SALVAGE'

const TABLE_SUFFIX = '.sst'
const SEGMENT_SUFFIX = '.vlog'
const MANIFEST_PREFIX = 'MANIFEST-'
const DIGITS_MIN = 6
const DIGIT_0 = 48

function digits(number: number): string {
  return String(number).padStart(DIGITS_MIN, '0')
}

export function tableName(number: FileNumber): string {
  return digits(number) + TABLE_SUFFIX
}

export function segmentName(number: FileNumber | SegmentNumber): string {
  return digits(number) + SEGMENT_SUFFIX
}

export function manifestName(number: FileNumber): string {
  return MANIFEST_PREFIX + digits(number)
}

export type NumberedFileKind = 'table' | 'segment' | 'manifest'

/**
 * A store that takes numbers from `next` on may find files of a few more, which were made behind its last durable edit.
 * A number that is further ahead was never given: whoever planted such a file must not use the numbers up.
 */
const NUMBERS_AHEAD_MAX = 2 ** 20

/** Whether a store that takes numbers from `next` on may have given this one. */
export function mayBeGiven(number: FileNumber, next: FileNumber): boolean {
  return number < next + NUMBERS_AHEAD_MAX
}

/** Kind and number of a numbered file, or undefined for any other name (also one with needless zeros). */
export function parseFileName(
  name: string,
): { kind: NumberedFileKind; number: FileNumber } | undefined {
  const kind = kindOf(name)
  if (kind === undefined) return undefined
  const from = kind === 'manifest' ? MANIFEST_PREFIX.length : 0
  const end = kind === 'manifest' ? name.length : name.lastIndexOf('.')
  const number = numberIn(name, from, end)
  return number === undefined ? undefined : { kind, number }
}

function kindOf(name: string): NumberedFileKind | undefined {
  if (name.endsWith(SEGMENT_SUFFIX)) return 'segment'
  if (name.endsWith(TABLE_SUFFIX)) return 'table'
  return name.startsWith(MANIFEST_PREFIX) ? 'manifest' : undefined
}

/** What stands there as `digits` writes it. An open does this for each of its files: no regular expression. */
function numberIn(name: string, from: number, end: number): FileNumber | undefined {
  const count = end - from
  const isPadded = count === DIGITS_MIN
  if (!isPadded && (count < DIGITS_MIN || name.charCodeAt(from) === DIGIT_0)) return undefined
  let number = 0
  for (let i = from; i < end; i++) {
    const digit = name.charCodeAt(i) - DIGIT_0
    if (digit < 0 || digit > 9) return undefined
    number = number * 10 + digit
  }
  return number <= FILE_NUMBER_MAX ? number : undefined
}

/** Joins a directory and a name of ours. Names hold no separators, so this needs no rules of the platform. */
export function joinPath(directory: string, name: string): string {
  return `${directory}/${name}`
}
