/**
 * Collections that someone asks for: the exact plan (exact-plan.ts), and its execution. `collect` without a plan first
 * exposes what is hidden.
 */

import { isNewerVersion, toWiscError, WiscError } from '../base/errors.ts'
import type { FileNumber } from '../base/ids.ts'
import {
  type CollectedStep,
  type CollectionFigures,
  type CollectionPlan,
  type CollectionProgress,
  type CollectionReport,
  type FailedStep,
  type ResolvedCollect,
  stepNumbers,
} from '../contract/collection.ts'
import type { CollectionStep } from '../contract/collection-plan.ts'
import { JobProgress } from '../jobs/job-progress.ts'
import { JobRate } from '../jobs/job-rate.ts'
import { collectionFigures } from '../space/figures.ts'
import type { Space } from '../space/space.ts'
import type { StepControl } from './act/action.ts'
import type { Collector } from './collector.ts'
import { type MadePlan, makePlan, ROUNDS_MAX } from './exact-plan.ts'
import { checkPlanFits } from './plan/plan-fits.ts'
import { isExposureAsked } from './plan/tree-garbage.ts'
import { walkTree } from './walked-tree.ts'

/** Plans without changing anything. */
export function planCollection(
  collector: Collector,
  options: ResolvedCollect,
): Promise<CollectionPlan> {
  return collector.exclusively(async (signal) => {
    // Files that are going already are nothing to plan with.
    await collector.store.unlinker.ended()
    const { plan } = await makePlan(
      collector.store,
      collector.actor.askedRules(options.target),
      options,
      control(options, signal),
      (file, error) => collector.actor.blame([file], error),
    )
    return plan
  }, options.signal)
}

/** Executes the plan that was given, or flushes, compacts, plans and executes until the target is reached. */
export function collect(collector: Collector, options: ResolvedCollect): Promise<CollectionReport> {
  const work = (signal: AbortSignal): Promise<CollectionReport> =>
    new AskedRun(collector, options, control(options, signal)).run()
  return collector.exclusively(work, options.signal)
}

function control({ bytesPerSecond }: ResolvedCollect, signal: AbortSignal): StepControl {
  return { signal, rate: new JobRate(bytesPerSecond) }
}

/** One call of collect. */
class AskedRun {
  readonly #collector: Collector
  readonly #options: ResolvedCollect
  readonly #control: StepControl
  readonly #done: CollectedStep[] = []
  readonly #failed: FailedStep[] = []
  #steps = 0
  /** A rewrite found no space: what is left is to be had without copying. */
  #isFull = false

  constructor(collector: Collector, options: ResolvedCollect, controls: StepControl) {
    this.#collector = collector
    this.#options = options
    this.#control = controls
  }

  async run(): Promise<CollectionReport> {
    await this.#collector.store.unlinker.ended()
    const before = this.#figures()
    if (this.#options.plan) await this.#runPlan(this.#options.plan)
    else await this.#runUntilTarget()
    await this.#collector.store.unlinker.ended()
    this.#tell('done', 1)
    return {
      steps: this.#done,
      failed: this.#failed,
      ...this.#sums(),
      before,
      after: this.#figures(),
    }
  }

  async #runPlan(given: CollectionPlan): Promise<void> {
    const { store } = this.#collector
    const databaseId = Buffer.from(store.context.databaseId).toString('hex')
    if (given.compacts) {
      checkPlanFits(given, databaseId, store.space.measure(), false)
      this.#tell('compact')
      await store.flushes.flushWritten()
      await this.#compact()
    }
    checkPlanFits(given, databaseId, store.space.measure(), true)
    await this.#runSteps(given.steps)
  }

  async #runUntilTarget(): Promise<void> {
    const failure = await this.#exposeIfRoom()
    await this.#runRounds()
    if (!failure) return
    // What gave something back without needing room may have made enough of it.
    if (this.#done.length === 0) throw failure
    this.#isFull = false
    if (await this.#exposeIfRoom()) return
    await this.#runRounds()
  }

  /** @returns why there was no room for a flush or a compaction, if so: drops and punches need none */
  async #exposeIfRoom(): Promise<WiscError | undefined> {
    try {
      await this.#expose()
      return undefined
    } catch (cause) {
      const error = toWiscError(cause)
      if (error.code !== 'WISC_DISK_FULL') throw error
      this.#isFull = true
      return error
    }
  }

  async #runRounds(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#tell('plan')
      const { steps } = (await this.#plan()).plan
      const before = this.#obstacles
      const done = steps.length === 0 ? 0 : await this.#runSteps(steps)
      if (done === 0 && this.#obstacles === before) return
    }
  }

