/**
 * The index block of a table: for each data block a lower bound and its length.
 *
 *   index := blockCount: varint, bound[blockCount]
 *   bound := sequence: varint, keyLength: varint, key: u8[keyLength], length: varint
 *
 * Data blocks lie one behind the other from the end of the file header on, so the lengths of their
 * contents give their places. A bound (key, sequence) lies after all entries of earlier blocks, and
 * at or before those of its own, in the order of entries. `sequence` is 0 for a bound before all
 * entries of the key, else 1 + the distance from the table's base sequence. The first bound is the
 * empty key with 0.
 *
 * So the block of an entry is the last one whose bound is at or before it: a lookup never needs a
 * second block.
 */

import { compareRange, wordAt } from '../../base/bytes.ts'
import { CorruptionError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { VarintReader } from '../../base/varint.ts'
import { KEY_BYTES_MAX } from '../entry.ts'
import { TRAILER_BYTES } from './table-format.ts'

/** The fewest bytes of a bound. */
const BOUND_BYTES_MIN = 3

/**
 * The index in memory: the packed bytes of the block and, for each data block, where its bound lies
 * in them.
 */
export interface TableIndex {
  readonly blockCount: number
  readonly bytes: Uint8Array
  /** Bytes that all bounds but the first have in common. */
  readonly commonLength: number
  /**
   * The next four bytes of each bound as a big-endian number: they decide most steps of a search,
   * in one array.
   */
  readonly words: Uint32Array
  readonly keyStarts: Uint32Array
  readonly keyEnds: Uint32Array
  /** SEQUENCE_MAX for a bound before all entries of the key. */
  readonly sequences: Float64Array
  /** Offset of each data block, and where the last one's trailer ends. */
  readonly offsets: Float64Array
}

type Bounds = Omit<TableIndex, 'commonLength' | 'words'>

/** Bytes of the content of data block `block`. */
export function contentLength(index: TableIndex, block: number): number {
  return index.offsets[block + 1]! - index.offsets[block]! - TRAILER_BYTES
}

/** Memory of an index. */
export function indexMemoryBytes(index: TableIndex): number {
  return index.bytes.length + 28 * index.blockCount + 8
}

/** The last block whose bound is at or before (key, sequence); 0 if there is none. */
export function findBlock(index: TableIndex, key: Uint8Array, sequence: Sequence): number {
  const { blockCount, bytes, keyStarts, commonLength, words } = index
  if (blockCount <= 1) return 0
  const start = keyStarts[1]!
  const head = Math.min(commonLength, key.length)
  const order = compareRange(bytes, start, start + head, key, 0, head)
  // A key that ends inside of what the bounds have in common lies before them.
  if (order > 0 || (order === 0 && head < commonLength)) return 0
  if (order < 0) return blockCount - 1

  const word = wordAt(key, commonLength, key.length)
  let low = 0
  let high = blockCount - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    const boundWord = words[middle]!
    if (boundWord < word || (boundWord === word && !isBoundAfter(index, middle, key, sequence))) {
      low = middle
    } else {
      high = middle - 1
    }
  }
  return low
}

function isBoundAfter(index: TableIndex, i: number, key: Uint8Array, sequence: Sequence): boolean {
  const end = index.keyEnds[i]!
  const order = compareRange(index.bytes, index.keyStarts[i]!, end, key, 0, key.length)
  return order === 0 ? sequence > index.sequences[i]! : order > 0
}

/** Collects the bounds while a table is built. */
export class IndexBuilder {
  readonly #bounds: GrowingBytes = new GrowingBytes(16 * 1024)
  #blockCount = 0

  /** About what the block will take. */
  get bytes(): number {
    return this.#bounds.length
  }

  /**
   * Begins a data block. Its bound is key[start .. end) with a sequence, given by its distance from
   * the base, or undefined for all entries of the key.
   */
  beginBlock(key: Uint8Array, start: number, end: number, distance: number | undefined): void {
    this.#bounds.appendVarint(distance === undefined ? 0 : distance + 1)
    this.#bounds.appendVarint(end - start)
    this.#bounds.append(key, start, end)
    this.#blockCount++
  }

  /** Ends the data block that was begun. `length` is that of its content. */
  endBlock(length: number): void {
    this.#bounds.appendVarint(length)
  }

