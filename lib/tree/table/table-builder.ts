/**
 * Writes a table: entries in order, then filter, index, references, properties, meta index, footer; then
 * syncs the file.
 *
 * Data plane: nothing is allocated for an entry or a block, the memory of one block is used for
 * all. Which entries go in, and where a table ends, is decided by the job that feeds it.
 */

import { compareBytes, hashRange } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileIdentity } from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import {
  FILE_BYTES_MAX,
  FILE_NUMBER_MAX,
  type FileNumber,
  SEQUENCE_MAX,
  type SegmentNumber,
  type Sequence,
} from '../../base/ids.ts'
import {
  addPointer,
  noReferences,
  type Reference,
  type ReferenceSum,
} from '../../base/segment-records.ts'
import {
  type BuiltTable,
  type Entry,
  KEY_BYTES_MAX,
  KIND,
  type TableMeta,
  type TableOptions,
  valueLength,
} from '../entry.ts'
import { ExpirySums, NO_EXPIRIES } from '../expiry-sums.ts'
import { fragmentBytes, spanOfTable, withSequencesOf } from '../ranges/range-format.ts'
import { cutFragment, endsAtOrBefore, type RangeFragment } from '../ranges/range-fragments.ts'
import { BlockBuilder } from './block-builder.ts'
import { EXPIRES_TAG } from './block-format.ts'
import { buildFilter } from './filter.ts'
import { LastKey } from './last-key.ts'
import { TableFile } from './table-file.ts'
import { TRAILER_BYTES } from './table-format.ts'

export class TableBuilder {
  readonly #file: TableFile
  readonly #number: FileNumber
  readonly #options: TableOptions
  readonly #baseSequence: Sequence

  readonly #block: BlockBuilder
  /** Hashes of the distinct keys, for the filter. */
  #hashes: Uint32Array = new Uint32Array(256)
  #distinctKeys = 0

  readonly #segments: Map<SegmentNumber, number> = new Map()
  readonly #references: (ReferenceSum & Pick<Reference, 'segment'>)[] = []
  /**
   * The segment of the pointer before, and its place in the references: mostly the next one's, too.
   */
  #lastSegment = -1
  #lastSegmentIndex = 0

  /** About what the blocks that have ended take, with their parts of index and filter. */
  #endedBytes: number

  readonly #lastKey: LastKey = new LastKey()
  #lastSequence: Sequence = 0
  #smallestKey: Uint8Array | undefined
  #entries = 0
  #tombstones = 0
  #valueBytes = 0
  #keyBytes = 0
  /** Undefined as long as nothing expires; whether inline values do, and pointers. */
  #expiries: ExpirySums | undefined
  #hasExpiringValues = false
  #hasExpiringPointers = false
  #smallestSequence: Sequence = SEQUENCE_MAX
  #largestSequence: Sequence = 0
  /** Its range tombstones, and about what they take. */
  readonly #fragments: RangeFragment[] = []
  #fragmentBytes = 0

  /**
   * @param file a new, empty file; its owner closes it
   * @param baseSequence not above any sequence that will come; the nearer, the smaller the table
   */
  constructor(file: File, identity: FileIdentity, options: TableOptions, baseSequence: Sequence) {
    this.#file = new TableFile(file, identity)
    this.#endedBytes = this.#file.endedBytes
    this.#number = identity.number
    this.#options = options
    this.#baseSequence = baseSequence
    this.#block = new BlockBuilder(options.blockBytes)
  }

  get entries(): number {
    return this.#entries
  }

  /** About what the file would have if it were finished now. */
  get estimatedBytes(): number {
    return this.#endedBytes + this.#block.estimatedBytes + this.#fragmentBytes
  }

  /** True if the entry has the key of the one before, and so must go into the same table. */
  hasLastKey(entry: Entry): boolean {
    return this.#lastKey.is(entry)
  }

