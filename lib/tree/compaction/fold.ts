/**
 * Folding: a compaction writes, for some of the records that it keeps, the place where they lie now, in a relocation by
 * its own number, instead of the address under which they were known. Pure decisions, and the port to the places.
 *
 * A logical segment is known as long as any pointer names it, and so would their number grow with the age of a store.
 * Folded are the pointers into segments of which few records are left, for these make the number: of the others, that
 * have more than a quarter of what a file holds on average, there are at most four for each file. They are few
 * pointers, so that a compaction costs hardly more, and no segment costs more than its few lookups.
 *
 * A file of which more than an eighth is garbage is left out: it will be rewritten before long, and what was folded
 * into it would be known by its old number then. While it is folded into it cannot be rewritten, either
 * (lib/state/relocation-claims.ts).
 *
 * What no compaction passes by folds nothing. So when more than four old segments are known for each file, and some,
 * one table after the other is written anew where it is: of some, that which names most of the old segments that can be
 * folded. Each such table names none of them afterwards, whoever still reads, so this ends. What no pointer names any
 * more goes from the version by the same edit as the tables: its relocation is claimed, so no rewrite counts on it.
 */
import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import type { ReferenceList } from '../../base/segment-records.ts'
import type { TableMeta } from '../entry.ts'
import type { Level, Version } from '../version/version.ts'
import type { RelocationFile } from '../version/version-edit.ts'

/** So few records of a segment are folded whatever files hold on average ... */
const FEW_RECORDS = 64
/** ... and else those of a segment with less than this part of it. */
const FEW_SHARE = 1 / 4
/** Old segments that may be known for each file of the value log ... */
const OLD_PER_FILE = 1 / FEW_SHARE
/** ... and beyond that, so that a small store need not bother. */
const OLD_SPARE = 64
/** A segment is worth merging so many entries, where a compaction that folds nothing might patch them (patch.ts). */
const ENTRIES_PER_FOLDED = 16_384
/** A file with a larger part of garbage is left out. */
const GARBAGE_SHARE = 1 / 8
/** References of tables that are looked at for one to be written anew: a millisecond or two. */
const LOOKED_REFERENCES = 20_000
/** Relocations that one compaction folds into: it keeps them open. */
const FOLDED_FILES_MAX = 64

/** The port through which a compaction asks where records lie; vlog/relocation/present-places.ts answers. */
export interface RecordPlaces {
  /** @returns true if the record has another name now: `segment` and `offset` say which */
  find(segment: SegmentNumber, offset: number): boolean
  /** The relocation that the last record was found in. */
  readonly segment: SegmentNumber
  readonly offset: number
}

/** A relocation that a compaction folds into, and the segments whose pointers it folds. */
export interface FoldTarget extends Pick<RelocationFile, 'number' | 'salt' | 'length'> {
  readonly segments: readonly SegmentNumber[]
}

/** What tables point to. */
export interface PointedRecords {
  of(segment: SegmentNumber): { readonly records: number; readonly bytes: number } | undefined
  /** None if the table has not been read yet. */
  referencesOf(table: FileNumber): ReferenceList
  readonly totals: { readonly puts: number }
}

/** Old segments, which have no file of their own, and files of the value log. */
export function countSegments({ files, segments }: Version): {
  readonly old: number
  readonly files: number
} {
  return { old: segments.size - files.size, files: files.size }
}

/** What can be folded of one version. */
export class Folds {
  readonly #version: Version
  readonly #pointed: PointedRecords
  readonly #isFree: (relocation: FileNumber) => boolean
  readonly #recordsMax: number
  /** More old segments are known than there should be. */
  readonly isOver: boolean

  /** @param isFree false for a relocation that must be left out */
  constructor(
    version: Version,
    pointed: PointedRecords,
    isFree: (relocation: FileNumber) => boolean,
  ) {
    this.#version = version
    this.#pointed = pointed
    this.#isFree = isFree
    const { old, files } = countSegments(version)
    this.isOver = old > OLD_PER_FILE * files + OLD_SPARE
    const mean = pointed.totals.puts / Math.max(1, files)
    this.#recordsMax = Math.max(FEW_RECORDS, mean * FEW_SHARE)
  }

