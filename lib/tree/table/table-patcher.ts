/**
 * Patches a table: makes a new one of it and of some newer entries, at the cost of what has changed.
 *
 * A merge decodes, compares, counts and encodes every entry, for a few that are overwritten. Here blocks are copied,
 * and newer entries spliced in where those lie that they replace (block-splice.ts); only a block that gets another key
 * is built anew. What the table says of itself is put right by the differences (patched-figures.ts). So the old
 * table's places of segments hold, and its base sequence.
 *
 * What is replaced is gone: only where nobody reads at an older sequence, and the table has one put for each key
 * (compaction/patch.ts asks).
 */
import { compareRange, copyRange } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileIdentity } from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { SEQUENCE_MAX } from '../../base/ids.ts'
import { type BuiltTable, Entry, type EntryCursor, KIND, type TableOptions } from '../entry.ts'
import { NO_FRAGMENTS } from '../ranges/range-fragments.ts'
import { BlockBuilder } from './block-builder.ts'
import { ABSENT, decodeEntry, entriesEnd } from './block-format.ts'
import { BlockSplicer } from './block-splice.ts'
import { LastKey } from './last-key.ts'
import { type Died, PatchedFigures } from './patched-figures.ts'
import type { TableContents } from './table-ends.ts'
import { TableFile } from './table-file.ts'
import { TRAILER_BYTES } from './table-format.ts'
import { contentLength } from './table-index.ts'

/** What is read of the old table at a time. */
const READ_AHEAD_BYTES = 256 * 1024
/** A block that is built anew may have so much more than others before it is cut in two. */
const BLOCK_GROWTH = 5 / 4

export class TablePatcher {
  readonly #old: TableContents
  readonly #options: TableOptions
  readonly #file: TableFile
  readonly #number: number
  readonly #window: FileWindow
  readonly #splicer: BlockSplicer = new BlockSplicer()
  readonly #builder: BlockBuilder
  readonly #lastKey: LastKey = new LastKey()
  /** The entry of the old table that is looked at, or was replaced. */
  readonly #entry: Entry = new Entry()
  /** Newer entries of the block at hand, newest first where there were several of a key; their memory is reused. */
  readonly #newer: Entry[] = []
  #newerCount = 0

  readonly #figures: PatchedFigures
  #block = 0

