/**
 * Collections that someone asks for: the exact plan, and its execution.
 *
 * A plan changes nothing. It is exact on a quiet store: hidden and pinned bytes come from a walk over all tables, and
 * what a punch would give from a mark of the file. `collect` without a plan first exposes what is hidden.
 */
import type { CollectibleFile, CollectionStep, MarkedHoles } from '../../vlog/collection-plan.ts'
import { planCollectionSteps } from '../../vlog/collection-planner.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import { JobRate } from '../jobs/job-rate.ts'
import {
  type CollectedStep,
  type CollectionFigures,
  type CollectionPlan,
  type CollectionProgress,
  type CollectionReport,
  checkPlanFits,
  collectionFigures,
  type FailedStep,
  type ResolvedCollect,
  stepNumbers,
} from './collection.ts'
import type { Collector } from './collector.ts'
import { markFile, type StepControl } from './run-step.ts'
import type { Space } from './space.ts'

/** Rounds of plan and execution: what failed in one is planned around in the next. */
const ROUNDS_MAX = 8

/** Plans without changing anything. */
export function planCollection(
  collector: Collector,
  options: ResolvedCollect,
): Promise<CollectionPlan> {
  return collector.exclusively((stop) => plan(collector, options, control(options, stop)))
}

/** Executes the plan that was given, or flushes, compacts, plans and executes until the target is reached. */
export function collect(collector: Collector, options: ResolvedCollect): Promise<CollectionReport> {
  return collector.exclusively((stop) => new Run(collector, options, control(options, stop)).run())
}

function control({ signal, bytesPerSecond }: ResolvedCollect, stop: AbortSignal): StepControl {
  return {
    signal: signal ? AbortSignal.any([signal, stop]) : stop,
    rate: new JobRate(bytesPerSecond),
  }
}

async function plan(
  collector: Collector,
  options: ResolvedCollect,
  controls: StepControl,
): Promise<CollectionPlan> {
  const { parts } = collector
  const hidden = await walkTree(collector, controls)
  const marked = new Map<number, MarkedHoles>()
  for (;;) {
    const space = parts.space.measure()
    const files = space.files.map((file) => withFigures(file, options, hidden, marked))
    const planned = planCollectionSteps(files, space, {
      ...collector.plannerOptions(options.target),
      goalDiskBytes: options.target * space.liveBytes,
      ...(options.maxCopyBytes !== undefined && { maxCopyBytes: options.maxCopyBytes }),
    })
    const guess = planned.steps.find(
      (step) => step.action === 'punch' && !step.seal && !marked.has(step.file.number),
    )
    if (guess?.action !== 'punch') {
      const { hiddenBytes, pinnedBytes } = hidden
      return {
        databaseId: Buffer.from(parts.databaseId).toString('hex'),
        version: parts.versions.current.id,
        targetSpaceAmplification: options.target,
        before: { ...collectionFigures(space), hiddenGarbageBytes: hiddenBytes, pinnedBytes },
        ...planned,
      }
    }
    const { number } = guess.file
    const { holeBytes, holes } = await markFile(number, parts, controls)
    // Blocks that are missing already are holes of an earlier punch: they are among those that the mark has found.
    const file = space.files.find((each) => each.number === number)!
    const blocks = Math.ceil(file.totalBytes / file.blockBytes) * file.blockBytes
    const missing = Math.max(0, blocks - file.diskBytes)
    marked.set(number, { holeBytes: Math.max(0, holeBytes - missing), holes: holes.length / 2 })
  }
}

interface HiddenFigures {
  readonly hiddenBytes: number
  readonly pinnedBytes: number
  readonly bySegment: ReadonlyMap<number, { hiddenBytes: number; pinnedBytes: number }>
}

async function walkTree({ parts }: Collector, controls: StepControl): Promise<HiddenFigures> {
  const pin = parts.versions.pin()
  try {
    const runs = pin.version.levels.flatMap((level) => level.runs.map((run) => run.tables))
    const { directory, databaseId } = parts
    const readableSequences = parts.readable()
    const job = { kind: 'walk' as const, directory, databaseId, runs, readableSequences }
    const { segments } = await parts.runner.run(job, controls)
    return {
      hiddenBytes: segments.reduce((sum, { hiddenBytes }) => sum + hiddenBytes, 0),
      pinnedBytes: segments.reduce((sum, { pinnedBytes }) => sum + pinnedBytes, 0),
      bySegment: new Map(segments.map((each) => [each.segment, each])),
    }
  } finally {
    pin.release()
  }
}