  /** The content of the index block. */
  finish(): GrowingBytes {
    const content = new GrowingBytes(this.#bounds.length + 16)
    content.appendVarint(this.#blockCount)
    content.append(this.#bounds.bytes, 0, this.#bounds.length)
    return content
  }
}

/**
 * Reads the content of an index block, which lies at `offset` of the file; the index keeps the
 * bytes.
 * @param end where the data blocks end
 * @throws CorruptionError
 */
export function parseIndex(
  bytes: Uint8Array,
  name: string,
  offset: number,
  end: number,
  baseSequence: Sequence,
): TableIndex {
  const reader = new VarintReader(bytes)
  const blockCount = reader.next()
  // Checked before anything is allocated: neither the index nor the data could hold so many.
  const countMax = Math.min(bytes.length / BOUND_BYTES_MIN, end / (TRAILER_BYTES + 1))
  if (reader.failed || blockCount > countMax) {
    throw new CorruptionError(
      name,
      offset,
      `index names an impossible count of blocks, count=${blockCount}`,
    )
  }
  const bounds: Bounds = {
    blockCount,
    bytes,
    keyStarts: new Uint32Array(blockCount),
    keyEnds: new Uint32Array(blockCount),
    sequences: new Float64Array(blockCount),
    offsets: new Float64Array(blockCount + 1),
  }
  bounds.offsets[0] = FILE_HEADER_BYTES
  for (let i = 0; i < blockCount; i++) {
    const at = reader.at
    if (!readBound(reader, bounds, i, baseSequence) || bounds.offsets[i + 1]! > end) {
      throw new CorruptionError(name, offset + at, 'index entry is malformed')
    }
    if (!isBoundInOrder(bounds, i))
      throw new CorruptionError(name, offset + at, 'index is out of order')
  }
  if (reader.at !== bytes.length || bounds.offsets[blockCount] !== end) {
    throw new CorruptionError(name, offset, 'index does not meet the end of the data')
  }
  return { ...bounds, ...searchWords(bounds) }
}

/** Bounds ascend, so what the second and the last have in common all between them have, too. */
function searchWords(bounds: Bounds): { commonLength: number; words: Uint32Array } {
  const { blockCount, bytes, keyStarts, keyEnds } = bounds
  const words = new Uint32Array(blockCount)
  if (blockCount <= 1) return { commonLength: 0, words }
  const first = keyStarts[1]!
  const last = keyStarts[blockCount - 1]!
  const limit = Math.min(keyEnds[1]! - first, keyEnds[blockCount - 1]! - last)
  let commonLength = 0
  while (commonLength < limit && bytes[first + commonLength] === bytes[last + commonLength]) {
    commonLength++
  }
  // Mostly by a call for each: what opens a store and gets one key runs this before it is compiled.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let i = 1; i < blockCount; i++) {
    const at = keyStarts[i]! + commonLength
    const end = keyEnds[i]!
    words[i] = end - at >= 4 ? view.getUint32(at) : wordAt(bytes, at, end)
  }
  return { commonLength, words }
}

/** @returns false if it is malformed */
function readBound(reader: VarintReader, index: Bounds, i: number, base: Sequence): boolean {
  const distance = reader.next()
  const keyLength = reader.next()
  index.keyStarts[i] = reader.at
  reader.skip(keyLength)
  index.keyEnds[i] = reader.at
  index.sequences[i] = distance === 0 ? SEQUENCE_MAX : base + distance - 1
  const length = reader.next()
  index.offsets[i + 1] = index.offsets[i]! + length + TRAILER_BYTES
  return (
    !reader.failed &&
    keyLength <= KEY_BYTES_MAX &&
    length > 0 &&
    index.sequences[i]! <= SEQUENCE_MAX
  )
}

function isBoundInOrder(index: Bounds, i: number): boolean {
  const { bytes, keyStarts, keyEnds, sequences } = index
  if (i === 0) return keyStarts[0] === keyEnds[0] && sequences[0] === SEQUENCE_MAX
  const order = compareRange(
    bytes,
    keyStarts[i - 1]!,
    keyEnds[i - 1]!,
    bytes,
    keyStarts[i]!,
    keyEnds[i]!,
  )
  return order < 0 || (order === 0 && sequences[i - 1]! > sequences[i]!)
}
