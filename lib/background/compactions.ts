/**
 * Compactions: runs of the tree are merged, one compaction at a time.
 *
 * A job makes the new tables; one edit swaps inputs for outputs. The tables of its version are pinned meanwhile, so
 * that its inputs stay (I5). After an error none begins until health (lib/engine/health.ts) wakes it; one that found no
 * room is not begun again, to fill the disk up once more, before there is more than it had.
 */
import { linkSignals } from '../base/abort.ts'
import { type DeadRecords, NO_DEAD } from '../base/dead-records.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import type { SegmentNumber } from '../base/ids.ts'
import { Signal } from '../base/signal.ts'
import { emitSafely } from '../contract/events.ts'
import type { JobProgress } from '../jobs/job-progress.ts'
import type { CompactionJob } from '../jobs/messages.ts'
import type { RunOptions } from '../jobs/runner.ts'
import type { CompactionPlan, FullReason, RunPart } from '../tree/compaction/compaction-plan.ts'
import { coveredTables } from '../tree/compaction/covered-tables.ts'
import { type ManualRange, pickCompaction, planFullCompaction } from '../tree/compaction/picker.ts'
import type { TableMeta } from '../tree/entry.ts'
import { LEVEL_0_RUNS_SLOW, type TreeShapeOptions } from '../tree/version/tree-shape.ts'
import { Folding } from './folding.ts'
import { sumTableBytes, type TableJobParts, type TreeWork, type WorkHealth } from './tree-work.ts'

/** What was due when a store was closed begins so long after it was opened again. */
const REST_AFTER_OPEN_MS = 1000

export interface CompactionHealth extends WorkHealth {
  /** Bytes that the disk has for the store, the ballast's included. */
  roomBytes(): number
  /** Why none begins that writes tables, unless the disk has more room by now than it had then. */
  noRoomToCompact(): WiscError | undefined
  /** One has found room, or none is due. */
  foundRoomToCompact(): void
}

export class Compactions {
  readonly #work: TreeWork
  readonly #health: CompactionHealth
  readonly #shape: TreeShapeOptions
  readonly #folding: Folding
  #running: Promise<void> | undefined
  #inputBytes = 0
  /** Those that someone asked for: automatic ones wait. */
  #asked = 0
  #closing = false
  #restTimer: NodeJS.Timeout | undefined
  readonly #cancel: AbortController = new AbortController()
  /** Told when one has ended, or none will begin. */
  readonly ended: Signal = new Signal()

  constructor(work: TreeWork, health: CompactionHealth) {
    const { options } = work.parts.context
    this.#work = work
    this.#folding = new Folding(work.parts)
    this.#health = health
    this.#shape = { ...options.tree, ...options }
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** None will make level 0 shorter for now. A store that closes compacts no more. */
  get areStopped(): boolean {
    if (this.#closing || this.#health.stopped) return true
    return !this.#running && this.#health.noRoomToCompact() !== undefined
  }

  /** Of the tables that are being merged: its output is no larger. */
  get inputBytes(): number {
    return this.#inputBytes
  }

  get level0Runs(): number {
    return this.#work.parts.versions.current.levels[0]?.runs.length ?? 0
  }

  /** Looks for work: there is a new run, or what has failed may be tried again. */
  wake(): void {
    if (this.#running || this.#closing || this.#asked > 0 || this.#health.stopped) return
    if (this.#covered().length > 0 || this.#due()) this.#hold(this.#compactAll())
  }

  /**
   * The same, after an open: what was due before can wait until its caller has come to what it is there for. A job
   * needs a worker, whose start takes the calling thread a sixth of an open. A flush wakes them at once.
   */
  wakeAfterOpen(): void {
    if (this.level0Runs >= LEVEL_0_RUNS_SLOW) this.wake()
    else this.#restTimer = setTimeout(() => this.wake(), REST_AFTER_OPEN_MS).unref()
  }

  /** Nothing else is compacted until this has ended, well or not; then it is seen what is due. */
  #hold(compaction: Promise<void>): void {
    const ended = (): void => {
      this.#running = undefined
      this.#health.workEnded()
      this.ended.tell()
      this.wake()
    }
    this.#running = compaction.then(ended, ended)
  }

  /**
   * Tables that range tombstones cover whole, or of which everything was evicted. The durable order: the tombstones are
   * in tables of the version, and so is the bound of what was evicted, so they are durable (I12); one edit takes the
   * tables out; their files are unlinked when it is durable and no version is pinned that has them (I5). No output:
   * nothing refers to anything new (I4).
   */
  #covered(): RunPart[] {
    const { versions, readers, tree } = this.#work.parts
    const { current } = versions
    const { levels, ranged, evictedBelow } = current
    if (ranged.length === 0 && evictedBelow === 0) return []
    try {
      return coveredTables(levels, tree.tableRanges(current), readers.list()[0]!, evictedBelow)
    } catch {
      // A table that cannot be read: the compaction that needs it will say so.
      return []
    }
  }

  async #dropCovered(parts: readonly RunPart[]): Promise<void> {
    const began = performance.now()
    const tables = parts.flatMap((part) => part.tables)
    await this.#work.publish({ removedTables: tables.map(({ number }) => number) }, NO_DEAD)
    const [top] = parts
    this.#work.counts.compactions++
    emitSafely(this.#work.parts.context.events, 'compaction', {
      reason: 'covered',
      inputLevel: top!.level,
      outputLevel: top!.level,
      inputTables: tables.length,
      inputBytes: sumTableBytes(tables),
      outputTables: 0,
      outputBytes: 0,
      moved: false,
      ms: performance.now() - began,
    })
  }

