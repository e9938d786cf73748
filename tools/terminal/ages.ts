/** How long ago files of the value log were written, by their times: a crash makes sequences jump. */
import fs from 'node:fs'
import path from 'node:path'
import type { SegmentRow } from '../../lib/inspect/collection/segment-report.ts'

/** The time since a file was last written, or punched; null if it is gone. */
export interface Aged {
  readonly ageSeconds: number | null
}

export type AgedRow = SegmentRow & Aged

const MS_PER_SECOND = 1000
/** Each unit with its length in seconds, the longest first. */
const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** Rows about files of a store, with their ages. */
export function withAges<Row extends { readonly file: string }>(
  directory: string,
  rows: readonly Row[],
): (Row & Aged)[] {
  const now = Date.now()
  return rows.map((row) => {
    const stat = fs.statSync(path.join(directory, row.file), { throwIfNoEntry: false })
    const ageSeconds = stat ? Math.max(0, Math.round(now - stat.mtimeMs)) / MS_PER_SECOND : null
    return { ...row, ageSeconds }
  })
}

/** The largest unit of which it holds two, such as `47 h`. */
export function formatAge({ ageSeconds }: Aged): string {
  if (ageSeconds === null) return '-'
  const [unit, seconds] = UNITS.find(([, length]) => ageSeconds >= 2 * length) ?? UNITS.at(-1)!
  return `${Math.floor(ageSeconds / seconds)} ${unit}`
}
