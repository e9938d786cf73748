/**
 * The space of a store, derived anew whenever it is asked for (I9): from the version, the tables' counters, the log's
 * end and the file system's block counts. The planner, `segments()` and `stats()` all see these figures.
 *
 *   file of the value log:  total = referenced + exposed garbage
 *   referenced:             what entries of tables point to, and everything above the checkpoint
 *   live bytes:             keys and values of all puts, less what newer ones shadow; and what uploads have
 *                           (of streams it is known, of all others estimated)
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { FileNumbers } from '../base/files/file-numbers.ts'
import type { FileSystem } from '../base/files/file-system.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import type { FoundFiles } from '../state/found-files.ts'
import type { Memtables } from '../state/memtables.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import type { Version } from '../tree/version/version.ts'
import { CoveredGarbageEstimate } from './covered-garbage.ts'
import { DeadLists } from './dead-lists.ts'
import { DiskUsage } from './disk-usage.ts'
import type { CollectibleFile } from './figures.ts'
import { HiddenGarbageEstimate, type PinnedShadows } from './hidden-garbage.ts'
import { LogFiles } from './log-files.ts'
import { type Expired, type Older, References, unbounded, type WorkBudget } from './references.ts'
import { liveBytesAbove, ReplacedKeys } from './replaced-keys.ts'
import { StreamGarbage, type StreamGarbageParts } from './stream-garbage.ts'

/** Of one turn, beside what the estimate of hidden garbage may take. */
const TURN_WORK = 1000
/** Keys of memtables that are looked up in a turn: some 0.1 ms, or as many reads of blocks where the disk is cold. */
const TURN_LOOKUPS = 32
/** The figures of fewer files of the value log take a millisecond or two: they are no matter. */
const GATHERED_FILES_MIN = 2000
/** About a tenth of a second. */
const GATHERING_TURNS_MAX = 100
/** So many files are asked by a reader, of each measure, whether somebody else has punched them: some milliseconds. */
const ASKED_FILES_MAX = 1000
/** The block of file systems that do not say. */
const BLOCK_BYTES = 4096

/** Uploads, as far as their space goes. */
export interface StreamsToCome {
  /** Of their values, so many bytes are on disk, or about to be. */
  readonly bytes: number
  /** Of these, so many are not on disk yet. */
  readonly unwrittenBytes: number
  /** A record that is in no memtable may name this file. */
  holds(number: FileNumber): boolean
}

/** An engine, as far as its space goes. */
export interface SpaceParts extends StreamGarbageParts {
  readonly context: { readonly fileSystem: FileSystem; readonly directory: string }
  /** The current one. */
  readonly version: Version
  /** Its owner; undefined if the store only reads. */
  readonly versions?: { readonly fileNumbers: FileNumbers }
  /** What lay in the directory when the store was opened. */
  readonly files: FoundFiles
  readonly memtables: Pick<Memtables, 'list' | 'hasEntries' | 'holdsStream'>
  /** Streams that come; undefined if the store only reads. */
  readonly uploads?: StreamsToCome
  /** Snapshots and iterators. */
  readonly readers: Pick<ReadableSequences, 'held' | 'expiredBy'>
  /** End of the frames of a segment that is not sealed; 0 if it has none. */
  writtenEnd(segment: SegmentNumber): number
}

/** Figures of the whole store, in bytes. */
export interface Space {
  /** Allocated, everything in the directory. */
  readonly diskBytes: number
  /** Keys and values of the newest entries: an estimate, unless a walk has counted them. */
  readonly liveBytes: number
  readonly exposedGarbageBytes: number
  /** Of these, holes. */
  readonly punchedBytes: number
  /** Records that nobody can see, and a compaction would expose: shadowed, covered, expired, evicted. An estimate. */
  readonly hiddenGarbageBytes: number
  /** There is more of it by itself: when something expires next, and how much does soon. */
  readonly expiry: Pick<Expired, 'next' | 'soonBytes'>
  /** Records that only snapshots and iterators may see: an estimate. */
  readonly pinnedBytes: number
  /** What entries of memtables may shadow. */
  readonly unflushedShadowBytes: number
  /** Key and value of a put, on average: what the next write may shadow. */
  readonly meanBytes: number
  /** Of entries of memtables, how many are guessed to shadow one of that size. A flush shows the truth. */
  readonly guessedKeys: number
  readonly tableBytes: number
  /** What uploads are about to write, beside `diskBytes`. */
  readonly unwrittenUploadBytes: number
  /** On disk, but in no version: tables that are being written, or wait to be unlinked. */
  readonly outsideTableBytes: number
  /** Of `tableBytes`, what a compaction of the tree gives back: an estimate. */
  readonly tableGarbageBytes: number
  /** All files of the value log that hold anything. */
  readonly files: readonly CollectibleFile[]
}