  /** What should be done, and can be. A table that only moves to another level needs no room. */
  #due(): CompactionPlan | undefined {
    const { versions, readers } = this.#work.parts
    const plan =
      pickCompaction(versions.current.levels, this.#shape, readers.list()[0]!) ??
      this.#folding.due(this.#shape)
    if (plan === undefined) this.#health.foundRoomToCompact()
    return plan?.trivialMove || !this.#health.noRoomToCompact() ? plan : undefined
  }

  async #compactAll(): Promise<void> {
    let roomBytes = 0
    try {
      while (!this.#closing && this.#asked === 0) {
        const covered = this.#covered()
        if (covered.length > 0) {
          await this.#dropCovered(covered)
          continue
        }
        const plan = this.#due()
        if (plan === undefined) return
        roomBytes = this.#health.roomBytes()
        await this.#compact(plan, { signal: this.#cancel.signal })
        this.#health.foundRoomToCompact()
        this.ended.tell()
      }
    } catch (cause) {
      const error = toWiscError(cause)
      // Cancelled, as a rule; but a failed sync is one also while the store closes.
      if (!this.#closing || error.code === 'WISC_SYNC_FAILED')
        this.#health.workFailed(error, roomBytes)
    }
  }

  /**
   * Merges everything in a range to the bottom, after what is running.
   * @throws WISC_ABORTED when the signal fires; then nothing has changed
   */
  async compactRange(
    range: ManualRange,
    reason: FullReason,
    signal: AbortSignal | undefined,
    progress?: JobProgress,
  ): Promise<void> {
    this.#asked++
    try {
      while (this.#running) await this.ended.next({ signal })
      const obstacle = this.#health.stopped ?? this.#health.noRoomToCompact()
      if (obstacle) throw obstacle
      if (this.#closing) throw new WiscError('WISC_NOT_OPEN', 'the store is closed')
      const either = linkSignals(this.#cancel.signal, signal)
      const control = { signal: either.signal, progress }
      const job = this.#compactAsked(range, reason, control).finally(either.unlink)
      this.#hold(job)
      await job
    } catch (cause) {
      const error = toWiscError(cause)
      // The error belongs to this caller, but for a failed sync, which ends the store.
      if (error.code === 'WISC_SYNC_FAILED') this.#health.workFailed(error)
      throw error
    } finally {
      this.#asked--
      // Twice, because whichever of the two ends last has to see what is due.
      this.wake()
    }
  }

  /** What need not be read goes first. */
  async #compactAsked(range: ManualRange, reason: FullReason, control: RunOptions): Promise<void> {
    const covered = this.#covered()
    if (covered.length > 0) await this.#dropCovered(covered)
    const { levels } = this.#work.parts.versions.current
    const plan = planFullCompaction(levels, this.#shape, range, reason)
    if (plan) await this.#compact(plan, control)
  }

  async #compact(plan: CompactionPlan, control: RunOptions): Promise<void> {
    const work = this.#work
    const { versions } = work.parts
    const { runner, options, events } = work.parts.context
    const began = performance.now()
    const inputs = plan.inputs.flatMap((part) => part.tables)
    const removedTables = inputs.map((table) => table.number)
    const runId = plan.outputRunId === 'new' ? versions.fileNumbers.take() : plan.outputRunId
    const publish = (
      tables: readonly TableMeta[],
      removedSegments: readonly SegmentNumber[],
      dead: DeadRecords,
    ): Promise<void> => {
      const addedTables = tables.map((meta) => ({ level: plan.outputLevel, runId, meta }))
      return work.publish({ removedTables, removedSegments, addedTables }, dead)
    }
    let outputs: readonly TableMeta[] = inputs
    const merge = async (base: TableJobParts): Promise<void> => {
      const folding = this.#folding.begin(inputs)
      const pin = versions.pinTables()
      this.#inputBytes = sumTableBytes(inputs)
      try {
        const job: CompactionJob = {
          kind: 'compaction',
          ...base,
          inputs: plan.inputs.map((part) => part.tables),
          olderRanges: plan.olderRanges,
          evictedBelow: pin.version.evictedBelow,
          folds: folding.targets,
          tableOptions: options.tree,
        }
        const result = await runner.run(job, control)
        pin.release()
        outputs = result.tables.map(({ meta }) => meta)
        work.counts.tableBytesWritten += result.bytesWritten
        work.counts.foldedPointers += result.foldedPointers
        this.#folding.leaveAlone(result.unreadable)
        await publish(outputs, folding.forgotten(result.unreadable), result.dead)
      } finally {
        this.#inputBytes = 0
        pin.release()
        folding.end()
      }
    }
    if (plan.trivialMove) await publish(inputs, [], NO_DEAD)
    else await work.makeTables(merge)
    work.counts.compactions++
    emitSafely(events, 'compaction', {
      reason: plan.reason,
      inputLevel: plan.inputLevel,
      outputLevel: plan.outputLevel,
      inputTables: inputs.length,
      inputBytes: sumTableBytes(inputs),
      outputTables: outputs.length,
      outputBytes: sumTableBytes(outputs),
      moved: plan.trivialMove,
      ms: performance.now() - began,
    })
  }

  /** Cancels the one that runs, if any, and begins none; no writer waits for one any more. */
  async stop(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#restTimer)
    this.#cancel.abort()
    this.ended.tell()
    await this.#running
  }
}
