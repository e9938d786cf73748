/** Questions about the files of the value log that a version answers: which there are, and what they hold. */
import type { FileNumber, SegmentNumber } from '../base/ids.ts'
import { NumberMap } from '../base/number-map.ts'
import { isRelocated, type SegmentState, type Version } from '../tree/version/version.ts'

/** The segment that was written to a file, if it is none of survivors: it has the same number. */
export function segmentWrittenTo(file: FileNumber): SegmentNumber {
  return file as number
}

/** The segments that a file holds: those of which a relocation has the survivors, then itself. */
export function logicalSegments(version: Version, file: FileNumber): SegmentNumber[] {
  const parts = version.relocations.get(file)?.parts ?? []
  return [...parts.map(({ segment }) => segment), segmentWrittenTo(file)]
}

/** Whether a file is still written to; undefined if the version has no such file of the value log. */
export function stateOfFile(version: Version, file: FileNumber): 'open' | 'sealed' | undefined {
  if (version.relocations.has(file)) return 'sealed'
  const segment = version.segments.get(segmentWrittenTo(file))
  return hasOwnFile(segment) ? segment.state : undefined
}

/** Calls `visit` with each file that only one of two versions has, or that is not the same in both. */
export function forChangedFiles(
  before: Version,
  after: Version,
  visit: (file: FileNumber) => void,
): void {
  NumberMap.diff(before.relocations, after.relocations, (file) => visit(file))
  NumberMap.diff(before.segments, after.segments, (segment, old, recent) => {
    if (hasOwnFile(old) || hasOwnFile(recent)) visit(segment as number)
  })
}

function hasOwnFile(segment: SegmentState | undefined): segment is SegmentState {
  return segment !== undefined && !isRelocated(segment)
}

/** Up to here the records of a segment of some length are in tables. */
export function flushedEnd(
  { checkpoint }: Version,
  segment: SegmentNumber,
  length: number,
): number {
  if (segment === checkpoint.segment) return Math.min(checkpoint.offset, length)
  return segment < checkpoint.segment ? length : 0
}