export class SpaceAccount {
  readonly #parts: SpaceParts
  readonly #streams: StreamGarbage
  readonly #hidden: HiddenGarbageEstimate
  readonly #covered: CoveredGarbageEstimate
  #replaced: ReplacedKeys
  readonly #files: LogFiles
  readonly references: References
  readonly usage: DiskUsage
  readonly dead: DeadLists = new DeadLists()
  #blockBytes: number | undefined

  /** @param hiddenSamplesMax bounds the samples of the estimate of hidden garbage below its own bound */
  constructor(parts: SpaceParts, hiddenSamplesMax?: number) {
    this.#parts = parts
    this.references = new References((number) => parts.tables.get(number))
    this.usage = new DiskUsage(parts.context, parts.files, parts.versions?.fileNumbers)
    this.#streams = new StreamGarbage(parts, this.references)
    this.#hidden = new HiddenGarbageEstimate(parts, this.#streams, hiddenSamplesMax)
    this.#covered = new CoveredGarbageEstimate(parts.tables, parts.cache, this.#streams)
    this.#replaced = new ReplacedKeys(parts, this.#streams)
    this.#files = new LogFiles(
      parts,
      (number) => this.holdsStream(number),
      this.references,
      this.usage,
      () => this.#block(),
    )
  }

  /**
   * Goes on with what has to be read of the tables of a new version, for some milliseconds.
   * @returns undefined if there is more to do: call again in a later turn
   * @throws CorruptionError, IoError if a table cannot be read
   */
  measureInTurns(): Space | undefined {
    const version = this.#parts.version
    const budget = { work: TURN_WORK }
    const isDone =
      this.references.update(version, budget) &&
      budget.work > 0 &&
      this.#streams.update(version, budget) &&
      this.#hidden.advance(version) &&
      this.#updateFiles(version, budget)
    return isDone ? this.#figures(version, TURN_LOOKUPS) : undefined
  }

  /**
   * All at once.
   * @param liveInTables keys and values that live in tables, as a walk has counted them: else they are estimated
   * @throws CorruptionError, IoError if a table cannot be read
   */
  measure(liveInTables?: number): Space {
    const version = this.#parts.version
    if (this.#parts.versions === undefined) {
      // Somebody else writes, and makes holes.
      for (const number of this.usage.askInTurn(version, ASKED_FILES_MAX))
        this.#files.noteBlocks(number)
    }
    this.references.update(version)
    this.#streams.update(version, unbounded())
    while (!this.#hidden.advance(version));
    this.#updateFiles(version)
    return this.#figures(version, Number.POSITIVE_INFINITY, liveInTables)
  }

  /**
   * At an open, in turns: what the first `stats()` or look would have to do. Where that is little nothing is done, and
   * where it is very much the rest is left to them.
   */
  async gather(): Promise<void> {
    if (this.#parts.version.files.size < GATHERED_FILES_MIN) return
    for (let i = 0; i < GATHERING_TURNS_MAX && this.#gatherMore(); i++) await nextTurn()
  }

  #gatherMore(): boolean {
    try {
      return this.measureInTurns() === undefined
    } catch {
      // A table that cannot be read: whoever asks for figures is told.
      return false
    }
  }

  /** A record of the log that is in no table may name this stream: its file must stay (I12). */
  holdsStream(number: FileNumber): boolean {
    const { memtables, uploads } = this.#parts
    return memtables.holdsStream(number) || uploads?.holds(number) === true
  }

  get #unwrittenUploadBytes(): number {
    return this.#parts.uploads?.unwrittenBytes ?? 0
  }

  /** Bytes on disk alone. */
  measureDisk(): number {
    return this.usage.measure(this.#parts.version)
  }

  /** With what uploads are about to write. */
  measureWritten(): number {
    return this.measureDisk() + this.#unwrittenUploadBytes
  }

  #updateFiles(version: Version, budget?: WorkBudget): boolean {
    this.usage.follow(version)
    // Other names come and go; those files are few.
    for (const number of this.#files.linked) this.noteNames(number)
    return this.#files.update(version, budget)
  }

  #figures(version: Version, lookups: number, liveInTables?: number): Space {
    const diskBytes = this.usage.measure(version)
    const { hiddenRecordBytes, duplicateBytes } = this.#hidden.figures
    this.#covered.update(version, this.#parts.memtables.list(version.checkpoint))
    const covered = this.#covered.byTables
    const { files, exposedGarbageBytes, punchedBytes } = this.#files
    let listed: CollectibleFile[] | undefined
    const { held } = this.#parts.readers
    const pinned = this.#pinnedBy(held)
    const expired = this.#expired()
    const evicted = this.references.olderThan(version.evictedBelow)
    const streams = this.#streams
    const { all } = streams
    // What is shadowed, covered, expired and evicted would count twice.
    const othersBytes = Math.min(
      this.references.totals.pointedBytes - all.recordBytes,
      hiddenRecordBytes +
        duplicateBytes +
        covered.recordBytes +
        expired.recordBytes +
        evicted.recordBytes,
    )
    const shadowedBytes = othersBytes + streams.unseen(expired.moment).recordBytes
    const pinnedBytes = Math.min(othersBytes, pinned.recordBytes) + streams.pinnedBytes(held)
    return {
      diskBytes,
      ...this.#liveFigures(version, expired, evicted, lookups, liveInTables),
      exposedGarbageBytes,
      punchedBytes,
      hiddenGarbageBytes: Math.max(0, shadowedBytes - pinnedBytes),
      expiry: expired,
      pinnedBytes,
      tableBytes: this.references.totals.tableBytes,
      unwrittenUploadBytes: this.#unwrittenUploadBytes,
      outsideTableBytes: this.usage.outsideTableBytes,
      tableGarbageBytes: this.#tableGarbageBytes(pinned, expired, evicted, held[0]),
      get files() {
        listed ??= files.list()
        return listed
      },
    }
  }

  /** What has expired for every reader, but for the streams that are counted one by one. */
  #expired(): Expired {
    const expired = this.references.expiredBy(this.#parts.readers.expiredBy)
    const streams = this.#streams.expired(expired.moment)
    return {
      ...expired,
      recordBytes: Math.max(0, expired.recordBytes - streams.recordBytes),
      valueBytes: Math.max(0, expired.valueBytes - streams.valueBytes),
    }
  }

  /** What is shadowed or covered, but seen by somebody. */
  #pinnedBy(held: readonly Sequence[]): PinnedShadows {
    const shadowed = this.#hidden.pinnedBy(held)
    const covered = this.#covered.pinnedBy(held)
    const recordBytes = shadowed.recordBytes + covered.recordBytes
    return { recordBytes, weight: shadowed.weight + covered.weight }
  }

  /** Puts that are shadowed, covered or expired; what was evicted; tombstones; less what readers need. */
  #tableGarbageBytes(
    pinned: PinnedShadows,
    expired: Expired,
    evicted: Older,
    oldest: Sequence | undefined,
  ): number {
    const { totals } = this.references
    const covered = this.#covered.byTables
    const { hiddenWeight, duplicateWeight } = this.#hidden.figures
    const garbage =
      Math.max(0, hiddenWeight + duplicateWeight + covered.weight - pinned.weight) +
      expired.weight +
      evicted.weight +
      this.references.droppableTombstoneWeight(oldest)
    const share = garbage / Math.max(1, totals.putWeight + totals.tombstoneWeight)
    return Math.round(totals.tableBytes * Math.min(1, share))
  }

  #liveFigures(
    version: Version,
    expired: Expired,
    evicted: Older,
    lookups: number,
    liveInTables?: number,
  ): Pick<Space, 'liveBytes' | 'unflushedShadowBytes' | 'meanBytes' | 'guessedKeys'> {
    const { totals } = this.references
    const { hiddenValueBytes, duplicateValueBytes } = this.#hidden.figures
    const memtables = this.#parts.memtables.list(version.checkpoint)
    // Streams are known one by one: what is guessed from means is all the rest.
    const { all } = this.#streams
    const unflushed = this.#streams.unflushed(memtables, expired.moment)
    const liveStreamBytes = all.valueBytes - this.#streams.unseen(expired.moment).valueBytes
    const puts = totals.puts - all.count
    const inTables = totals.keyBytes + totals.valueBytes - all.valueBytes
    const { byTables, byMemtables } = this.#covered
    const shadowedBytes =
      hiddenValueBytes +
      duplicateValueBytes +
      byTables.valueBytes +
      expired.valueBytes +
      evicted.valueBytes
    const inVersion =
      liveInTables === undefined ? inTables - shadowedBytes : liveInTables - liveStreamBytes
    const visible = Math.max(0, inVersion - byMemtables.valueBytes)
    const replaced = this.#replaced.update(version, memtables, lookups)
    let entries = 0
    let added = 0
    let shadowing = 0
    let guessedKeys = 0
    for (const [i, memtable] of memtables.entries()) {
      const { keys, guessedKeys: guessed } = replaced[i]!
      entries += memtable.entries
      added += memtable.pointedBytes + memtable.entryBytes
      shadowing += memtable.entries - memtable.keys + keys + guessed
      guessedKeys += guessed
    }
    const meanBytes = (inTables + added) / Math.max(1, puts + entries)
    const uploadedBytes = this.#parts.uploads?.bytes ?? 0
    const inTree = { keys: puts * (visible / Math.max(1, inTables)), bytes: visible }
    const liveInTree = liveBytesAbove(inTree, memtables, replaced)
    const liveBytes = liveInTree + liveStreamBytes - unflushed.valueBytes
    const shadowsBytes = Math.min(shadowing * meanBytes, visible + added) + unflushed.recordBytes
    return {
      liveBytes: Math.round(liveBytes) + uploadedBytes,
      unflushedShadowBytes: Math.round(shadowsBytes) + byMemtables.recordBytes,
      meanBytes,
      guessedKeys,
    }
  }

  /** Asks how many names a file of the value log has. @returns true if it has others than that of the store */
  noteNames(number: FileNumber): boolean {
    const { fileSystem, directory } = this.#parts.context
    const stat = fileSystem.statPath(joinPath(directory, segmentName(number)))
    const hasOtherNames = stat !== undefined && stat.links !== 1
    this.#files.noteOtherNames(number, hasOtherNames)
    return hasOtherNames
  }

  /** Entries of memtables have come into tables, and are in the memtables still: what they replace is asked anew. */
  forgetReplaced(): void {
    this.#replaced = new ReplacedKeys(this.#parts, this.#streams)
  }

  /** A punch of the file has ended. @param referencedBytes when it was; undefined if no holes could be made */
  notePunched(number: FileNumber, referencedBytes: number | undefined): void {
    this.usage.askAgain(number)
    this.#files.notePunched(number, referencedBytes)
  }

  /** A record of the file failed its check: the file is left alone from now on. */
  noteCorrupt(number: FileNumber): void {
    this.#files.noteCorrupt(number)
  }

  /** How many files were noted so. */
  get corruptCount(): number {
    return this.#files.corruptCount
  }

  #block(): number {
    const { fileSystem, directory } = this.#parts.context
    this.#blockBytes ??= fileSystem.statPath(directory)?.blockBytes ?? BLOCK_BYTES
    return this.#blockBytes
  }
}
