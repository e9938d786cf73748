/**
 * A forecast of a collection: `collect` without a plan flushes and compacts, then plans and carries out, round after
 * round. Here the tree is walked as if it had been compacted (exposed-store.ts), and the plans are applied to figures
 * (lib/collector/plan/files-after.ts).
 *
 * Exact on a quiet store but for bytes of tables and of the manifest, which count for the goal. Writes nothing (I11).
 */

import type { FileNumber, SegmentNumber, Sequence } from '../../base/ids.ts'
import { asAsked, oldestOf, optionsOf, planMarked, ROUNDS_MAX } from '../../collector/exact-plan.ts'
import { filesAfter } from '../../collector/plan/files-after.ts'
import { type PlanningRules, planningRules } from '../../collector/plan/planning-rules.ts'
import { planView, withReaders } from '../../collector/view-plan.ts'
import { type CollectionPlan, stepNumbers } from '../../contract/collection.ts'
import type { CollectionStep, CollectionSteps } from '../../contract/collection-plan.ts'
import type { OwnerFacts } from '../../control/protocol.ts'
import { JobRate } from '../../jobs/job-rate.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { amplificationOf, type CollectibleFile, heldSegments } from '../../space/figures.ts'
import type { Space } from '../../space/space.ts'
import { engineOf } from '../../store/engine-of.ts'
import type { Store } from '../../store/store.ts'
import { isOpen } from '../../tree/version/version.ts'
import {
  ballastGrowth,
  type ExposedTree,
  exposedFile,
  isCompacted,
  tableGrowth,
  walkExposed,
} from './exposed-store.ts'
import { markKept } from './marked-kept.ts'

export interface ForecastWishes {
  readonly target: number | undefined
  readonly segments: readonly SegmentNumber[] | undefined
  readonly maxCopyBytes: number | undefined
}

export interface ForecastOptions {
  /** How the process that has the store open would do it; undefined for one that opens it for this. */
  readonly owner: Omit<OwnerFacts, 'pid' | 'collector'> | undefined
  /** Sequences at which that process still reads. */
  readonly readers: readonly Sequence[]
  readonly signal: AbortSignal
}

/** A step of a later round: null stands for a file that a round before it has made. */
export interface LaterStep {
  readonly action: CollectionStep['action']
  readonly files: readonly (FileNumber | null)[]
  readonly bytesFreed: number
  readonly bytesCopied: number
}

/** A plan with all that a collection does; `steps` are those of its first round, sums and `after` those of all. */
export interface CollectionForecast extends CollectionPlan {
  readonly compacts: boolean
  readonly laterRounds: readonly (readonly LaterStep[])[]
}

/** @throws WISC_STALE if files of the view are gone, WISC_ABORTED */
export async function forecastCollection(
  store: Store,
  wishes: ForecastWishes,
  options: ForecastOptions,
): Promise<CollectionForecast> {
  const engine = engineOf(store)
  try {
    return await new Forecast(engine, wishes, options).make()
  } catch (error) {
    throw engine.viewFailure(error)
  }
}

class Forecast {
  readonly #engine: ReadingEngine
  readonly #wishes: ForecastWishes
  readonly #segments: ReadonlySet<SegmentNumber> | undefined
  readonly #options: ForecastOptions
  readonly #target: number
  readonly #rules: PlanningRules
  readonly #readable: readonly Sequence[]
  #lastNumber = Number.MAX_SAFE_INTEGER

  constructor(engine: ReadingEngine, wishes: ForecastWishes, options: ForecastOptions) {
    const { collector, segmentBytes } = engine.options
    const { owner, readers } = options
    this.#engine = engine
    this.#wishes = wishes
    this.#segments = wishes.segments && new Set(wishes.segments)
    this.#options = options
    this.#target =
      wishes.target ?? owner?.targetSpaceAmplification ?? collector.targetSpaceAmplification
    const settings = owner ?? { ...collector, segmentBytes }
    this.#rules = planningRules(settings, engine.version, this.#target)
    this.#readable = withReaders([engine.visibleSequence], readers)
  }

