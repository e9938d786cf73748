/**
 * The exact plan of a collection. It changes nothing, and is exact on a quiet store: hidden and pinned bytes come from
 * a walk over all tables, and what a punch would give from a mark of the file.
 */

import { CorruptionError } from '../base/errors.ts'
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import type {
  CollectibleFile,
  CollectionStep,
  MarkedHoles,
  PlannerOptions,
} from '../contract/collection-plan.ts'
import { collectionFigures } from '../space/collection-figures.ts'
import { punchedBytes } from '../space/file-figures.ts'
import { type MarkParts, markFile, type StepControl } from './act/run-step.ts'
import { planCollectionSteps } from './plan/collection-planner.ts'

/** Rounds of plan and execution that a collection makes: what failed in one is planned around in the next. */
export const ROUNDS_MAX = 8

export interface PlanParts extends MarkParts {
  /** What someone may still read, ascending; the last one is the newest. */
  readonly readable: () => number[]
}

/** What a collection is asked for. */
export type PlanWishes = Pick<ResolvedCollect, 'target' | 'segments' | 'maxCopyBytes'>

/** A plan, and what the walk has found that it was made from. */
export interface MadePlan {
  readonly plan: CollectionPlan
  readonly hidden: HiddenFigures
}

/**
 * Plans what `options` ask for.
 * @param damaged blames the file of a step that cannot be marked; the others are planned for all the same
 */
export async function makePlan(
  parts: PlanParts,
  planner: Omit<PlannerOptions, 'goalDiskBytes'>,
  options: PlanWishes,
  controls: StepControl,
  damaged: (step: CollectionStep, error: CorruptionError) => void,
): Promise<MadePlan> {
  const readable = parts.readable()
  const hidden = await walkTree(parts, readable, controls)
  const marked = new Map<number, MarkedHoles>()
  for (;;) {
    const space = parts.space.measure(hidden.liveBytes)
    const files = space.files.map((file) =>
      asAsked(withFigures(file, hidden, marked), options.segments),
    )
    const oldest = readable.length > 1 ? { oldestSnapshot: readable[0]! } : {}
    const planned = planCollectionSteps(
      files,
      { ...space, ...oldest },
      {
        ...planner,
        goalDiskBytes: options.target * space.liveBytes,
        ...(options.maxCopyBytes !== undefined && { maxCopyBytes: options.maxCopyBytes }),
      },
    )
    const guess = planned.steps.find(
      (step) => step.action === 'punch' && !step.seal && !marked.has(step.file.number),
    )
    if (guess?.action !== 'punch') {
      const { hiddenBytes, pinnedBytes } = hidden
      const plan = {
        databaseId: Buffer.from(parts.databaseId).toString('hex'),
        version: parts.versions.current.id,
        targetSpaceAmplification: options.target,
        before: { ...collectionFigures(space), hiddenGarbageBytes: hiddenBytes, pinnedBytes },
        ...planned,
      }
      return { plan, hidden }
    }
    const file = space.files.find(({ number }) => number === guess.file.number)!
    if (parts.space.noteNames(file.number)) continue
    try {
      marked.set(file.number, await markHoles(file, parts, controls))
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      damaged(guess, error)
    }
  }
}

/** Blocks that are missing already are holes of an earlier punch: they are among those that the mark has found. */
async function markHoles(
  file: CollectibleFile,
  parts: PlanParts,
  controls: StepControl,
): Promise<MarkedHoles> {
  const { holeBytes, holes } = await markFile(file.number, parts, controls)
  return { holeBytes: Math.max(0, holeBytes - punchedBytes(file)), holes: holes.length / 2 }
}

/** What a walk over all tables has found. Bytes of records that tables point to in vain ... */
export interface HiddenFigures {
  readonly hiddenBytes: number
  readonly pinnedBytes: number
  /** ... and of the keys and values that live. */
  readonly liveBytes: number
  /** What a compaction of the tree gives back of the tables themselves: an estimate. */
  readonly tableGarbageBytes: number
  readonly bySegment: ReadonlyMap<number, { hiddenBytes: number; pinnedBytes: number }>
}

/** Walks all tables. @param readableSequences what someone may still read, ascending */
export async function walkTree(
  parts: MarkParts,
  readableSequences: readonly number[],
  controls: StepControl,
): Promise<HiddenFigures> {
  const pin = parts.versions.pinTables()
  try {
    const runs = pin.version.levels.flatMap((level) => level.runs.map((run) => run.tables))
    const { directory, databaseId } = parts
    const job = { kind: 'walk' as const, directory, databaseId, runs, readableSequences }
    const { segments, liveKeyBytes, liveValueBytes, tableGarbageBytes } = await parts.runner.run(
      job,
      controls,
    )
    return {
      tableGarbageBytes,
      liveBytes: liveKeyBytes + liveValueBytes,
      hiddenBytes: segments.reduce((sum, { hiddenBytes }) => sum + hiddenBytes, 0),
      pinnedBytes: segments.reduce((sum, { pinnedBytes }) => sum + pinnedBytes, 0),
      bySegment: new Map(segments.map((each) => [each.segment, each])),
    }
  } finally {
    pin.release()
  }
}

/** What these segments hold in vain. */
export function bytesInVain(
  { bySegment }: HiddenFigures,
  segments: readonly number[],
): Pick<HiddenFigures, 'hiddenBytes' | 'pinnedBytes'> {
  let hiddenBytes = 0
  let pinnedBytes = 0
  for (const segment of segments) {
    hiddenBytes += bySegment.get(segment)?.hiddenBytes ?? 0
    pinnedBytes += bySegment.get(segment)?.pinnedBytes ?? 0
  }
  return { hiddenBytes, pinnedBytes }
}

/** A file with what a walk and a mark have found out. */
function withFigures(
  file: CollectibleFile,
  hidden: HiddenFigures,
  marked: ReadonlyMap<number, MarkedHoles>,
): CollectibleFile {
  const segments = file.segments.map(({ segment }) => segment)
  const figures = marked.get(file.number)
  return { ...file, ...bytesInVain(hidden, segments), ...(figures && { marked: figures }) }
}

/** Blocked, if it holds none of the segments that were asked for. */
export function asAsked(
  file: CollectibleFile,
  segments: ReadonlySet<number> | undefined,
): CollectibleFile {
  const isAsked =
    segments === undefined ||
    segments.has(file.number) ||
    file.segments.some(({ segment }) => segments.has(segment))
  return isAsked ? file : { ...file, blocked: 'not asked for' }
}
