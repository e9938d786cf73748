/**
 * An open table: lookups, cursors, its references, its verification.
 *
 * Opening reads the header and the end of the file and holds them against the manifest; index and
 * filter are read at the first lookup or cursor. `find` allocates nothing while the blocks that it
 * needs are cached.
 */

import { compareBytes } from '../../base/bytes.ts'
import { CorruptionError } from '../../base/errors.ts'
import { BlockCache } from '../../base/files/block-cache.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import { LapsingFile } from '../../base/files/lapsing-file.ts'
import type { Sequence } from '../../base/ids.ts'
import type { ReferenceList } from '../../base/segment-records.ts'
import type { Entry, EntryCursor, TableMeta } from '../entry.ts'
import { endsBefore } from '../key-span.ts'
import type { FragmentList, RangeFragment } from '../ranges/range-fragments.ts'
import { ABSENT, entriesEnd, findInBlock, restartCount } from './block-format.ts'
import { filterMayContain } from './filter.ts'
import { type KeySample, sampleKeys, shareWithin } from './key-samples.ts'
import { TableCursor } from './table-cursor.ts'
import {
  readEnds,
  readSearch,
  type TableContents,
  type TableEnds,
  type TableSearch,
  verifyUnknownParts,
} from './table-ends.ts'
import { isKnownPart } from './table-format.ts'
import { contentLength, findBlock, indexMemoryBytes } from './table-index.ts'
import type { TableProperties } from './table-properties.ts'
import { verifyEntries } from './table-verify.ts'

export class TableReader {
  readonly meta: TableMeta
  /** One for each segment that the table points to, in no order. */
  readonly references: ReferenceList
  /** What the table says of itself. */
  readonly properties: TableProperties
  /** Lookups that asked the filter, and those that it answered: no such key here. */
  filterChecks = 0
  filterRejections = 0

  readonly #file: LapsingFile
  readonly #name: string
  readonly #databaseId: Uint8Array
  readonly #ends: TableEnds
  #search: TableSearch | undefined
  /** Made without a cache. */
  readonly #jobCursors: TableCursor[] = []

  private constructor(
    file: LapsingFile,
    name: string,
    meta: TableMeta,
    databaseId: Uint8Array,
    ends: TableEnds,
  ) {
    this.#file = file
    this.#name = name
    this.#databaseId = databaseId
    this.#ends = ends
    this.meta = meta
    this.references = ends.references.withRecords()
    this.properties = ends.properties
  }

