/**
 * The engine of a writable store: owns every mutable part and lets them meet.
 *
 *   commit queue -> log -> memtables -> (frozen) background: flush -> tables, version
 *                    |                                       compaction -> tables, version
 *                    v
 *                 version set (manifest): segments, tables, checkpoint
 *
 * All of it lives on one thread; jobs in workers get immutable inputs and give back new files. `start` follows the
 * order that recover.ts writes down, `close` the reverse: writers, memtables, log, manifest, files.
 */
import type { EventEmitter } from 'node:events'
import { Log } from '../vlog/log.ts'
import type { LogContext } from '../vlog/recovery.ts'
import { ValueReader } from '../vlog/value-reader.ts'
import { Background } from './background.ts'
import { Ballast } from './ballast.ts'
import { BlockCache } from './base/block-cache.ts'
import { toWiscError, type WiscError } from './base/errors.ts'
import { joinPath, manifestName, segmentName, tableName } from './base/file-names.ts'
import type { FileSystem } from './base/file-system.ts'
import { compareLogPositions, type LogPosition } from './base/log-position.ts'
import type { Random } from './base/random.ts'
import { CommitQueue } from './commit.ts'
import { DiskSpace } from './disk-space.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { emitSafely } from './events.ts'
import type { JobRunner } from './jobs/runner.ts'
import { Memtables } from './memtables.ts'
import type { ResolvedOptions } from './options.ts'
import { ReadableSequences } from './readable-sequences.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { type RecoveredLog, type RecoveryReport, removeOrphans } from './recover.ts'
import { replayLog } from './replay.ts'
import { TableCache } from './tables.ts'
import { unlinkIfPossible } from './tree/unlink.ts'
import type { Version } from './tree/version.ts'
import type { VersionSet } from './tree/version-set.ts'
import { type ReadState, readState, TreeReader } from './tree-reader.ts'

export interface EngineContext extends LogContext {
  readonly fileSystem: FileSystem
  readonly random: Random
  readonly options: ResolvedOptions
  readonly events: EventEmitter
  readonly runner: JobRunner
}

export class Engine implements ReadingEngine {
  readonly context: EngineContext
  readonly versions: VersionSet
  readonly memtables: Memtables
  readonly log: Log
  readonly commit: CommitQueue
  readonly background: Background
  readonly values: ValueReader
  readonly tables: TableCache
  readonly cache: BlockCache
  readonly tree: TreeReader
  readonly readers: ReadableSequences = new ReadableSequences()
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly ballast: Ballast
  readonly recovery: RecoveryReport
  readonly #space: DiskSpace
  #state: ReadState | undefined
  #stateEpoch = -1
  #failure: WiscError | undefined
  #syncTimer: NodeJS.Timeout | undefined

  private constructor(
    context: EngineContext,
    versions: VersionSet,
    log: Log,
    values: ValueReader,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ) {
    const { fileSystem, directory, databaseId, options, events, runner } = context
    this.context = context
    this.versions = versions
    this.log = log
    this.values = values
    this.recovery = recovery
    this.memtables = new Memtables(options.memtableBytes, versions.current.checkpoint)
    this.cache = new BlockCache(options.blockCacheBytes)
    this.tables = new TableCache(
      () => context,
      options.maxOpenFiles,
      () => versions.current,
    )
    this.tree = new TreeReader(() => this.#readState(), this.tables, this.cache)
    this.ballast = new Ballast(context, options.segmentBytes)
    this.#space = new DiskSpace({
      fileSystem,
      directory,
      ballast: this.ballast,
      resume: () => this.#resume(),
    })
    this.background = new Background({
      directory,
      databaseId,
      versions,
      memtables: this.memtables,
      log,
      runner,
      shape: { ...options.tree, ...options },
      tableOptions: options.tree,
      valueThreshold: options.valueThreshold,
      readable: () => this.readers.list(this.commit.lastSequence),
      events,
      failed: (error) => this.#backgroundFailed(error),
    })
    this.commit = new CommitQueue({
      ...options,
      log,
      memtables: this.memtables,
      turn: this.turn,
      lastSequence: recovered.lastSequence,
      nextSequence: recovered.nextSequence,
      refusal: (deletesOnly) => this.#refusal(deletesOnly),
      pace: () => this.background.pace(),
      frozen: () => this.background.wake(),
      flushed: () => this.background.flushed(),
      stuck: () => this.background.error,
      stalled: (ms) => emitSafely(events, 'stall', { ms }),
      writeFailed: (error) => this.#writeFailed(error),
    })
    versions.onObsolete(({ kind, number }) => this.#unlink(kind, number))
  }

