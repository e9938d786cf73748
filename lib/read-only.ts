/**
 * The engine of a store that only reads (I11): no lock, no writes, also beside a writer.
 *
 * It replays the log into its own memory up to the last whole frame and shows that state. A writer may remove
 * files meanwhile. Then a get starts again from CURRENT and reports only what fails twice; snapshots and
 * iterators cannot, because their state is gone with its files: they get WISC_STALE.
 */
import { EventEmitter } from 'node:events'
import type { LogContext, LogSurvey } from '../vlog/recovery.ts'
import { ValueReader } from '../vlog/value-reader.ts'
import { BlockCache } from './base/block-cache.ts'
import { CorruptionError, isMissing, toWiscError, WiscError } from './base/errors.ts'
import type { FileSystem } from './base/file-system.ts'
import type { CollectionPlan, ResolvedCollect } from './collector/collection.ts'
import { SpaceAccount } from './collector/space.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { Memtables } from './memtables.ts'
import type { ResolvedOptions } from './options.ts'
import { ReadableSequences } from './readable-sequences.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { emptyReport, type RecoveryReport, surveyStore } from './recover.ts'
import { relocationsOf } from './relocations.ts'
import { replayLog } from './replay.ts'
import { staleView } from './snapshot.ts'
import { TableCache } from './tables.ts'
import type { Version } from './tree/version.ts'
import { VersionSet } from './tree/version-set.ts'
import { type ReadState, readState, TreeReader } from './tree-reader.ts'

/** A writer that works hard can pull files away from several attempts in a row. */
const OPEN_ATTEMPTS = 10
/** Who only looks wants an answer soon, and nothing is cached yet. A share is exact to 9 % in 19 cases of 20. */
const HIDDEN_SAMPLES_MAX = 128

interface Place {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly options: ResolvedOptions
}

/** One state of the store, as it was read from CURRENT. */
interface View {
  readonly context: LogContext
  readonly state: ReadState
  readonly lastSequence: number
  readonly durableSequence: number
  readonly memtables: Memtables
  readonly recovery: RecoveryReport
  /** The open segments as they were found. */
  readonly open: LogSurvey['open']
}

export class ReadOnlyEngine implements ReadingEngine {
  readonly options: ResolvedOptions
  readonly events: EventEmitter = new EventEmitter()
  readonly turn: EventLoopTurn = new EventLoopTurn()
  readonly cache: BlockCache
  readonly tree: TreeReader
  readonly tables: TableCache
  #space: SpaceAccount | undefined
  readonly #place: Place
  #values: ValueReader
  #isClosed = false
  #view: View
  #readers: ReadableSequences = new ReadableSequences()

