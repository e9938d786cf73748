/**
 * What the tables would point to if everything were flushed and compacted now: one walk over memtables and tables in
 * key order, by the rule of compactions (retention.ts). Writes nothing (I11).
 */

import type { FileSystem } from '../../base/files/file-system.ts'
import { InputRun, type TablePlace } from '../../tree/compaction/input-run.ts'
import { MergeCursor } from '../../tree/compaction/merge-cursor.ts'
import { Retention } from '../../tree/compaction/retention.ts'
import { type EntryCursor, KIND, valueLength } from '../../tree/entry.ts'
import { entryWeight } from '../../tree/entry-weight.ts'
import { LastKey } from '../../tree/table/last-key.ts'
import type { Version } from '../../tree/version/version.ts'

/** A step ends after so many entries: 1 to 3 ms. */
const STEP_ENTRIES = 4000
/** More places than that are not kept in memory: what punches give is then guessed. */
const PLACES_MAX = 16 * 1024 * 1024

export interface CompactedTreeInput extends TablePlace {
  readonly fileSystem: FileSystem
  readonly version: Version
  /** Of memtables. */
  readonly unflushed: readonly EntryCursor[]
  /** What someone may read, ascending; the last one is the newest. */
  readonly readable: readonly number[]
  /** Whether the places of records in this segment are wanted. */
  readonly wantsPlaces: (segment: number) => boolean
}

/** Records of one segment that are kept, and what of those that are pointed to now is not. Bytes of whole records. */
export interface KeptRecords {
  records: number
  bytes: number
  /** Of these, what only readers of older sequences see. */
  pinnedBytes: number
  hiddenBytes: number
  /** Offsets, ascending when the walk has ended; undefined if they are not wanted, or too many. */
  places: number[] | undefined
}

export interface CompactedTree {
  readonly segments: ReadonlyMap<number, KeptRecords>
  /** Of the keys and values that live. */
  readonly liveBytes: number
  readonly hiddenBytes: number
  readonly pinnedBytes: number
  /** What entries take of tables, in proportion to each other: all, and those that a compaction drops. */
  readonly weight: number
  readonly garbageWeight: number
}

/** Yields after each step. @throws CorruptionError, IoError */
export function* walkCompacted(input: CompactedTreeInput): Generator<void, CompactedTree> {
  const runs = input.version.levels.flatMap((level) => level.runs)
  const open = runs.map((run) => new InputRun(run.tables, input, input.fileSystem))
  const cursor = new MergeCursor([...input.unflushed, ...open.map((run) => run.cursor)])
  const walk = new Walk(input)
  try {
    let entries = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) {
      walk.add(cursor)
      if (++entries % STEP_ENTRIES === 0) yield
    }
    return walk.result()
  } finally {
    for (const run of open) run.close()
  }
}

class Walk {
  readonly #wantsPlaces: CompactedTreeInput['wantsPlaces']
  readonly #retention: Retention
  readonly #lastKey: LastKey = new LastKey()
  readonly #segments: Map<number, KeptRecords> = new Map()
  #places = 0
  #liveBytes = 0
  #hiddenBytes = 0
  #pinnedBytes = 0
  #weight = 0
  #garbageWeight = 0

  constructor({ readable, wantsPlaces }: CompactedTreeInput) {
    this.#retention = new Retention(readable, [])
    this.#wantsPlaces = wantsPlaces
  }

  add(cursor: EntryCursor): void {
    const { kind, keyBytes, keyStart, keyEnd, sequence } = cursor
    const isNewest = this.#lastKey.advance(cursor)
    if (isNewest) this.#retention.startKey()
    const isKept = this.#retention.keeps(sequence)
    const isTombstone = kind === KIND.tombstone
    const isGarbage =
      !isKept ||
      (isTombstone && this.#retention.dropsTombstone(sequence, keyBytes, keyStart, keyEnd))
    const keyLength = keyEnd - keyStart
    const weight = entryWeight(cursor, keyLength)
    this.#weight += weight
    if (isGarbage) this.#garbageWeight += weight
    if (isNewest && !isTombstone) this.#liveBytes += keyLength + valueLength(cursor, keyLength)
    if (kind === KIND.pointer) this.#addRecord(cursor, isNewest, isKept)
  }

  #addRecord({ segment, offset, length }: EntryCursor, isNewest: boolean, isKept: boolean): void {
    let kept = this.#segments.get(segment)
    if (kept === undefined) {
      const places = this.#wantsPlaces(segment) ? [] : undefined
      kept = { records: 0, bytes: 0, pinnedBytes: 0, hiddenBytes: 0, places }
      this.#segments.set(segment, kept)
    }
    if (!isKept) {
      kept.hiddenBytes += length
      this.#hiddenBytes += length
      return
    }
    kept.records++
    kept.bytes += length
    if (!isNewest) {
      kept.pinnedBytes += length
      this.#pinnedBytes += length
    }
    if (kept.places && ++this.#places > PLACES_MAX) kept.places = undefined
    kept.places?.push(offset)
  }

  result(): CompactedTree {
    for (const { places } of this.#segments.values()) places?.sort((left, right) => left - right)
    return {
      segments: this.#segments,
      liveBytes: this.#liveBytes,
      hiddenBytes: this.#hiddenBytes,
      pinnedBytes: this.#pinnedBytes,
      weight: this.#weight,
      garbageWeight: this.#garbageWeight,
    }
  }
}
