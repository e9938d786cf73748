/**
 * How hard the collector must work, and how much room there is for writers: pure decisions from figures.
 *
 *     0 ............... start ....... stop ................ limit      bytes on disk
 *     nothing to do     | garbage is  | writers wait, unless  |
 *                       | exposed and | a rewrite runs, or it |
 *                       | reclaimed   | is known to need less |
 *
 * The limit is target x live bytes and two segments, less what comes without a writer: BALLAST, which grows with the
 * store. A rewrite needs the place of its output before its victims go, so writers leave that much
 * (pace/space-budget.ts), and some for what nobody counts before it is there: the largest that is worth it, where it is
 * not known what the next one will write. The collector starts a segment below the limit: that is what a rewrite takes
 * and gives back, so that writers never stand if it is as fast as they are.
 *
 * For a batch of r bytes, longer than a segment, two of r stand in the limit while it is put: it may go as soon as all
 * is below target x live + r, which lies above the start, and then the store is below target x live + 2 r.
 */
import { freedShare } from './costs.ts'
import type { PlanningRules } from './planning-rules.ts'

/** Of a segment: what manifest, block sizes and headers take that looks alone see. */
const UNCOUNTED_SHARE = 1 / 16

export interface PressureOptions {
  readonly targetSpaceAmplification: number
  readonly segmentBytes: number
  /** What `maxBytesOnDisk` leaves for puts; Infinity without one. */
  readonly putLimitBytes: number
  /** What comes without a writer's doing: BALLAST grows. */
  readonly toComeBytes: number
}

export interface Pressure {
  /** By the target alone. */
  readonly boundBytes: number
  readonly limitBytes: number
  readonly startBytes: number
  /** The largest output of a rewrite that is kept below the limit. `maxBytesOnDisk` has a reserve of its own. */
  readonly rewriteBytes: number
}

export function pressureOf(liveBytes: number, options: PressureOptions): Pressure {
  const { targetSpaceAmplification, segmentBytes, putLimitBytes, toComeBytes } = options
  const slackBytes = (2 - UNCOUNTED_SHARE) * segmentBytes - toComeBytes
  const boundBytes = targetSpaceAmplification * liveBytes + slackBytes
  const limitBytes = Math.min(boundBytes, putLimitBytes)
  const stopBytes = boundBytes - largestOutput(options)
  return {
    boundBytes,
    limitBytes,
    startBytes: Math.max(0, limitBytes - segmentBytes),
    rewriteBytes: Math.max(0, limitBytes - stopBytes),
  }
}

/** Of a segment: a rewrite is worth it only if it frees enough. */
function largestOutput({ targetSpaceAmplification, segmentBytes }: PressureOptions): number {
  return segmentBytes / (1 + freedShare(targetSpaceAmplification))
}

/** What manifest and log may need beside everything else. */
export const ROOM_BYTES: number = 1024 * 1024

/** See isWorthExposing: half of the root at 1.3, all of it at 1.6. */
const EXPOSE_FACTOR = 5 / 3

/** What garbage costs to expose, and how much there is. Bytes. */
export interface Exposure {
  readonly hiddenGarbageBytes: number
  readonly tableBytes: number
  readonly liveBytes: number
}

/**
 * True if a compaction of the tree is worth what it exposes.
 *
 * It writes `tableBytes` each time that h bytes have become hidden: tableBytes / h for each byte written. Hidden
 * bytes take their room from exposed ones, and a collector with less exposed garbage copies more: a uniformly
 * overwritten store at 1.3 copies about 8 h / live more for each byte, at 1.6 about 3 h / live (from the cost of
 * cleaning in Rosenblum and Ousterhout, TOCS 1992). The h of the least sum is a part of sqrt(tableBytes * live), and
 * grows nearly with target - 1. Which part is a compromise: a byte of a table takes as long to merge as some ten take
 * to copy, so that time alone would have more hidden. At 1.6 all of the root wrote no more than half of it did; at 1.3,
 * where all of it did write more, half is kept.
 */
export function isWorthExposing(
  { hiddenGarbageBytes, tableBytes, liveBytes }: Exposure,
  {
    targetSpaceAmplification,
    segmentBytes,
  }: Pick<PlanningRules, 'targetSpaceAmplification' | 'segmentBytes'>,
): boolean {
  const best = (targetSpaceAmplification - 1) * EXPOSE_FACTOR * Math.sqrt(tableBytes * liveBytes)
  // A tree of few keys costs next to nothing, but a job and an edit still take their time.
  return hiddenGarbageBytes >= Math.max(best, segmentBytes / 2)
}
