/**
 * Where the holes of a file begin that were made since it was opened: a bit for each block, 2 KiB for a segment of 64
 * MiB. Dead values stay dead, and a hole is one of one value, so it is told by its beginning. A hint: what is not known
 * is made again, which takes a call and frees nothing.
 */

/** No hole begins elsewhere than on a multiple of it. */
const UNIT_BYTES = 4096

/** A bit for each block of a file. */
export type HoleMarks = Uint8Array<ArrayBuffer>

export function noHoles(fileBytes: number): HoleMarks {
  return new Uint8Array(Math.ceil(fileBytes / UNIT_BYTES / 8))
}

export function hasHoleAt(marks: HoleMarks, start: number): boolean {
  const unit = start / UNIT_BYTES
  return (marks[unit >>> 3]! & (1 << (unit & 7))) !== 0
}

export function markHoleAt(marks: HoleMarks, start: number): void {
  const unit = start / UNIT_BYTES
  marks[unit >>> 3]! |= 1 << (unit & 7)
}
