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

function digits(number: number): string {
  return String(number).padStart(6, '0')
}

export function tableName(number: FileNumber): string {
  return `${digits(number)}.sst`
}

export function segmentName(number: FileNumber | SegmentNumber): string {
  return `${digits(number)}.vlog`
}

export function manifestName(number: FileNumber): string {
  return `MANIFEST-${digits(number)}`
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
  const match = /^(?:(MANIFEST-)(\d{6,10})|(\d{6,10})\.(sst|vlog))$/.exec(name)
  if (!match) return undefined
  const number = Number(match[2] ?? match[3])
  if (number > FILE_NUMBER_MAX) return undefined
  const kind = match[1] ? 'manifest' : match[4] === 'sst' ? 'table' : 'segment'
  const canonical =
    kind === 'manifest'
      ? manifestName(number)
      : kind === 'table'
        ? tableName(number)
        : segmentName(number)
  return canonical === name ? { kind, number } : undefined
}

/** Joins a directory and a name of ours. Names hold no separators, so this needs no rules of the platform. */
export function joinPath(directory: string, name: string): string {
  return `${directory}/${name}`
}
