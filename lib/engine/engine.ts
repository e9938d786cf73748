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
import { Log } from '../../vlog/log/log.ts'
import { ValueReader } from '../../vlog/read/value-reader.ts'
import { Background } from '../background/background.ts'
import { ObsoleteUnlinker } from '../background/unlink-obsolete.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import { EventLoopTurn } from '../base/event-loop-turn.ts'
import { BlockCache } from '../base/files/block-cache.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { Ground } from '../base/files/ground.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber } from '../base/ids.ts'
import { compareLogPositions } from '../base/log-position.ts'
import type { Random } from '../base/random.ts'
import { collect, planCollection } from '../collector/asked-collection.ts'
import { Collector } from '../collector/collector.ts'
import type { CollectionPlan, CollectionReport, ResolvedCollect } from '../contract/collection.ts'
import { emitSafely } from '../contract/events.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { RecoveredLog, RecoveryReport } from '../recovery/recover.ts'
import { replayLog } from '../recovery/replay.ts'
import { sweepOrphans } from '../recovery/sweep-orphans.ts'
import { SpaceAccount } from '../space/space.ts'
import type { FoundFiles } from '../state/found-files.ts'
import { Memtables } from '../state/memtables.ts'
import { ReadableSequences } from '../state/readable-sequences.ts'
import { relocationsOf } from '../state/relocations.ts'
import { TableCache } from '../state/tables.ts'
import { type ReadState, readState, TreeReader } from '../state/tree-reader.ts'
import type { Version } from '../tree/version/version.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import { CommitQueue } from '../writes/commit.ts'
import { Ballast } from './ballast.ts'
import { closeEngine } from './close-engine.ts'
import { DiskSpace } from './disk-space.ts'
import { Failures } from './failures.ts'
import { syncAtIntervals } from './interval-sync.ts'

export interface EngineContext extends StoreDirectory {
  readonly fileSystem: FileSystem
  readonly random: Random
  readonly options: ResolvedOptions
  readonly events: EventEmitter
  readonly runner: JobRunner
  readonly ground: Ground
}

export class Engine implements ReadingEngine {
  readonly context: EngineContext
  readonly options: ResolvedOptions
  readonly events: EventEmitter
  readonly versions: VersionSet
  readonly memtables: Memtables
  readonly log: Log
  readonly commit: CommitQueue
  readonly background: Background
  readonly collector: Collector
  readonly space: SpaceAccount
  readonly unlinker: ObsoleteUnlinker
  readonly values: ValueReader
  readonly tables: TableCache
  readonly cache: BlockCache
  readonly tree: TreeReader
  readonly readers: ReadableSequences = new ReadableSequences()
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly ballast: Ballast
  readonly recovery: RecoveryReport
  readonly files: FoundFiles
  readonly failures: Failures
  readonly diskSpace: DiskSpace
  #state: ReadState | undefined
  #stateEpoch = -1
  #syncTimer: NodeJS.Timeout | undefined

