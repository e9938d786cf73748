/**
 * The engine of a store that is only read and follows its writer, which may be another process (I11): no lock, no
 * writes, and no word with the writer.
 *
 *   writer:   record in the log -> ... -> tables and their edit in the manifest -> old files unlinked, punched
 *   follower: CURRENT, what the manifest has more -> what the log has more -> shown
 *
 * A look asks for news: half a dozen calls of the system if there are none. What the manifest says is read before the
 * log, so the log reaches whatever a version relies on. Where the checkpoint is the same the memtables go on; where the
 * writer has flushed, what is behind the new checkpoint is read into new ones. Either takes steps between which others
 * have their turns, and is shown when it is whole.
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
import type { CollectionPlan, ResolvedCollect } from '../contract/collection.ts'
import { emitSafely } from '../contract/events.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { RecoveryReport } from '../contract/types.ts'
import { ReadOnlyEngine } from '../engine/read-only.ts'
import { readNewest, surveyView } from '../engine/view-place.ts'
import { FailedPlaces } from '../reads/failed-places.ts'
import { Attempts, isStale, mayBeWriters, readFromCurrent, staleView } from '../reads/read-again.ts'
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
import { type ReadManifest, readAppended, readManifest } from '../tree/version/manifest.ts'
import type { Version } from '../tree/version/version.ts'
import { FollowedView } from './followed-view.ts'
import { FollowedViews } from './followed-views.ts'

/** Between two looks. What is written is shown within twice as much, unless the process has no time. */
const LOOK_MS = 50
/** Between looks that fail for a reason that stays. */
const FAILED_LOOK_MS = 1000
/** Of memtables that snapshots and iterators of old views keep, in memtables. */
const HELD_MEMTABLES = 8
/** A share of hidden garbage is exact to 9 % in 19 cases of 20. */
const HIDDEN_SAMPLES_MAX = 128

/** What a look brings, in steps. */
type Look = Generator<void, void>

