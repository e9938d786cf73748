/** Why a file is in no step of a plan: one reason for each. Pure. */
import type { SkippedFile, SkipReason } from '../../contract/collection-plan.ts'
import {
  type CollectibleFile,
  exposedGarbageBytes,
  punchedGarbageBytes,
  withoutReferences,
} from '../../space/figures.ts'
import { isDroppable, isMovable, rewriteBytesFreed, rewriteSums } from './costs.ts'
import type { Draft } from './draft.ts'
import type { PlannerOptions } from './planning-rules.ts'
import { hasWay } from './ranked-ways.ts'

/** @param oldestSnapshot sequence of the oldest reader, if there is one */
export function skippedFile(
  file: CollectibleFile,
  draft: Draft,
  oldestSnapshot: number | undefined,
): SkippedFile {
  const reason = skipReason(file, draft)
  const { number, pinnedBytes = 0, hiddenBytes = 0 } = file
  const figures = {
    number,
    reason,
    exposedGarbageBytes: exposedGarbageBytes(file),
    punchedBytes: punchedGarbageBytes(file),
    pinnedBytes,
    hiddenBytes,
  }
  if (reason !== 'pinned by a reader' || oldestSnapshot === undefined) return figures
  return { ...figures, oldestSnapshot }
}

function skipReason(file: CollectibleFile, draft: Draft): SkipReason {
  if (file.blocked !== undefined) return file.blocked
  const { options } = draft
  if (isCollectible(file, options)) {
    return draft.isGoalReached ? 'goal reached' : 'over the copy limit'
  }
  const { pinnedBytes = 0, hiddenBytes = 0 } = file
  if (wouldBeCollectible(file, pinnedBytes, options)) return 'pinned by a reader'
  if (wouldBeCollectible(file, hiddenBytes, options)) return 'hidden until a compaction'
  if (wouldBeCollectible(file, pinnedBytes + hiddenBytes, options)) {
    return pinnedBytes >= hiddenBytes ? 'pinned by a reader' : 'hidden until a compaction'
  }
  // Head and sums are none: they go with the value.
  if (file.kind === 'stream') return 'no garbage'
  const input = rewriteSums(file)
  const hasGarbage = rewriteBytesFreed(input) >= input.blockBytes
  return hasGarbage ? 'would free less than it costs' : 'no garbage'
}

function isCollectible(file: CollectibleFile, options: PlannerOptions): boolean {
  return isDroppable(file) || (isMovable(file) && hasWay(file, options))
}

function wouldBeCollectible(
  file: CollectibleFile,
  bytes: number,
  options: PlannerOptions,
): boolean {
  return bytes > 0 && isCollectible(withoutReferences(file, bytes), options)
}