  /** Starts on a recovered version set: opens the log behind its end and replays what is in no table. */
  static async start(
    context: EngineContext,
    versions: VersionSet,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ): Promise<Engine> {
    const { options } = context
    removeOrphans(context, versions.current)
    const values = new ValueReader(context, Math.max(8, options.maxOpenFiles >> 1))
    let engine: Engine | undefined
    const log = await Log.open({
      ...context,
      segmentBytes: options.segmentBytes,
      end: recovered.end,
      edits: {
        allocateFileNumber: () => versions.allocateFileNumber(),
        addSegment: (segment) => versions.apply({ addedSegments: [segment] }),
        sealSegment: (seal, durable) =>
          versions.apply({ sealedSegments: [seal], durable, lastSequence: seal.lastSequence }),
        dropSegment: (number) => versions.apply({ removedSegments: [number] }),
        durableEdit: () => versions.durableEdit,
      },
      lastSequence: recovered.lastSequence,
      failed: (error) => engine?.fail(error),
      troubled: (error) => engine?.logTroubled(error),
      opened: (number, file) => values.adopt(number, file),
      released: (number) => values.release(number),
    })
    try {
      engine = new Engine(context, versions, log, values, recovered, recovery)
      await engine.#begin(recovered)
      return engine
    } catch (error) {
      await log.abandon()
      engine?.tables.closeAll()
      values.close()
      throw error
    }
  }