  #plan(): Promise<MadePlan> {
    const options = this.#rest()
    const rules = this.#collector.actor.askedRules(options.target)
    return makePlan(this.#collector.store, rules, options, this.#control, (file, error) =>
      this.#stepFailed('punch', [file], error),
    )
  }

  /** What the next plan has to go around: damaged files, which took others down with them, and a full disk. */
  get #obstacles(): number {
    return this.#collector.store.space.corruptCount + (this.#isFull ? 1 : 0)
  }

  /** What later rounds may still copy. */
  #rest(): ResolvedCollect {
    if (this.#isFull) return { ...this.#options, maxCopyBytes: 0 }
    const { maxCopyBytes } = this.#options
    if (maxCopyBytes === undefined) return this.#options
    const left = Math.max(0, maxCopyBytes - this.#sums().bytesCopied)
    return { ...this.#options, maxCopyBytes: left }
  }

  /** Flushes and compacts if what that may show is needed to come to the target. */
  async #expose(): Promise<void> {
    const { store } = this.#collector
    if (this.#isReached(store.space.measure())) return
    this.#tell('flush')
    await store.flushes.flushWritten()
    this.#checkSignal()
    const space = store.space.measure()
    if (this.#isReached(space)) return
    const walked = await walkTree(store, this.#control)
    const { tableBytes } = space
    if (!isExposureAsked({ ...walked, tableBytes }, this.#options.target)) return
    this.#tell('compact')
    await this.#compact()
  }

  #compact(): Promise<void> {
    const { compactions } = this.#collector.store
    const { signal } = this.#control
    return this.#telling('compact', (progress) =>
      compactions.compactRange({}, 'garbage', signal, progress),
    )
  }

  #isReached({ diskBytes, liveBytes }: Space): boolean {
    return diskBytes <= this.#options.target * liveBytes
  }

  /** @returns how many were carried out */
  async #runSteps(steps: readonly CollectionStep[]): Promise<number> {
    const before = this.#done.length
    this.#steps += steps.length
    for (const step of steps) {
      this.#checkSignal()
      this.#tell(step.action)
      await this.#telling(step.action, (progress) => this.#carryOut(step, progress))
    }
    return this.#done.length - before
  }

  async #carryOut(step: CollectionStep, progress: JobProgress | undefined): Promise<void> {
    try {
      const control = { ...this.#control, progress }
      const { actor, running } = this.#collector
      this.#done.push(await running.run(step, 'asked', (one) => actor.execute(one, control)))
    } catch (error) {
      this.#stepFailed(step.action, stepNumbers(step), toWiscError(error))
    }
  }

  /** Damage, what is of a newer version and a full disk stop one step; the others go on. The rest is the caller's. */
  #stepFailed(
    action: CollectionStep['action'],
    files: readonly FileNumber[],
    error: WiscError,
  ): void {
    // Writers have changed the file, or used what was to be dropped: the next round sees it as it is.
    if (error.code === 'WISC_STALE' && this.#options.plan === undefined) return
    if (action !== 'forget') this.#collector.actor.blame(files, error)
    const stopsOne = ['WISC_CORRUPTION', 'WISC_IO', 'WISC_DISK_FULL']
    if (!stopsOne.includes(error.code) && !isNewerVersion(error)) throw error
    this.#isFull ||= error.code === 'WISC_DISK_FULL'
    this.#failed.push({ action, files, error })
  }

  #checkSignal(): void {
    if (this.#control.signal.aborted) {
      throw new WiscError('WISC_ABORTED', 'collection was cancelled; what it has done stays done')
    }
  }

  #figures(): CollectionFigures {
    return collectionFigures(this.#collector.store.space.measure())
  }

  #sums(): Pick<CollectionReport, 'bytesFreed' | 'bytesCopied' | 'bytesWritten'> {
    const sums = { bytesFreed: 0, bytesCopied: 0, bytesWritten: 0 }
    for (const step of this.#done) {
      sums.bytesFreed += step.bytesFreed
      sums.bytesCopied += step.bytesCopied
      sums.bytesWritten += step.bytesWritten
    }
    return sums
  }

  #tell(phase: CollectionProgress['phase'], share: number = 0): void {
    const { onProgress } = this.#options
    const steps = { stepsDone: this.#done.length, steps: this.#steps }
    onProgress?.({ phase, share, ...steps, ...this.#sums() })
  }

  /** Tells how far it is, if somebody wants to know. */
  #telling<T>(
    phase: CollectionProgress['phase'],
    work: (progress: JobProgress | undefined) => Promise<T>,
  ): Promise<T> {
    if (this.#options.onProgress === undefined) return work(undefined)
    const progress = new JobProgress((share) => this.#tell(phase, share))
    return progress.tellDuring(work(progress))
  }
}
