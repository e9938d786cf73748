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

import type { CollectionStep, CollectionSteps } from '../../contract/collection-plan.ts'
import type { CollectibleFile } from '../../space/figures.ts'
import { estimatePunch, isDroppable, isReferenced } from './costs.ts'
import { Draft } from './draft.ts'
import { atOnce, type InTurns, visitInTurns } from './in-turns.ts'
import { dropSteps, forgetSteps, moveSteps, peakExtraBytes, sumOf } from './moves.ts'
import type { PlannerOptions } from './planning-rules.ts'
import { RankedWays } from './ranked-ways.ts'
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
  const { draft, steps } = atOnce(drafted(files, space.diskBytes, options))
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
  const { steps } = yield* drafted(files, diskBytes, options)
  return steps[0]
}

function* drafted(
  files: Iterable<CollectibleFile>,
  diskBytes: number,
  options: PlannerOptions,
): InTurns<{ readonly draft: Draft; readonly steps: CollectionStep[] }> {
  const draft = new Draft(diskBytes, options)
  const dropped: CollectibleFile[] = []
  const usable: CollectibleFile[] = []
  yield* visitInTurns(files, (file) => {
    if (isDroppable(file)) dropped.push(file)
    else if (file.blocked === undefined && isReferenced(file)) usable.push(file)
  })
  dropped.sort((left, right) => left.number - right.number)
  for (const file of dropped) draft.drop(file)
  yield* takeBestWays(draft, usable)
  yield* addRiders(draft, usable)
  yield* mergeSmallFiles(draft, usable)
  draft.cutNeedlessMoves()
  const { moves } = draft
  const forgotten = yield* forgetSteps(usable, moves)
  const steps = [...dropSteps(dropped), ...forgotten, ...moveSteps(moves, options)]
  return { draft, steps }
}

function* takeBestWays(draft: Draft, files: readonly CollectibleFile[]): InTurns<void> {
  if (draft.isGoalReached) return
  const { options, taken } = draft
  const ways = new RankedWays(files, options)
  yield* visitInTurns(files, (file, index) => ways.add(file, index))
  for (let way = ways.takeBest(); way && !draft.isGoalReached; way = ways.takeBest()) {
    const { file, action } = way
    if (taken.has(file.number)) continue
    if (action === 'rewrite') draft.rewrite(file)
    else draft.punch(file, estimatePunch(file, options)!)
  }
}