  private constructor(
    context: EngineContext,
    versions: VersionSet,
    log: Log,
    values: ValueReader,
    cache: BlockCache,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ) {
    const { fileSystem, directory, databaseId, options, events, runner } = context
    this.context = context
    this.options = options
    this.events = events
    this.versions = versions
    this.log = log
    this.values = values
    this.recovery = recovery
    this.files = recovered.files
    this.memtables = new Memtables(options.memtableBytes, versions.current.checkpoint)
    this.cache = cache
    this.tables = new TableCache(
      () => context,
      options.maxOpenFiles,
      () => versions.current,
    )
    this.tree = new TreeReader(() => this.#readState(), this.tables, this.cache)
    this.ballast = new Ballast(context, options.segmentBytes)
    this.diskSpace = new DiskSpace({
      fileSystem,
      directory,
      ballast: this.ballast,
      storeBytes: () => this.space.measureDisk(),
      logBytesWritten: () => log.bytesWritten,
      tableBytesToCome: () => this.memtables.usedBytes,
      resume: () => this.failures.resume(),
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
      readable: () => this.readers.list(this.commit.lastSequence),
      events,
      roomBytes: () => this.diskSpace.roomBytes(),
      failed: (error, isNew) => this.failures.backgroundFailed(error, isNew),
    })
    this.space = new SpaceAccount(this)
    this.collector = new Collector({
      ...context,
      versions,
      values,
      log,
      space: this.space,
      unflushedBytes: () => this.memtables.logBytes,
      tableBytesToCome: () => this.memtables.usedBytes,
      freeze: () => this.#freezeForCollector(),
      readable: () => this.readers.list(this.commit.lastSequence),
      flush: () => this.#flushWritten(),
      unlinker: () => this.unlinker,
      background: this.background,
      failed: (error) => this.fail(error),
    })
    this.commit = new CommitQueue({
      ...options,
      log,
      memtables: this.memtables,
      turn: this.turn,
      lastSequence: recovered.lastSequence,
      nextSequence: recovered.nextSequence,
      refusal: (deletesOnly, bytes) => this.failures.refusal(deletesOnly, bytes),
      pace: (deletes, bytes) => this.background.pace() ?? this.collector.admit(deletes, bytes),
      frozen: () => this.background.wake(),
      flushed: () => this.background.flushed.next(),
      stuck: () => this.background.stopped,
      stalled: (ms) => emitSafely(events, 'stall', { ms }),
      writeFailed: (error) => this.failures.writeFailed(error),
    })
    this.failures = new Failures({
      events,
      versions,
      log,
      diskSpace: this.diskSpace,
      background: this.background,
      collector: this.collector,
    })
    const unlinked = (number: FileNumber): void => {
      this.space.usage.gone(number)
      this.collector.wake()
    }
    this.unlinker = new ObsoleteUnlinker({ ...context, tables: this.tables, values, unlinked })
    versions.onObsolete((file) => this.unlinker.unlink(file))
    versions.onInstalled(this.collector.wake)
    this.readers.released = this.collector.wake
  }

  /** Starts on a recovered version set: opens the log behind its end and replays what is in no table. */
  static async start(
    context: EngineContext,
    versions: VersionSet,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ): Promise<Engine> {
    const { options } = context
    const { files } = recovered
    const others = sweepOrphans(context, versions.current, files.others)
    const cache = new BlockCache(options.blockCacheBytes)
    const relocations = relocationsOf(() => versions.current)
    const openFiles = Math.max(8, options.maxOpenFiles >> 1)
    const values = new ValueReader(context, openFiles, relocations, cache)
    let engine: Engine | undefined
    const log = await Log.open({
      ...context,
      segmentBytes: options.segmentBytes,
      end: recovered.end,
      edits: {
        allocateFileNumber: () => versions.fileNumbers.take(),
        addSegment: (segment) => versions.apply({ addedSegments: [segment] }),
        sealSegment: (seal, durable) =>
          versions.apply({ sealedSegments: [seal], durable, lastSequence: seal.lastSequence }),
        dropSegment: (number) => versions.apply({ removedSegments: [number] }),
        discardSegment: (number) => versions.discard({ kind: 'segment', number }),
        durableEdit: () => versions.durableEdit,
      },
      lastSequence: recovered.lastSequence,
      failed: (error) => engine?.fail(error),
      troubled: (error) => engine?.failures.logTroubled(error),
      opened: (number, file) => values.adopt(number, file),
      released: (number) => values.release(number),
    })
    try {
      const swept = { ...recovered, files: { ...files, others } }
      engine = new Engine(context, versions, log, values, cache, swept, recovery)
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
    this.collector.start()
    const { syncIntervalMs } = options
    this.#syncTimer = syncAtIntervals(this.log, syncIntervalMs, (error) => this.fail(error))
    void this.diskSpace.growBallast()
  }

  /** What a reader sees now. The same object as long as nothing has changed. */
  #readState(): ReadState {
    const version = this.versions.current
    const { epoch } = this.memtables
    if (this.#state?.version !== version || this.#stateEpoch !== epoch) {
      // Between the edit of a flush and the end of its memtable, only the tables count.
      this.#state = readState(this.memtables.list(version.checkpoint), version)
      this.#stateEpoch = epoch
    }
    return this.#state
  }

  pin(): { release(): void } {
    return this.versions.pin()
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

  /** A writer's own files do not change under it: what failed is reported. But they may be somebody else's by now. */
  viewFailure(error: unknown): WiscError {
    return this.context.ground.look() ?? toWiscError(error)
  }

  /**
   * The newest sequence that may be read. After a failed sync that is the durable one: the page cache may hold
   * what the disk has not.
   */
  get visibleSequence(): number {
    return this.failures.unproved ? this.log.durableSequence : this.commit.lastSequence
  }

  /** @throws WISC_SYNC_FAILED for a sequence that a failed sync has put out of reach */
  checkReadable(sequence: number): void {
    const failure = this.failures.unproved
    if (failure && sequence > this.log.durableSequence) throw failure
  }

  /** A sync has failed, or the ground is lost: nothing is written, synced, edited or unlinked again. */
  fail(error: WiscError): void {
    this.failures.end(error)
  }

  /** What stopped writes or background work, if anything did. */
  get error(): WiscError | undefined {
    return this.failures.error
  }

  /** Waits until everything is in tables. */
  async flush(): Promise<void> {
    await this.commit.drain()
    await this.#flushWritten()
    await this.diskSpace.lookNow()
    void this.diskSpace.growBallast()
  }

  /** Without those writes that wait: they may wait for the collector, which calls this. */
  async #flushWritten(): Promise<void> {
    await this.diskSpace.withReserve(async () => {
      await this.failures.tryNow()
      await this.#freeze()
      await this.background.flushAll()
    })
  }

  /** The collector wants to see what the active memtable shadows. @returns whether a flush will show anything */
  #freezeForCollector(): boolean {
    const { commit, memtables, log } = this
    const isFrozen = !commit.writing && memtables.active.entries > 0 && memtables.freeze(log.end, 0)
    if (isFrozen) this.background.wake()
    return this.background.stopped === undefined && memtables.oldestFrozen !== undefined
  }

  /** True if the active memtable is empty, and no marker frame lies behind the checkpoint either. */
  #isFlushed(): boolean {
    const { memtables, versions, log } = this
    if (memtables.active.entries > 0) return false
    const end = memtables.newestFrozen?.end ?? versions.current.checkpoint
    return compareLogPositions(log.end, end) <= 0
  }

  async #freeze(): Promise<void> {
    for (;;) {
      while (this.commit.writing) await this.commit.writing
      if (this.failures.final) throw this.failures.final
      if (this.#isFlushed() || this.memtables.freeze(this.log.end, 0)) return
      if (this.background.stopped) throw this.background.stopped
      this.background.wake()
      await this.background.flushed.next()
    }
  }

  planCollection(options: ResolvedCollect): Promise<CollectionPlan> {
    const planned = planCollection(this.collector, options)
    return planned.catch((error) => Promise.reject(this.viewFailure(error)))
  }

  async collect(options: ResolvedCollect): Promise<CollectionReport> {
    try {
      const report = await collect(this.collector, options)
      await this.diskSpace.lookNow()
      return report
    } catch (error) {
      throw this.viewFailure(error)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#syncTimer)
    this.failures.close()
    await closeEngine(this, () => this.failures.final)
  }
}
