/**
 * The files of the value log, one by one: what is in them, and what a collection would do with each, or why nothing.
 *
 * Quick, it reads counters only, and guesses. Exact, it makes the plan of a collection: the walk over the tree tells
 * hidden bytes (which a compaction would expose) from pinned ones (which a snapshot still sees). Writes nothing (I11).
 */

import type { FileNumber } from '../../base/ids.ts'
import type { MadePlan } from '../../collector/exact-plan.ts'
import { planCollectionSteps } from '../../collector/plan/planner.ts'
import { besides, planView, viewRules, withView } from '../../collector/view-plan.ts'
import { bytesInVain, type WalkedTree, walkTree } from '../../collector/walked-tree.ts'
import type { CollectedStep } from '../../contract/collection.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionSteps, ValueLogFileKind } from '../../contract/collection-plan.ts'
import { JobRate } from '../../jobs/job-rate.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { segmentInfos } from '../../reports/segment-infos.ts'
import { withoutReferences } from '../../space/figures.ts'
import { engineOf } from '../../store/engine-of.ts'
import type { Store } from '../../store/store.ts'

/** A file of the value log. Sizes in bytes; what has not been walked is null. */
export interface SegmentRow {
  readonly number: FileNumber
  readonly file: string
  readonly kind: ValueLogFileKind
  readonly state: 'open' | 'sealed'
  /** The logical segments that it holds. */
  readonly segments: readonly number[]
  readonly totalBytes: number
  /** Allocated by the file system. */
  readonly diskBytes: number
  /** Holes. */
  readonly punchedBytes: number
  readonly referencedRecords: number
  /** Whole records that entries point to, hidden and pinned ones included. */
  readonly referencedBytes: number
  readonly exposedGarbageBytes: number
  /** Of the referenced bytes: nobody sees them, a compaction exposes them. With unknown pins these are among them. */
  readonly hiddenBytes: number | null
  /** Of the referenced bytes: only snapshots and iterators see them. Null, too, if nobody can say. */
  readonly pinnedBytes: number | null
  /** What a collection to the target of the store would do with it; null for nothing. */
  readonly action: Exclude<CollectedStep['action'], 'forget'> | null
  /** Why nothing. */
  readonly reason: string | null
}

export interface SegmentRowOptions {
  readonly isExact?: boolean
  /** Sequences at which the process that has the store open still reads; undefined if nobody can say. */
  readonly readers: readonly number[] | undefined
  readonly signal?: AbortSignal
}

/** In the order of the numbers. @throws WISC_STALE if a writer has removed files of the view meanwhile */
export async function segmentRows(
  store: Store,
  { isExact = false, readers, signal }: SegmentRowOptions,
): Promise<SegmentRow[]> {
  const engine = engineOf(store)
  if (!isExact) return toRows(engine, quickPlan(engine), undefined)
  const { plan, walked } = await exactPlan(engine, {}, readers ?? [], signal)
  const rows = toRows(engine, plan, walked)
  return readers ? rows : rows.map((row) => ({ ...row, pinnedBytes: null }))
}

/** What a collection would do, to the target of the store if there is none, with these readers in mind. */
export function exactPlan(
  engine: ReadingEngine,
  { target, segments }: { readonly target?: number; readonly segments?: ReadonlySet<number> },
  readers: readonly number[],
  signal: AbortSignal = new AbortController().signal,
): Promise<MadePlan> {
  const wishes = {
    target: target ?? engine.options.collector.targetSpaceAmplification,
    segments,
    maxCopyBytes: undefined,
  }
  return planView(engine, wishes, readers, { signal, rate: new JobRate(undefined) })
}

/** What each segment holds in vain, as seen by these readers beside those of the newest state. */
export function walkedWith(
  engine: ReadingEngine,
  readers: readonly number[],
  signal: AbortSignal,
): Promise<WalkedTree> {
  const controls = { signal, rate: new JobRate(undefined) }
  const all = besides([engine.visibleSequence], readers)
  return withView(engine, (store) => walkTree({ ...store, readers: all }, controls))
}

function toRows(
  engine: ReadingEngine,
  planned: CollectionSteps,
  walked: WalkedTree | undefined,
): SegmentRow[] {
  const notWalked = { hiddenBytes: null, pinnedBytes: null }
  return segmentInfos(engine).map((info): SegmentRow => {
    const { id, blocked: _, ...rest } = info
    return {
      ...rest,
      number: id,
      ...(walked ? bytesInVain(walked, info.segments) : notWalked),
      action: actionFor(id, planned),
      reason: planned.skipped.find(({ number }) => number === id)?.reason ?? null,
    }
  })
}

function quickPlan(engine: ReadingEngine): CollectionSteps {
  const space = engine.space.measure()
  const { targetSpaceAmplification } = engine.options.collector
  return planCollectionSteps(space.files, space, {
    ...viewRules(engine, targetSpaceAmplification),
    goalDiskBytes: targetSpaceAmplification * space.liveBytes,
  })
}

/** What a collection would come to, by counters and samples alone. */
export interface QuickForecast {
  readonly target: number
  /** Of the value log. */
  readonly bytesFreed: number
}

/** What the process that has the store open says. */
export interface OwnersForecast {
  /** Space amplification to come to. */
  readonly target: number
  /** Without what is pinned: by the files alone that is hidden, too. */
  readonly hiddenGarbageBytes: number
}

/**
 * Hidden garbage is taken to lie everywhere alike.
 * @param owners undefined for a store that nobody has open, or whose owner does not answer
 */
export function quickForecast(store: Store, owners: OwnersForecast | undefined): QuickForecast {
  const engine = engineOf(store)
  const target = owners?.target ?? engine.options.collector.targetSpaceAmplification
  const space = engine.space.measure()
  const hidden = Math.min(
    space.hiddenGarbageBytes,
    owners?.hiddenGarbageBytes ?? Number.POSITIVE_INFINITY,
  )
  const referenced = space.files.reduce((sum, { referencedBytes }) => sum + referencedBytes, 0)
  const share = referenced === 0 ? 0 : Math.min(1, hidden / referenced)
  const files = space.files.map((file) => withoutReferences(file, file.referencedBytes * share))
  const { bytesFreed } = planCollectionSteps(files, space, {
    ...viewRules(engine, target),
    goalDiskBytes: target * space.liveBytes,
  })
  return { target, bytesFreed }
}

function actionFor(number: FileNumber, { steps }: CollectionSteps): SegmentRow['action'] {
  for (const step of steps) {
    if (step.action === 'forget') continue
    if (plannedFiles(step).some((file) => file.number === number)) return step.action
  }
  return null
}
