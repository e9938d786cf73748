/** What all plans for a store have in common. */
import type { PlannerOptions } from '../../contract/collection-plan.ts'
import type { ResolvedOptions } from '../../contract/options.ts'
import type { Version } from '../../tree/version/version.ts'

/** Smaller holes are not punched: each costs as much as writing some ten KiB. */
export const HOLE_BYTES_MIN = 8192

/** A file below this share of a segment is small. */
const SMALL_FILE_SHARE = 1 / 8
/** Below that share of so many bytes it is small in any store. */
const SEGMENT_BYTES_LEAST = 4 * 1024 * 1024

/** @param punchHoles false also where the platform has refused to make holes */
export function plannerOptions(
  { segmentBytes }: ResolvedOptions,
  version: Version,
  targetSpaceAmplification: number,
  punchHoles: boolean,
): Omit<PlannerOptions, 'goalDiskBytes'> {
  return {
    segmentBytes,
    smallFileBytes: smallFileBytes(segmentBytes, version),
    targetSpaceAmplification,
    punchHoles,
    minimumHoleBytes: HOLE_BYTES_MIN,
  }
}

/** By the segments as they were written: whoever looks at a store need not know how long they may be. */
function smallFileBytes(segmentBytes: number, { segments }: Version): number {
  let longest = SEGMENT_BYTES_LEAST
  for (const segment of segments.values()) {
    if (segment.state === 'sealed') longest = Math.max(longest, segment.length)
  }
  return SMALL_FILE_SHARE * Math.min(segmentBytes, longest)
}
