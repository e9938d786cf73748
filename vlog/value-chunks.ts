/**
 * Chunks of values: how a value is cut, what proves each piece of it, and where that stands. Nobody else knows.
 *
 *   codec 0      value := chunk{n}               65536 bytes each, the last one shorter; an empty value has one, too
 *                head   .. sum of chunk 1 .. n-1 ..      the sum of chunk 0 is in the header, XOR its checksum
 *
 *   any other    value := table chunk{n}         n by the raw length; each chunk stored by itself, of its own length;
 *   (reserved)                                   one that got no shorter is stored raw. No table if n is 1
 *                table := block*                 up to 4096 bytes each
 *                block := start (length sum)*    u64, then up to 511 pairs of u32: where its first chunk lies behind
 *                                                the table, stored length and checksum of each chunk
 *                head   .. sum of block 1 .. ..          the sums of the blocks in place of those of chunks
 *
 * So the length of every head follows from its header, whatever the codec is, and a part of a huge value that is
 * compressed takes two small reads beside its own: the head and one block. Rules: vlog/FORMAT.md, section 5.
 */
import { readU32, writeU32 } from '../lib/base/bytes.ts'
import { checksum } from '../lib/base/checksum.ts'
import { OPTION_BYTES_AT, RECORD_HEADER_BYTES, VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

export { VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

/** The only codec that this version knows: a value is stored as it was given. */
export const CODEC_NONE = 0
/** Chunks that one block of a table tells of. DO NOT CHANGE: part of the format. */
const BLOCK_ENTRIES = 511
const SUM_BYTES = 4

function chunkCount(length: number): number {
  return length <= VALUE_CHUNK_BYTES ? 1 : Math.ceil(length / VALUE_CHUNK_BYTES)
}

/** Bytes of sums in the head of a value of `length` bytes that is stored as it is. */
export function chunkSumBytes(length: number): number {
  return (chunkCount(length) - 1) * SUM_BYTES
}

/** The same for any codec, known or not. */
export function sumBytes(codec: number, storedLength: number, rawLength: number): number {
  if (codec === CODEC_NONE) return chunkSumBytes(storedLength)
  return (Math.ceil(chunkCount(rawLength) / BLOCK_ENTRIES) - 1) * SUM_BYTES
}

/** The checksum of each chunk of a value; an empty one has one, too. */
export function valueChecksums(value: Uint8Array): Uint32Array {
  const sums = new Uint32Array(chunkCount(value.length))
  for (let chunk = 0, from = 0; chunk < sums.length; chunk++, from += VALUE_CHUNK_BYTES) {
    sums[chunk] = checksum(value.subarray(from, from + VALUE_CHUNK_BYTES))
  }
  return sums
}

/** Writes the sums of all chunks but the first. @returns the offset behind them */
export function writeChunkSums(target: Uint8Array, at: number, sums: Uint32Array): number {
  let to = at
  for (let chunk = 1; chunk < sums.length; chunk++, to += SUM_BYTES)
    writeU32(target, to, sums[chunk]!)
  return to
}

/**
 * Holds bytes[from .. to), chunks of a value from number `chunk` on, against the sums in the head of its record, which
 * was proved and begins at head[at]. Only the last chunk of the value may be cut short.
 * @returns the number of the first chunk that is wrong, or -1
 */
export function wrongChunk(
  head: Uint8Array,
  at: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  chunk: number,
): number {
  const sums = at + RECORD_HEADER_BYTES + head[at + OPTION_BYTES_AT]! - SUM_BYTES
  let i = chunk
  let start = from
  do {
    const end = Math.min(to, start + VALUE_CHUNK_BYTES)
    const sum = checksum(bytes.subarray(start, end))
    const expected =
      i === 0
        ? (readU32(head, at + 4) ^ readU32(head, at)) >>> 0
        : readU32(head, sums + i * SUM_BYTES)
    if (sum !== expected) return i
    start = end
    i++
  } while (start < to)
  return -1
}