  /** What a compaction of these tables folds; nothing where that is not worth a merge. */
  targets(tables: readonly TableMeta[]): FoldTarget[] {
    const found = new Map<FileNumber, Set<SegmentNumber>>()
    for (const { number } of tables) {
      for (const segment of this.#pointed.referencesOf(number).segments) {
        const relocation = this.#foldsInto(segment)
        if (relocation === undefined) continue
        const segments = found.get(relocation) ?? new Set()
        found.set(relocation, segments.add(segment))
      }
    }
    const chosen = [...found]
      .sort(([, left], [, right]) => right.size - left.size)
      .flatMap(([number, segments]) => {
        const file = this.#version.files.get(number)
        return file?.role === 'relocation' ? [{ file, segments }] : []
      })
      .filter(({ file }) => this.isOver || this.#stays(file))
      .slice(0, FOLDED_FILES_MAX)
      .map(({ file: { number, salt, length }, segments }) => {
        return { number, salt, length, segments: [...segments] }
      })
    const count = chosen.reduce((sum, { segments }) => sum + segments.length, 0)
    const entries = tables.reduce((sum, table) => sum + table.entries, 0)
    return this.isOver || count * ENTRIES_PER_FOLDED >= entries ? chosen : []
  }

  /**
   * Those of the segments of targets to which no other tables point: when the compaction of these has folded what it
   * keeps, nothing does. Flushes point to no segment that was moved, and no other compaction runs.
   */
  nameless(targets: readonly FoldTarget[], tables: readonly TableMeta[]): SegmentNumber[] {
    const left = new Map<SegmentNumber, number>()
    for (const segment of targets.flatMap(({ segments }) => segments)) {
      left.set(segment, this.#pointed.of(segment)?.records ?? 0)
    }
    for (const { number } of tables) {
      for (const { segment, records } of this.#pointed.referencesOf(number)) {
        const before = left.get(segment)
        if (before !== undefined) left.set(segment, before - records)
      }
    }
    return [...left].flatMap(([segment, records]) => (records === 0 ? [segment] : []))
  }

  /**
   * The table that names most segments which can be folded, of those that are looked at: some, one behind the other, or
   * more until one is found. To look at all takes a tenth of a second where there are many.
   * @param from how many tables are left for last: they were looked at before
   */
  worstTable(levels: readonly Level[], from: number): WorstTable {
    let worst: PlacedTable | undefined
    let most = 0
    let looked = 0
    let references = 0
    for (const place of placedTables(levels, from)) {
      if (most > 0 && references >= LOOKED_REFERENCES) break
      const { number } = place.table
      references += this.#pointed.referencesOf(number).length
      looked++
      const named = this.#countFoldable(place.table)
      if (named <= most) continue
      most = named
      worst = place
    }
    return { worst, looked }
  }

  #countFoldable({ number }: TableMeta): number {
    let count = 0
    for (const segment of this.#pointed.referencesOf(number).segments) {
      if (this.#foldsInto(segment) !== undefined) count++
    }
    return count
  }

  /** The relocation that pointers to this segment are folded into. */
  #foldsInto(segment: SegmentNumber): FileNumber | undefined {
    const holder = this.#version.segments.get(segment)
    if (holder === undefined || holder === segment) return undefined
    const records = this.#pointed.of(segment)?.records ?? 0
    return records <= this.#recordsMax && this.#isFree(holder) ? holder : undefined
  }

  /** Little of it is garbage. */
  #stays({ number, length, parts }: RelocationFile): boolean {
    let bytes = this.#pointed.of(number)?.bytes ?? 0
    for (const { segment } of parts) bytes += this.#pointed.of(segment)?.bytes ?? 0
    return bytes >= length * (1 - GARBAGE_SHARE)
  }
}

/** Undefined: no table names any. */
export interface WorstTable {
  readonly worst: PlacedTable | undefined
  /** Tables that were looked at. */
  readonly looked: number
}

/** All tables, in the order of levels and runs, the first ones last. */
function* placedTables(levels: readonly Level[], first: number): Generator<PlacedTable, void> {
  yield* placedBetween(levels, first, Number.POSITIVE_INFINITY)
  yield* placedBetween(levels, 0, first)
}

function* placedBetween(
  levels: readonly Level[],
  first: number,
  end: number,
): Generator<PlacedTable, void> {
  let before = 0
  for (const [level, { runs }] of levels.entries()) {
    for (const { id: runId, tables } of runs) {
      for (let i = Math.max(0, first - before); i < Math.min(tables.length, end - before); i++) {
        yield { level, runId, table: tables[i]! }
      }
      before += tables.length
    }
  }
}

/** A table, and the run that holds it. */
export interface PlacedTable {
  readonly level: number
  readonly runId: number
  readonly table: TableMeta
}
