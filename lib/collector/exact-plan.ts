/**
 * The exact plan of a collection. It changes nothing, and is exact on a quiet store: hidden and pinned bytes come from
 * a walk over all tables (walked-tree.ts), and what a punch would give from a mark of the file.
 */

import { CorruptionError } from '../base/errors.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import type { CollectionSteps } from '../contract/collection-plan.ts'
import {
  type CollectibleFile,
  collectionFigures,
  heldSegments,
  punchedBytes,
} from '../space/figures.ts'
import type { MarkedStore, StepControl } from './act/action.ts'
import { markFile } from './act/punch.ts'
import { planCollectionSteps, type SpaceFigures } from './plan/planner.ts'
import type { PlannerOptions, PlanningRules } from './plan/planning-rules.ts'
import { bytesInVain, type WalkedTree, walkTree } from './walked-tree.ts'

/** Rounds of plan and execution that a collection makes: what failed in one is planned around in the next. */
export const ROUNDS_MAX = 8

/** What a collection is asked for. */
export type PlanWishes = Pick<ResolvedCollect, 'target' | 'segments' | 'maxCopyBytes'>

/** A plan, and what the walk has found that it was made from. */
export interface MadePlan {
  readonly plan: CollectionPlan
  readonly walked: WalkedTree
}

/**
 * Plans what is wished for.
 * @param damaged blames a file that cannot be marked; the others are planned for all the same
 */
export async function makePlan(
  store: MarkedStore,
  rules: PlanningRules,
  wishes: PlanWishes,
  control: StepControl,
  damaged: (file: FileNumber, error: CorruptionError) => void,
): Promise<MadePlan> {
  const readable = store.readers.list()
  const walked = await walkTree(store, control)
  const version = store.versions.current.id
  const space = store.space.measure(walked.liveBytes)
  const files = space.files.map((file) =>
    asAsked({ ...file, ...bytesInVain(walked, heldSegments(file)) }, wishes.segments),
  )
  const planned = await planMarked(
    files,
    { ...space, ...oldestOf(readable) },
    optionsOf(rules, wishes, space.liveBytes),
    (file) => markedFile(file, store, control, damaged),
  )
  const { hiddenBytes, pinnedBytes } = walked
  const plan = {
    databaseId: Buffer.from(store.context.databaseId).toString('hex'),
    version,
    targetSpaceAmplification: wishes.target,
    before: { ...collectionFigures(space), hiddenGarbageBytes: hiddenBytes, pinnedBytes },
    ...planned,
  }
  return { plan, walked }
}

/** The oldest reader, if there is one beside those of the newest state. */
export function oldestOf(readable: readonly Sequence[]): Pick<SpaceFigures, 'oldestSnapshot'> {
  return readable.length > 1 ? { oldestSnapshot: readable[0]! } : {}
}

/** What a plan is to come to. */
export function optionsOf(
  rules: PlanningRules,
  { target, maxCopyBytes }: Pick<PlanWishes, 'target' | 'maxCopyBytes'>,
  liveBytes: number,
): PlannerOptions {
  const goalDiskBytes = target * liveBytes
  return { ...rules, goalDiskBytes, ...(maxCopyBytes !== undefined && { maxCopyBytes }) }
}

/**
 * Plans until no step punches by guess. What a mark finds may change the plan, so they are marked one by one.
 * @param mark what is exactly known of a file: marked, or why it cannot be punched
 */
export async function planMarked(
  files: readonly CollectibleFile[],
  space: SpaceFigures,
  options: PlannerOptions,
  mark: (file: CollectibleFile) => Promise<CollectibleFile>,
): Promise<CollectionSteps> {
  const known = new Map(files.map((file) => [file.number, file]))
  for (;;) {
    const planned = planCollectionSteps([...known.values()], space, options)
    const guess = planned.steps
      .flatMap((step) =>
        step.action === 'punch' && !step.seal ? known.get(step.file.number)! : [],
      )
      .find(({ marked }) => marked === undefined)
    if (guess === undefined) return planned
    known.set(guess.number, await mark(guess))
  }
}

async function markedFile(
  file: CollectibleFile,
  store: MarkedStore,
  control: StepControl,
  damaged: (file: FileNumber, error: CorruptionError) => void,
): Promise<CollectibleFile> {
  if (store.space.noteNames(file.number)) return { ...file, hasOtherNames: true }
  try {
    return withMark(file, await markFile(file.number, store, control))
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    damaged(file.number, error)
    return { ...file, blocked: 'corrupt' }
  }
}

/**
 * A file with what a mark has found. Blocks that are missing already are holes of an earlier punch, and among them.
 * @param mark begins and ends of holes in turn
 */
export function withMark(
  file: CollectibleFile,
  mark: { readonly holeBytes: number; readonly holes: ArrayLike<number> },
): CollectibleFile {
  const holeBytes = Math.max(0, mark.holeBytes - punchedBytes(file))
  return { ...file, marked: { holeBytes, holes: mark.holes.length / 2 } }
}

/** Blocked, if it holds none of the segments that were asked for. */
export function asAsked(
  file: CollectibleFile,
  segments: ReadonlySet<SegmentNumber> | undefined,
): CollectibleFile {
  const isAsked =
    segments === undefined ||
    segments.has(file.number) ||
    file.parts.some(({ segment }) => segments.has(segment))
  return isAsked ? file : { ...file, blocked: 'not asked for' }
}
