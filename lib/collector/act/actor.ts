/**
 * Carries out the steps of collections, whoever asks for them; counts them, tells of them, and blames what has failed.
 *
 * Jobs make files and holes; here they become edits. Each action has a file that states its durable order: drop.ts
 * (forget, too), punch.ts, rewrite.ts, evict.ts. A step on the active segment seals it first, and has its checkpoint
 * moved past its end (I12).
 */
import { CorruptionError, IoError, isShortage, toWiscError, WiscError } from '../../base/errors.ts'
import { parseFileName } from '../../base/files/file-names.ts'
import type { FileNumber } from '../../base/ids.ts'
import { type CollectedStep, stepNumbers } from '../../contract/collection.ts'
import { type EvictedFiles, emitSafely } from '../../contract/events.ts'
import type { Rewriting, Rewritten } from '../pace/space-budget.ts'
import type { Eviction } from '../plan/eviction.ts'
import { sumOf } from '../plan/moves.ts'
import { type PlanningRules, planningRules } from '../plan/planning-rules.ts'
import { holesMax, type Prices, pricesAfter, UNMEASURED } from '../plan/prices.ts'
import type { CollectorStore, StepControl, StepResult } from './action.ts'
import { drop, forget } from './drop.ts'
import { evict } from './evict.ts'
import { PunchHints, punch } from './punch.ts'
import { rewrite } from './rewrite.ts'
import type { RunningStep } from './running-steps.ts'

export interface StepCounts {
  steps: number
  relocatedBytesWritten: number
  bytesFreed: number
  evicted: EvictedFiles
}

/** Is told what rewrites are going to write, and to give back. */
export interface Budgeted {
  tell(event: Rewriting | Rewritten): void
}

export class Actor {
  readonly #store: CollectorStore
  readonly #budget: Budgeted
  readonly #hints: PunchHints = new PunchHints()
  #punchHoles: boolean
  #prices: Prices = UNMEASURED
  readonly counts: StepCounts = {
    steps: 0,
    relocatedBytesWritten: 0,
    bytesFreed: 0,
    evicted: { segments: 0, streams: 0, bytes: 0 },
  }

  constructor(store: CollectorStore, budget: Budgeted) {
    this.#store = store
    this.#budget = budget
    this.#punchHoles = store.context.options.collector.punchHoles
  }

  /** What plans that somebody asks for go by: the same for all who look at the same files. */
  askedRules(targetSpaceAmplification: number): PlanningRules {
    return this.#rules(targetSpaceAmplification, UNMEASURED)
  }

  /** What the collector itself goes by, for ever: what holes and copies have cost here, and how old files are. */
  ownRules(targetSpaceAmplification: number): PlanningRules {
    const { nextFileNumber } = this.#store.versions.current
    return { ...this.#rules(targetSpaceAmplification, this.#prices), nextFileNumber }
  }

  #rules(targetSpaceAmplification: number, prices: Prices): PlanningRules {
    const { context, versions } = this.#store
    const { segmentBytes, collector } = context.options
    const settings = { segmentBytes, prefer: collector.prefer, punchHoles: this.#punchHoles }
    return planningRules(settings, versions.current, targetSpaceAmplification, prices)
  }

  /**
   * @throws WISC_ABORTED, WISC_STALE; CorruptionError for a record that fails its check, after which nothing has
   *   changed; IoError
   */
  async execute(running: RunningStep, control: StepControl): Promise<CollectedStep> {
    const { step, reason } = running
    const began = performance.now()
    // Somebody's wish is no trial.
    const most = reason === 'space' ? { holesMax: holesMax(this.#prices) } : {}
    const result = await this.#withinBudget(running, { ...control, ...most }).catch(
      (error: unknown) => {
        // Whoever asked for the step: nothing more may become durable.
        if (toWiscError(error).code === 'WISC_SYNC_FAILED')
          this.#store.health.end(toWiscError(error))
        throw error
      },
    )
    const ms = performance.now() - began
    if (result.holesRefused) this.#punchHoles = false
    const { priced, bytesFreed, bytesCopied, bytesWritten } = result
    this.#prices = pricesAfter(this.#prices, { ...priced, bytesCopied })
    this.counts.steps++
    this.counts.relocatedBytesWritten += result.bytesWritten
    this.counts.bytesFreed += result.bytesFreed
    const files = stepNumbers(step)
    const done = { action: step.action, files, bytesFreed, bytesCopied, bytesWritten, ms }
    emitSafely(this.#store.context.events, 'collection', { reason, ...done })
    return done
  }

  /** Gives up the oldest files of a cache. @throws WISC_ABORTED, WISC_STALE, IoError */
  async evict(eviction: Eviction, signal: AbortSignal): Promise<void> {
    const began = performance.now()
    const evicted = await evict(eviction, this.#store, signal)
    const { counts } = this
    counts.evicted = {
      segments: counts.evicted.segments + evicted.segments,
      streams: counts.evicted.streams + evicted.streams,
      bytes: counts.evicted.bytes + evicted.bytes,
    }
    const ms = performance.now() - began
    const belowSequence = eviction.below
    emitSafely(this.#store.context.events, 'evicted', { ...evicted, belowSequence, ms })
  }

  /** The output of a rewrite is taken from the budget of space before it is written. */
  async #withinBudget(running: RunningStep, control: StepControl): Promise<StepResult> {
    const { step } = running
    if (step.action !== 'rewrite') return this.#act(running, control)
    let result: StepResult | undefined
    const returningBytes = sumOf(step.files, ({ diskBytes }) => diskBytes)
    this.#budget.tell({ kind: 'rewriting', bytes: step.outputBytes, returningBytes })
    try {
      result = await this.#act(running, control)
      return result
    } finally {
      const unusedBytes = step.outputBytes - (result?.bytesWritten ?? 0)
      const hasFailed = result === undefined
      this.#budget.tell({ kind: 'rewritten', unusedBytes, returningBytes, hasFailed })
    }
  }

  async #act(running: RunningStep, control: StepControl): Promise<StepResult> {
    const store = this.#store
    const { step } = running
    if (control.signal.aborted) throw new WiscError('WISC_ABORTED', 'collection was cancelled')
    if (step.action === 'forget') return forget(step.segments, store)
    if (step.seal) {
      await store.log.seal()
      // The checkpoint passes the end of the segment: its last frames may be markers, which are in no memtable.
      await store.flushes.flushWritten()
    }
    if (step.action === 'drop') return drop(step.files, store)
    if (step.action === 'punch') return punch(step, store, this.#hints, control)
    return rewrite(step, store, control, running)
  }

  /**
   * A step on these files has failed. Those that cannot be read are left alone from now on; all that they hold stays
   * readable.
   * @returns whether it is of files that cannot be read
   */
  blame(numbers: readonly FileNumber[], error: WiscError): boolean {
    const name = unreadableFile(error)
    if (name === undefined) return false
    const named = parseFileName(name)
    const blamed = numbers.filter((number) => number === named?.number && named.kind === 'segment')
    // A table that cannot be read keeps all from being marked that it may point to.
    for (const number of blamed.length > 0 ? blamed : numbers) this.#store.space.noteCorrupt(number)
    const message = `collection has stopped at a file that cannot be read: ${error.message}`
    emitSafely(this.#store.context.events, 'warning', message)
    return true
  }
}

/** The file that an error is about, if it is one of reading. */
export function unreadableFile(error: WiscError): string | undefined {
  if (error instanceof CorruptionError) return error.file
  const isRead = error instanceof IoError && error.operation === 'read' && !isShortage(error)
  return isRead ? error.path.slice(error.path.lastIndexOf('/') + 1) : undefined
}