  /** Replays what is in no table, then lets background work begin. */
  async #begin(recovered: RecoveredLog): Promise<void> {
    const { options } = this
    const replay = replayLog(this.context, this.versions.current, recovered.end, {
      memtables: this.memtables,
      valueThreshold: options.valueThreshold,
      share: options.maxUnflushedLogBytes / 4,
      report: this.recovery,
    })
    try {
      while (!replay.next().done) await this.background.flushAll()
    } finally {
      replay.return(undefined)
    }
    this.background.wake()
    this.#startSyncTimer()
    void this.#space.growBallast()
  }

  /** What a reader sees now. The same object as long as nothing has changed. */
  #readState(): ReadState {
    const version = this.versions.current
    const { epoch } = this.memtables
    if (
      this.#state === undefined ||
      this.#state.version !== version ||
      this.#stateEpoch !== epoch
    ) {
      // Between the edit of a flush and the end of its memtable, only the tables count.
      this.#state = readState(this.memtables.list(version.checkpoint), version)
      this.#stateEpoch = epoch
    }
    return this.#state
  }

  get options(): ResolvedOptions {
    return this.context.options
  }

  get events(): EventEmitter {
    return this.context.events
  }

  get version(): Version {
    return this.versions.current
  }

  get durableSequence(): number {
    return this.log.durableSequence
  }

  writtenEnd(segment: number): number {
    return this.log.writtenEnd(segment)
  }

  /** A writer's own files do not change under it: what failed is reported. */
  restart(error: unknown): never {
    throw error
  }

  viewFailure(error: unknown): WiscError {
    return toWiscError(error)
  }

  /**
   * The newest sequence that may be read. After a failed sync that is the durable one: the page cache may hold
   * what the disk has not.
   */
  get visibleSequence(): number {
    return this.#failure ? this.log.durableSequence : this.commit.lastSequence
  }

  /** @throws WISC_SYNC_FAILED for a sequence that a failed sync has put out of reach */
  checkReadable(sequence: number): void {
    if (this.#failure && sequence > this.log.durableSequence) throw this.#failure
  }

  /** A sync has failed: nothing is written, synced, edited or unlinked again. */
  fail(error: WiscError): void {
    if (this.#failure) return
    this.#failure = error
    this.versions.poison(error)
    this.log.fail(error)
    this.#emitError(error)
  }

  /** What stopped writes or background work, if anything did. */
  get error(): WiscError | undefined {
    return this.#failure ?? this.background.error ?? this.#space.error
  }

  #backgroundFailed(error: WiscError): void {
    if (error.code === 'WISC_SYNC_FAILED') {
      this.fail(error)
      return
    }
    this.#space.noteFailure(error)
    this.#emitError(error)
  }

  /** An edit of the log could not be written. */
  logTroubled(error: WiscError): void {
    this.#space.noteFailure(error)
  }

  /** On a full disk everything waits for space; after any other failed write the log may be able to go on at once. */
  #writeFailed(error: WiscError): void {
    this.#space.noteFailure(error)
    if (!this.#space.error) void this.log.retry()
  }

  #emitError(error: WiscError): void {
    const { events } = this.context
    if (events.listenerCount('error') > 0) emitSafely(events, 'error', error)
  }

  #refusal(deletesOnly: boolean): WiscError | undefined {
    if (this.#failure) return this.#failure
    const full = this.#space.refusal(deletesOnly)
    if (full) return full
    const error = this.background.error
    return error && error.code !== 'WISC_DISK_FULL' ? error : undefined
  }

  /** There is space again: what stopped for want of it goes on. */
  async #resume(): Promise<void> {
    await this.log.retry()
    if (this.log.failure) throw this.log.failure
    this.background.resume()
  }

  #startSyncTimer(): void {
    const { syncIntervalMs } = this.context.options
    if (syncIntervalMs === undefined) return
    this.#syncTimer = setInterval(() => {
      // A failed sync reaches every writer through `fail`.
      this.log.sync().catch((error: unknown) => {
        if (toWiscError(error).code !== 'WISC_NOT_OPEN') this.fail(toWiscError(error))
      })
    }, syncIntervalMs)
    this.#syncTimer.unref()
  }

  #unlink(kind: 'table' | 'segment' | 'manifest', number: number): void {
    const { fileSystem, directory } = this.context
    if (kind === 'table') this.tables.drop(number)
    if (kind === 'segment') this.values.drop(number)
    const names = { table: tableName, segment: segmentName, manifest: manifestName }
    if (!unlinkIfPossible(fileSystem, joinPath(directory, names[kind](number)))) {
      const message = `an obsolete file could not be removed: ${names[kind](number)}`
      emitSafely(this.events, 'warning', message)
    }
  }

  /** Freezes the active memtable and waits until everything is in tables. */
  async flush(): Promise<void> {
    await this.commit.drain()
    await this.#freeze()
    await this.background.flushAll()
    void this.#space.growBallast()
  }

  async #freeze(): Promise<void> {
    for (;;) {
      while (this.commit.writing) await this.commit.writing
      if (this.#failure) throw this.#failure
      if (this.memtables.active.entries === 0 || this.memtables.freeze(this.log.end, 0)) return
      if (this.error) throw this.error
      this.background.wake()
      await this.background.flushed()
    }
  }

  /**
   * Closes in order: everything acknowledged is durable then, and the next open replays nothing. After a failed
   * sync, or when the disk is too full for an orderly close, it leaves out what needs the disk.
   */
  async close(): Promise<void> {
    clearInterval(this.#syncTimer)
    await this.background.stopCompactions()
    await this.commit.drain()
    // After a failed sync `close` cannot keep its promise either, and says so when everything is released.
    let failure = this.#failure
    try {
      if (!this.#failure) await this.#closeInOrder()
    } catch (error) {
      failure = await this.#closeWithoutRoom(toWiscError(error))
    }
    await this.log.abandon()
    await this.ballast.close()
    await this.context.runner.close()
    await this.versions.close()
    this.tables.closeAll()
    this.values.close()
    if (failure !== undefined) throw failure
  }

  /** On a full disk the log alone is synced, which needs no space. @returns what is to be reported */
  async #closeWithoutRoom(error: WiscError): Promise<WiscError | undefined> {
    if (error.code !== 'WISC_DISK_FULL') return error
    try {
      await this.log.sync()
      return undefined
    } catch (failure) {
      return toWiscError(failure)
    }
  }

  async #closeInOrder(): Promise<void> {
    await this.flush()
    const end: LogPosition = await this.log.close()
    const durable = this.log.durable
    const whole = compareLogPositions(durable, end) >= 0
    await this.versions.apply({
      checkpoint: end,
      durable: end,
      lastSequence: this.commit.nextSequence - 1,
      ...(whole && { cleanEnd: end }),
    })
  }
}
