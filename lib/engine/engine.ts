/**
 * The engine of a writable store: which parts there are, how they meet, how they start and close.
 *
 *   admission -> commit queue -> log -> memtables -> (frozen) flushes -> tables, version
 *                                 |                       compactions -> tables, version
 *                                 v
 *                              version set (manifest): segments, tables, checkpoint
 *
 * All of it lives on one thread; jobs in workers get immutable inputs and give back new files. Each part gets the parts
 * below it that it works with, and tells health what has failed. `start` follows the order that recover.ts writes
 * down, close-engine.ts the reverse: writers, memtables, log, manifest, files.
 */
import type { EventEmitter } from 'node:events'
import { Log } from '../../vlog/log/log.ts'
import { ValueReader } from '../../vlog/read/value-reader.ts'
import { Compactions } from '../background/compactions.ts'
import { Flushes } from '../background/flushes.ts'
import { TreeWork } from '../background/tree-work.ts'
import { ObsoleteUnlinker } from '../background/unlink-obsolete.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import { EventLoopTurn } from '../base/event-loop-turn.ts'
import { BlockCache } from '../base/files/block-cache.ts'
import type { Ground } from '../base/files/ground.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { SegmentNumber, Sequence } from '../base/ids.ts'
import { lazyModule } from '../base/platform/lazy-module.ts'
import type { Random } from '../base/random.ts'
import { Collector } from '../collector/collector.ts'
import type { ResolvedRange } from '../contract/arguments.ts'
import { streamBytesMax } from '../contract/cache-options.ts'
import type { CollectionPlan, CollectionReport, ResolvedCollect } from '../contract/collection.ts'
import { emitSafely } from '../contract/events.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { CompactOptions, RecoveryReport } from '../contract/types.ts'
import { JobCompressor } from '../jobs/compressor.ts'
import { JobProgress } from '../jobs/job-progress.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { type ValueCache, valueCacheOf } from '../reads/value-cache.ts'
import type { RecoveredLog } from '../recovery/recover.ts'
import { replayLog } from '../recovery/replay.ts'
import { sweepOrphans } from '../recovery/sweep-orphans.ts'
import { SpaceAccount } from '../space/space.ts'
import type { FoundFiles } from '../state/found-files.ts'
import { Memtables } from '../state/memtables.ts'
import { ReadableSequences } from '../state/readable-sequences.ts'
import { RelocationClaims } from '../state/relocation-claims.ts'
import { relocationsOf } from '../state/relocations.ts'
import { TableCache } from '../state/tables.ts'
import { type ReadState, readState, TreeReader } from '../state/tree-reader.ts'
import type { Version } from '../tree/version/version.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import { Admission } from '../writes/admission.ts'
import { CommitQueue } from '../writes/commit.ts'
import { MEMTABLES } from '../writes/group-plan.ts'
import { Uploads } from '../writes/uploads.ts'
import { Ballast } from './ballast.ts'
import { closeEngine, releaseAll, releaseEngine } from './close-engine.ts'
import { DiskRoom } from './disk-room.ts'
import { Health } from './health.ts'
import { ManifestEdits } from './log-edits.ts'

const asked = lazyModule(() => import('../collector/asked-collection.ts'))

export interface EngineContext extends StoreDirectory {
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
  readonly recovery: RecoveryReport
  readonly files: FoundFiles
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly health: Health
  // What the store is made of, and who reads it.
  readonly versions: VersionSet
  readonly memtables: Memtables
  readonly readers: ReadableSequences
  readonly cache: BlockCache
  readonly valueCache: ValueCache | undefined
  readonly tables: TableCache
  readonly tree: TreeReader
  readonly values: ValueReader
  // What changes it, from the ground up.
  readonly space: SpaceAccount
  readonly log: Log
  readonly ballast: Ballast
  readonly room: DiskRoom
  readonly unlinker: ObsoleteUnlinker
  readonly claims: RelocationClaims
  readonly work: TreeWork
  readonly compactions: Compactions
  readonly flushes: Flushes
  readonly collector: Collector
  readonly admission: Admission
  readonly compressor: JobCompressor
  readonly commit: CommitQueue
  readonly uploads: Uploads
  #state: ReadState | undefined
  #stateEpoch = -1
  #syncTimer: NodeJS.Timeout | undefined

  /** Makes the parts. Each takes from the engine those that it works with; nothing runs before `#begin`. */
  private constructor(
    context: EngineContext,
    versions: VersionSet,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ) {
    const { options, events } = context
    this.context = context
    this.options = options
    this.events = events
    this.recovery = recovery
    this.files = recovered.files
    this.health = new Health(events)
    this.versions = versions
    this.memtables = new Memtables(options.memtableBytes, versions.current.checkpoint)
    this.readers = new ReadableSequences(recovered.lastSequence)
    this.cache = new BlockCache(options.blockCacheBytes)
    this.valueCache = valueCacheOf(options)
    this.tables = new TableCache(this, options.maxOpenFiles)
    this.tree = new TreeReader(this, this.tables, this.cache)
    const openFiles = Math.max(8, options.maxOpenFiles >> 1)
    this.values = new ValueReader(context, openFiles, relocationsOf(this), this.cache)
    this.space = new SpaceAccount(this)
    this.log = new Log({
      ...context,
      ...recovered,
      segmentBytes: options.segmentBytes,
      edits: new ManifestEdits(versions),
      readers: this.values,
      health: this.health,
    })
    this.ballast = new Ballast(context, options.segmentBytes)
    this.room = new DiskRoom(this)
    this.unlinker = new ObsoleteUnlinker(this)
    this.claims = new RelocationClaims()
    this.work = new TreeWork(this)
    this.compactions = new Compactions(this.work, this.health)
    this.flushes = new Flushes(this)
    this.collector = new Collector(this)
    this.admission = new Admission(this)
    this.compressor = new JobCompressor(context)
    this.commit = new CommitQueue(this, recovered.nextSequence)
    this.uploads = new Uploads(this, options.streamThreshold, streamBytesMax(options.cache))
    this.health.watch(this)
    versions.onObsolete((file) => this.unlinker.unlink(file))
    versions.onInstalled(this.collector.wake)
    versions.onNotReplaced(({ message }) => {
      emitSafely(events, 'warning', `the manifest has grown and cannot be replaced: ${message}`)
    })
    this.readers.released = this.collector.wake
  }

