/**
 * Chunks of values: how a value is cut, what proves each piece of it, and where that stands. Nobody else knows.
 *
 *   value := chunk                   of at most 65536 bytes as it was given; an empty value has one, too
 *          | table chunk{n}          of more: 65536 bytes each, the last one shorter
 *   table := root? block+            the root only where there are two blocks or more
 *   root  := sum*                    u32: the checksum of each block
 *   block := start (length sum)*     u64, then up to 511 pairs of u32: where its first chunk lies, counted from the
 *                                    first chunk of the value; stored length and checksum of each of its chunks
 *
 * The header of a record proves the first piece: the root, the only block or the only chunk. The root proves blocks,
 * blocks prove chunks. So a part of a huge value takes two small reads beside its own, whatever the codec is: head and
 * root, and one block of at most 4096 bytes. Rules: vlog/FORMAT.md, section 5.
 */
import { readU32, readU64, writeU32, writeU64 } from '../lib/base/bytes.ts'
import { checksum } from '../lib/base/checksum.ts'
import { VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

export { VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

/** DO NOT CHANGE: codecs are on disk. With this one each chunk is stored as it was given. Others: value-codec.ts. */
export const CODEC_NONE = 0

/** Chunks that one block of a table tells of. DO NOT CHANGE: part of the format. */
export const BLOCK_CHUNKS = 511
const START_BYTES = 8
const ENTRY_BYTES = 8
const SUM_BYTES = 4
/** Of a full block. */
export const BLOCK_BYTES: number = START_BYTES + BLOCK_CHUNKS * ENTRY_BYTES

function chunkCount(rawLength: number): number {
  return rawLength <= VALUE_CHUNK_BYTES ? 1 : Math.ceil(rawLength / VALUE_CHUNK_BYTES)
}

/** Blocks of the table of a value; 0 if it needs none. */
export function blockCount(rawLength: number): number {
  return rawLength <= VALUE_CHUNK_BYTES ? 0 : Math.ceil(chunkCount(rawLength) / BLOCK_CHUNKS)
}

/** Bytes of the root of a table; 0 if it needs none. */
export function rootBytes(rawLength: number): number {
  const blocks = blockCount(rawLength)
  return blocks <= 1 ? 0 : blocks * SUM_BYTES
}

/** Bytes of the table of a value of `rawLength` bytes as it was given; 0 if it needs none. */
export function tableBytes(rawLength: number): number {
  if (rawLength <= VALUE_CHUNK_BYTES) return 0
  const blocks = blockCount(rawLength)
  return rootBytes(rawLength) + blocks * START_BYTES + chunkCount(rawLength) * ENTRY_BYTES
}

/** Where block `block` begins in the table. */
export function blockOffset(rawLength: number, block: number): number {
  return rootBytes(rawLength) + block * BLOCK_BYTES
}

/** Bytes of block `block`. */
export function blockLength(rawLength: number, block: number): number {
  const chunks = Math.min(BLOCK_CHUNKS, chunkCount(rawLength) - block * BLOCK_CHUNKS)
  return START_BYTES + chunks * ENTRY_BYTES
}

/** Bytes of chunk `chunk` as they were given. */
function rawChunkBytes(rawLength: number, chunk: number): number {
  return Math.min(VALUE_CHUNK_BYTES, rawLength - chunk * VALUE_CHUNK_BYTES)
}

/** Makes the table of a value of more than one chunk, chunk after chunk. */
export class ChunkTableBuilder {
  readonly #table: Uint8Array
  readonly #rawLength: number
  #chunk = 0
  #start = 0

  constructor(rawLength: number) {
    this.#rawLength = rawLength
    this.#table = new Uint8Array(tableBytes(rawLength))
  }

  /** The next chunk, as it is stored. */
  add(stored: Uint8Array): void {
    const table = this.#table
    const at = entryOffset(this.#rawLength, this.#chunk)
    if (this.#chunk % BLOCK_CHUNKS === 0) writeU64(table, at - START_BYTES, this.#start)
    writeU32(table, at, stored.length)
    writeU32(table, at + 4, checksum(stored))
    this.#start += stored.length
    this.#chunk++
  }

  /** Requires: all chunks were added. */
  finish(): Uint8Array {
    const table = this.#table
    const rawLength = this.#rawLength
    const root = rootBytes(rawLength)
    for (let block = 0; block * SUM_BYTES < root; block++) {
      writeU32(table, block * SUM_BYTES, checksum(blockOf(table, rawLength, block)))
    }
    return table
  }
}

/** The table of a value of more than one chunk that is stored as it is. */
export function plainTable(value: Uint8Array): Uint8Array {
  const builder = new ChunkTableBuilder(value.length)
  for (let from = 0; from < value.length; from += VALUE_CHUNK_BYTES) {
    builder.add(value.subarray(from, from + VALUE_CHUNK_BYTES))
  }
  return builder.finish()
}

/** The checksum of the first piece of a value: of its table, if it has one, or of the value. */
export function firstSum(
  table: Uint8Array | undefined,
  value: Uint8Array,
  rawLength: number,
): number {
  if (table === undefined) return checksum(value)
  return checksum(table.subarray(0, rootBytes(rawLength) || blockLength(rawLength, 0)))
}

/** The checksum of a chunk of a value that has a table. Nothing is proved. */
export function chunkSum(table: Uint8Array, rawLength: number, chunk: number): number {
  return readU32(table, entryOffset(rawLength, chunk) + 4)
}

function entryOffset(rawLength: number, chunk: number): number {
  const block = Math.floor(chunk / BLOCK_CHUNKS)
  const index = chunk - block * BLOCK_CHUNKS
  return blockOffset(rawLength, block) + START_BYTES + index * ENTRY_BYTES
}

function blockOf(table: Uint8Array, rawLength: number, block: number): Uint8Array {
  const from = blockOffset(rawLength, block)
  return table.subarray(from, from + blockLength(rawLength, block))
}

/** From `offset` on, at most `length` bytes of a value as it was given; cut at its end, empty behind it. */
export interface ValuePart {
  readonly offset: number
  readonly length: number
}

/** Where a part lies in a value. */
export interface PartPlace {
  /** Of the value, as it was given; there is nothing of it if both are the same. */
  readonly from: number
  readonly to: number
  /** The chunks that hold it: number `first` to the one before `end`. */
  readonly first: number
  readonly end: number
}

/** @param rawLength of the value */
export function partPlace({ offset, length }: ValuePart, rawLength: number): PartPlace {
  const from = Math.min(offset, rawLength)
  const to = Math.min(from + length, rawLength)
  const first = Math.floor(from / VALUE_CHUNK_BYTES)
  return { from, to, first, end: to > from ? Math.ceil(to / VALUE_CHUNK_BYTES) : first }
}

/** True if a value of a known codec can be stored in so many bytes. */
export function isPossibleLength({ codec, storedLength, rawLength }: StoredValue): boolean {
  const most = rawLength + tableBytes(rawLength)
  if (codec === CODEC_NONE) return storedLength === most
  // A chunk has a byte at least, and is never stored longer than it is.
  const chunks = rawLength === 0 ? 0 : chunkCount(rawLength)
  return storedLength >= tableBytes(rawLength) + chunks && storedLength <= most
}

/** What the header of a record says of its value. */
export interface StoredValue {
  readonly codec: number
  readonly storedLength: number
  readonly rawLength: number
}

/**
 * What is known of the chunks first .. end of a value: where each lies behind the table, how long it is, and what it
 * must be. Only what was proved gets in here.
 */
export class ChunkList {
  readonly #value: StoredValue
  readonly #first: number
  readonly #starts: Float64Array
  readonly #sums: Uint32Array

  private constructor(value: StoredValue, first: number, count: number) {
    this.#value = value
    this.#first = first
    this.#starts = new Float64Array(count + 1)
    this.#sums = new Uint32Array(count)
  }

  /** Of the only chunk of a value. */
  static ofOne(value: StoredValue, sum: number): ChunkList {
    const list = new ChunkList(value, 0, 1)
    list.#starts[1] = value.storedLength
    list.#sums[0] = sum
    return list
  }

  /**
   * Of all chunks of a value. bytes[at ..] is its table, or its only chunk.
   * @param sum of the first piece, which the header proves
   * @returns what is wrong instead
   */
  static ofAll(value: StoredValue, sum: number, bytes: Uint8Array, at: number): ChunkList | string {
    const { rawLength } = value
    const blocks = blockCount(rawLength)
    if (blocks === 0) return ChunkList.ofOne(value, sum)
    const table = bytes.subarray(at, at + tableBytes(rawLength))
    const list = new ChunkList(value, 0, chunkCount(rawLength))
    const bad = wrongRoot(value, sum, table)
    if (bad !== undefined) return bad
    for (let block = 0; block < blocks; block++) {
      const own = blocks === 1 ? sum : blockSum(table, block)
      const wrong = list.#take(block, own, blockOf(table, rawLength, block))
      if (wrong !== undefined) return wrong
    }
    return list
  }

  /**
   * Of those of the chunks first .. end that one block tells of; `first` is one of them.
   * @param sum of the block: of the root that was proved, or of the header if it is the only one; undefined if these
   *   bytes were proved before
   * @returns what is wrong instead
   */
  static ofBlock(
    value: StoredValue,
    first: number,
    end: number,
    sum: number | undefined,
    bytes: Uint8Array,
  ): ChunkList | string {
    const block = Math.floor(first / BLOCK_CHUNKS)
    const list = new ChunkList(value, first, Math.min(end, (block + 1) * BLOCK_CHUNKS) - first)
    return list.#take(block, sum, bytes) ?? list
  }

  /** Proves a block and takes what it tells of the list's chunks. */
  #take(block: number, sum: number | undefined, bytes: Uint8Array): string | undefined {
    if (sum !== undefined && checksum(bytes) !== sum)
      return `table of chunks: checksum mismatch block=${block}`
    const { codec, rawLength, storedLength } = this.#value
    const chunksBytes = storedLength - tableBytes(rawLength)
    const impossible = `table of chunks: impossible lengths block=${block}`
    const first = block * BLOCK_CHUNKS
    const blockEnd = Math.min(first + BLOCK_CHUNKS, chunkCount(rawLength))
    const end = Math.min(this.end, blockEnd)
    let start = readU64(bytes, 0)
    if (first === 0 ? start !== 0 : first > this.#first && start !== this.#startOf(first)) {
      return impossible
    }
    // In front of the list lengths are added up, where they do not follow from the codec.
    const from = codec === CODEC_NONE ? Math.max(first, this.#first) : first
    start += (from - first) * VALUE_CHUNK_BYTES
    for (let chunk = from; chunk < end; chunk++) {
      const at = START_BYTES + (chunk - first) * ENTRY_BYTES
      const length = readU32(bytes, at)
      const raw = rawChunkBytes(rawLength, chunk)
      if (codec === CODEC_NONE ? length !== raw : length > raw || length === 0) return impossible
      if (chunk >= this.#first) {
        this.#starts[chunk - this.#first] = start
        this.#sums[chunk - this.#first] = readU32(bytes, at + 4)
      }
      start += length
    }
    this.#starts[end - this.#first] = start
    const isLast = end === chunkCount(rawLength)
    return (isLast ? start === chunksBytes : start < chunksBytes) ? undefined : impossible
  }

  #startOf(chunk: number): number {
    return this.#starts[chunk - this.#first]!
  }

  /** The first chunk of the list, and the one behind its last. */
  get first(): number {
    return this.#first
  }

  get end(): number {
    return this.#first + this.#sums.length
  }

  /** Where a chunk begins, or the one behind the last of the list would: counted from the end of the table. */
  start(chunk: number): number {
    return this.#startOf(chunk)
  }

  storedBytes(chunk: number): number {
    return this.#startOf(chunk + 1) - this.#startOf(chunk)
  }

  rawBytes(chunk: number): number {
    return rawChunkBytes(this.#value.rawLength, chunk)
  }

  /** The chunk behind the last one of those from `chunk` on that have at most `bytes` together; at least one. */
  runEnd(chunk: number, bytes: number): number {
    let end = chunk + 1
    while (end < this.end && this.#startOf(end + 1) - this.#startOf(chunk) <= bytes) end++
    return end
  }

  /**
   * Proves chunks from .. end, which lie one behind the other in bytes[at ..].
   * @returns the first one that is wrong, or -1
   */
  wrong(from: number, end: number, bytes: Uint8Array, at: number): number {
    let start = at
    for (let chunk = from; chunk < end; chunk++) {
      const next = start + this.storedBytes(chunk)
      if (checksum(bytes.subarray(start, next)) !== this.#sums[chunk - this.#first]) return chunk
      start = next
    }
    return -1
  }
}

/** What is wrong with the root of a table, if it has one. */
export function wrongRoot(
  { rawLength }: StoredValue,
  sum: number,
  table: Uint8Array,
): string | undefined {
  const root = rootBytes(rawLength)
  if (root === 0 || checksum(table.subarray(0, root)) === sum) return undefined
  return 'table of chunks: checksum mismatch root'
}

/** The checksum of a block, by the root of a table that was proved. */
export function blockSum(root: Uint8Array, block: number): number {
  return readU32(root, block * SUM_BYTES)
}
