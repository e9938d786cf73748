/**
 * The key of the entry before: tells a walk over sorted entries where the next key begins. Data plane.
 */
import { compareRange } from '../base/bytes.ts'
import type { KeyedEntry } from './block-format.ts'
import { KEY_BYTES_MAX } from './entry.ts'
import { copyBytes } from './growing-bytes.ts'

export class LastKey {
  readonly #key: Uint8Array = new Uint8Array(KEY_BYTES_MAX)
  /** -1 before the first one. */
  #length = -1

  /** True if the entry has another key than the one of the call before; it is the last key from now on. */
  advance(entry: KeyedEntry): boolean {
    const { keyBytes, keyStart, keyEnd } = entry
    const length = keyEnd - keyStart
    const key = this.#key
    if (length === this.#length && compareRange(key, 0, length, keyBytes, keyStart, keyEnd) === 0) {
      return false
    }
    copyBytes(keyBytes, keyStart, keyEnd, key, 0)
    this.#length = length
    return true
  }
}