  /** Starts on a recovered version set. If that fails, everything is let go. */
  static async start(
    context: EngineContext,
    versions: VersionSet,
    recovered: RecoveredLog,
    recovery: RecoveryReport,
  ): Promise<Engine> {
    const { files } = recovered
    const others = sweepOrphans(context, versions.current, files.others)
    const swept = { ...recovered, files: { ...files, others } }
    const engine = new Engine(context, versions, swept, recovery)
    try {
      await engine.#begin(recovered)
      return engine
    } catch (error) {
      // What is told is why it could not start.
      await releaseAll([() => Promise.reject(error), () => engine.#release()])
      throw error
    }
  }

  /** Opens the log behind its end, replays what is in no table, gathers figures, then lets background work begin. */
  async #begin(recovered: RecoveredLog): Promise<void> {
    const { options, log, flushes, health } = this
    const begun = log.begin()
    // In turns while the disk is waited for.
    const gathered = this.space.gather()
    try {
      await begun
      await this.#replay(recovered)
    } finally {
      await gathered
    }
    flushes.wake()
    this.compactions.wakeAfterOpen()
    this.collector.start()
    this.#syncTimer = syncAtIntervals(log, options.syncIntervalMs, health)
    void health.disk.growBallast()
  }

  async #replay(recovered: RecoveredLog): Promise<void> {
    const { options, memtables, flushes } = this
    const replay = replayLog(this.context, this.versions.current, recovered.end, {
      memtables,
      valueThreshold: options.valueThreshold,
      share: options.maxUnflushedLogBytes / MEMTABLES,
      report: this.recovery,
    })
    try {
      while (!replay.next().done) await flushes.flushFrozen()
    } finally {
      replay.return(undefined)
    }
  }

  /** What a reader sees now. The same object as long as nothing has changed. */
  get state(): ReadState {
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

  get durableSequence(): Sequence {
    return this.log.durableSequence
  }

  writtenEnd(segment: SegmentNumber): number {
    return this.log.writtenEnd(segment)
  }

  /** A writer's own files do not change under it: what failed is reported. But they may be somebody else's by now. */
  viewFailure(error: unknown): WiscError {
    return this.context.ground.findLoss() ?? toWiscError(error)
  }

  /**
   * The newest sequence that may be read. After a failed sync that is the durable one: the page cache may hold
   * what the disk has not.
   */
  get visibleSequence(): Sequence {
    return this.health.unproved ? this.log.durableSequence : this.readers.newest
  }

  /** @throws WISC_SYNC_FAILED for a sequence that a failed sync has put out of reach */
  checkReadable(sequence: Sequence): void {
    const failure = this.health.unproved
    if (failure && sequence > this.log.durableSequence) throw failure
  }

  /** What stopped writes or background work, if anything did. */
  get error(): WiscError | undefined {
    return this.health.error
  }

  /** Waits until everything is in tables. */
  async flush(): Promise<void> {
    await this.commit.drain()
    await this.flushes.flushWritten()
    await this.health.disk.roomMayBeBack()
    void this.health.disk.growBallast()
  }

  /** Flushes, then merges everything in a range to the bottom of the tree. @throws WISC_ABORTED */
  async compact(
    { lower, upper }: ResolvedRange,
    { signal, onProgress }: CompactOptions,
  ): Promise<void> {
    await this.flush()
    const range = { ...(lower && { from: lower }), ...(upper && { to: upper }) }
    const progress = onProgress && new JobProgress((share) => onProgress({ share }))
    const compacted = this.compactions.compactRange(range, 'manual', signal, progress)
    await (progress ? progress.tellDuring(compacted) : compacted)
    await this.health.disk.roomMayBeBack()
  }

  async planCollection(options: ResolvedCollect): Promise<CollectionPlan> {
    this.collector.checkAsked()
    try {
      return await (await asked()).planCollection(this.collector, options)
    } catch (error) {
      throw this.viewFailure(error)
    }
  }

  async collect(options: ResolvedCollect): Promise<CollectionReport> {
    this.collector.checkAsked()
    try {
      const report = await (await asked()).collect(this.collector, options)
      await this.health.disk.roomMayBeBack()
      return report
    } catch (error) {
      throw this.viewFailure(error)
    }
  }

  /** @throws what kept it from making everything durable; all is released nevertheless */
  async close(): Promise<void> {
    clearInterval(this.#syncTimer)
    this.health.close()
    await closeEngine(this)
  }

  /** Of one that has not started. */
  async #release(): Promise<void> {
    this.health.close()
    await Promise.all([this.compactions.stop(), this.collector.close()])
    await releaseEngine(this)
  }
}

/** The option `syncIntervalMs`. @returns a timer that does not keep the process alive; undefined without an interval */
function syncAtIntervals(
  log: Log,
  intervalMs: number | undefined,
  health: Health,
): NodeJS.Timeout | undefined {
  if (intervalMs === undefined) return undefined
  const timer = setInterval(() => {
    log.sync().catch((error: unknown) => {
      if (toWiscError(error).code !== 'WISC_NOT_OPEN') health.end(toWiscError(error))
    })
  }, intervalMs)
  return timer.unref()
}
