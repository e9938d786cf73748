/**
 * The figures of each file of the value log: they follow the versions and what tables refer to, so that a look costs
 * what has changed and not what there is.
 *
 * A file's figures are an object that is made anew when anything in it may have changed: the version describes the file
 * in another way, other tables point into it, it was punched or found damaged. Those at the end of the log, which also
 * depend on what is written and flushed, are made anew at each look; they are few. The map of them is persistent: who
 * goes through it in several turns sees the files as they were together.
 */
import type { FileNumber, SegmentNumber } from '../base/ids.ts'
import { compareLogPositions } from '../base/log-position.ts'
import { NumberMap, type NumberMapBuilder } from '../base/number-map.ts'
import type { Memtables } from '../state/memtables.ts'
import { EMPTY_VERSION, flushedEnd, type Version } from '../tree/version/version.ts'
import type { LogFile, StreamFile } from '../tree/version/version-edit.ts'
import type { DiskUsage } from './disk-usage.ts'
import type { CollectibleFile, HeldPart } from './figures.ts'
import { exposedGarbageBytes, punchedGarbageBytes } from './figures.ts'
import { type References, unbounded, type WorkBudget } from './references.ts'

/** What it costs to make the figures of a file, with each segment that it holds, and to find that of a segment. */
const FILE_WORK = 1
const HELD_WORK = 0.5
const SEGMENT_WORK = 1

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export type FilesByNumber = NumberMap<FileNumber, CollectibleFile>
type FiguresBuilder = NumberMapBuilder<FileNumber, CollectibleFile>

/** Shared by all files without one: what is made for each of many files, and lives long, costs the most. */
const NO_SEGMENTS: SegmentNumber[] = []
const NO_PARTS: readonly HeldPart[] = []

/** Above every number. */
const NONE_UNSEEN = Number.POSITIVE_INFINITY

/** What the figures of files are made from. */
export interface LogFilesParts {
  readonly memtables: Pick<Memtables, 'hasEntries'>
  /** End of the frames of a segment that is not sealed; 0 if it has none. */
  writtenEnd(segment: SegmentNumber): number
}

export class LogFiles {
  readonly #parts: LogFilesParts
  readonly #holdsStream: (number: FileNumber) => boolean
  readonly #references: References
  readonly #usage: DiskUsage
  readonly #blockBytes: () => number
  /** The one that the figures are for, but for those in `#stale`. */
  #version: Version = EMPTY_VERSION
  #files: FilesByNumber = NumberMap.empty()
  /** Those of a look that is under way: one builder for all of its turns copies each node of the map once. */
  #building: FiguresBuilder | undefined
  readonly #stale: Set<FileNumber> = new Set()
  /** Files from this number on have no figures yet: the first look is under way. */
  #unseen: FileNumber = 0
  /** Files that hold something behind the checkpoint, or are not sealed; streams whose record lies there. */
  readonly #atEnd: Set<FileNumber> = new Set()
  /** A look has begun and is not at its end. */
  #isUnderWay = false
  #exposedGarbageBytes = 0
  #punchedBytes = 0
  /** Files with a record that failed its check. */
  readonly #corrupt: Set<FileNumber> = new Set()
  /** Files that were punched, with the bytes that were referenced then. */
  readonly #punched: Map<FileNumber, number> = new Map()
  /** Files that had another name when they were last looked at: they cannot be punched. */
  readonly #linked: Set<FileNumber> = new Set()

  constructor(
    parts: LogFilesParts,
    holdsStream: (number: FileNumber) => boolean,
    references: References,
    usage: DiskUsage,
    blockBytes: () => number,
  ) {
    this.#parts = parts
    this.#holdsStream = holdsStream
    this.#references = references
    this.#usage = usage
    this.#blockBytes = blockBytes
  }

  /** All files that hold anything, by number, as the last look that came to its end saw them. */
  get files(): FilesByNumber {
    return this.#files
  }

  /** Bytes that no entry points to. */
  get exposedGarbageBytes(): number {
    return this.#exposedGarbageBytes
  }

  /** Of these, holes. */
  get punchedBytes(): number {
    return this.#punchedBytes
  }

  /** How many files were found damaged. */
  get corruptCount(): number {
    return this.#corrupt.size
  }

  /** Files with other names than the store's, as far as that is known. */
  get linked(): ReadonlySet<FileNumber> {
    return this.#linked
  }

  noteCorrupt(number: FileNumber): void {
    this.#corrupt.add(number)
    this.#stale.add(number)
  }

  /** Its blocks are others now. @param referencedBytes when it was punched; undefined if it has no holes of that */
  notePunched(number: FileNumber, referencedBytes: number | undefined): void {
    if (referencedBytes !== undefined) this.#punched.set(number, referencedBytes)
    this.noteBlocks(number)
  }

  /** Its blocks are others than before. */
  noteBlocks(number: FileNumber): void {
    this.#stale.add(number)
  }

