/**
 * Memory of the commit queue: copies of what callers pass, so that they may use their arrays again.
 *
 *   | key value key value ...      |   | ...   |     chunks, filled one after the other
 *
 * A copy is needed until its batch has left the queue; when the queue is empty the first chunks are used again, which
 * costs nothing and stays in the processor's cache. Data plane: one copy and one view for each array.
 */
import { lengthOf, NO_BYTES } from './base/bytes.ts'

/** Chunks grow to about what one group holds: then a queue that empties with each group needs one of them. */
const CHUNK_BYTES_MAX = 1024 * 1024 + 65536
/** A store that writes little takes little. What is longer gets memory of its own. */
const CHUNK_BYTES_AT_FIRST = 65536
/** Chunks that are kept for the next time, the largest; what more the queue needed while it waited is given up. */
const CHUNKS_KEPT = 4

export class TakenBytes {
  readonly #chunks: Uint8Array[] = []
  /** The chunk that is being filled, and how many were begun. */
  #chunk: Uint8Array = NO_BYTES
  #begun = 0
  #at = 0

  /** A copy of an array as it is now. No code of a caller runs in here. */
  take(bytes: Uint8Array): Uint8Array {
    const length = lengthOf(bytes)
    if (length === 0) return NO_BYTES
    if (length > CHUNK_BYTES_AT_FIRST) return copyOf(bytes, length)
    if (this.#at + length > this.#chunk.length) this.#begin()
    const at = this.#at
    this.#at = at + length
    fill(this.#chunk, at, bytes, length)
    return new Uint8Array(this.#chunk.buffer, at, length)
  }

  /** Nobody needs a copy any more. */
  reset(): void {
    this.#at = 0
    if (this.#begun < 2) return
    this.#chunks.splice(0, this.#chunks.length - CHUNKS_KEPT)
    this.#chunk = this.#chunks[0]!
    this.#begun = 1
  }

  #begin(): void {
    const index = this.#begun
    const grown = Math.max(CHUNK_BYTES_AT_FIRST, 2 * this.#chunk.length)
    this.#chunks[index] ??= new Uint8Array(Math.min(grown, CHUNK_BYTES_MAX))
    this.#chunk = this.#chunks[index]
    this.#begun = index + 1
    this.#at = 0
  }
}

function copyOf(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length)
  fill(copy, 0, bytes, length)
  return copy
}

/** An array over shared memory that grows may have grown since its length was asked for: what counts is `length`. */
function fill(target: Uint8Array, at: number, bytes: Uint8Array, length: number): void {
  try {
    // More than `length` bytes would only reach memory that is free.
    target.set(bytes, at)
  } catch {
    target.set(Uint8Array.prototype.subarray.call(bytes, 0, length), at)
  }
}