  /** @param file a new, empty file; its owner closes it */
  constructor(
    old: TableContents,
    file: File,
    identity: FileIdentity,
    options: TableOptions,
    died: Died,
  ) {
    const { blocks } = old
    this.#old = old
    this.#options = options
    this.#file = new TableFile(file, identity)
    this.#number = identity.number
    this.#window = new FileWindow(
      blocks.file,
      blocks.offset(blocks.index.blockCount),
      READ_AHEAD_BYTES,
    )
    this.#builder = new BlockBuilder(options.blockBytes)
    this.#figures = new PatchedFigures(old, died)
  }

  get entries(): number {
    return this.#figures.entries
  }

  /** All blocks have been written. */
  get isDone(): boolean {
    return this.#block === this.#old.blocks.index.blockCount
  }

  /**
   * Writes the next block, with the newer entries that belong into it: those before the next block, or, in the last
   * one, before `end`, if there is one.
   * @param newer stands on the first newer entry of the block, if there is one, and is moved behind the last
   * @returns how many entries of it were taken
   */
  patchBlock(newer: EntryCursor, end: Uint8Array | undefined): number {
    const block = this.#block++
    const { blocks } = this.#old
    const { bytes: bounds, keyStarts, keyEnds, sequences, blockCount } = blocks.index
    assert(sequences[block] === SEQUENCE_MAX, 'a block begins with a new key')
    const taken =
      this.#block < blockCount
        ? this.#gather(newer, bounds, keyStarts[this.#block]!, keyEnds[this.#block]!)
        : this.#gather(newer, end, 0, end?.length ?? 0)
    const start = blocks.view(block, this.#window)
    const contentEnd = start + contentLength(blocks.index, block)
    this.#file.beginBlock(bounds, keyStarts[block]!, keyEnds[block]!, undefined)
    if (this.#newerCount === 0) this.#file.appendBlock(this.#window.bytes, start, contentEnd)
    else if (!this.#fits(contentEnd - start) || !this.#splice(block, start, contentEnd))
      this.#build(block, start, contentEnd)
    return taken
  }

  /**
   * Ends the table: all of it is written and synced, its directory entry is not. Requires: {@link isDone}.
   * @param sync false: the caller syncs it
   * @throws WISC_SYNC_FAILED, IoError
   */
  finish(sync: boolean): BuiltTable {
    const { properties, references, filter } = this.#figures.finish(this.#number)
    const content = filter && contentOf(filter)
    const bytes = this.#file.finish(properties, references, content, NO_FRAGMENTS, sync)
    const { baseSequence: _, tags: _tags, expiries: _expiries, ...rest } = properties
    const { distinctKeys, valueBytes, keyBytes, ...meta } = rest
    return { meta: { ...meta, bytes }, distinctKeys, valueBytes, keyBytes }
  }

  close(): void {
    this.#window.close()
  }

  /** Takes the newest entry of each key before bound[start .. end); of the others the records have died. */
  #gather(newer: EntryCursor, bound: Uint8Array | undefined, start: number, end: number): number {
    let count = 0
    let taken = 0
    for (; newer.valid; newer.next()) {
      const { entry } = newer
      const { keyBytes, keyStart, keyEnd } = entry
      if (bound && compareRange(keyBytes, keyStart, keyEnd, bound, start, end) >= 0) break
      taken++
      const last = this.#newer[count - 1]
      if (
        last &&
        count > 0 &&
        compareRange(keyBytes, keyStart, keyEnd, last.keyBytes, 0, last.keyEnd) === 0
      ) {
        this.#figures.die(entry)
        continue
      }
      const kept = this.#newer[count] ?? new Entry()
      this.#newer[count] = kept
      copyWhole(entry, kept)
      count++
    }
    this.#newerCount = count
    return taken
  }

  /** @returns false if the block lacks one of the keys: then nothing has happened */
  #splice(block: number, start: number, contentEnd: number): boolean {
    const { blocks } = this.#old
    const { bytes } = this.#window
    const end = entriesEnd(bytes, contentEnd)
    const newer = this.#newer
    const count = this.#newerCount
    const found = this.#splicer.find(bytes, start, end, contentEnd, newer, count)
    if (found === ABSENT) return false
    if (found < 0) throw blocks.entryError(block, found, 0)
    const length = this.#splicer.write(
      bytes,
      start,
      end,
      contentEnd,
      blocks,
      newer,
      count,
      this.#entry,
      this.#figures,
    )
    if (length < 0) throw blocks.entryError(block, length, 0)
    this.#file.appendBlock(this.#splicer.content.bytes, 0, length)
    return true
  }

  /** Builds one block, or two of half the size, from a block and newer entries. */
  #build(block: number, start: number, contentEnd: number): void {
    const { blocks } = this.#old
    const { bytes } = this.#window
    const end = entriesEnd(bytes, contentEnd)
    const newer = this.#newer
    const count = this.#newerCount
    const figures = this.#figures
    const old = this.#entry
    const bytesMax = this.#blockBytes(contentEnd - start)
    this.#lastKey.length = -1
    let at = start
    let hasOld = false
    old.keyEnd = 0
    const advance = (): void => {
      hasOld = at < end
      if (!hasOld) return
      const next = decodeEntry(bytes, at, end, old.keyEnd, blocks, old)
      if (next < 0) throw blocks.entryError(block, next, at - start)
      at = next
    }
    advance()
    for (let i = 0; hasOld || i < count; ) {
      const entry = i < count ? newer[i]! : undefined
      const order = !entry ? -1 : hasOld ? orderOf(old, entry) : 1
      if (order < 0) {
        this.#add(old, figures.placeOf(old), bytesMax)
        advance()
        continue
      }
      if (order === 0) {
        this.#add(entry!, figures.replace(old, entry!), bytesMax)
        advance()
      } else this.#add(entry!, figures.insert(entry!), bytesMax)
      i++
    }
    this.#endBlock()
  }

  /** A block of this size stays one with the newer inline values. What else is replaced takes as much as before. */
  #fits(contentBytes: number): boolean {
    let bytes = contentBytes
    for (let i = 0; i < this.#newerCount; i++) {
      const { kind, valueStart, valueEnd } = this.#newer[i]!
      if (kind === KIND.inline) bytes += valueEnd - valueStart
    }
    return bytes <= BLOCK_GROWTH * this.#options.blockBytes
  }

  /** Of each block that a block of this size is made into. */
  #blockBytes(contentBytes: number): number {
    let bytes = contentBytes
    for (let i = 0; i < this.#newerCount; i++) {
      const { keyEnd, valueStart, valueEnd, kind } = this.#newer[i]!
      bytes += BlockBuilder.entryBytes(keyEnd, kind === KIND.inline ? valueEnd - valueStart : 0)
    }
    const { blockBytes } = this.#options
    const most = BLOCK_GROWTH * blockBytes
    return bytes <= most ? most : bytes / Math.ceil(bytes / blockBytes)
  }

  #add(entry: Entry, segmentIndex: number, bytesMax: number): void {
    const builder = this.#builder
    const { keyBytes, keyStart, keyEnd, kind } = entry
    const common = this.#lastKey.commonWith(entry)
    const inlineBytes = kind === KIND.inline ? entry.valueEnd - entry.valueStart : 0
    const blockBytes =
      builder.estimatedBytes + BlockBuilder.entryBytes(keyEnd - keyStart, inlineBytes)
    if (!builder.isEmpty && blockBytes > bytesMax) {
      this.#endBlock()
      this.#file.beginBlock(keyBytes, keyStart, keyStart + common + 1, undefined)
    }
    const distance = entry.sequence - this.#old.properties.baseSequence
    builder.add(entry, common, distance, segmentIndex)
    this.#lastKey.set(entry, common)
  }

  #endBlock(): void {
    const length = this.#builder.finish()
    this.#file.appendBlock(this.#builder.bytes, 0, length)
  }
}

