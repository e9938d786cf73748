/**
 * Plans for a store that is only read: jobs run on the calling thread, on the files of the view. A writer may remove
 * these meanwhile, then the view is stale.
 */

import { wallTime } from '../base/clock.ts'
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import { InlineRunner } from '../jobs/inline-runner.ts'
import { JobRate } from '../jobs/job-rate.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { MarkedStore, StepControl, WalkReaders } from './act/action.ts'
import { type MadePlan, makePlan, type PlanWishes } from './exact-plan.ts'
import { type PlanningRules, planningRules } from './plan/planning-rules.ts'

/** What a collection would do if the store were open for writing. */
export async function planViewCollection(
  engine: ReadingEngine,
  options: ResolvedCollect,
): Promise<CollectionPlan> {
  const { signal = new AbortController().signal, bytesPerSecond } = options
  const controls = { signal, rate: new JobRate(bytesPerSecond) }
  return (await planView(engine, options, [], controls)).plan
}

/** @param readers sequences at which another process reads that has the store open, too */
export function planView(
  engine: ReadingEngine,
  wishes: PlanWishes,
  readers: readonly number[],
  controls: StepControl,
): Promise<MadePlan> {
  return withView(engine, (store) =>
    makePlan(
      { ...store, readers: besides(store.readers.list(), readers) },
      viewRules(engine, wishes.target),
      wishes,
      controls,
      (file, error) => {
        // A view that is too old has no damage to tell of.
        const failure = engine.viewFailure(error)
        if (failure.code === 'WISC_STALE') throw failure
        store.space.noteCorrupt(file)
      },
    ),
  )
}

/** Sequences that someone may still read, ascending; `own` end with the newest one. */
export function withReaders(own: readonly number[], readers: readonly number[]): number[] {
  const newest = own.at(-1)!
  const older = readers.filter((sequence) => sequence < newest)
  return [...new Set([...own, ...older])].sort((left, right) => left - right)
}

/** The same for a walk, which goes by the present moment. */
export function besides(own: readonly number[], readers: readonly number[]): WalkReaders {
  return { list: () => withReaders(own, readers), expiredBy: wallTime() }
}

/** Lends what plans need. @throws WISC_STALE if files of the view are gone */
export async function withView<T>(
  engine: ReadingEngine,
  use: (store: MarkedStore) => Promise<T>,
): Promise<T> {
  const { context, space, version, readers } = engine
  const runner = new InlineRunner(context.fileSystem)
  try {
    return await use({
      context: { ...context, runner },
      space,
      versions: { current: version, pinTables: () => ({ version, release: () => undefined }) },
      readers,
    })
  } catch (error) {
    throw engine.viewFailure(error)
  } finally {
    await runner.close()
  }
}

/** No punch was refused yet. */
export function viewRules(
  { options, version }: ReadingEngine,
  targetSpaceAmplification: number,
): PlanningRules {
  const settings = { ...options.collector, segmentBytes: options.segmentBytes }
  return planningRules(settings, version, targetSpaceAmplification)
}
