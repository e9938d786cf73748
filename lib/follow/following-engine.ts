/**
 * The engine of a store that is only read and follows its writer, which may be another process (I11): no lock, no
 * writes, and no word with the writer.
 *
 *   writer:   record in the log -> ... -> tables and their edit in the manifest -> old files unlinked, punched
 *   follower: CURRENT, what the manifest has more -> what the log has more -> shown
 *
 * A look asks for news: half a dozen calls of the system if there are none. What the manifest says is read before the
 * log, so the log reaches whatever a version relies on. As long as the memtables have what lies behind its checkpoint
 * they go on with each version; else the log is read anew from there. That takes steps between which others have their
 * turns: what is appended is shown frame by frame, what is read anew when it is whole.
 *
 * What is shown is what was written, whole frames in the order of the log (I2), as the writer's own readers see it:
 * durable or not. A writer that is killed loses none of it, since recovery keeps every frame that is whole.
 * A machine that fails, or a sync, may take the end of the log: then views go back to what is left.
 *
 * What a read misses, or finds punched, the writer has done: it is read again after a new look (read-again.ts). A
 * snapshot or an iterator cannot go on to a newer view; where its own has lost something it says WISC_STALE.
 */
import { EventEmitter } from 'node:events'
import { ValueReader } from '../../vlog/read/value-reader.ts'
import { equalBytes } from '../base/bytes.ts'
import { CorruptionError, toWiscError, WiscError } from '../base/errors.ts'
import { EventLoopTurn } from '../base/event-loop-turn.ts'
import { BlockCache } from '../base/files/block-cache.ts'
import { CURRENT_NAME } from '../base/files/file-names.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { compareLogPositions } from '../base/log-position.ts'
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import { emitSafely } from '../contract/events.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { RecoveryReport } from '../contract/types.ts'
import { ReadOnlyEngine } from '../engine/read-only.ts'
import { readNewest, surveyView } from '../engine/view-place.ts'
import { FailedPlaces } from '../reads/failed-places.ts'
import { isStale, mayBeWriters, readFromCurrent, staleView } from '../reads/read-again.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { type ValueCache, valueCacheOf } from '../reads/value-cache.ts'
import { LogTail } from '../recovery/log-tail.ts'
import { emptyReport, findFiles } from '../recovery/recover.ts'
import type { StorePlace } from '../recovery/store-place.ts'
import { SpaceAccount } from '../space/space.ts'
import type { FoundFiles } from '../state/found-files.ts'
import { Memtables } from '../state/memtables.ts'
import { ReadableSequences } from '../state/readable-sequences.ts'
import { relocationsOf } from '../state/relocations.ts'
import { TableCache } from '../state/tables.ts'
import { type ReadState, TreeReader } from '../state/tree-reader.ts'
import type { Arena } from '../tree/memtable/arena.ts'
import { readCurrent } from '../tree/version/current.ts'
import { type ReadManifest, readAppended, readManifest } from '../tree/version/manifest-reader.ts'
import type { Version } from '../tree/version/version.ts'
import { FollowedView } from './followed-view.ts'
import { FollowedViews } from './followed-views.ts'
import { Looks } from './looks.ts'
import { isSameHistory } from './same-history.ts'

/** Of memtables that snapshots and iterators of old views keep, in memtables. */
const HELD_MEMTABLES = 8
/** A share of hidden garbage is exact to 9 % in 19 cases of 20. */
const HIDDEN_SAMPLES_MAX = 128

export class FollowingEngine implements ReadingEngine {
  readonly options: ResolvedOptions
  readonly context: StoreDirectory
  readonly events: EventEmitter = new EventEmitter()
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly cache: BlockCache
  valueCache: ValueCache | undefined
  tree: TreeReader
  readonly tables: TableCache
  readonly values: ValueReader
  /** Of all views. */
  readonly readers: ReadableSequences = new ReadableSequences(0)
  readonly recovery: RecoveryReport
  readonly #place: StorePlace
  readonly #views: FollowedViews
  /** Of memtables that nobody reads any more. */
  readonly #arenas: Arena[] = []
  readonly #failures: FailedPlaces = new FailedPlaces()
  #space: SpaceAccount | undefined
  /** Something of the present view is gone. */
  #isOld = false
  readonly #looks: Looks
  /** What is under way. */
  #look: Generator<void, void> | undefined
  /** The last sequence that listeners were told of. */
  #told: Sequence

