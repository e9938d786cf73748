/**
 * The planner: decides how to take space back from the files of the value log. Pure. The collector, plans that are
 * shown and the forecast of the command share it.
 *
 * What nothing refers to is dropped, and forgotten, first. Then each file can be punched or rewritten; all these ways
 * are ranked by the bytes that they free for each byte of cost (costs.ts, ranked-ways.ts), and taken best first until
 * the goal is reached (draft.ts). A way that is no good or does not fit is passed over, and never ends the search.
 * Small files then ride along where they make the rewrite no worse, and what is left of them is merged once there are
 * many (small-files.ts).
 *
 * Every file is in one step (moves.ts), or is skipped for one reason (skipped-files.ts). The order of the files in the
 * input does not matter.
 */

import type {
  CollectionStep,
  CollectionSteps,
  RewriteStep,
} from '../../contract/collection-plan.ts'
import type { CollectibleFile } from '../../space/figures.ts'
import { Candidates } from './candidates.ts'
import { estimatePunch } from './costs.ts'
import { Draft } from './draft.ts'
import { atOnce, type InTurns } from './in-turns.ts'
import { dropSteps, forgetSteps, moveSteps, peakExtraBytes, sumOf } from './moves.ts'
import type { PlannerOptions } from './planning-rules.ts'
import type { RankedWays } from './ranked-ways.ts'
import { skippedFile } from './skipped-files.ts'
import { addRiders, mergeSmallFiles } from './small-files.ts'

/** The whole directory. */
export interface SpaceFigures {
  readonly diskBytes: number
  /** `Stats.liveBytes`. */
  readonly liveBytes: number
  /** Sequence of the oldest snapshot or iterator, if there is one. */
  readonly oldestSnapshot?: number
}

/** Decides what to do with the value-log files of a directory. */
export function planCollectionSteps(
  files: readonly CollectibleFile[],
  space: SpaceFigures,
  options: PlannerOptions,
): CollectionSteps {
  const draft = new Draft(space.diskBytes, options)
  const steps = atOnce(drafted(atOnce(Candidates.of(files, options)), draft))
  const skipped = files
    .filter((file) => !draft.taken.has(file.number))
    .sort((left, right) => left.number - right.number)
    .map((file) => skippedFile(file, draft, space.oldestSnapshot))
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

/**
 * The first step of such a plan alone. With a goal that one step reaches it takes time in proportion to the number of
 * files, and gives no reasons.
 */
export function* planFirstStep(
  files: Iterable<CollectibleFile>,
  diskBytes: number,
  options: PlannerOptions,
): InTurns<CollectionStep | undefined> {
  const candidates = yield* Candidates.of(files, options)
  return yield* firstStepOf(candidates, diskBytes)
}

/** What one of several plans for the same files may do less than the others. */
export interface Restriction {
  readonly maxCopyBytes?: number
  /** A step that has been chosen: its files are taken. */
  readonly besides?: RewriteStep
}

/** The same for files that are ranked already. */
export function* firstStepOf(
  candidates: Candidates,
  diskBytes: number,
  { maxCopyBytes, besides }: Restriction = {},
): InTurns<CollectionStep | undefined> {
  const { options } = candidates
  const restricted = maxCopyBytes === undefined ? options : { ...options, maxCopyBytes }
  const draft = new Draft(diskBytes, restricted, besides?.files)
  const steps = yield* drafted(candidates, draft)
  return steps[0]
}

function* drafted(candidates: Candidates, draft: Draft): InTurns<CollectionStep[]> {
  const { dropped, usable } = candidates
  for (const file of dropped) draft.drop(file)
  if (!draft.isGoalReached) takeBestWays(draft, yield* candidates.ways())
  if (draft.hasOutputs) addRiders(draft, yield* candidates.riders())
  yield* mergeSmallFiles(draft, usable)
  draft.cutNeedlessMoves()
  const forgotten = yield* forgetSteps(usable, draft.rewritten)
  return [...dropSteps(dropped), ...forgotten, ...moveSteps(draft.moves, draft.options)]
}

function takeBestWays(draft: Draft, ways: RankedWays): void {
  for (let rank = 0; !draft.isGoalReached; rank++) {
    const way = ways.at(rank)
    if (way === undefined) return
    const { file, action } = way
    if (draft.taken.has(file.number)) continue
    if (action === 'rewrite') draft.rewrite(file)
    else draft.punch(file, estimatePunch(file, draft.options)!)
  }
}