  /**
   * Adds an entry; key and value are copied. Any cursor will do. Requires: it lies after the one
   * before, by key, then by sequence, newest first. Its kind is not `deferred`.
   */
  add(entry: Entry): void {
    const keyLength = entry.keyEnd - entry.keyStart
    const sequence = entry.sequence
    const distance = sequence - this.#baseSequence
    assert(distance >= 0, 'the base sequence is a lower bound')
    assert(keyLength <= KEY_BYTES_MAX, 'keys have at most 64 KiB')
    assert(entry.kind !== KIND.deferred, 'deferred values are fetched before they reach a table')

    const lastKey = this.#lastKey
    const common = lastKey.commonWith(entry)
    const isNewKey = common < keyLength || common !== lastKey.length
    if (this.#entries > 0) this.#assertOrder(entry, common, isNewKey)

    const inlineLength = entry.kind === KIND.inline ? entry.valueEnd - entry.valueStart : 0
    const blockBytes = this.#block.estimatedBytes + BlockBuilder.entryBytes(keyLength, inlineLength)
    if (!this.#block.isEmpty && blockBytes > this.#options.blockBytes) this.#endBlock()
    if (this.#block.isEmpty) this.#beginBlock(entry, common, isNewKey)
    this.#block.add(entry, common, distance, this.#count(entry))

    if (isNewKey) {
      this.#addHash(hashRange(entry.keyBytes, entry.keyStart, entry.keyEnd, 0))
      lastKey.set(entry, common)
      this.#smallestKey ??= lastKey.copy()
    }
    this.#lastSequence = sequence
    if (sequence < this.#smallestSequence) this.#smallestSequence = sequence
    if (sequence > this.#largestSequence) this.#largestSequence = sequence
    this.#entries++
  }

  /** Adds a range tombstone. Its keys must not change. Requires: it begins behind the one before. */
  addRange(fragment: RangeFragment): void {
    this.#fragments.push(fragment)
    this.#fragmentBytes += fragmentBytes(fragment)
  }

  /**
   * Takes off what range tombstones have from a key on, behind all entries: the last one alone may reach so far.
   * @returns it; undefined if there is none
   */
  takeRangeFrom(key: Uint8Array): RangeFragment | undefined {
    const last = this.#fragments.at(-1)
    if (last === undefined || endsAtOrBefore(last, key)) return undefined
    this.#fragments.pop()
    if (compareBytes(last.start, key) === 0) return last
    this.#fragments.push(cutFragment(last, last.start, key))
    return cutFragment(last, key, last.end)
  }

  /** Nothing was added, or all of it was taken off. */
  get isEmpty(): boolean {
    return this.#entries + this.#fragments.length === 0
  }

  /**
   * Ends the table: all of it is written and synced, its directory entry is not. Requires: it has
   * an entry or a range tombstone.
   * @param sync false: the caller syncs it
   * @throws WISC_SYNC_FAILED, IoError
   */
  finish(sync: boolean = true): BuiltTable {
    assert(!this.isEmpty, 'a table has an entry or a range tombstone')
    if (!this.#block.isEmpty) this.#endBlock()
    const figures = {
      distinctKeys: this.#distinctKeys,
      valueBytes: this.#valueBytes,
      keyBytes: this.#keyBytes,
    }
    const baseSequence = this.#baseSequence
    const expiries = this.#expiries?.list() ?? NO_EXPIRIES
    const tags = this.#expiringTags()
    const properties = { ...this.#meta(0), ...figures, baseSequence, tags, expiries }
    const hasFilter = this.#options.filterBitsPerKey > 0 && this.#entries > 0
    const filter = hasFilter ? this.#filter() : undefined
    const ranges = this.#fragments
    const bytes = this.#file.finish(properties, this.#references, filter, ranges, sync)
    return { meta: this.#meta(bytes), ...figures }
  }

  #meta(bytes: number): TableMeta {
    return {
      number: this.#number,
      bytes,
      entries: this.#entries,
      tombstones: this.#tombstones,
      pointedBytes: this.#references.reduce((sum, { bytes }) => sum + bytes, 0),
      fragments: this.#fragments.length,
      ...spanOfTable(this.#smallestKey, this.#lastKey.copy(), this.#fragments),
      ...withSequencesOf(this.#fragments, this.#smallestSequence, this.#largestSequence),
    }
  }

  #assertOrder(entry: Entry, common: number, isNewKey: boolean): void {
    const isAfter = isNewKey
      ? this.#lastKey.isBefore(entry, common)
      : entry.sequence < this.#lastSequence
    assert(isAfter, 'entries of a table are in order')
  }

  /** The shortest bound between the last entry and this one: see table-index.ts. */
  #beginBlock(entry: Entry, common: number, isNewKey: boolean): void {
    const { keyBytes, keyStart, keyEnd } = entry
    if (this.#entries === 0) {
      this.#file.beginBlock(keyBytes, keyStart, keyStart, undefined)
    } else if (isNewKey) {
      this.#file.beginBlock(keyBytes, keyStart, keyStart + common + 1, undefined)
    } else {
      const distance = this.#lastSequence - 1 - this.#baseSequence
      this.#file.beginBlock(keyBytes, keyStart, keyEnd, distance)
    }
  }

  #endBlock(): void {
    const length = this.#block.finish()
    this.#file.appendBlock(this.#block.bytes, 0, length)
    const filterBytes = (this.#distinctKeys * this.#options.filterBitsPerKey) / 8
    this.#endedBytes = this.#file.endedBytes + filterBytes
  }

  /** Counts an entry. @returns for kind pointer: the place of its segment in the references */
  #count(entry: Entry): number {
    if (entry.kind === KIND.tombstone) {
      this.#tombstones++
      return 0
    }
    const keyLength = entry.keyEnd - entry.keyStart
    this.#keyBytes += keyLength
    this.#valueBytes += valueLength(entry, keyLength)
    if (entry.expiresAt !== 0) this.#countExpiring(entry, keyLength)
    if (entry.kind !== KIND.pointer) return 0
    assert(entry.offset + entry.length <= FILE_BYTES_MAX, 'a pointer leads into a file')
    if (entry.segment !== this.#lastSegment) this.#useSegment(entry.segment)
    addPointer(this.#references[this.#lastSegmentIndex]!, entry.offset, entry.length)
    return this.#lastSegmentIndex
  }

  #countExpiring(entry: Entry, keyLength: number): void {
    const isPointer = entry.kind === KIND.pointer
    if (isPointer) this.#hasExpiringPointers = true
    else this.#hasExpiringValues = true
    this.#expiries ??= new ExpirySums()
    const bytes = keyLength + valueLength(entry, keyLength)
    this.#expiries.add(entry.expiresAt, bytes, isPointer ? entry.length : 0)
  }

  #expiringTags(): Uint8Array {
    const tags: number[] = []
    if (this.#hasExpiringValues) tags.push(EXPIRES_TAG | KIND.inline)
    if (this.#hasExpiringPointers) tags.push(EXPIRES_TAG | KIND.pointer)
    return Uint8Array.from(tags)
  }

  #useSegment(segment: SegmentNumber): void {
    assert(segment <= FILE_NUMBER_MAX, 'a pointer names a segment')
    let index = this.#segments.get(segment)
    if (index === undefined) {
      index = this.#references.length
      this.#segments.set(segment, index)
      this.#references.push({ segment, ...noReferences() })
    }
    this.#lastSegment = segment
    this.#lastSegmentIndex = index
  }

  #addHash(hash: number): void {
    if (this.#distinctKeys === this.#hashes.length) {
      const grown = new Uint32Array(this.#hashes.length * 2)
      grown.set(this.#hashes)
      this.#hashes = grown
    }
    this.#hashes[this.#distinctKeys++] = hash
  }

  #filter(): GrowingBytes {
    const filter = buildFilter(this.#hashes, this.#distinctKeys, this.#options.filterBitsPerKey)
    const content = new GrowingBytes(filter.length + TRAILER_BYTES)
    content.append(filter, 0, filter.length)
    return content
  }
}
