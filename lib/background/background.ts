/**
 * Background work: flushes and compactions, one of each at a time. Jobs make files; here they become edits.
 *
 * The durable order of a flush: the job writes and syncs tables while the log is synced up to the end of the memtable;
 * only when both are done one edit publishes the tables and moves the checkpoint (I3, I4). Memtables are
 * flushed oldest first, so the checkpoint never passes a record that is in no table.
 * A compaction pins its version, so that its inputs stay; its edit swaps inputs for outputs in one step.
 * After an error everything stands until `tryAgain`: a job that failed is made anew, with new files.
 */
import { linkSignals } from '../base/abort.ts'
import { IoError, mayPass, toWiscError, WiscError } from '../base/errors.ts'
import { Signal } from '../base/signal.ts'
import { emitSafely } from '../contract/events.ts'
import type { CompactionJob, FlushJob, TableJob, TableJobResult } from '../jobs/messages.ts'
import type { FrozenTable } from '../state/memtables.ts'
import {
  type CompactionPlan,
  type ManualRange,
  pickCompaction,
  planFullCompaction,
} from '../tree/compaction/picker.ts'
import type { TableMeta } from '../tree/entry.ts'
import { LEVEL_0_RUNS_SLOW, LEVEL_0_RUNS_STOP } from '../tree/version/tree-shape.ts'
import type { VersionEdit } from '../tree/version/version-edit.ts'
import type { BackgroundParts } from './background-parts.ts'

/** A writer's wait for each level-0 run above the slow limit. */
const SLOW_MS_PER_RUN = 1
/** A compaction that found no room is tried again when there is so much more. */
const MORE_ROOM_BYTES = 1024 * 1024

export interface BackgroundCounts {
  flushes: number
  compactions: number
  tableBytesWritten: number
}

export class Background {
  readonly #parts: BackgroundParts
  #flushing: Promise<void> | undefined
  #compacting: Promise<void> | undefined
  /** A compaction that someone asked for: automatic ones wait. */
  #manual = 0
  #error: WiscError | undefined
  /** What stopped it before, while it tries again. */
  #former: WiscError | undefined
  #closing = false
  readonly #cancelCompaction: AbortController = new AbortController()
  /** What an automatic compaction had that found no room. */
  #noRoom: { readonly bytes: number; readonly error: WiscError } | undefined
  /** Told when a flush has ended, or work has stopped. */
  readonly flushed: Signal = new Signal()
  /** Told when a compaction has ended, or there will be none. */
  readonly #compacted: Signal = new Signal()
  readonly counts: BackgroundCounts = { flushes: 0, compactions: 0, tableBytesWritten: 0 }

  constructor(parts: BackgroundParts) {
    this.#parts = parts
  }

  /** The error that stopped background work; it stays to be seen until something has succeeded again. */
  get error(): WiscError | undefined {
    return this.#error ?? this.#former
  }

  /** The error that stopped flushes, unless they are tried again. That a compaction waits for room is none. */
  get stopped(): WiscError | undefined {
    return this.#error === this.#noRoom?.error ? undefined : this.#error
  }

  /** A flush runs. */
  get isFlushing(): boolean {
    return this.#flushing !== undefined
  }

  /** A compaction runs. */
  get isCompacting(): boolean {
    return this.#compacting !== undefined
  }