  async make(): Promise<CollectionForecast> {
    const engine = this.#engine
    const { signal, readers, owner } = this.#options
    const wishes = { ...this.#wishes, target: this.#target, segments: this.#segments }
    const control = { signal, rate: new JobRate(undefined) }
    const now = (await planView(engine, wishes, readers, control)).plan
    const space = engine.space.measure(now.before.liveBytes)
    // Then nothing is exposed: what is to be had without that is taken.
    if (space.diskBytes <= this.#target * space.liveBytes) {
      return { ...now, compacts: false, laterRounds: [] }
    }
    const tree = await this.#walk(space)
    const compacts = isCompacted(tree, space, this.#target)
    const files = space.files.map((file) => this.#exposed(file, tree))
    const growth =
      (compacts ? tableGrowth(engine, tree, space) : 0) + (owner ? 0 : ballastGrowth(engine, space))
    const rounds = await this.#rounds(files, space.diskBytes + growth, tree)
    return this.#sumUp(now, tree, rounds, compacts, growth)
  }

  #walk({ files }: Space): Promise<ExposedTree> {
    const punchable = this.#rules.punchHoles ? files.flatMap(heldSegments) : []
    const wanted = new Set(punchable)
    const wantsPlaces = (segment: SegmentNumber): boolean => wanted.has(segment)
    return walkExposed(this.#engine, this.#readable, wantsPlaces, this.#options.signal)
  }

  #exposed(file: CollectibleFile, tree: ExposedTree): CollectibleFile {
    const { files, log } = this.#engine.version
    const isLast = file.number === log.last?.[1]
    const known = files.get(file.number)
    // Who opens the store for this seals what it finds; in another process the last one is written on.
    const needsSeal =
      known !== undefined && isOpen(known) && isLast && this.#options.owner !== undefined
    return asAsked({ ...exposedFile(file, tree), needsSeal }, this.#segments)
  }

  /** As a collection does it: what one round has freed is there for the next. */
  async #rounds(
    files: readonly CollectibleFile[],
    diskBytesBefore: number,
    tree: ExposedTree,
  ): Promise<CollectionSteps[]> {
    const { liveBytes } = tree
    const rounds: CollectionSteps[] = []
    let present = files
    let diskBytes = diskBytesBefore
    let maxCopyBytes = this.#wishes.maxCopyBytes
    while (rounds.length < ROUNDS_MAX) {
      const planned = await planMarked(
        present,
        { diskBytes, liveBytes, ...oldestOf(this.#readable) },
        optionsOf(this.#rules, { target: this.#target, maxCopyBytes }, liveBytes),
        (file) => markKept(this.#engine, file, tree, this.#rules, this.#options.signal),
      )
      rounds.push(planned)
      if (planned.steps.length === 0) break
      present = filesAfter(present, planned.steps, () => this.#lastNumber--)
      diskBytes -= planned.bytesFreed
      if (maxCopyBytes !== undefined) maxCopyBytes = Math.max(0, maxCopyBytes - planned.bytesCopied)
    }
    return rounds
  }

  #sumUp(
    now: CollectionPlan,
    tree: ExposedTree,
    rounds: readonly CollectionSteps[],
    compacts: boolean,
    growth: number,
  ): CollectionForecast {
    const [first, ...later] = rounds
    const last = rounds.at(-1)!
    const sum = (of: (round: CollectionSteps) => number): number =>
      rounds.reduce((total, round) => total + of(round), 0)
    const taken = new Set(rounds.flatMap(({ steps }) => steps.flatMap(stepNumbers)))
    const freed = sum(({ bytesFreed }) => bytesFreed)
    const diskBytes = Math.round(now.before.diskBytes + growth - freed)
    const { liveBytes, hiddenBytes, pinnedBytes } = tree
    return {
      ...now,
      // What lies in memtables is counted, too.
      before: {
        ...now.before,
        liveBytes,
        spaceAmplification: amplificationOf(now.before.diskBytes, liveBytes),
        hiddenGarbageBytes: hiddenBytes,
        pinnedBytes,
      },
      compacts,
      steps: first!.steps,
      laterRounds: later
        .filter(({ steps }) => steps.length > 0)
        .map(({ steps }) => steps.map((step) => this.#laterStep(step))),
      skipped: last.skipped.filter(({ number }) => !taken.has(number) && this.#isPresent(number)),
      bytesFreed: freed,
      bytesCopied: sum(({ bytesCopied }) => bytesCopied),
      peakExtraBytes: peakOf(rounds),
      after: { diskBytes, spaceAmplification: amplificationOf(diskBytes, liveBytes) },
    }
  }

  #laterStep(step: CollectionStep): LaterStep {
    const { action, bytesFreed, bytesCopied } = step
    const files = stepNumbers(step).map((number) => (this.#isPresent(number) ? number : null))
    return { action, files, bytesFreed, bytesCopied }
  }

  #isPresent(number: FileNumber): boolean {
    return number < this.#engine.version.nextFileNumber
  }
}

/** The rounds come one after the other: what one has freed is there for the next. */
function peakOf(rounds: readonly CollectionSteps[]): number {
  let peak = 0
  let freed = 0
  for (const { peakExtraBytes, bytesFreed } of rounds) {
    peak = Math.max(peak, peakExtraBytes - freed)
    freed += bytesFreed
  }
  return peak
}
