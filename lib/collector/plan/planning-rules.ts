/** The rules of a plan: those that all plans for a store have in common, and the target of one plan. */
import type { FileNumber } from '../../base/ids.ts'
import type { ResolvedCollectorOptions, ResolvedOptions } from '../../contract/options.ts'
import { fileLength, type Version } from '../../tree/version/version.ts'
import { holeCostBytes, type Prices, UNMEASURED } from './prices.ts'

/** Of a store. Sizes in bytes. */
export interface PlanningRules {
  /** The survivors of several files share an output up to this size; a larger file goes alone. */
  readonly segmentBytes: number
  /** A file of fewer is merged with others when there are many, and joins a rewrite that has room. */
  readonly smallFileBytes: number
  /** A rewrite must free its excess over 1, as a share of what it copies. */
  readonly targetSpaceAmplification: number
  readonly punchHoles: boolean
  /** Holes that are smaller on average are not punched. */
  readonly minimumHoleBytes: number
  /** What a hole costs in copied bytes. */
  readonly holeCostBytes: number
  /** The number that the next file gets: by it files are ranked by age, too. Without it by costs alone. */
  readonly nextFileNumber?: FileNumber
}

/** What they are made from. */
type PlanningSettings = Pick<ResolvedOptions, 'segmentBytes'> &
  Pick<ResolvedCollectorOptions, 'punchHoles' | 'prefer'>

/** Of one plan. */
export interface PlannerOptions extends PlanningRules {
  /** No more steps when the predicted disk bytes are at or below it. Drops are always done. */
  readonly goalDiskBytes: number
  /** Bound of the copied bytes of all steps. */
  readonly maxCopyBytes?: number
}

/** Smaller holes are not punched: each costs as much as writing some ten KiB. */
export const HOLE_BYTES_MIN = 8192

/** A segment ends before a batch that it cannot hold: so long it is full. */
const FULL_SHARE = 7 / 8
/** A file below this share of a segment is small. */
const SMALL_FILE_SHARE = 1 / 8
/** Below that share of so many bytes it is small in any store. */
const SEGMENT_BYTES_LEAST = 4 * 1024 * 1024

/**
 * `punchHoles` is false also where the platform has refused to make holes.
 * @param prices of the collector's own steps; a plan that is shown must not depend on who makes it
 */
export function planningRules(
  { segmentBytes, punchHoles, prefer }: PlanningSettings,
  version: Pick<Version, 'files'>,
  targetSpaceAmplification: number,
  prices: Prices = UNMEASURED,
): PlanningRules {
  return {
    segmentBytes,
    smallFileBytes: smallFileBytes(segmentBytes, version),
    targetSpaceAmplification,
    punchHoles,
    minimumHoleBytes: HOLE_BYTES_MIN,
    holeCostBytes: holeCostBytes(prices, prefer),
  }
}

/**
 * By the files as they were written: whoever looks at a store need not know how long they may be. A full one says
 * all; as a rule that is the first, and the others, twenty thousand perhaps, are not looked at.
 */
function smallFileBytes(segmentBytes: number, { files }: Pick<Version, 'files'>): number {
  let longest = Math.min(SEGMENT_BYTES_LEAST, segmentBytes)
  for (const file of files.values()) {
    longest = Math.max(longest, fileLength(file) ?? 0)
    if (longest >= segmentBytes * FULL_SHARE) return SMALL_FILE_SHARE * segmentBytes
  }
  return SMALL_FILE_SHARE * longest
}
