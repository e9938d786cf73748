/**
 * The price of a hole against that of a copy, by the time that both took of late. Pure: the actor measures, and hands
 * the prices to the planner.
 *
 * A hole has its price for each, hardly for its bytes: 15 to 100 us where a journal takes it, 0.15 to 4 ms where the
 * disk is told of it (mounted with discard). In that time 2 to 700 KiB could be copied (bench/micro/hole-price.ts). But
 * a copy wears the disk, and takes its share of it from the writers, so a copied byte weighs more than its time: how
 * much more, `collector.prefer` says.
 *
 * Neither is alone on the disk. A hole keeps others from it while it is made, so it costs what it took: what the one in
 * the middle of a step did, since one of hundreds waits for the journal as long as all others take. Copies are slow
 * beside holes because of those, so they cost what the fastest of late took. By what both took each way would confirm
 * itself: beside holes copies took four times as long, and holes looked cheap.
 */
import type { CollectorPreference } from '../../contract/options.ts'

export interface Prices {
  /** Holes that were made, and the time that they take: what was long ago counts less. */
  readonly holes: number
  readonly holeMs: number
  /** Milliseconds for a byte that is read, proved, written and synced. */
  readonly msPerCopiedByte: number
}

/** What one step did, and how long it was at it. */
export interface PricedWork {
  readonly holesMade: number
  readonly holeMs: number
  readonly bytesCopied: number
  readonly copyMs: number
}

/** Where nothing is known yet 400 MB a second are copied. */
export const UNMEASURED: Prices = { holes: 0, holeMs: 0, msPerCopiedByte: 1 / 400_000 }

/** What a copied byte weighs in bytes that only take their time. Endurance: nearly all that counts. */
const COPY_WEIGHT: Readonly<Record<CollectorPreference, number>> = {
  speed: 1,
  balanced: 2,
  endurance: 16,
}

/** A hole leaves an extent behind, which costs as much again when its file is unlinked: the disk is told of each. */
const HOLES_PAID = 2
/** A guess weighs as much as so many holes: one that takes 25 us. */
const GUESSED_HOLES = 16
const GUESSED_MS = 0.025
/** So many of late count. */
const HOLES_COUNTED = 1024
/** A punch makes so many at most as a trial, 2 to 200 ms, then twice as many as are known, until enough are. */
const TRIAL_HOLES = 64
const ENOUGH_HOLES = 512
/** Of what is known of holes, for each step that makes none. */
const FORGOTTEN_SHARE = 1 / 32

/** A copy of fewer bytes says nothing: its sync takes as long as it does. */
const COPIED_BYTES_MIN = 1024 * 1024
/** Of the way to what a copy took: if that was less, and if it was more. */
const FASTER_SHARE = 1 / 2
const SLOWER_SHARE = 1 / 32

/** What one hole costs in copied bytes. */
export function holeCostBytes(prices: Prices, prefer: CollectorPreference): number {
  const { holes, holeMs, msPerCopiedByte } = prices
  const msPerHole = (GUESSED_HOLES * GUESSED_MS + holeMs) / (GUESSED_HOLES + holes)
  return (HOLES_PAID * msPerHole) / msPerCopiedByte / COPY_WEIGHT[prefer]
}

/** How many holes the next punch may make. */
export function holesMax({ holes }: Prices): number {
  if (holes >= ENOUGH_HOLES) return Number.POSITIVE_INFINITY
  return Math.max(TRIAL_HOLES, Math.round(2 * holes))
}

/**
 * The prices after a step. Where one kind of steps is chosen all the time the price of the other is forgotten bit by
 * bit, so that it is tried again: a disk that was busy once does not decide for ever.
 */
export function pricesAfter(before: Prices, work: PricedWork): Prices {
  if (work.holesMade === 0 && work.bytesCopied === 0) return before
  return { ...holesAfter(before, work), msPerCopiedByte: copyAfter(before, work) }
}

function holesAfter(
  before: Prices,
  { holesMade, holeMs }: PricedWork,
): Pick<Prices, 'holes' | 'holeMs'> {
  // A clock too coarse for the work says nothing: free it was not.
  const isKnown = holesMade > 0 && holeMs > 0
  const holes = isKnown ? before.holes + holesMade : before.holes
  const ms = isKnown ? before.holeMs + holeMs : before.holeMs
  const share = isKnown ? Math.min(1, HOLES_COUNTED / holes) : 1 - FORGOTTEN_SHARE
  return { holes: holes * share, holeMs: ms * share }
}

function copyAfter({ msPerCopiedByte }: Prices, { bytesCopied, copyMs }: PricedWork): number {
  const isKnown = bytesCopied >= COPIED_BYTES_MIN && copyMs > 0
  const taken = isKnown ? copyMs / bytesCopied : UNMEASURED.msPerCopiedByte
  const isFaster = isKnown && taken < msPerCopiedByte
  return msPerCopiedByte + (taken - msPerCopiedByte) * (isFaster ? FASTER_SHARE : SLOWER_SHARE)
}
