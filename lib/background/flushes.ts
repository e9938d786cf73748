/**
 * Flushes: frozen memtables become tables of level 0, one at a time, oldest first.
 *
 * The durable order: the job writes and syncs tables while the log is synced up to the end of the memtable; only when
 * both are done one edit publishes the tables and moves the checkpoint (I3, I4). Oldest first, the checkpoint never
 * passes a record that is in no table. After an error nothing is flushed until health (lib/engine/health.ts) wakes it:
 * a job that failed is made anew, with new files.
 */
import type { Log } from '../../vlog/log/log.ts'
import { NO_DEAD } from '../base/dead-records.ts'
import { toWiscError } from '../base/errors.ts'
import { compareLogPositions } from '../base/log-position.ts'
import { Signal } from '../base/signal.ts'
import { emitSafely } from '../contract/events.ts'
import type { FlushJob, TableJobResult } from '../jobs/messages.ts'
import type { Memtables, WaitingMemtable } from '../state/memtables.ts'
import { sumTableBytes, type TableJobParts, type TreeWork, type WorkHealth } from './tree-work.ts'

export interface FlushHealth extends WorkHealth {
  /** Somebody asks for what has failed: it is tried again. */
  tryNow(): Promise<void>
  /** Does once more with the ballast's room what has found the disk full. */
  withBallast<T>(work: () => Promise<T>): Promise<T>
}

export interface FlushParts {
  readonly work: TreeWork
  readonly memtables: Memtables
  readonly log: Log
  readonly health: FlushHealth
  /** A new run of level 0 may be one too many. */
  readonly compactions: { wake(): void }
}

export class Flushes {
  readonly #parts: FlushParts
  #running: Promise<void> | undefined
  /** Told when a memtable has been flushed, or none will be: an arena may be free. */
  readonly ended: Signal = new Signal()

  constructor(parts: FlushParts) {
    this.#parts = parts
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Looks for work: a memtable was frozen, or what has failed may be tried again. */
  wake(): void {
    const { memtables, health } = this.#parts
    if (this.#running || health.stopped || !memtables.oldestFrozen) return
    this.#running = this.#flushAll().finally(() => {
      this.#running = undefined
      health.workEnded()
      this.ended.tell()
      // What was frozen while the loop was ending.
      this.wake()
    })
  }

  /** Resolves when no memtable is frozen any more. @throws what stopped the flush */
  async flushFrozen(): Promise<void> {
    const { memtables, health } = this.#parts
    while (memtables.oldestFrozen) {
      if (health.stopped) throw health.stopped
      this.wake()
      await this.#running
    }
  }

  /** Resolves when all that is written is in tables. It waits for no writer: these may wait for whoever calls this. */
  async flushWritten(): Promise<void> {
    const { health } = this.#parts
    await health.withBallast(async () => {
      await health.tryNow()
      await this.#freeze()
      await this.flushFrozen()
    })
  }

  /** Flushes the active memtable before it is full, unless it is being written to. @returns whether a flush will end */
  flushEarly(): boolean {
    const { memtables, log, health } = this.#parts
    const isFree = !memtables.writing && !memtables.active.isEmpty
    if (isFree && memtables.freeze(log.end, 0)) this.wake()
    return health.stopped === undefined && memtables.oldestFrozen !== undefined
  }

  async #freeze(): Promise<void> {
    const { memtables, log, health } = this.#parts
    for (;;) {
      while (memtables.writing) await memtables.writing
      if (this.#isFrozen() || memtables.freeze(log.end, 0)) return
      if (health.stopped) throw health.stopped
      this.wake()
      await this.ended.next()
    }
  }

  /** True if the active memtable is empty, and no marker frame lies behind the checkpoint either. */
  #isFrozen(): boolean {
    const { memtables, log, work } = this.#parts
    if (!memtables.active.isEmpty) return false
    const end = memtables.newestFrozen?.end ?? work.parts.versions.current.checkpoint
    return compareLogPositions(log.end, end) <= 0
  }

  async #flushAll(): Promise<void> {
    const { memtables, health, compactions } = this.#parts
    try {
      for (;;) {
        const table = memtables.oldestFrozen
        if (!table) return
        // A delete may wait for it, which must not be told of a disk that is only now found to be full.
        await health.withBallast(() => this.#flush(table))
        this.ended.tell()
        compactions.wake()
      }
    } catch (error) {
      health.workFailed(toWiscError(error))
    }
  }

  #flush(table: WaitingMemtable): Promise<void> {
    return this.#parts.work.makeTables((base) => this.#flushTo(table, base))
  }

  async #flushTo(table: WaitingMemtable, base: TableJobParts): Promise<void> {
    const { memtables, log, work } = this.#parts
    const { runner, options, events } = work.parts.context
    const began = performance.now()
    let tables: TableJobResult['tables'] = []
    let dead = NO_DEAD
    if (!table.memtable.isEmpty) {
      runner.shareArena(table.frozen.arenaId, memtables.arenaBuffer(table.frozen.arenaId))
      const job: FlushJob = {
        kind: 'flush',
        ...base,
        memtable: table.frozen,
        tableOptions: options.tree,
      }
      const [result] = await Promise.all([runner.run(job), log.syncTo(table.end)])
      tables = result.tables
      dead = result.dead
      work.counts.tableBytesWritten += result.bytesWritten
    } else await log.syncTo(table.end)
    const runId = tables[0]?.meta.number ?? 0
    const edit = {
      checkpoint: table.end,
      durable: log.durable,
      lastSequence: table.frozen.largestSequence,
      addedTables: tables.map(({ meta }) => ({ level: 0, runId, meta })),
    }
    await work.publish(edit, dead)
    const arenaId = memtables.dropOldest()
    if (arenaId !== undefined) runner.forgetArena(arenaId)
    work.counts.flushes++
    emitSafely(events, 'flush', {
      tables: tables.length,
      bytes: sumTableBytes(tables.map(({ meta }) => meta)),
      ms: performance.now() - began,
    })
  }
}
