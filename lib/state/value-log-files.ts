/** Questions about the files of the value log that a version answers: what they hold. */
import type { Version } from '../tree/version/version.ts'

/** The segments that a file holds: those of which a relocation has the survivors, then itself. */
export function logicalSegments(version: Version, file: number): number[] {
  const parts = version.relocations.get(file)?.parts ?? []
  return [...parts.map(({ segment }) => segment), file]
}

/** Up to here the records of a segment of some length are in tables. */
export function flushedEnd({ checkpoint }: Version, segment: number, length: number): number {
  if (segment === checkpoint.segment) return Math.min(checkpoint.offset, length)
  return segment < checkpoint.segment ? length : 0
}
