/**
 * What a collection does, foretold: `collect` without a plan flushes and compacts, then plans and carries out, round
 * after round. Here the tree is walked as if it had been compacted, and the plans are applied to figures.
 *
 * Exact on a quiet store but for bytes of tables and of the manifest, which count for the goal. Writes nothing (I11).
 */

import { markSteps } from '../../../vlog/collect/mark.ts'
import type { ValueLogFile } from '../../../vlog/collect/victim.ts'
import { emptyVictimRecord, type VictimRecords } from '../../../vlog/collect/victim-records.ts'
import { tableName } from '../../base/files/file-names.ts'
import { systemRandom } from '../../base/random.ts'
import { estimatePunch } from '../../collector/plan/collection-costs.ts'
import { planCollectionSteps } from '../../collector/plan/collection-planner.ts'
import { HOLE_BYTES_MIN, plannerOptions } from '../../collector/plan/planner-options.ts'
import { isExposureAsked } from '../../collector/plan/tree-garbage.ts'
import { asAsked, ROUNDS_MAX } from '../../collector/plan.ts'
import { planView, withReaders } from '../../collector/plan-view.ts'
import { type CollectionPlan, stepNumbers } from '../../contract/collection.ts'
import type {
  CollectibleFile,
  CollectionStep,
  CollectionSteps,
  MarkedHoles,
  PlannerOptions,
} from '../../contract/collection-plan.ts'
import type { OwnerFacts } from '../../control/protocol.ts'
import { Ballast } from '../../engine/ballast.ts'
import { JobRate } from '../../jobs/job-rate.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { amplificationOf } from '../../space/collection-figures.ts'
import { punchedBytes } from '../../space/file-figures.ts'
import type { Space } from '../../space/space.ts'
import { tablesOf } from '../../state/tables.ts'
import { Store } from '../../store/store.ts'
import { type CompactedTree, type KeptRecords, walkCompacted } from './compacted-tree.ts'
import { inTurns } from './in-turns.ts'
import { valueLogFile } from './marked-records.ts'
import { filesAfter } from './planned-files.ts'

export interface ForecastWishes {
  readonly target: number | undefined
  readonly segments: readonly number[] | undefined
  readonly maxCopyBytes: number | undefined
}

export interface ForecastOptions {
  /** How the process that has the store open would do it; undefined for one that opens it for this. */
  readonly owner: Omit<OwnerFacts, 'pid' | 'collector'> | undefined
  /** Sequences at which that process still reads. */
  readonly readers: readonly number[]
  readonly signal: AbortSignal
}

/** A step of a later round: null stands for a file that a round before it has made. */
export interface LaterStep {
  readonly action: CollectionStep['action']
  readonly files: readonly (number | null)[]
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
  const engine = Store.engineOf(store)
  try {
    return await new Forecast(engine, wishes, options).make()
  } catch (error) {
    throw engine.viewFailure(error)
  }
}

class Forecast {
  readonly #engine: ReadingEngine
  readonly #wishes: ForecastWishes
  readonly #segments: ReadonlySet<number> | undefined
  readonly #options: ForecastOptions
  readonly #target: number
  readonly #planner: Omit<PlannerOptions, 'goalDiskBytes'>
  readonly #readable: readonly number[]
  #lastNumber = Number.MAX_SAFE_INTEGER

