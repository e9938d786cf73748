/**
 * The planner of the collector: decides, purely, how to take space back from value-log files.
 * The dry run and the collector share it.
 *
 * What nothing refers to is dropped, and forgotten, first. Then each file can be punched or
 * rewritten; all these ways are ranked by the bytes that they free for each byte of cost, and taken
 * best first until the goal is reached. A way that is no good or does not fit is passed over, and
 * never ends the search. Rewrites share outputs: a victim joins the best-ranked output that has
 * room. Small files then ride along where they make the rewrite no worse, and what is left of them
 * is merged once there are many.
 *
 * Every file is in one step, or is skipped for one reason. The order of the files in the input does
 * not matter.
 */

import type {
  CollectibleFile,
  CollectionSteps,
  PlannerOptions,
  SkippedFile,
  SkipReason,
  SpaceFigures,
} from '../../contract/collection-plan.ts'
import {
  exposedGarbageBytes,
  punchedGarbageBytes,
  withoutReferences,
} from '../../space/file-figures.ts'
import {
  addRewriteSums,
  estimatePunch,
  isRewriteWorthIt,
  outputBytes,
  type PunchEstimate,
  punchCostBytes,
  type RewriteSums,
  rewriteBytesFreed,
  rewriteSums,
} from './collection-costs.ts'
import {
  dropSteps,
  forgetSteps,
  type Move,
  moveBytesFreed,
  movedFiles,
  moveSteps,
  type Output,
  peakExtraBytes,
  sumOf,
} from './collection-steps.ts'

/** So many small files are merged even if that frees little. Each byte is copied once in eight. */
const MERGE_FILES_MIN = 8
/** One rewrite takes files of so many segments together: a mark holds some 70 bytes for each of their records (I10). */
const REWRITTEN_SEGMENTS_MAX = 8
/** Bounds the search for room; beyond it the fullest output takes no more. */
const OPEN_OUTPUTS_MAX = 16

/** One way to take space back from one file. */
interface Way {
  readonly file: CollectibleFile
  /** Undefined: a rewrite. */
  readonly punch: PunchEstimate | undefined
  /** Bytes freed for each byte of cost. */
  readonly rate: number
}

/** The plan as it grows. */
interface Draft {
  readonly options: PlannerOptions
  /** As predicted after all that has been taken. */
  diskBytes: number
  copyBytesLeft: number
  /** Numbers of the files that are in a step. */
  readonly taken: Set<number>
  /** In order of the rank of the first file of each. */
  readonly moves: Move[]
  /** Those of the moves that may have room, in the same order. */
  readonly openOutputs: Output[]
}

/** Decides what to do with the value-log files of a directory. */
export function planCollectionSteps(
  files: readonly CollectibleFile[],
  space: SpaceFigures,
  options: PlannerOptions,
): CollectionSteps {
  const byNumber = files.toSorted((left, right) => left.number - right.number)
  const dropped = byNumber.filter(isDroppable)
  const draft: Draft = {
    options,
    diskBytes: space.diskBytes - sumOf(dropped, (file) => file.diskBytes),
    copyBytesLeft: options.maxCopyBytes ?? Number.POSITIVE_INFINITY,
    taken: new Set(dropped.map((file) => file.number)),
    moves: [],
    openOutputs: [],
  }
  const usable = byNumber.filter((file) => file.blocked === undefined && isReferenced(file))
  takeBestWays(draft, usable)
  addRiders(draft, usable)
  mergeSmallFiles(draft, usable)
  cutNeedlessMoves(draft)
  const { moves, taken } = draft
  const steps = [...dropSteps(dropped), ...forgetSteps(usable, moves), ...moveSteps(moves, options)]
  const skipped = byNumber
    .filter((file) => !taken.has(file.number))
    .map((file) => skippedFile(file, draft, space))
  return {
    steps,
    skipped,
    bytesFreed: sumOf(steps, (step) => step.bytesFreed),
    bytesCopied: sumOf(steps, (step) => step.bytesCopied),
    peakExtraBytes: peakExtraBytes(steps),
    after: {
      diskBytes: draft.diskBytes,
      spaceAmplification: space.liveBytes > 0 ? draft.diskBytes / space.liveBytes : null,
    },
  }
}

function isReferenced(file: CollectibleFile): boolean {
  return file.referencedRecords > 0 || file.referencedBytes > 0
}