export class FollowingEngine implements ReadingEngine {
  readonly options: ResolvedOptions
  readonly context: StoreDirectory
  readonly events: EventEmitter = new EventEmitter()
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly cache: BlockCache
  readonly valueCache: ValueCache | undefined
  readonly tree: TreeReader
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
  /** What is under way. */
  #look: Look | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  /** Of looks that have failed since one has not. */
  #attempts: Attempts | undefined
  /** Why nothing new is shown. */
  #error: WiscError | undefined
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
    const memtables = this.#newMemtables(manifest.version)
    const tail = this.#newTail(manifest.version, memtables)
    finish(tail.advance(manifest.version))
    this.recovery = {
      ...emptyReport(),
      clean: manifest.version.cleanEnd !== undefined,
      surveyMs: surveyed - began,
      replayMs: performance.now() - surveyed,
      replayedRecords: tail.records,
    }
    const first = new FollowedView(this, 1, manifest, memtables, tail)
    const heldBytesMax = HELD_MEMTABLES * options.memtableBytes
    this.#views = new FollowedViews(first, heldBytesMax, () => this.#closeUnneeded())
    this.readers.newest = this.visibleSequence
    this.#told = this.visibleSequence
  }

  static async open(place: StorePlace): Promise<FollowingEngine> {
    const { fileSystem, directory } = place
    const engine = readFromCurrent(() => {
      const manifest = readNewest(place)
      const context = { fileSystem, directory, databaseId: manifest.databaseId }
      return new FollowingEngine(place, manifest, context)
    })
    engine.events.on('removeListener', () => engine.#keepAlive())
    // It is told before the listener is there.
    engine.events.on('newListener', () => queueMicrotask(() => engine.#keepAlive()))
    engine.#lookIn(LOOK_MS)
    return engine
  }

  get view(): number {
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
    return this.#views.present.memtables
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

  /** As they are now: who asks keeps account of them. What has just gone is found out by reading it. */
  get files(): FoundFiles {
    return findFiles(this.context, this.version, () => {})
  }

  get error(): WiscError | undefined {
    return this.#error
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
    this.#isOld = false
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
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#look?.return()
    this.#look = undefined
    this.tables.closeAll()
    this.values.close()
  }

  #lookIn(ms: number): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => void this.#lookInTurns(), ms)
    this.#keepAlive()
  }

  /** A process that waits for news is kept alive, one that reads now and then is not. */
  #keepAlive(): void {
    if (this.events.listenerCount('advanced') > 0) this.#timer?.ref()
    else this.#timer?.unref()
  }

  async #lookInTurns(): Promise<void> {
    try {
      const look = this.#lookForNews(this.#attempts !== undefined)
      this.#look = look
      while (this.#look === look && !look.next().done) {
        if (this.turn.isOld()) await new Promise<void>((resolve) => this.turn.later(resolve))
      }
      this.#attempts = undefined
      this.#error = undefined
    } catch (error) {
      this.#noteFailure(error)
    }
    this.#look = undefined
    if (this.#isClosed) return
    this.#tell()
    this.#lookIn(this.#error ? FAILED_LOOK_MS : LOOK_MS)
  }

  /** What fails beside a writer is looked at again; what stays is told once. */
  #noteFailure(error: unknown): void {
    if (this.#isClosed || this.#error) return
    this.#attempts ??= new Attempts()
    try {
      this.#attempts.again(error)
    } catch (failure) {
      this.#error = toWiscError(failure)
      if (this.events.listenerCount('error') > 0) emitSafely(this.events, 'error', this.#error)
    }
  }

  #tell(): void {
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
    // One that fails is none: whoever ends it is about to look again.
    look?.return()
  }

  /** @param isAnew nothing of the present view is relied on */
  *#lookForNews(isAnew: boolean): Look {
    const { present } = this.#views
    const { tail, memtables } = present
    const manifest = isAnew ? readNewest(this.#place) : this.#readNews(present.manifest)
    this.#requireSame(manifest)
    const { version } = manifest
    if (!isAnew && tail.isOn(version)) {
      yield* tail.advance(version)
      if (manifest !== present.manifest) this.#show(manifest, memtables, tail)
    } else yield* this.#readLog(manifest)
    this.readers.newest = this.visibleSequence
    this.#views.present.readers.newest = this.visibleSequence
  }

  /** The log behind the checkpoint of a version, into new memtables. */
  *#readLog(manifest: ReadManifest): Look {
    const memtables = this.#newMemtables(manifest.version)
    let isShown = false
    try {
      const tail = this.#newTail(manifest.version, memtables)
      yield* tail.advance(manifest.version)
      this.#show(manifest, memtables, tail)
      isShown = true
    } finally {
      if (!isShown) memtables.giveBack()
    }
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

  #newMemtables({ checkpoint }: Version): Memtables {
    const { memtableBytes } = this.options
    return new Memtables(memtableBytes, checkpoint, Number.MAX_SAFE_INTEGER, this.#arenas)
  }

  #newTail(version: Version, memtables: Memtables): LogTail {
    const { valueThreshold } = this.options
    const share = Number.MAX_SAFE_INTEGER
    const target = { memtables, valueThreshold, share, held: this.readers }
    return new LogTail(this.context, version, target)
  }

  #show(manifest: ReadManifest, memtables: Memtables, tail: LogTail): void {
    this.#views.show(new FollowedView(this, this.view + 1, manifest, memtables, tail))
    this.#space = undefined
  }

  /** Files that are in no view any more: their space is the system's when nobody has them open. */
  #closeUnneeded(): void {
    this.tables.keepOnly((number) => this.#views.hasTable(number))
    this.values.keepOnly((number) => this.#views.hasFile(number))
  }
}

/** All steps at once. */
function finish(look: Look): void {
  while (!look.next().done);
}