  private constructor(place: StorePlace, manifest: ReadManifest, context: StoreDirectory) {
    const { options } = place
    this.#place = place
    this.options = options
    this.context = context
    this.cache = new BlockCache(options.blockCacheBytes)
    this.valueCache = valueCacheOf(options)
    this.tables = new TableCache(this, options.maxOpenFiles)
    this.tree = new TreeReader(this, this.tables, this.cache)
    const openFiles = Math.max(8, options.maxOpenFiles >> 1)
    this.values = new ValueReader(context, openFiles, relocationsOf(this), this.cache)
    const began = performance.now()
    surveyView(place, context, manifest)
    const surveyed = performance.now()
    const tail = this.#newTail(manifest.version)
    finish(tail.advance(manifest.version))
    const first = new FollowedView(this, 1, manifest, tail, 0)
    this.recovery = {
      ...emptyReport(),
      clean: manifest.version.cleanEnd !== undefined,
      surveyMs: surveyed - began,
      replayMs: performance.now() - surveyed,
      replayedRecords: tail.records,
    }
    const heldBytesMax = HELD_MEMTABLES * options.memtableBytes
    this.#views = new FollowedViews(first, heldBytesMax, () => this.#closeUnneeded())
    this.#noteNewest()
    this.#told = this.visibleSequence
    this.#looks = new Looks({
      events: this.events,
      look: (isAnew) => this.#lookInTurns(isAnew),
      watch: (changed) => context.fileSystem.watch?.(context.directory, changed),
    })
  }

  static async open(place: StorePlace): Promise<FollowingEngine> {
    const { fileSystem, directory } = place
    const engine = readFromCurrent(() => {
      const manifest = readNewest(place)
      const context = { fileSystem, directory, databaseId: manifest.databaseId }
      return new FollowingEngine(place, manifest, context)
    })
    engine.#looks.begin()
    return engine
  }

  get viewNumber(): number {
    return this.#views.present.number
  }

  /** Views that are kept, the present one included. */
  get viewCount(): number {
    return this.#views.count
  }

  get state(): ReadState {
    return this.#views.present.state
  }

  get version(): Version {
    return this.#views.present.version
  }

  get memtables(): Memtables {
    return this.#views.present.tail.memtables
  }

  get visibleSequence(): Sequence {
    return this.#views.present.lastSequence
  }

  get durableSequence(): Sequence {
    return this.version.lastSequence
  }

  get space(): SpaceAccount {
    this.#space ??= new SpaceAccount(this, HIDDEN_SAMPLES_MAX)
    return this.#space
  }

  /** As they are now: who asks keeps account of them from then on. What has just gone is found out by reading it. */
  get files(): FoundFiles {
    return findFiles(this.context, this.version, () => {})
  }

  get error(): WiscError | undefined {
    return this.#looks.error
  }

  /** It is another process that removes files. */
  pin(): { release(): void } {
    return { release: () => {} }
  }

  /** Every sequence of a view can be read. */
  checkReadable(_sequence: Sequence): void {}

  writtenEnd(segment: SegmentNumber): number {
    return this.#views.present.tail.writtenEnd(segment)
  }

  versionWith(table: FileNumber): Version {
    return this.#views.versionWith(table)
  }

  presentView(): FollowedView {
    return this.#views.present
  }

  viewFailure(error: unknown): WiscError {
    return this.failureIn(this.#views.present, error)
  }

  /**
   * Values of an older view are looked for where the present version has them: what fails there says nothing of damage.
   */
  failureIn(view: FollowedView, error: unknown): WiscError {
    const { present } = this.#views
    if (view !== present)
      return mayBeWriters(error) && !isStale(error) ? staleView(error) : toWiscError(error)
    const hasMovedOn = (): boolean =>
      readFromCurrent(() => this.#readNews(present.manifest)) !== present.manifest
    // A look that is under way may have read its manifest before: its view proves nothing either.
    const newest = this.#look ? present.number + 1 : present.number
    const failure = this.#failures.judge(error, view.number, newest, hasMovedOn)
    this.#isOld ||= failure !== error && isStale(failure)
    return failure
  }

  catchUp(): void {
    if (this.#isOld) this.moveOn()
  }

  /**
   * A look at once, whichever view it was that failed: what was looked for before does not count.
   * @throws what keeps it from that
   */
  moveOn(): void {
    this.#endLook()
    let isAgain = false
    readFromCurrent(() => {
      const look = this.#lookForNews(isAgain)
      isAgain = true
      finish(look)
    })
    this.#noteNewest()
    this.#isOld = false
  }

  waitForNews(isAwaited: boolean): void {
    this.#looks.keepAlive(isAwaited)
  }

  async planCollection(options: ResolvedCollect): Promise<CollectionPlan> {
    // A plan takes its time, and is one of a single state.
    const engine = await ReadOnlyEngine.open({ ...this.#place, isTolerant: false })
    try {
      return await engine.planCollection(options)
    } finally {
      await engine.close()
    }
  }

  async close(): Promise<void> {
    this.#looks.close()
    this.#endLook()
    this.tables.closeAll()
    this.values.close()
  }

  /** @returns whether there was news, or somebody else has looked meanwhile */
  async #lookInTurns(isAnew: boolean): Promise<boolean> {
    const { viewNumber: before, visibleSequence } = this
    const look = this.#lookForNews(isAnew)
    this.#look = look
    try {
      for (;;) {
        const isOver = look.next().done
        const isOld = !isOver && this.turn.isOld()
        // A writer may be so fast that a look takes long.
        if (isOver || isOld) this.#tell()
        if (isOver) return this.viewNumber !== before || this.visibleSequence !== visibleSequence
        if (isOld) await new Promise<void>((resolve) => this.turn.later(resolve))
        if (this.#look !== look) return true
      }
    } finally {
      if (this.#look === look) this.#look = undefined
    }
  }

  #noteNewest(): void {
    this.readers.newest = this.visibleSequence
    this.#views.present.readers.newest = this.visibleSequence
  }

  #tell(): void {
    this.#noteNewest()
    const previousSequence = this.#told
    const lastSequence = this.visibleSequence
    if (lastSequence === previousSequence) return
    this.#told = lastSequence
    emitSafely(this.events, 'advanced', { previousSequence, lastSequence })
  }

  /** Gives up what is under way. */
  #endLook(): void {
    const look = this.#look
    this.#look = undefined
    look?.return()
  }

  /** @param isAnew nothing of the present view is relied on */
  *#lookForNews(isAnew: boolean): Generator<void, void> {
    const { present } = this.#views
    const { tail } = present
    const manifest = isAnew ? readNewest(this.#place) : this.#readNews(present.manifest)
    this.#requireSame(manifest)
    const { version } = manifest
    const goesOn = isSameHistory(manifest, present.manifest, tail)
    if (!isAnew && goesOn && tail.hasBehind(version.checkpoint)) {
      // Shown first: a stream that a record names is a file of this version.
      if (manifest !== present.manifest) this.#show(manifest, tail)
      return yield* tail.advance(version)
    }
    const anew = this.#newTail(version)
    let isShown = false
    try {
      yield* anew.advance(version)
      isShown = true
    } finally {
      if (!isShown) anew.memtables.giveBack()
    }
    if (goesOn) this.#show(manifest, anew)
    else this.#startOver(manifest, anew)
  }

  /** The manifest that CURRENT names, read on from where it was read to. @returns `known` if there is no news */
  #readNews(known: ReadManifest): ReadManifest {
    const { fileSystem, directory } = this.context
    const current = readCurrent(fileSystem, directory)
    if (current?.manifestNumber === known.number) return readAppended(fileSystem, directory, known)
    if (current)
      return readManifest(fileSystem, directory, current.manifestNumber, current.databaseId)
    throw new WiscError('WISC_NO_STORE', `there is no store any more path=${directory}`)
  }

  #requireSame({ databaseId }: ReadManifest): void {
    if (equalBytes(databaseId, this.context.databaseId)) return
    throw new CorruptionError(CURRENT_NAME, 0, 'another database lies here now: open it anew')
  }

  /** Of the log behind the checkpoint of a version, into new memtables. */
  #newTail(version: Version): LogTail {
    const { memtableBytes, valueThreshold } = this.options
    const share = Number.MAX_SAFE_INTEGER
    const memtables = new Memtables(memtableBytes, version.checkpoint, share, this.#arenas)
    return new LogTail(this.context, version, {
      memtables,
      valueThreshold,
      share,
      held: this.readers,
    })
  }

  #show(manifest: ReadManifest, tail: LogTail): void {
    const view = this.#newView(manifest, tail)
    if (view.flushed > this.#views.present.flushed) this.#space?.forgetReplaced()
    this.#views.show(view)
  }

  /** In a view of another history numbers of files, and sequences, may be those of others. */
  #startOver(manifest: ReadManifest, tail: LogTail): void {
    this.#views.startOver(this.#newView(manifest, tail))
    this.tables.closeAll()
    this.tree = new TreeReader(this, this.tables, this.cache)
    this.values.close()
    this.valueCache = valueCacheOf(this.options)
    this.#space = undefined
  }

  #newView(manifest: ReadManifest, tail: LogTail): FollowedView {
    const flushed = this.#flushed(manifest, tail)
    return new FollowedView(this, this.viewNumber + 1, manifest, tail, flushed)
  }

  /** The last sequence that memtables have from below the checkpoint; 0: they have none. */
  #flushed({ version }: ReadManifest, tail: LogTail): Sequence {
    const { present } = this.#views
    const { checkpoint } = version
    if (compareLogPositions(tail.memtables.start, checkpoint) === 0) return 0
    const isSame = compareLogPositions(present.version.checkpoint, checkpoint) === 0
    return isSame ? present.flushed : tail.flushedSequence(version)
  }

  /** Files that are in no view any more: their space is the system's when nobody has them open. */
  #closeUnneeded(): void {
    try {
      this.tables.keepOnly((number) => this.#views.hasTable(number))
      this.values.keepOnly((number) => this.#views.hasFile(number))
    } catch (error) {
      // What was only read is whole. The others are closed when a view comes next.
      void error
    }
  }
}

/** All steps at once. */
function finish(look: Generator<void, void>): void {
  while (!look.next().done);
}