/**
 * A segment that is sealed for this has a successor, which takes a block as soon as anything is
 * written; so a drop of less would go on for ever and free nothing.
 */
function isDroppable(file: CollectibleFile): boolean {
  if (file.blocked !== undefined || isReferenced(file)) return false
  return !file.needsSeal || file.diskBytes > file.blockBytes
}

function isGoalReached(draft: Draft): boolean {
  return draft.diskBytes <= draft.options.goalDiskBytes
}

function takeBestWays(draft: Draft, files: readonly CollectibleFile[]): void {
  // The sort is stable: of equals the oldest file, and its punch, which needs no space, comes first.
  const ways = files
    .flatMap((file) => waysOf(file, draft.options))
    .sort((left, right) => right.rate - left.rate)
  for (const { file, punch } of ways) {
    if (isGoalReached(draft)) return
    if (draft.taken.has(file.number)) continue
    if (punch === undefined) takeRewrite(draft, file)
    else takePunch(draft, file, punch)
  }
}

function waysOf(file: CollectibleFile, options: PlannerOptions): Way[] {
  const ways: Way[] = []
  const punch = estimatePunch(file, options)
  if (punch !== undefined) {
    ways.push({ file, punch, rate: punch.bytesFreed / punchCostBytes(file, punch) })
  }
  const input = rewriteSums(file)
  if (isRewriteWorthIt(input, options)) {
    ways.push({ file, punch: undefined, rate: rewriteRate(input) })
  }
  return ways
}

function rewriteRate(input: RewriteSums): number {
  return rewriteBytesFreed(input) / Math.max(1, input.copiedBytes)
}

function takePunch(draft: Draft, file: CollectibleFile, estimate: PunchEstimate): void {
  draft.moves.push({ action: 'punch', file, estimate })
  draft.taken.add(file.number)
  draft.diskBytes -= estimate.bytesFreed
}

function takeRewrite(draft: Draft, file: CollectibleFile): void {
  const input = rewriteSums(file)
  if (input.copiedBytes > draft.copyBytesLeft) return
  const output = draft.openOutputs.find((open) => hasRoom(open, input, draft.options))
  if (output === undefined) openOutput(draft, [file], input)
  else addToOutput(draft, output, file, input)
}

function hasRoom(output: Output, input: RewriteSums, options: PlannerOptions): boolean {
  const { segmentBytes } = options
  const copiedBytes = output.input.copiedBytes + input.copiedBytes
  const totalBytes = output.input.totalBytes + input.totalBytes
  return copiedBytes <= segmentBytes && totalBytes <= REWRITTEN_SEGMENTS_MAX * segmentBytes
}

function openOutput(draft: Draft, files: CollectibleFile[], input: RewriteSums): void {
  const output: Output = { action: 'rewrite', files, input }
  draft.moves.push(output)
  for (const file of files) draft.taken.add(file.number)
  draft.diskBytes -= rewriteBytesFreed(input)
  draft.copyBytesLeft -= input.copiedBytes
  draft.openOutputs.push(output)
  if (draft.openOutputs.length <= OPEN_OUTPUTS_MAX) return
  const fullest = draft.openOutputs.reduce((best, open) =>
    open.input.copiedBytes > best.input.copiedBytes ? open : best,
  )
  draft.openOutputs.splice(draft.openOutputs.indexOf(fullest), 1)
}

function addToOutput(
  draft: Draft,
  output: Output,
  file: CollectibleFile,
  input: RewriteSums,
): void {
  const sum = addRewriteSums(output.input, input)
  draft.diskBytes -= rewriteBytesFreed(sum) - rewriteBytesFreed(output.input)
  draft.copyBytesLeft -= input.copiedBytes
  draft.taken.add(file.number)
  output.files.push(file)
  output.input = sum
}

function isSmall(file: CollectibleFile, { options }: Draft): boolean {
  return !file.needsSeal && file.diskBytes < options.smallFileBytes
}

/**
 * Small files with any garbage join a rewrite that has room, best first, while it frees no less
 * than before and stays worth it as a whole. The goal does not count: this is when they cost least.
 */
