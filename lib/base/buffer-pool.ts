/**
 * Large buffers, which one job gives back for the next one on the same thread.
 *
 * Fresh ones are dear twice: the system has to find and clear their pages, and V8 begins a major collection for each 64
 * MiB of them, however small the heap is. So every other rewrite brought one about in its worker, and optimized
 * code went with it (kept.ts).
 */
import { assert } from './errors.ts'

/** What a thread keeps: the buffers of one rewrite. */
const FREE_BYTES_MAX = 8 * 1024 * 1024
/** Smaller ones come and go in too many sizes. */
const POOLED_BYTES_MIN = 256 * 1024

/** The last one that was given back is the last. */
const free: Uint8Array[] = []
let freeBytes = 0

/** @returns a buffer of this length; its bytes are whatever was left in it */
export function takeBuffer(length: number): Uint8Array {
  const index = free.findLastIndex((buffer) => buffer.length === length)
  if (index < 0) return new Uint8Array(length)
  const [buffer] = free.splice(index, 1)
  freeBytes -= length
  return buffer!
}

/** Requires: nobody uses the buffer, or any view of it, from now on. */
export function giveBuffer(buffer: Uint8Array): void {
  assert(!free.includes(buffer), 'a buffer is given back once')
  const { length } = buffer
  if (length < POOLED_BYTES_MIN || length > FREE_BYTES_MAX) return
  free.push(buffer)
  freeBytes += length
  while (freeBytes > FREE_BYTES_MAX) freeBytes -= free.shift()!.length
}
