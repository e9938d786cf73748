/**
 * Codecs of values: what a chunk is stored as, and back. A chunk that gets no shorter is stored as it was given.
 *
 * How long a chunk was is known and proved before it is decompressed: what gives another length is damage, and a frame
 * that would give more is stopped there.
 */

import { VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'
import { frameBytesMax, zstd } from '../lib/base/zstd.ts'
import type { ChunkList } from './value-chunks.ts'

/** DO NOT CHANGE: codecs are on disk. */
export const CODEC_ZSTD = 1
/** Names of the codecs that this version knows, by their numbers. */
export const CODEC_NAMES = ['none', 'zstd'] as const

const frame = new Uint8Array(frameBytesMax(VALUE_CHUNK_BYTES))

/**
 * The zstd frame of a chunk; valid until the next call.
 * @throws WISC_CODEC_UNAVAILABLE
 */
export function compressChunk(chunk: Uint8Array, level: number): Uint8Array {
  return frame.subarray(0, zstd().compress(frame, chunk, level))
}

/** Chunks of values, one behind the other: as they are given, or as they are stored. */
export interface PackedChunks {
  readonly bytes: Uint8Array
  readonly lengths: Uint32Array
}

/**
 * Compresses chunks; yields when about so many bytes are done.
 * @returns them as they are stored: one that gets no shorter is as it was given
 * @throws WISC_CODEC_UNAVAILABLE
 */
export function* compressSlices(
  given: PackedChunks,
  level: number,
  sliceBytes: number = VALUE_CHUNK_BYTES,
): Generator<void, PackedChunks> {
  const { lengths } = given
  const bytes = new Uint8Array(given.bytes.length)
  const stored = new Uint32Array(lengths.length)
  let from = 0
  let to = 0
  let done = 0
  for (let i = 0; i < lengths.length; i++) {
    const chunk = given.bytes.subarray(from, from + lengths[i]!)
    const shorter = compressChunk(chunk, level)
    const as = shorter.length < chunk.length ? shorter : chunk
    bytes.set(as, to)
    stored[i] = as.length
    from += chunk.length
    to += as.length
    done += chunk.length
    if (done < sliceBytes) continue
    done = 0
    yield
  }
  return { bytes: bytes.slice(0, to), lengths: stored }
}

/**
 * Decompresses chunks from .. end of a value, which lie one behind the other in bytes[at ..] and are proved.
 * @param target gets them as they were given
 * @returns what is wrong, or undefined
 * @throws WISC_CODEC_UNAVAILABLE
 */
export function decompressChunks(
  chunks: ChunkList,
  from: number,
  end: number,
  bytes: Uint8Array,
  at: number,
  target: Uint8Array,
): string | undefined {
  let start = at
  let to = 0
  for (let chunk = from; chunk < end; chunk++) {
    const stored = bytes.subarray(start, start + chunks.storedBytes(chunk))
    const length = chunks.rawBytes(chunk)
    const given = target.subarray(to, to + length)
    if (stored.length === length) given.set(stored)
    else if (!decompressed(stored, given)) return `value cannot be decompressed chunk=${chunk}`
    start += stored.length
    to += length
  }
  return undefined
}

/** Gives memory for `length` bytes, from `start` on in what it returns. */
export interface ValueMemory {
  readonly start: number
  allocate(length: number): Buffer
}

/** Each in memory of its own. */
export const OWN_MEMORY: ValueMemory = {
  start: 0,
  allocate: (length) => Buffer.allocUnsafeSlow(length),
}

/**
 * The only chunk of a value, as it was given.
 * @returns what is wrong instead
 * @throws WISC_CODEC_UNAVAILABLE
 */
export function decompressedChunk(
  stored: Buffer,
  rawLength: number,
  from: ValueMemory,
): Buffer | string {
  if (stored.length === rawLength) return stored
  const memory = from.allocate(rawLength)
  const value = memory.subarray(from.start, from.start + rawLength)
  return decompressed(stored, value) ? value : 'value cannot be decompressed chunk=0'
}

/** False if it does not give just as many bytes as are wanted. */
function decompressed(stored: Uint8Array, target: Uint8Array): boolean {
  const library = zstd()
  try {
    return library.decompress(target, stored) === target.length
  } catch {
    // The bytes are those that were stored, so whoever stored them was wrong.
    return false
  }
}
