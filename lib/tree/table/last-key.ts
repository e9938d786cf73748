/**
 * The key of the entry before: tells a walk over sorted entries where the next key begins. Data plane.
 */
import { compareRange, copyRange } from '../../base/bytes.ts'
import type { Entry } from '../entry.ts'

const KEY_BYTES_AT_FIRST = 256

export class LastKey {
  #key: Uint8Array = new Uint8Array(KEY_BYTES_AT_FIRST)
  /** -1 before the first one. */
  #length = -1

  /** True if the entry has another key than the one of the call before; it is the last key from now on. */
  advance(entry: Entry): boolean {
    const { keyBytes, keyStart, keyEnd } = entry
    const length = keyEnd - keyStart
    const key = this.#key
    if (length === this.#length && compareRange(key, 0, length, keyBytes, keyStart, keyEnd) === 0) {
      return false
    }
    if (length > key.length) this.#key = new Uint8Array(2 * length)
    copyRange(keyBytes, keyStart, keyEnd, this.#key, 0)
    this.#length = length
    return true
  }
}
