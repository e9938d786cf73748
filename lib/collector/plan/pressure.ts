/**
 * How hard the collector must work, and how much writers must wait: pure decisions from figures.
 *
 *     0 ............... start ............... slow ........ limit      bytes on disk
 *     nothing to do     | garbage is exposed    | writers      | writers wait until
 *                       | and reclaimed         | are slowed   | something came back
 *
 * The limit is target x live bytes and two segments. The collector starts below it: by the room for the output of a
 * rewrite, which needs its place before its input goes, and some for what is written meanwhile. Starting earlier does
 * not help writers that write all the time, and copies more. Writers are slowed over half a segment: what one rewrite
 * gives back at once is less, so that they get through its time at a walk instead of running and standing.
 */
const START_SHARE_MIN = 5 / 8
/** Beside the output. */
const START_MARGIN = 3 / 16
const SLOW_SHARE = 1 / 2

export interface PressureOptions {
  readonly targetSpaceAmplification: number
  readonly segmentBytes: number
  /** What `maxBytesOnDisk` leaves for puts; Infinity without one. */
  readonly putLimitBytes: number
}

export interface Pressure {
  readonly limitBytes: number
  readonly startBytes: number
  readonly slowBytes: number
}

export function pressureOf(liveBytes: number, options: PressureOptions): Pressure {
  const { targetSpaceAmplification, segmentBytes, putLimitBytes } = options
  const bound = targetSpaceAmplification * liveBytes + 2 * segmentBytes
  const limitBytes = Math.min(bound, putLimitBytes)
  return {
    limitBytes,
    startBytes: Math.max(0, limitBytes - segmentBytes * startShare(targetSpaceAmplification)),
    slowBytes: Math.max(0, limitBytes - segmentBytes * SLOW_SHARE),
  }
}

/**
 * How far below the limit the collector starts, in segments. Under uniform overwrites the best victim of a store at
 * amplification a still lives to a part of about 1 / a^2 (it solves a = -ln u / (1 - u), Rosenblum and Ousterhout).
 */
function startShare(targetSpaceAmplification: number): number {
  return Math.max(START_SHARE_MIN, Math.min(1, targetSpaceAmplification ** -2 + START_MARGIN))
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
  { targetSpaceAmplification, segmentBytes }: Omit<PressureOptions, 'putLimitBytes'>,
): boolean {
  const best = (targetSpaceAmplification - 1) * EXPOSE_FACTOR * Math.sqrt(tableBytes * liveBytes)
  // A tree of few keys costs next to nothing, but a job and an edit still take their time.
  return hiddenGarbageBytes >= Math.max(best, segmentBytes / 2)
}

/** Of what comes back: the least that writers get below the limit. */
const RATE_SHARE_MIN = 1 / 8

/** Bytes a second that writers may write: all they want below `slow`, none at the limit. */
export function allowedRate(diskBytes: number, pressure: Pressure, reclaimRate: number): number {
  const { slowBytes, limitBytes } = pressure
  if (diskBytes < slowBytes) return Number.POSITIVE_INFINITY
  if (diskBytes >= limitBytes) return 0
  // In the middle writers get what comes back: there the two are in balance. A trickle at the end would let single
  // writers wait longer than a stop does.
  const share = (2 * (limitBytes - diskBytes)) / (limitBytes - slowBytes)
  return reclaimRate * Math.max(share, RATE_SHARE_MIN)
}