function withFigures(
  file: CollectibleFile,
  { segments }: ResolvedCollect,
  { bySegment }: HiddenFigures,
  marked: ReadonlyMap<number, MarkedHoles>,
): CollectibleFile {
  let hiddenBytes = 0
  let pinnedBytes = 0
  for (const { segment } of file.segments) {
    hiddenBytes += bySegment.get(segment)?.hiddenBytes ?? 0
    pinnedBytes += bySegment.get(segment)?.pinnedBytes ?? 0
  }
  const isAsked =
    segments === undefined ||
    segments.has(file.number) ||
    file.segments.some(({ segment }) => segments.has(segment))
  const figures = marked.get(file.number)
  return {
    ...file,
    hiddenBytes,
    pinnedBytes,
    ...(!isAsked && { blocked: 'not asked for' as const }),
    ...(figures && { marked: figures }),
  }
}

/** One call of collect. */
class Run {
  readonly #collector: Collector
  readonly #options: ResolvedCollect
  readonly #control: StepControl
  readonly #done: CollectedStep[] = []
  readonly #failed: FailedStep[] = []
  #bytesWritten = 0
  #steps = 0

  constructor(collector: Collector, options: ResolvedCollect, controls: StepControl) {
    this.#collector = collector
    this.#options = options
    this.#control = controls
  }

  async run(): Promise<CollectionReport> {
    const before = this.#figures()
    if (this.#options.plan) await this.#runPlan(this.#options.plan)
    else await this.#runUntilTarget()
    this.#tell('done')
    const { bytesFreed, bytesCopied } = this.#sums()
    return {
      steps: this.#done,
      failed: this.#failed,
      bytesFreed,
      bytesCopied,
      bytesWritten: this.#bytesWritten,
      before,
      after: this.#figures(),
    }
  }

  async #runPlan(given: CollectionPlan): Promise<void> {
    const { parts } = this.#collector
    const databaseId = Buffer.from(parts.databaseId).toString('hex')
    checkPlanFits(given, databaseId, parts.space.measure())
    await this.#runSteps(given.steps)
  }

  async #runUntilTarget(): Promise<void> {
    await this.#expose()
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#tell('plan')
      const { steps } = await plan(this.#collector, this.#rest(), this.#control)
      if (steps.length === 0 || (await this.#runSteps(steps)) === 0) return
    }
  }

  /** What later rounds may still copy. */
  #rest(): ResolvedCollect {
    const { maxCopyBytes } = this.#options
    if (maxCopyBytes === undefined) return this.#options
    const left = Math.max(0, maxCopyBytes - this.#sums().bytesCopied)
    return { ...this.#options, maxCopyBytes: left }
  }

  /** Flushes and compacts if what that may show is needed to come to the target. */
  async #expose(): Promise<void> {
    const { parts } = this.#collector
    if (this.#isReached(parts.space.measure())) return
    this.#tell('flush')
    await parts.flush()
    this.#checkSignal()
    const space = parts.space.measure()
    if (this.#isReached(space)) return
    const { hiddenBytes } = await walkTree(this.#collector, this.#control)
    if (hiddenBytes === 0) return
    this.#tell('compact')
    await parts.compactAll(this.#control.signal)
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
      try {
        const done = await this.#collector.execute(step, 'asked', this.#control)
        const { action, files, bytesFreed, bytesCopied, ms } = done
        this.#bytesWritten += done.bytesWritten
        this.#done.push({ action, files, bytesFreed, bytesCopied, ms })
      } catch (error) {
        this.#stepFailed(step, toWiscError(error))
      }
    }
    return this.#done.length - before
  }

  /** Damage and a full disk stop one step; the others go on. Everything else is the caller's. */
  #stepFailed(step: CollectionStep, error: WiscError): void {
    this.#collector.noteStepFailure(step, error)
    const stopsOne = ['WISC_CORRUPTION', 'WISC_FORMAT_VERSION', 'WISC_IO', 'WISC_DISK_FULL']
    if (!stopsOne.includes(error.code)) throw error
    this.#failed.push({ action: step.action, files: stepNumbers(step), error })
  }

  #checkSignal(): void {
    if (this.#control.signal.aborted) {
      throw new WiscError('WISC_ABORTED', 'collection was cancelled; what it has done stays done')
    }
  }

  #figures(): CollectionFigures {
    return collectionFigures(this.#collector.parts.space.measure())
  }

  #sums(): { bytesFreed: number; bytesCopied: number } {
    let bytesFreed = 0
    let bytesCopied = 0
    for (const step of this.#done) {
      bytesFreed += step.bytesFreed
      bytesCopied += step.bytesCopied
    }
    return { bytesFreed, bytesCopied }
  }

  #tell(phase: CollectionProgress['phase']): void {
    const { onProgress } = this.#options
    onProgress?.({ phase, stepsDone: this.#done.length, steps: this.#steps, ...this.#sums() })
  }
}