  noteOtherNames(number: FileNumber, hasOtherNames: boolean): void {
    if (hasOtherNames === this.#linked.has(number)) return
    if (hasOtherNames) this.#linked.add(number)
    else this.#linked.delete(number)
    this.#stale.add(number)
  }

  /**
   * Brings the figures to a version, which the references and the disk usage have been brought to before.
   * @param budget how much it may cost, less what it did cost
   * @returns false if there are more: then the figures are of no version, and the next call goes on
   */
  update(version: Version, budget: WorkBudget = unbounded()): boolean {
    const stale = this.#stale
    if (this.#unseen === 0) this.#references.forgetChanged()
    else NumberMap.diff(this.#version.files, version.files, (number) => this.#outdate(number))
    // Once for each look, not for each of its turns: there may be more of them than a turn takes.
    const isNewLook = !this.#isUnderWay || budget.work === Number.POSITIVE_INFINITY
    if (isNewLook || this.#version.checkpoint !== version.checkpoint) {
      for (const number of this.#atEnd) stale.add(number)
    }
    this.#version = version
    this.#isUnderWay = true
    if (!this.#followReferences(version, budget)) return false
    this.#building ??= this.#files.builder()
    const files = this.#building
    for (const number of stale) {
      if (budget.work <= 0) break
      stale.delete(number)
      this.#replace(files, version, number, budget)
    }
    if (this.#unseen < NONE_UNSEEN) this.#seeMore(files, version, budget)
    this.#isUnderWay = stale.size > 0 || this.#unseen < NONE_UNSEEN
    if (this.#isUnderWay) return false
    this.#files = files.finish()
    this.#building = undefined
    return true
  }

  /** In ascending order, as a map is built best. */
  #seeMore(files: FiguresBuilder, version: Version, budget: WorkBudget): void {
    for (const [number] of version.files.from(this.#unseen)) {
      this.#unseen = number
      if (budget.work <= 0) return
      this.#replace(files, version, number, budget)
    }
    this.#unseen = NONE_UNSEEN
  }

  #outdate(number: FileNumber): void {
    if (number < this.#unseen) this.#stale.add(number)
  }

  #followReferences(version: Version, budget: WorkBudget): boolean {
    if (budget.work <= 0) return false
    for (;;) {
      const segment = this.#references.takeChanged()
      if (segment === undefined) return true
      budget.work -= SEGMENT_WORK
      const number = version.segments.get(segment)
      if (number !== undefined) this.#outdate(number)
      if (budget.work <= 0) return false
    }
  }

  #replace(files: FiguresBuilder, version: Version, number: FileNumber, budget: WorkBudget): void {
    const before = files.get(number)
    const file = this.#figuresOf(version, number)
    budget.work -= FILE_WORK + HELD_WORK * (1 + (file?.parts.length ?? 0))
    this.#count(before, -1)
    this.#count(file, 1)
    if (file !== undefined) files.set(number, file)
    else files.delete(number)
  }

  #count(file: CollectibleFile | undefined, sign: 1 | -1): void {
    if (file === undefined) return
    this.#exposedGarbageBytes += sign * exposedGarbageBytes(file)
    this.#punchedBytes += sign * punchedGarbageBytes(file)
  }

  #figuresOf(version: Version, number: FileNumber): CollectibleFile | undefined {
    this.#atEnd.delete(number)
    const known = version.files.get(number)
    if (known !== undefined) {
      if (known.role === 'log') return this.#logFile(version, known)
      if (known.role === 'stream') return this.#streamFile(known)
      return this.#file(number, 'relocation', known.length, known.parts, 0, false)
    }
    this.#punched.delete(number)
    this.#linked.delete(number)
    return undefined
  }

  #logFile(version: Version, known: LogFile): CollectibleFile | undefined {
    const { number, ordinal, seal } = known
    const sealed = seal !== undefined
    const length = seal?.length ?? this.#parts.writtenEnd(number)
    const end = { ordinal, offset: length }
    const isBehind = sealed && compareLogPositions(end, version.checkpoint) <= 0
    if (!isBehind) this.#atEnd.add(number)
    if (length === 0) return undefined
    // With empty memtables only marker frames lie behind the checkpoint: it can be moved, and the segment sealed.
    const needsSeal = !this.#parts.memtables.hasEntries && !isBehind
    const unflushedBytes = needsSeal ? 0 : length - flushedEnd(version, known, length)
    const file = this.#file(number, 'segment', length, NO_PARTS, unflushedBytes, needsSeal)
    if (!needsSeal && !isBehind) file.blocked = sealed ? 'unflushed' : 'unsealed'
    return file
  }

  #streamFile({ number, length }: StreamFile): CollectibleFile {
    const isHeld = this.#holdsStream(number)
    const file = this.#file(number, 'stream', length, NO_PARTS, isHeld ? length : 0, false)
    // Tables may name it already, beside a memtable.
    file.referencedBytes = Math.min(file.referencedBytes, length)
    if (!isHeld) return file
    this.#atEnd.add(number)
    file.blocked = 'unflushed'
    return file
  }

  #file(
    number: FileNumber,
    kind: CollectibleFile['kind'],
    totalBytes: number,
    parts: readonly HeldPart[],
    unflushedBytes: number,
    needsSeal: boolean,
  ): Mutable<CollectibleFile> {
    const sum = { records: 0, bytes: unflushedBytes }
    let deadSegments = NO_SEGMENTS
    for (let i = 0; i <= parts.length; i++) {
      const segment = i < parts.length ? parts[i]!.segment : number
      if (this.#references.addTo(sum, segment)) continue
      if (deadSegments === NO_SEGMENTS) deadSegments = []
      deadSegments.push(segment)
    }
    const file: Mutable<CollectibleFile> = {
      number,
      kind,
      parts,
      deadSegments,
      totalBytes,
      referencedRecords: sum.records,
      referencedBytes: sum.bytes,
      diskBytes: this.#usage.ofValueLogFile(number),
      blockBytes: this.#blockBytes(),
      needsSeal,
    }
    if (this.#linked.has(number)) file.hasOtherNames = true
    if (this.#corrupt.has(number)) file.blocked = 'corrupt'
    const punchedAt = this.#punched.get(number)
    if (punchedAt !== undefined) file.referencedBytesAtPunch = punchedAt
    return file
  }
}
