/**
 * Writes a table: entries in order, then filter, index, references, properties, meta index, footer; then
 * syncs the file.
 *
 * Data plane: nothing is allocated for an entry or a block, the memory of one block is used for
 * all. Which entries go in, and where a table ends, is decided by the job that feeds it.
 */

import { hashRange } from '../../base/bytes.ts'
import { assert, syncFailed } from '../../base/errors.ts'
import { AppendBuffer } from '../../base/files/append-buffer.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  writeFileHeader,
} from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import { frameSeed } from '../../base/files/frame.ts'
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
import { BlockBuilder } from './block-builder.ts'
import { buildFilter } from './filter.ts'
import { LastKey } from './last-key.ts'
import {
  type BlockHandle,
  encodeFooter,
  encodeMetaIndex,
  FOOTER_BYTES,
  PART,
  sealBlock,
  type TablePart,
  TRAILER_BYTES,
} from './table-format.ts'
import { IndexBuilder } from './table-index.ts'
import { encodeProperties } from './table-properties.ts'
import { encodeReferences } from './table-references.ts'

export class TableBuilder {
  readonly #file: File
  readonly #out: AppendBuffer
  readonly #number: FileNumber
  readonly #seed: number
  readonly #options: TableOptions
  readonly #baseSequence: Sequence

  readonly #block: BlockBuilder
  readonly #index: IndexBuilder = new IndexBuilder()
  /** Hashes of the distinct keys, for the filter. */
  #hashes: Uint32Array = new Uint32Array(256)
  #distinctKeys = 0

  readonly #segments: Map<SegmentNumber, number> = new Map()
  readonly #references: (ReferenceSum & Pick<Reference, 'segment'>)[] = []
  readonly #parts: TablePart[] = []
  /**
   * The segment of the pointer before, and its place in the references: mostly the next one's, too.
   */
  #lastSegment = -1
  #lastSegmentIndex = 0

  /** About what the blocks that have ended take, with their parts of index and filter. */
  #endedBytes: number = FILE_HEADER_BYTES + FOOTER_BYTES

  readonly #lastKey: LastKey = new LastKey()
  #lastSequence: Sequence = 0
  #smallestKey: Uint8Array | undefined
  #entries = 0
  #tombstones = 0
  #valueBytes = 0
  #keyBytes = 0
  #smallestSequence: Sequence = SEQUENCE_MAX
  #largestSequence: Sequence = 0

  /**
   * @param file a new, empty file; its owner closes it
   * @param baseSequence not above any sequence that will come; the nearer, the smaller the table
   */
  constructor(file: File, identity: FileIdentity, options: TableOptions, baseSequence: Sequence) {
    assert(identity.kind === 'table', 'a table has the header of a table')
    this.#file = file
    this.#out = new AppendBuffer(file)
    this.#number = identity.number
    this.#seed = frameSeed(identity)
    this.#options = options
    this.#baseSequence = baseSequence
    this.#block = new BlockBuilder(options.blockBytes)
    const header = new Uint8Array(FILE_HEADER_BYTES)
    writeFileHeader(header, 0, identity)
    this.#out.append(header, 0, FILE_HEADER_BYTES)
  }

  get entries(): number {
    return this.#entries
  }

  /** About what the file would have if it were finished now. */
  get estimatedBytes(): number {
    return this.#endedBytes + this.#block.estimatedBytes
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

  /**
   * Ends the table: all of it is written and synced, its directory entry is not. Requires: it has
   * an entry.
   * @param sync false: the caller syncs it
   * @throws WISC_SYNC_FAILED, IoError
   */
  finish(sync: boolean = true): BuiltTable {
    assert(this.#entries > 0, 'a table has an entry')
    this.#endBlock()
    const figures = {
      distinctKeys: this.#distinctKeys,
      valueBytes: this.#valueBytes,
      keyBytes: this.#keyBytes,
    }
    const baseSequence = this.#baseSequence
    const properties = { ...this.#meta(0), ...figures, baseSequence }
    if (this.#options.filterBitsPerKey > 0) this.#appendPart(PART.filter, this.#filter())
    this.#appendPart(PART.index, this.#index.finish())
    this.#appendPart(PART.references, encodeReferences(this.#references))
    this.#appendPart(PART.properties, encodeProperties(properties))
    const metaIndex = this.#appendBlock(encodeMetaIndex(this.#parts))
    this.#out.append(encodeFooter(metaIndex, this.#seed, this.#out.length), 0, FOOTER_BYTES)
    this.#out.flush()
    if (sync) this.#sync()
    return { meta: this.#meta(this.#out.length), ...figures }
  }

  #sync(): void {
    try {
      this.#file.sync()
    } catch (error) {
      throw syncFailed(this.#file.path, error)
    }
  }

  #meta(bytes: number): TableMeta {
    return {
      number: this.#number,
      bytes,
      entries: this.#entries,
      tombstones: this.#tombstones,
      pointedBytes: this.#references.reduce((sum, { bytes }) => sum + bytes, 0),
      smallestKey: this.#smallestKey!,
      largestKey: this.#lastKey.copy(),
      smallestSequence: this.#smallestSequence,
      largestSequence: this.#largestSequence,
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
      this.#index.beginBlock(keyBytes, keyStart, keyStart, undefined)
    } else if (isNewKey) {
      this.#index.beginBlock(keyBytes, keyStart, keyStart + common + 1, undefined)
    } else {
      const distance = this.#lastSequence - 1 - this.#baseSequence
      this.#index.beginBlock(keyBytes, keyStart, keyEnd, distance)
    }
  }

  #endBlock(): void {
    const length = this.#block.finish()
    this.#index.endBlock(length)
    const bytes = this.#block.bytes
    this.#out.append(bytes, 0, sealBlock(bytes, 0, length, this.#seed, this.#out.length))
    const filterBytes = (this.#distinctKeys * this.#options.filterBitsPerKey) / 8
    this.#endedBytes = this.#out.length + this.#index.bytes + filterBytes + FOOTER_BYTES
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
    if (entry.kind !== KIND.pointer) return 0
    assert(entry.offset + entry.length <= FILE_BYTES_MAX, 'a pointer leads into a file')
    if (entry.segment !== this.#lastSegment) this.#useSegment(entry.segment)
    addPointer(this.#references[this.#lastSegmentIndex]!, entry.offset, entry.length)
    return this.#lastSegmentIndex
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

  #appendPart(tag: number, content: GrowingBytes): void {
    this.#parts.push({ tag, ...this.#appendBlock(content) })
  }

  #appendBlock(content: GrowingBytes): BlockHandle {
    const handle = { offset: this.#out.length, length: content.length }
    content.reserve(TRAILER_BYTES)
    const end = sealBlock(content.bytes, 0, content.length, this.#seed, handle.offset)
    this.#out.append(content.bytes, 0, end)
    return handle
  }
}