  /** Looks for work. Call it when a memtable was frozen, and once after the open. */
  wake(): void {
    if (this.stopped) return
    if (!this.#flushing && this.#parts.memtables.oldestFrozen) {
      this.#flushing = this.#flushFrozen().finally(() => {
        this.#flushing = undefined
        this.#attemptEnded()
        this.flushed.tell()
        // What was frozen while the loop was ending.
        this.wake()
      })
    }
    this.#compactSoon()
  }

  /** Resolves when no memtable is frozen any more. @throws what stopped the flush */
  async flushAll(): Promise<void> {
    while (this.#parts.memtables.oldestFrozen) {
      if (this.stopped) throw this.stopped
      this.wake()
      await this.#flushing
    }
  }

  /** What a writer should wait for: level 0 has too many runs. */
  pace(): Promise<void> | undefined {
    const runs = this.#level0Runs()
    // A store that closes compacts no more: its last writers must not wait for it.
    if (runs < LEVEL_0_RUNS_SLOW || this.#error || this.#closing) return undefined
    if (runs >= LEVEL_0_RUNS_STOP) {
      this.#compactSoon()
      return this.#level0HasRoom()
    }
    if (this.#paced) {
      this.#paced = false
      return undefined
    }
    this.#paced = true
    const delay = (runs - LEVEL_0_RUNS_SLOW + 1) * SLOW_MS_PER_RUN
    return new Promise((resolve) => setTimeout(resolve, delay))
  }

  /** The group that comes next has waited already. */
  #paced = false

  async #level0HasRoom(): Promise<void> {
    while (!this.#error && !this.#closing && this.#level0Runs() >= LEVEL_0_RUNS_STOP)
      await this.#compacted.next()
  }

  #level0Runs(): number {
    return this.#parts.versions.current.levels[0]?.runs.length ?? 0
  }

  async #flushFrozen(): Promise<void> {
    try {
      for (;;) {
        const table = this.#parts.memtables.oldestFrozen
        if (!table) return
        await this.#flush(table)
        this.flushed.tell()
        this.#compactSoon()
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  async #flush(table: FrozenTable): Promise<void> {
    const { memtables, log, runner, tableOptions, events } = this.#parts
    const began = performance.now()
    let tables: TableJobResult['tables'] = []
    if (table.memtable.entries > 0) {
      runner.shareArena(table.frozen.arenaId, memtables.arenaBuffer(table.frozen.arenaId))
      const job: FlushJob = {
        kind: 'flush',
        ...this.#jobBase(),
        memtable: table.frozen,
        tableOptions,
      }
      const [result] = await Promise.all([runner.run(job), log.syncTo(table.end)])
      tables = result.tables
      this.counts.tableBytesWritten += result.bytesWritten
    } else await log.syncTo(table.end)
    const runId = tables[0]?.meta.number ?? 0
    await this.#publish({
      checkpoint: table.end,
      durable: log.durable,
      lastSequence: table.frozen.largestSequence,
      addedTables: tables.map(({ meta }) => ({ level: 0, runId, meta })),
    })
    const arenaId = memtables.dropOldest()
    if (arenaId !== undefined) runner.forgetArena(arenaId)
    this.counts.flushes++
    emitSafely(events, 'flush', {
      tables: tables.length,
      bytes: sumBytes(tables.map(({ meta }) => meta)),
      ms: performance.now() - began,
    })
  }

  /** Makes an edit durable. If it is refused, its new tables go as soon as no crash can bring it back. */
  async #publish(edit: VersionEdit): Promise<void> {
    const { versions } = this.#parts
    try {
      await versions.apply(edit)
      this.#former = undefined
    } catch (error) {
      const kept = new Set(edit.removedTables)
      for (const { meta } of edit.addedTables ?? []) {
        // A table that was only to be moved is still in its old place.
        if (!kept.has(meta.number)) versions.discard({ kind: 'table', number: meta.number })
      }
      throw error
    }
  }

  #jobBase(): Omit<TableJob, 'kind' | 'memtable' | 'inputs' | 'olderRanges'> {
    const { directory, databaseId, versions, readable, tableOptions } = this.#parts
    return {
      directory,
      databaseId,
      fileNumbers: versions.fileNumbers.memory,
      readableSequences: readable(),
      tableOptions,
    }
  }

  #compactSoon(): void {
    if (this.#compacting || this.#error || this.#closing || this.#manual > 0) return
    if (!this.#pick()) return
    this.#hold(this.#compactAll())
  }

  /** Nothing else is compacted until this has ended, well or not; then it is seen what is due. */
  #hold(compaction: Promise<void>): void {
    const ended = (): void => {
      this.#compacting = undefined
      this.#attemptEnded()
      this.#compacted.tell()
      this.wake()
    }
    this.#compacting = compaction.then(ended, ended)
  }

  #pick(): CompactionPlan | undefined {
    const { versions, shape } = this.#parts
    return pickCompaction(versions.current.levels, shape, this.#parts.readable()[0]!)
  }

  async #compactAll(): Promise<void> {
    try {
      while (!this.#closing && this.#manual === 0) {
        const plan = this.#pick()
        if (!plan) return
        await this.#compactWithin(plan)
        this.#compacted.tell()
      }
    } catch (error) {
      // Cancelled, as a rule; but a failed sync is one also while the store closes.
      if (!this.#closing || toWiscError(error).code === 'WISC_SYNC_FAILED') this.#fail(error)
    }
  }

  /**
   * Merges everything in a range to the bottom, after what is running.
   * @throws WISC_ABORTED when the signal fires; then nothing has changed
   */
  async compactRange(range: ManualRange, signal: AbortSignal | undefined): Promise<void> {
    this.#manual++
    try {
      while (this.#compacting) await this.#compacting
      if (this.#error) throw this.#error
      if (this.#closing) throw new WiscError('WISC_NOT_OPEN', 'the store is closed')
      const { versions, shape } = this.#parts
      const plan = planFullCompaction(versions.current.levels, shape, range)
      if (!plan) return
      const either = linkSignals(this.#cancelCompaction.signal, signal)
      const job = this.#compact(plan, either.signal).finally(either.unlink)
      this.#hold(job)
      await job
    } catch (error) {
      // The error belongs to this caller, but for a failed sync, which ends the store.
      if (toWiscError(error).code === 'WISC_SYNC_FAILED') this.#fail(error)
      throw error
    } finally {
      this.#manual--
      // Twice, because whichever of the two ends last has to see what is due.
      this.#compactSoon()
    }
  }

  /** One that found no room is not begun again, to fill the disk up once more, before there is more than it had. */
  async #compactWithin(plan: CompactionPlan): Promise<void> {
    const room = this.#parts.roomBytes()
    if (this.#noRoom && !plan.trivialMove && room < this.#noRoom.bytes + MORE_ROOM_BYTES) {
      throw this.#noRoom.error
    }
    try {
      await this.#compact(plan, this.#cancelCompaction.signal)
      this.#noRoom = undefined
    } catch (cause) {
      const error = toWiscError(cause)
      if (error.code === 'WISC_DISK_FULL') this.#noRoom = { bytes: room, error }
      throw error
    }
  }

  async #compact(plan: CompactionPlan, signal: AbortSignal): Promise<void> {
    const { versions, runner, tableOptions, events } = this.#parts
    const began = performance.now()
    const inputs = plan.inputs.flatMap((part) => part.tables)
    const removedTables = inputs.map((table) => table.number)
    const runId = plan.outputRunId === 'new' ? versions.fileNumbers.take() : plan.outputRunId
    let outputs: readonly TableMeta[] = inputs
    if (!plan.trivialMove) {
      const pin = versions.pinTables()
      try {
        const job: CompactionJob = {
          kind: 'compaction',
          ...this.#jobBase(),
          inputs: plan.inputs.map((part) => part.tables),
          olderRanges: plan.olderRanges,
          tableOptions,
        }
        const result = await runner.run(job, { signal })
        outputs = result.tables.map(({ meta }) => meta)
        this.counts.tableBytesWritten += result.bytesWritten
      } finally {
        pin.release()
      }
    }
    await this.#publish({
      removedTables,
      addedTables: outputs.map((meta) => ({ level: plan.outputLevel, runId, meta })),
    })
    this.counts.compactions++
    emitSafely(events, 'compaction', {
      reason: plan.reason,
      inputLevel: plan.inputLevel,
      outputLevel: plan.outputLevel,
      inputTables: inputs.length,
      inputBytes: sumBytes(inputs),
      outputTables: outputs.length,
      outputBytes: sumBytes(outputs),
      moved: plan.trivialMove,
      ms: performance.now() - began,
    })
  }

  /** Cancels the compaction that runs, if any, and starts none; no writer waits for one any more. Flushes go on. */
  async stopCompactions(): Promise<void> {
    this.#closing = true
    this.#cancelCompaction.abort()
    this.#compacted.tell()
    while (this.#compacting) await this.#compacting
  }

  /** Begins anew what an error has stopped that may pass; after any other it does nothing. */
  tryAgain(): void {
    if (!this.#error || !mayPass(this.#error)) return
    this.#former = this.#error
    this.#error = undefined
    this.wake()
    this.#attemptEnded()
  }

  /** With nothing left to do, nothing can fail again. */
  #attemptEnded(): void {
    if (!this.#flushing && !this.#compacting) this.#former = undefined
  }

  #fail(cause: unknown): void {
    const error = toWiscError(cause)
    const before = this.error
    this.#error = error
    this.#former = undefined
    this.flushed.tell()
    this.#compacted.tell()
    this.#parts.failed(error, before === undefined || !isSameKind(before, error))
  }
}

/** Whoever was told of the one need not be told of the other. */
function isSameKind(left: WiscError, right: WiscError): boolean {
  const errno = (error: WiscError) => (error instanceof IoError ? error.errno : undefined)
  return left.code === right.code && errno(left) === errno(right)
}

function sumBytes(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, table) => sum + table.bytes, 0)
}