  /**
   * Opens a table: two reads, one if it is small, three if it has very long keys or many segments.
   * @param path where it lies, `name` its name in the database directory, for messages
   * @throws CorruptionError if it is damaged or not what the manifest says, WISC_FORMAT_VERSION,
   * IoError
   */
  static open(
    fileSystem: FileSystem,
    path: string,
    name: string,
    meta: TableMeta,
    databaseId: Uint8Array,
  ): TableReader {
    const file = new LapsingFile(fileSystem, path)
    try {
      return new TableReader(file, name, meta, databaseId, readEnds(file, name, meta, databaseId))
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** All of the table, for who makes another one of it. A part that this version does not know is left out. */
  contents(): TableContents {
    const { blocks, filter } = this.#search ?? this.#load()
    const { references, properties } = this.#ends
    return { blocks, filter, references, properties }
  }

  /** Its range tombstones. */
  get ranges(): FragmentList {
    return this.#ends.ranges
  }

  /** The table has parts that this version does not know. */
  get hasUnknownParts(): boolean {
    return [...this.#ends.layout.parts.values()].some((part) => !isKnownPart(part))
  }

  /** Memory that index and filter take now. */
  get pinnedBytes(): number {
    if (this.#search === undefined) return 0
    return indexMemoryBytes(this.#search.blocks.index) + (this.#search.filter?.length ?? 0)
  }

  /**
   * The newest entry of `key` at or below `sequence`. `hash` is the key's own: hashRange with seed
   * 0. An inline value is a view that is good until the next lookup.
   * @returns false if there is none; then `found` is unchanged
   */
  find(
    key: Uint8Array,
    hash: number,
    sequence: Sequence,
    found: Entry,
    cache: BlockCache,
  ): boolean {
    const { blocks, filter } = this.#search ?? this.#load()
    if (filter !== undefined && !this.#passes(filter, hash)) return false
    if (blocks.index.blockCount === 0) return false
    const block = findBlock(blocks.index, key, sequence)
    const bytes = blocks.lookUp(block, cache)
    const contentEnd = contentLength(blocks.index, block)
    const end = entriesEnd(bytes, contentEnd)
    const count = restartCount(end, contentEnd)
    const words = blocks.restartWords(block, end, count)
    const answer = findInBlock(bytes, 0, end, count, key, sequence, blocks, found, words)
    if (answer >= 0) return true
    if (answer === ABSENT) return false
    throw blocks.entryError(block, answer, 0)
  }

  /**
   * About the part of the entries that lies in a range of keys: by whole blocks, or samples where those are few.
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  shareWithin(range: Pick<RangeFragment, 'start' | 'end'>, cache: BlockCache): number {
    const { start, end } = range
    const { smallestKey } = this.meta
    const isAllAbove = compareBytes(start, smallestKey) <= 0
    if (isAllAbove && (end === undefined || endsBefore(this.meta, end, 0, end.length))) return 1
    const { blocks } = this.#search ?? this.#load()
    return shareWithin(blocks, range, cache)
  }

  /** About `count` keys, evenly spread over the table: see key-samples.ts. */
  sampleKeys(count: number, cache: BlockCache): readonly KeySample[] {
    const { blocks } = this.#search ?? this.#load()
    return sampleKeys(blocks, count, cache)
  }

  /**
   * A cursor for reads, through the cache; or, without one, for a job that reads all of the table
   * once, forward.
   */
  cursor(cache?: BlockCache): EntryCursor {
    const { blocks } = this.#search ?? this.#load()
    const cursor = new TableCursor(blocks, cache)
    if (cache === undefined) this.#jobCursors.push(cursor)
    return cursor
  }

  /**
   * Reads all of the file anew and checks everything that can be: blocks, order, bounds, counts,
   * filter, references.
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
   */
  verify(): void {
    const ends = readEnds(this.#file, this.#name, this.meta, this.#databaseId)
    const { blocks, filter } = readSearch(this.#file, this.#name, ends)
    verifyUnknownParts(this.#file, this.#name, ends)
    verifyEntries(blocks, filter, ends)
  }

  /** All data blocks that fail their check; none if the index is damaged, which knows where they lie. */
  *damagedBlocks(): Generator<CorruptionError> {
    const blocks = intact(() => (this.#search ?? this.#load()).blocks)
    if (blocks instanceof CorruptionError) return
    const cache = new BlockCache(0)
    for (let block = 0; block < blocks.index.blockCount; block++) {
      const found = intact(() => blocks.get(block, cache))
      if (found instanceof CorruptionError) yield found
    }
  }

  /** Closes the file and cursors of jobs, takes the table's blocks out of the cache. A second call does nothing. */
  close(): void {
    for (const cursor of this.#jobCursors.splice(0)) cursor.close()
    this.#search?.blocks.drop()
    this.#file.close()
  }

  /** The same, but what is under way with it goes on: each read opens the file for itself from now on. */
  lapse(): void {
    this.#search?.blocks.drop()
    this.#file.lapse()
  }

  #passes(filter: Uint8Array, hash: number): boolean {
    this.filterChecks++
    if (filterMayContain(filter, hash)) return true
    this.filterRejections++
    return false
  }

  #load(): TableSearch {
    const search = readSearch(this.#file, this.#name, this.#ends)
    this.#search = search
    return search
  }
}

/** What `read` gives, or the damage that stops it. */
function intact<T>(read: () => T): T | CorruptionError {
  try {
    return read()
  } catch (error) {
    if (error instanceof CorruptionError) return error
    throw error
  }
}
