/**
 * Memory of the commit queue: copies of what callers pass, so that they may use their arrays again.
 *
 *   full, oldest first: | key value key value ... | ... |      being filled: | key value ...      |      free: | | |
 *
 * A copy is needed until its batch has left the queue. Batches leave in order, so chunks become free in order, also
 * while the queue never empties; used again they cost nothing. Data plane: one copy and one view for each array.
 */
import { lengthOf, NO_BYTES } from '../base/bytes.ts'

/** Chunks grow to about what one group holds: then a queue that empties with each group needs one of them. */
const CHUNK_BYTES_MAX = 1024 * 1024 + 65536
/** A store that writes little takes little. What is longer gets memory of its own. */
const CHUNK_BYTES_AT_FIRST = 65536
/** Free chunks that are kept; what more the queue needed while it waited is given up. */
const CHUNKS_KEPT = 4

export class TakenBytes {
  #accepted = 0
  #left = 0
  readonly #free: Uint8Array[] = []
  /** Oldest first. `last` is the number of the last batch that may have bytes in it. */
  readonly #full: { readonly chunk: Uint8Array; readonly last: number }[] = []
  #chunk: Uint8Array = NO_BYTES
  #at = 0

  /** Batches that were queued so far ... */
  get accepted(): number {
    return this.#accepted
  }

  /** ... and those that have left the queue, which they do in that order. */
  get left(): number {
    return this.#left
  }

  /** A copy of an array as it is now, for the next batch that is accepted. No code of a caller runs in here. */
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

  /** What was taken since the last time is a batch. @returns its number */
  accept(): number {
    return ++this.#accepted
  }

  /** The oldest batches need their copies no more. */
  leave(batches: number): void {
    this.#left += batches
  }

  /** The queue is empty: nobody needs a copy any more. */
  reset(): void {
    this.#at = 0
    if (this.#full.length > 0) this.#recycle(Number.POSITIVE_INFINITY)
  }

  #begin(): void {
    this.#recycle(this.#left)
    const before = this.#chunk
    // The batch that is being taken is the next one.
    if (before.length > 0) this.#full.push({ chunk: before, last: this.#accepted + 1 })
    const grown = Math.max(CHUNK_BYTES_AT_FIRST, 2 * before.length)
    this.#chunk = this.#free.pop() ?? new Uint8Array(Math.min(grown, CHUNK_BYTES_MAX))
    this.#at = 0
  }

  /** Frees the chunks of batches that have left. */
  #recycle(left: number): void {
    while (this.#full.length > 0 && this.#full[0]!.last <= left) {
      const { chunk } = this.#full.shift()!
      // Small ones were for the beginning.
      const isWanted = chunk.length >= this.#chunk.length && this.#free.length < CHUNKS_KEPT
      if (isWanted) this.#free.push(chunk)
    }
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