  constructor(engine: ReadingEngine, wishes: ForecastWishes, options: ForecastOptions) {
    const { collector } = engine.options
    const { owner, readers } = options
    this.#engine = engine
    this.#wishes = wishes
    this.#segments = wishes.segments && new Set(wishes.segments)
    this.#options = options
    this.#target =
      wishes.target ?? owner?.targetSpaceAmplification ?? collector.targetSpaceAmplification
    const { segmentBytes } = owner ?? engine.options
    const { punchHoles } = owner ?? collector
    this.#planner = plannerOptions(
      { ...engine.options, segmentBytes },
      engine.version,
      this.#target,
      punchHoles,
    )
    this.#readable = withReaders([engine.visibleSequence], readers)
  }

  async make(): Promise<CollectionForecast> {
    const { signal, readers } = this.#options
    const wishes = { ...this.#wishes, target: this.#target, segments: this.#segments }
    const controls = { signal, rate: new JobRate(undefined) }
    const now = (await planView(this.#engine, wishes, readers, controls)).plan
    const space = this.#engine.space.measure(now.before.liveBytes)
    // Then nothing is exposed: what is to be had without that is taken.
    if (space.diskBytes <= this.#target * space.liveBytes) {
      return { ...now, compacts: false, laterRounds: [] }
    }
    const tree = await this.#walk(space)
    const compacts = this.#compacts(tree, space)
    const files = space.files.map((file) => this.#exposed(file, tree))
    const { liveBytes } = tree
    const growth = (compacts ? this.#tableGrowth(tree, space) : 0) + this.#ballastGrowth(space)
    const diskBytes = space.diskBytes + growth
    const rounds = await this.#rounds(files, { diskBytes, liveBytes }, tree)
    return this.#sumUp(now, tree, rounds, compacts, growth)
  }

  #walk({ files }: Space): Promise<CompactedTree> {
    const { context, version, memtables } = this.#engine
    const punchable = files.flatMap((file) =>
      this.#planner.punchHoles ? file.segments.map(({ segment }) => segment) : [],
    )
    const wanted = new Set(punchable)
    const unflushed = memtables.list(version.checkpoint).map((memtable) => memtable.cursor())
    const readable = this.#readable
    const wantsPlaces = (segment: number): boolean => wanted.has(segment)
    const input = { ...context, version, unflushed, readable, wantsPlaces }
    return inTurns(walkCompacted(input), this.#options.signal)
  }

  #compacts(tree: CompactedTree, { tableBytes }: Space): boolean {
    const tableGarbageBytes = tableBytes * (tree.garbageWeight / Math.max(1, tree.weight))
    const { hiddenBytes } = tree
    return isExposureAsked({ hiddenBytes, tableBytes, tableGarbageBytes }, this.#target)
  }

  /** Of all tables, when memtables are in them and what is garbage is not. */
  #tableGrowth(tree: CompactedTree, { tableBytes }: Space): number {
    const { totals } = this.#engine.space.references
    const flushed = totals.putWeight + totals.tombstoneWeight
    const perWeight = flushed === 0 ? 1 : tableBytes / flushed
    const { version, space } = this.#engine
    const allocated = tablesOf(version).reduce(
      (sum, { number }) => sum + space.usage.allocated(tableName(number)),
      0,
    )
    return this.#inBlocks((tree.weight - tree.garbageWeight) * perWeight) - allocated
  }

  #inBlocks(bytes: number): number {
    const { fileSystem, directory } = this.#engine.context
    const block = fileSystem.statPath(directory)?.blockBytes ?? 1
    return Math.ceil(bytes / block) * block
  }

  /** Who opens a store makes its reserve as large as its own options ask. */
  #ballastGrowth({ diskBytes }: Space): number {
    if (this.#options.owner) return 0
    const { context, options } = this.#engine
    const ballast = new Ballast({ ...context, random: systemRandom }, options.segmentBytes)
    const wanted = ballast.wanted({ storeBytes: diskBytes, tableBytesToCome: 0 })
    const isEnough = ballast.bytes * 2 > wanted
    return isEnough ? 0 : this.#inBlocks(wanted) - this.#inBlocks(ballast.bytes)
  }

  /** A file behind the flush and the compaction. */
  #exposed(file: CollectibleFile, tree: CompactedTree): CollectibleFile {
    const { blocked, needsSeal: _now, ...figures } = file
    const segments = file.segments.map(({ segment }) => {
      const kept = tree.segments.get(segment)
      return {
        segment,
        referencedRecords: kept?.records ?? 0,
        referencedBytes: kept?.bytes ?? 0,
      }
    })
    const state = this.#engine.version.segments.get(file.number)?.state
    const isLast = file.number === Math.max(...this.#engine.version.segments.keys())
    const exposed: CollectibleFile = {
      ...figures,
      segments,
      referencedRecords: segments.reduce((sum, each) => sum + each.referencedRecords, 0),
      referencedBytes: segments.reduce((sum, each) => sum + each.referencedBytes, 0),
      pinnedBytes: sumOf(tree, file, ({ pinnedBytes }) => pinnedBytes),
      hiddenBytes: 0,
      // Who opens the store for this seals what it finds; in another process the last one is written on.
      needsSeal: state === 'open' && isLast && this.#options.owner !== undefined,
      ...(blocked === 'corrupt' && { blocked }),
    }
    return asAsked(exposed, this.#segments)
  }

  async #rounds(
    files: readonly CollectibleFile[],
    space: Pick<Space, 'diskBytes' | 'liveBytes'>,
    tree: CompactedTree,
  ): Promise<CollectionSteps[]> {
    const rounds: CollectionSteps[] = []
    let present = files
    let { diskBytes } = space
    let copyLeft = this.#wishes.maxCopyBytes
    while (rounds.length < ROUNDS_MAX) {
      const marked = new Map<number, MarkedHoles>()
      const planned = await this.#plan(present, { ...space, diskBytes }, copyLeft, marked, tree)
      rounds.push(planned)
      if (planned.steps.length === 0) break
      present = filesAfter(present, planned.steps, () => this.#lastNumber--)
      diskBytes -= planned.bytesFreed
      if (copyLeft !== undefined) copyLeft = Math.max(0, copyLeft - planned.bytesCopied)
    }
    return rounds
  }

  /** Files that are to be punched are marked, as for any plan, but by what the tree will point to. */
  async #plan(
    files: readonly CollectibleFile[],
    { diskBytes, liveBytes }: Pick<Space, 'diskBytes' | 'liveBytes'>,
    maxCopyBytes: number | undefined,
    marked: Map<number, MarkedHoles>,
    tree: CompactedTree,
  ): Promise<CollectionSteps> {
    const oldest = this.#readable.length > 1 ? { oldestSnapshot: this.#readable[0]! } : {}
    for (;;) {
      const known = files.map((file) => {
        const figures = marked.get(file.number)
        return figures ? { ...file, marked: figures } : file
      })
      const planned = planCollectionSteps(
        known,
        { diskBytes, liveBytes, ...oldest },
        {
          ...this.#planner,
          goalDiskBytes: this.#target * liveBytes,
          ...(maxCopyBytes !== undefined && { maxCopyBytes }),
        },
      )
      const guess = planned.steps.find(
        (step) => step.action === 'punch' && !step.seal && !marked.has(step.file.number),
      )
      if (guess?.action !== 'punch') return planned
      const file = files.find(({ number }) => number === guess.file.number)!
      marked.set(file.number, await this.#mark(file, tree))
    }
  }

  async #mark(file: CollectibleFile, tree: CompactedTree): Promise<MarkedHoles> {
    const kept = file.segments.map(({ segment }) => tree.segments.get(segment))
    const guessed = estimatePunch(file, { ...this.#planner, goalDiskBytes: 0 })
    if (kept.some((records) => records !== undefined && records.places === undefined)) {
      return { holes: guessed?.holes ?? 0, holeBytes: guessed?.bytesFreed ?? 0 }
    }
    const { context } = this.#engine
    const victim: ValueLogFile = valueLogFile(this.#engine, file.number)
    const input = { ...context, files: [victim], minimumHoleBytes: HOLE_BYTES_MIN }
    const steps = markSteps(input, markKept(tree), context)
    const { files } = await inTurns(steps, this.#options.signal)
    const { holeBytes, holes } = files[0]!
    return { holeBytes: Math.max(0, holeBytes - punchedBytes(file)), holes: holes.length / 2 }
  }

  #sumUp(
    now: CollectionPlan,
    tree: CompactedTree,
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

  #isPresent(number: number): boolean {
    return number < this.#engine.version.nextFileNumber
  }
}

function sumOf(
  tree: CompactedTree,
  file: CollectibleFile,
  of: (kept: KeptRecords) => number,
): number {
  return file.segments.reduce((sum, { segment }) => {
    const kept = tree.segments.get(segment)
    return kept ? sum + of(kept) : sum
  }, 0)
}

/** Marks what is kept of the records of a file. */
function markKept(tree: CompactedTree): (records: VictimRecords) => Generator<number, void> {
  return function* mark(records) {
    const record = emptyVictimRecord()
    for (let position = 0; position < records.count; position++) {
      records.loadAt(position, record)
      const { segment, offset, length } = record
      const places = tree.segments.get(segment)?.places
      if (places && holds(places, offset)) records.mark(position, segment, offset, length)
      if (position % 4096 === 4095) yield 0
    }
  }
}

/** @param places ascending */
function holds(places: readonly number[], place: number): boolean {
  let [from, to] = [0, places.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (places[middle]! < place) from = middle + 1
    else to = middle
  }
  return places[from] === place
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
