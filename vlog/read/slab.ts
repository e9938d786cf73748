/**
 * Memory for values that are read: small ones share slabs, larger ones get memory of their own.
 *
 * A Buffer for each 4 KiB value costs more than reading it (2.4 us against 1.3 us). Slabs are marked untransferable,
 * because transferring one value would empty its neighbours; they are small, so that a value which is
 * kept for long keeps little else alive.
 */
import { markAsUntransferable } from 'node:worker_threads'

export const SLAB_BYTES = 32768
/** Longer ranges get a Buffer of their own. */
export const SLAB_SHARE_BYTES_MAX = 8192

export class SlabAllocator {
  #slab: Buffer = Buffer.alloc(0)
  #at = 0
  /** Where the range of the last `allocate` begins. */
  start = 0

  /** Memory for `length` bytes, from `start` on in the returned Buffer; not zeroed. */
  allocate(length: number): Buffer {
    if (length > SLAB_SHARE_BYTES_MAX) {
      this.start = 0
      return Buffer.allocUnsafeSlow(length)
    }
    return this.allocateShared(length)
  }

  /** The same, from a slab in any case: for several values that are read in one go. At most SLAB_BYTES. */
  allocateShared(length: number): Buffer {
    if (this.#at + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      markAsUntransferable(this.#slab.buffer)
      this.#at = 0
    }
    this.start = this.#at
    this.#at += length
    return this.#slab
  }
}