  private constructor(place: Place, view: View) {
    const { options } = place
    this.#place = place
    this.#view = view
    this.options = options
    this.cache = new BlockCache(options.blockCacheBytes)
    this.tables = new TableCache(
      () => this.#view.context,
      options.maxOpenFiles,
      () => this.#view.state.version,
    )
    this.tree = new TreeReader(() => this.#view.state, this.tables, this.cache)
    this.#values = this.#openValues()
  }

  static async open(place: Place): Promise<ReadOnlyEngine> {
    return new ReadOnlyEngine(place, readView(place))
  }

  get space(): SpaceAccount {
    this.#space ??= new SpaceAccount(this, HIDDEN_SAMPLES_MAX)
    return this.#space
  }

  get context(): LogContext {
    return this.#view.context
  }

  get values(): ValueReader {
    return this.#values
  }

  get readers(): ReadableSequences {
    return this.#readers
  }

  get version(): Version {
    return this.#view.state.version
  }

  get memtables(): Memtables {
    return this.#view.memtables
  }

  get recovery(): RecoveryReport {
    return this.#view.recovery
  }

  get visibleSequence(): number {
    return this.#view.lastSequence
  }

  get durableSequence(): number {
    return this.#view.durableSequence
  }

  /** Nothing is written here that could fail. */
  readonly error: undefined = undefined

  /** It is another process that removes files. */
  pin(): { release(): void } {
    return { release: () => {} }
  }

  /** Every sequence of the view can be read. */
  checkReadable(_sequence: number): void {}

  /**
   * Starts again from CURRENT after a get failed on a missing file or a check.
   * @throws the error if it is of another kind
   */
  restart(error: unknown): void {
    // Another read has started it again, while this one waited.
    if (error instanceof WiscError && error.code === 'WISC_STALE') return
    if (!(error instanceof CorruptionError) && !isMissing(error)) throw error
    this.#readers.stale = true
    this.#readers = new ReadableSequences()
    this.tables.closeAll()
    this.#values.close()
    this.#view = readView(this.#place)
    this.#space = undefined
    this.#values = this.#openValues()
  }

  writtenEnd(segment: number): number {
    const open = this.#view.open.find(({ number }) => number === segment)
    const last = open?.frames.at(-1)
    return last ? last.offset + last.length : 0
  }

  /** What an iterator reports when a read of its view fails. */
  viewFailure(error: unknown): WiscError {
    const cause = error instanceof CorruptionError ? error.cause : error
    if (isMissing(cause)) return staleView()
    // What looks damaged may be a hole that the writer has made since: then its version has moved on.
    const mayBeHole = error instanceof CorruptionError && this.#hasMovedOn()
    return mayBeHole ? staleView() : toWiscError(error)
  }

  #hasMovedOn(): boolean {
    const { fileSystem, directory } = this.#place
    return VersionSet.read(fileSystem, directory)?.version.id !== this.version.id
  }

  async planCollection(options: ResolvedCollect): Promise<CollectionPlan> {
    // Who only looks at figures need not wait for the planner and its jobs to load.
    const { planViewCollection } = await import('./collector/plan-view.ts')
    try {
      return await planViewCollection(this, options)
    } finally {
      // Closed meanwhile: what the plan has opened again.
      if (this.#isClosed) await this.close()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.tables.closeAll()
    this.#values.close()
  }

  #openValues(): ValueReader {
    const openFiles = Math.max(8, this.options.maxOpenFiles >> 1)
    const relocations = relocationsOf(() => this.version)
    return new ValueReader(this.#view.context, openFiles, relocations, this.cache)
  }
}

/** Reads a view; what fails differently each time is the work of a writer, so it tries again. */
function readView(place: Place): View {
  let failure: unknown
  for (let attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
    try {
      return readViewOnce(place)
    } catch (error) {
      const again = error instanceof CorruptionError || isMissing(error)
      if (!again || isSamePlace(error, failure)) throw error
      failure = error
    }
  }
  throw failure
}

function isSamePlace(left: unknown, right: unknown): boolean {
  if (left instanceof CorruptionError && right instanceof CorruptionError) {
    return left.file === right.file && left.offset === right.offset
  }
  return isMissing(left) && isMissing(right) && String(left) === String(right)
}

function readViewOnce({ fileSystem, directory, options }: Place): View {
  const manifest = VersionSet.read(fileSystem, directory)
  if (!manifest) {
    throw new WiscError('WISC_NO_STORE', `there is no store at this path path=${directory}`)
  }
  const context = { fileSystem, directory, databaseId: manifest.databaseId }
  const recovery = emptyReport()
  const began = performance.now()
  const survey = surveyStore(context, manifest)
  recovery.surveyMs = performance.now() - began
  const { version } = manifest
  // The edit of a close in order is the last one until a writer opens the store again.
  recovery.clean = version.cleanEnd !== undefined
  const memtables = new Memtables(
    options.memtableBytes,
    version.checkpoint,
    Number.MAX_SAFE_INTEGER,
  )
  const replay = replayLog(context, version, survey.end, {
    memtables,
    valueThreshold: options.valueThreshold,
    share: Number.MAX_SAFE_INTEGER,
    report: recovery,
  })
  while (!replay.next().done);
  const lastSequence = Math.max(survey.lastSequence, version.lastSequence)
  const state = readState(memtables.list(version.checkpoint), version)
  return {
    context,
    state,
    lastSequence,
    durableSequence: version.lastSequence,
    memtables,
    recovery,
    open: survey.open,
  }
}