function contentOf(bytes: Uint8Array): GrowingBytes {
  const content = new GrowingBytes(bytes.length + TRAILER_BYTES)
  content.append(bytes, 0, bytes.length)
  return content
}

/** Orders by key; that of `right` begins at 0. */
function orderOf(left: Entry, right: Entry): number {
  return compareRange(
    left.keyBytes,
    left.keyStart,
    left.keyEnd,
    right.keyBytes,
    right.keyStart,
    right.keyEnd,
  )
}

/** Becomes the same, with key and inline value in memory of its own, from index 0 on. */
function copyWhole(entry: Entry, copy: Entry): void {
  const { keyBytes, valueBytes } = copy
  copy.copyFrom(entry)
  copy.keyBytes = copied(entry.keyBytes, entry.keyStart, entry.keyEnd, keyBytes)
  copy.keyStart = 0
  copy.keyEnd = entry.keyEnd - entry.keyStart
  copy.valueBytes = valueBytes
  if (entry.kind !== KIND.inline) return
  copy.valueBytes = copied(entry.valueBytes, entry.valueStart, entry.valueEnd, valueBytes)
  copy.valueStart = 0
  copy.valueEnd = entry.valueEnd - entry.valueStart
}

/** Copies a range to the beginning of `memory`, or of larger one. */
function copied(bytes: Uint8Array, start: number, end: number, memory: Uint8Array): Uint8Array {
  const target = memory.length < end - start ? new Uint8Array(2 * (end - start)) : memory
  copyRange(bytes, start, end, target, 0)
  return target
}
