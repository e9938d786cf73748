/**
 * The data blocks of one open table, as lookups and cursors get them: through the block cache, or
 * through a window over the file for jobs that read all of it once. A block is checked whenever its
 * bytes come from the file.
 */

import { CorruptionError, newerVersion, type WiscError } from '../../base/errors.ts'
import type { BlockCache, BlockOwner, CachedBlock } from '../../base/files/block-cache.ts'
import type { FileWindow } from '../../base/files/file-window.ts'
import type { ReadableFile } from '../../base/files/lapsing-file.ts'
import type { FileNumber, Sequence } from '../../base/ids.ts'
import type { ReferenceList } from '../../base/segment-records.ts'
import { type EntryContext, hasGoodRestarts, restartWords, UNKNOWN_TAG } from './block-format.ts'
import { checkBlock, TRAILER_BYTES } from './table-format.ts'
import { contentLength, type TableIndex } from './table-index.ts'
import type { TableProperties } from './table-properties.ts'

/** Longer blocks, of large inline values, have memory of their own. */
const PASSING_BYTES_MAX = 65536

/** The parts of a table without which its blocks say nothing. */
export interface BlockParts {
  /** Of its checksums. */
  readonly seed: number
  readonly properties: Pick<TableProperties, 'number' | 'baseSequence'>
  readonly references: Pick<ReferenceList, 'segments'>
}

export class TableBlocks implements BlockOwner, EntryContext {
  /** The table's file number. */
  readonly id: FileNumber
  readonly slots: (CachedBlock | undefined)[]
  readonly file: ReadableFile
  /** The file's name in the database directory. */
  readonly name: string
  readonly index: TableIndex
  readonly baseSequence: Sequence
  readonly segments: Float64Array
  readonly #seed: number
  /** The cache that holds blocks of this table. */
  #cache: BlockCache | undefined

  constructor(file: ReadableFile, name: string, index: TableIndex, parts: BlockParts) {
    const { seed, properties, references } = parts
    this.id = properties.number
    this.slots = new Array<CachedBlock | undefined>(index.blockCount).fill(undefined)
    this.file = file
    this.name = name
    this.#seed = seed
    this.index = index
    this.baseSequence = properties.baseSequence
    this.segments = references.segments
  }

  /** Offset of a data block in the file. */
  offset(block: number): number {
    return this.index.offsets[block]!
  }

  /** The content of a data block and its trailer, from index 0 on. */
  get(block: number, cache: BlockCache): Uint8Array {
    const cached = this.slots[block]
    if (cached !== undefined) {
      cache.hit(cached)
      return cached.bytes
    }
    const bytes = this.#read(block)
    this.#cache = cache
    cache.insert(this, block, bytes)
    return bytes
  }

  /**
   * The same for a lookup, which has done with it when the next one begins: a block that the cache does not want lies
   * in memory that is used again, and other bytes may lie behind it.
   */
  lookUp(block: number, cache: BlockCache): Uint8Array {
    const cached = this.slots[block]
    if (cached !== undefined) {
      cache.hit(cached)
      return cached.bytes
    }
    const length = contentLength(this.index, block) + TRAILER_BYTES
    if (length > PASSING_BYTES_MAX || cache.admits(this, block, length))
      return this.get(block, cache)
    const bytes = cache.passing(length)
    this.#readInto(bytes, block)
    return bytes
  }

  /** What makes searches in a cached block faster that was used before. @see restartWords of block-format.ts */
  restartWords(block: number, end: number, count: number): Uint32Array | undefined {
    const cached = this.slots[block]
    if (cached === undefined || cached.frequency === 0) return undefined
    cached.words ??= restartWords(cached.bytes, 0, end, count)
    return cached.words
  }

  /** Brings a data block into the window. @returns where in window.bytes its content begins */
  view(block: number, window: FileWindow): number {
    const offset = this.offset(block)
    const length = contentLength(this.index, block)
    const at = window.view(offset, length + TRAILER_BYTES)
    this.#check(window.bytes, at, at + length, offset)
    return at
  }

  /**
   * The error for what a function of block-format.ts answered, at an index of a block's content.
   */
  entryError(block: number, answer: number, at: number): WiscError {
    const offset = this.offset(block) + at
    if (answer === UNKNOWN_TAG)
      return newerVersion(this.name, offset, 'entry is of an unknown kind')
    return new CorruptionError(this.name, offset, 'entry is malformed')
  }

  /** Takes the blocks out of the cache. */
  drop(): void {
    this.#cache?.dropOwner(this)
  }

  #read(block: number): Uint8Array {
    const bytes = new Uint8Array(contentLength(this.index, block) + TRAILER_BYTES)
    this.#readInto(bytes, block)
    return bytes
  }

  #readInto(bytes: Uint8Array, block: number): void {
    const offset = this.offset(block)
    const length = contentLength(this.index, block)
    if (this.file.read(bytes, 0, length + TRAILER_BYTES, offset) < length + TRAILER_BYTES) {
      throw new CorruptionError(this.name, offset, 'file ends before its content')
    }
    this.#check(bytes, 0, length, offset)
  }

  #check(bytes: Uint8Array, start: number, end: number, offset: number): void {
    checkBlock(bytes, start, end, this.#seed, offset, this.name)
    if (!hasGoodRestarts(bytes, start, end)) {
      throw new CorruptionError(this.name, offset, 'block has malformed restart points')
    }
  }
}