function addRiders(draft: Draft, files: readonly CollectibleFile[]): void {
  const { options, openOutputs, taken } = draft
  if (openOutputs.length === 0) return
  const riders = files
    .filter((file) => !taken.has(file.number) && isSmall(file, draft))
    .map((file) => ({ file, input: rewriteSums(file) }))
    .filter(({ file, input }) => file.totalBytes > outputBytes(input))
    .sort((left, right) => rewriteRate(right.input) - rewriteRate(left.input))
  for (const { file, input } of riders) {
    if (input.copiedBytes > draft.copyBytesLeft) continue
    const output = openOutputs.find((open) => canRide(open, input, options))
    if (output !== undefined) addToOutput(draft, output, file, input)
  }
}

function canRide(output: Output, input: RewriteSums, options: PlannerOptions): boolean {
  if (!hasRoom(output, input, options)) return false
  const sum = addRewriteSums(output.input, input)
  const freesNoLess = rewriteBytesFreed(sum) >= rewriteBytesFreed(output.input)
  return freesNoLess && isRewriteWorthIt(sum, options)
}

/** Merges small files that are in no step, oldest first. The last moves: beyond the goal they are cut. */
function mergeSmallFiles(draft: Draft, files: readonly CollectibleFile[]): void {
  const { options, taken } = draft
  let merged: Output | undefined
  for (const file of files) {
    if (taken.has(file.number) || !isSmall(file, draft)) continue
    const input = rewriteSums(file)
    if (merged !== undefined && !hasRoom(merged, input, options)) {
      takeMerge(draft, merged)
      merged = undefined
    }
    if ((merged?.input.copiedBytes ?? 0) + input.copiedBytes > draft.copyBytesLeft) continue
    if (merged === undefined) {
      merged = { action: 'rewrite', files: [file], input }
    } else {
      merged.files.push(file)
      merged.input = addRewriteSums(merged.input, input)
    }
  }
  if (merged !== undefined) takeMerge(draft, merged)
}

function takeMerge(draft: Draft, { files, input }: Output): void {
  const isUseful = files.length >= MERGE_FILES_MIN && rewriteBytesFreed(input) >= 0
  if (isUseful || isRewriteWorthIt(input, draft.options)) openOutput(draft, files, input)
}

/**
 * Cuts what is not needed for the goal: merges, and moves whose share was freed meanwhile by a file
 * that joined an earlier output.
 */
function cutNeedlessMoves(draft: Draft): void {
  for (let move = draft.moves.at(-1); move !== undefined; move = draft.moves.at(-1)) {
    const bytesFreed = moveBytesFreed(move)
    if (draft.diskBytes + bytesFreed > draft.options.goalDiskBytes) return
    draft.diskBytes += bytesFreed
    for (const file of movedFiles(move)) draft.taken.delete(file.number)
    draft.moves.pop()
  }
}

function skippedFile(file: CollectibleFile, draft: Draft, space: SpaceFigures): SkippedFile {
  const reason = skipReason(file, draft)
  const { number, pinnedBytes, hiddenBytes } = file
  const figures = {
    number,
    reason,
    exposedGarbageBytes: exposedGarbageBytes(file),
    punchedBytes: punchedGarbageBytes(file),
    pinnedBytes,
    hiddenBytes,
  }
  if (reason !== 'pinned by a reader' || space.oldestSnapshot === undefined) return figures
  return { ...figures, oldestSnapshot: space.oldestSnapshot }
}

function skipReason(file: CollectibleFile, draft: Draft): SkipReason {
  if (file.blocked !== undefined) return file.blocked
  const { options } = draft
  if (isCollectible(file, options)) {
    return isGoalReached(draft) ? 'goal reached' : 'over the copy limit'
  }
  const { pinnedBytes, hiddenBytes } = file
  if (wouldBeCollectible(file, pinnedBytes, options)) return 'pinned by a reader'
  if (wouldBeCollectible(file, hiddenBytes, options)) return 'hidden until a compaction'
  if (wouldBeCollectible(file, pinnedBytes + hiddenBytes, options)) {
    return pinnedBytes >= hiddenBytes ? 'pinned by a reader' : 'hidden until a compaction'
  }
  const input = rewriteSums(file)
  const hasGarbage = rewriteBytesFreed(input) >= input.blockBytes
  return hasGarbage ? 'would free less than it costs' : 'no garbage'
}

function isCollectible(file: CollectibleFile, options: PlannerOptions): boolean {
  return isDroppable(file) || (isReferenced(file) && waysOf(file, options).length > 0)
}

function wouldBeCollectible(
  file: CollectibleFile,
  bytes: number,
  options: PlannerOptions,
): boolean {
  return bytes > 0 && isCollectible(withoutReferences(file, bytes), options)
}
