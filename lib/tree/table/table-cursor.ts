/**
 * A cursor over one table. Data plane.
 *
 * With a block cache it is made for reads. Without one it is made for jobs that go through a table
 * once, forward: it reads large chunks into memory of its own and allocates nothing for a block.
 *
 * Going back decodes from the restart point before on, at most RESTART_INTERVAL_ENTRIES entries for a
 * step.
 */

import { compareRange, NO_BYTES } from '../../base/bytes.ts'
import type { BlockCache } from '../../base/files/block-cache.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor } from '../entry.ts'
import {
  decodeEntry,
  entriesEnd,
  findRestart,
  MALFORMED,
  restartAt,
  restartCount,
} from './block-format.ts'
import type { TableBlocks } from './table-blocks.ts'
import { RESTART_INTERVAL_ENTRIES } from './table-format.ts'
import { contentLength, findBlock } from './table-index.ts'

/** What a cursor without a cache reads at a time. */
const READ_AHEAD_BYTES = 256 * 1024
const NO_BLOCK = -1

/**
 * See {@link EntryCursor}. It starts invalid; a move of an invalid cursor that is no seek does
 * nothing.
 */
export class TableCursor implements EntryCursor {
  valid = false
  /** Keys are unpacked into a buffer of its own. */
  readonly entry: Entry = new Entry()

  readonly #blocks: TableBlocks
  readonly #cache: BlockCache | undefined
  readonly #window: FileWindow | undefined
  /** The block at hand: its content is bytes[start .. contentEnd), its entries end at `end`. */
  #block: number = NO_BLOCK
  #bytes: Uint8Array = NO_BYTES
  #start = 0
  #end = 0
  #contentEnd = 0
  /** Where the entry under the cursor begins, and where the next one does. */
  #at = 0
  #next = 0

  /** @param cache undefined for a job: see the head of this file */
  constructor(blocks: TableBlocks, cache: BlockCache | undefined) {
    this.#blocks = blocks
    this.#cache = cache
    if (cache === undefined) {
      const dataEnd = blocks.offset(blocks.index.blockCount)
      this.#window = new FileWindow(blocks.file, dataEnd, READ_AHEAD_BYTES)
    }
  }

  /** Gives up the memory of a cursor without a cache; it may not be used any more. */
  close(): void {
    this.valid = false
    this.#window?.close()
  }

  seekToFirst(): void {
    this.valid = false
    this.valid = this.#enterBlock(0)
  }

  seekToLast(): void {
    this.valid = false
    this.valid = this.#enterBlockAtEnd(this.#blocks.index.blockCount - 1)
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.valid = false
    const blocks = this.#blocks
    if (blocks.index.blockCount === 0) return
    const block = findBlock(blocks.index, key, sequence)
    this.#load(block)
    const count = restartCount(this.#end, this.#contentEnd)
    const at = findRestart(this.#bytes, this.#start, this.#end, count, key, sequence, blocks)
    if (at < 0) throw blocks.entryError(block, at, 0)
    this.#begin(at)
    do {
      if (this.#step()) continue
      // The bound of the next block lies behind what was asked for, so its first entry is the
      // answer.
      this.valid = this.#enterBlock(block + 1)
      return
    } while (this.#isBefore(key, sequence))
    this.valid = true
  }

  seekBefore(key: Uint8Array): void {
    this.seek(key, SEQUENCE_MAX)
    if (this.valid) this.previous()
    else this.seekToLast()
  }

  next(): void {
    if (!this.valid) return
    this.valid = false
    this.valid = this.#step() || this.#enterBlock(this.#block + 1)
  }

  previous(): void {
    if (!this.valid) return
    this.valid = false
    if (this.#at === this.#start) {
      this.valid = this.#enterBlockAtEnd(this.#block - 1)
      return
    }
    this.#stepTo(this.#restartBefore(this.#at), this.#at)
    this.valid = true
  }

  /** To the first entry of a block. @returns false if there is no such block */
  #enterBlock(block: number): boolean {
    if (block >= this.#blocks.index.blockCount) return false
    this.#load(block)
    this.#begin(this.#start)
    return this.#step()
  }

  /** To the last entry of a block. @returns false if there is no such block */
  #enterBlockAtEnd(block: number): boolean {
    if (block < 0) return false
    this.#load(block)
    this.#stepTo(this.#restartBefore(this.#end), this.#end)
    return true
  }

  #load(block: number): void {
    if (block === this.#block) return
    this.#block = NO_BLOCK
    const length = contentLength(this.#blocks.index, block)
    if (this.#window !== undefined) {
      this.#start = this.#blocks.view(block, this.#window)
      this.#bytes = this.#window.bytes
    } else {
      this.#start = 0
      this.#bytes = this.#blocks.get(block, this.#cache!)
    }
    this.#contentEnd = this.#start + length
    this.#end = entriesEnd(this.#bytes, this.#contentEnd)
    this.#block = block
  }

  /** Makes the entry of a restart point the next one. */
  #begin(at: number): void {
    this.#next = at
    this.entry.keyEnd = 0
  }

  /** To the next entry of the block. @returns false if there is none */
  #step(): boolean {
    const at = this.#next
    if (at === this.#end) return false
    const { entry } = this
    const next = decodeEntry(this.#bytes, at, this.#end, entry.keyEnd, this.#blocks, entry)
    if (next < 0) throw this.#blocks.entryError(this.#block, next, at - this.#start)
    this.#at = at
    this.#next = next
    return true
  }

  /** From a restart point to the entry that ends at `target`. */
  #stepTo(restart: number, target: number): void {
    this.#begin(restart)
    for (let steps = 0; this.#next < target && steps < RESTART_INTERVAL_ENTRIES; steps++)
      this.#step()
    if (this.#next !== target) {
      throw this.#blocks.entryError(this.#block, MALFORMED, restart - this.#start)
    }
  }

  /** The last restart point before `at`, which is not the block's start. */
  #restartBefore(at: number): number {
    const bytes = this.#bytes
    const start = this.#start
    const end = this.#end
    let low = 0
    let high = restartCount(end, this.#contentEnd) - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (restartAt(bytes, start, end, middle) < at) low = middle
      else high = middle - 1
    }
    return restartAt(bytes, start, end, low)
  }

  #isBefore(key: Uint8Array, sequence: Sequence): boolean {
    const { keyBytes, keyEnd, sequence: found } = this.entry
    const order = compareRange(keyBytes, 0, keyEnd, key, 0, key.length)
    return order < 0 || (order === 0 && found > sequence)
  }
}
