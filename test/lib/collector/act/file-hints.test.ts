/** What is known of files: found again, forgotten with them, bounded (I10); and the holes that they have. */
import { expect, test } from 'vitest'
import { FileHints } from '#dist/lib/collector/act/file-hints.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { type HoleMarks, hasHoleAt, markHoleAt, noHoles } from '#dist/vlog/collect/hole-marks.js'

const FILE_BYTES = 64 * 4096
const MARKS_BYTES = 8

/** A version that holds these files. */
function versionOf(...numbers: number[]): Pick<Version, 'files'> {
  const files = EMPTY_VERSION.files.builder()
  for (const number of numbers) {
    files.set(number, { role: 'log', number, ordinal: number, salt: 1, seal: undefined })
  }
  return { files: files.finish() }
}

test('a hole is known by its beginning', () => {
  const marks = noHoles(FILE_BYTES - 1)
  const starts = [0, 4096, 9 * 4096, 63 * 4096]
  for (const start of starts) markHoleAt(marks, start)
  const found = Array.from({ length: 64 }, (_, i) => i * 4096).filter((at) => hasHoleAt(marks, at))
  expect(found).toEqual(starts)
})

test('files that have left the version are forgotten, and where there are too many the oldest', () => {
  const known = new FileHints<HoleMarks>(2 * MARKS_BYTES, ({ length }) => length)
  const marks = noHoles(FILE_BYTES)
  known.note(1, marks, versionOf(1, 2, 3))
  known.note(2, marks, versionOf(1, 2, 3))
  expect([known.of(1), known.of(2), known.bytes]).toEqual([marks, marks, 2 * MARKS_BYTES])
  // Punched again it is the newest.
  known.note(1, noHoles(FILE_BYTES), versionOf(1, 2, 3))
  known.note(3, marks, versionOf(1, 2, 3))
  expect([1, 2, 3].filter((number) => known.of(number))).toEqual([1, 3])
  known.note(3, marks, versionOf(3))
  expect([known.of(1), known.bytes]).toEqual([undefined, MARKS_BYTES])
  // What is more than all may be is not kept.
  known.note(3, noHoles(3 * FILE_BYTES), versionOf(3))
  expect([known.of(3), known.bytes]).toEqual([undefined, 0])
})
