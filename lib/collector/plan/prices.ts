/**
 * What a hole costs against a copy, by the time that both took of late. Pure: who carries steps out measures, and hands
 * the prices to the planner.
 *
 * A hole has its price for each, hardly for its bytes: 15 to 100 us where a journal takes it, 0.3 to 4 ms where the
 * disk is told of it (mounted with discard). In that time 2 to 700 KiB could be copied (bench/micro/hole-price.ts). But
 * a copy wears the disk, and takes its share of it from the writers, so a copied byte weighs more than its time: how
 * much more, `collector.prefer` says.
 */
import type { CollectorPreference } from '../../contract/options.ts'

/** Milliseconds for one hole, and for one byte that is read, proved, written and synced. */
export interface Prices {
  readonly msPerHole: number
  readonly msPerCopiedByte: number
}

/** What one step did, and how long it was at it. */
export interface PricedWork {
  readonly holesMade: number
  readonly holeMs: number
  readonly bytesCopied: number
  readonly copyMs: number
}

/** Where nothing is known yet: 50 us, and 400 MB a second. */
export const UNMEASURED: Prices = { msPerHole: 0.05, msPerCopiedByte: 1 / 400_000 }

/** What a copied byte weighs in bytes that only take their time. Endurance: nearly all that counts. */
const COPY_WEIGHT: Readonly<Record<CollectorPreference, number>> = {
  speed: 1,
  balanced: 2,
  endurance: 16,
}
/** So much work weighs as much as all that was measured before it. */
const SMOOTHED_HOLES = 1024
const SMOOTHED_BYTES = 128 * 1024 * 1024
/** Of the way back to what was held before anything was measured, for each step that says nothing of a price. */
const FORGOTTEN_SHARE = 1 / 64

/** What one hole costs in copied bytes. */
export function holeCostBytes(
  { msPerHole, msPerCopiedByte }: Prices,
  prefer: CollectorPreference,
): number {
  return msPerHole / msPerCopiedByte / COPY_WEIGHT[prefer]
}

/**
 * The prices after a step. Where one kind of steps is chosen all the time the price of the other is forgotten bit by
 * bit, so that it is tried again: a disk that was busy once does not decide for ever.
 */
export function pricesAfter(before: Prices, work: PricedWork): Prices {
  const { holesMade, holeMs, bytesCopied, copyMs } = work
  if (holesMade === 0 && bytesCopied === 0) return before
  const { msPerHole, msPerCopiedByte } = before
  return {
    msPerHole: priceAfter(msPerHole, UNMEASURED.msPerHole, holesMade, holeMs, SMOOTHED_HOLES),
    msPerCopiedByte: priceAfter(
      msPerCopiedByte,
      UNMEASURED.msPerCopiedByte,
      bytesCopied,
      copyMs,
      SMOOTHED_BYTES,
    ),
  }
}

function priceAfter(
  before: number,
  unmeasured: number,
  count: number,
  ms: number,
  smoothed: number,
): number {
  if (count === 0) return before + (unmeasured - before) * FORGOTTEN_SHARE
  // A clock too coarse for the work says nothing: free it was not.
  return ms > 0 ? (before * smoothed + ms) / (smoothed + count) : before
}
