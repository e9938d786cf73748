/**
 * The key of the entry before: tells a walk over sorted entries where the next key begins, and a builder what the next
 * key has in common with it. Data plane.
 */
import { copyRange, LOOP_COPY_BYTES } from '../../base/bytes.ts'
import type { Entry } from '../entry.ts'

const KEY_BYTES_AT_FIRST = 256

export class LastKey {
  #bytes: Uint8Array = new Uint8Array(KEY_BYTES_AT_FIRST)
  /** -1 before the first one. */
  length = -1

  /** True if the entry has this key. From its end on: neighbours in order have their beginnings in common. */
  is({ keyBytes, keyStart, keyEnd }: Entry): boolean {
    if (keyEnd - keyStart !== this.length) return false
    const bytes = this.#bytes
    for (let i = this.length - 1; i >= 0; i--) {
      if (bytes[i] !== keyBytes[keyStart + i]) return false
    }
    return true
  }

  /** How many bytes the entry's key shares with the beginning of this one. */
  commonWith({ keyBytes, keyStart, keyEnd }: Entry): number {
    const bytes = this.#bytes
    const limit = Math.min(keyEnd - keyStart, this.length)
    let common = 0
    while (common < limit && bytes[common] === keyBytes[keyStart + common]) common++
    return common
  }

  /** True if the entry's key lies behind this one, with which it has `common` bytes in common. */
  isBefore({ keyBytes, keyStart, keyEnd }: Entry, common: number): boolean {
    if (keyStart + common === keyEnd) return false
    return common === this.length || keyBytes[keyStart + common]! > this.#bytes[common]!
  }

  /** The entry's key is the last one from now on. `common` bytes of it need not be copied. */
  set({ keyBytes, keyStart, keyEnd }: Entry, common: number = 0): void {
    this.length = keyEnd - keyStart
    if (this.length > this.#bytes.length) this.#grow()
    const bytes = this.#bytes
    let from = keyStart + common
    if (keyEnd - from > LOOP_COPY_BYTES) copyRange(keyBytes, from, keyEnd, bytes, common)
    else for (let to = common; from < keyEnd; ) bytes[to++] = keyBytes[from++]!
  }

  /** True if the entry has another key than the one of the call before; it is the last key from now on. */
  advance(entry: Entry): boolean {
    if (this.is(entry)) return false
    this.set(entry)
    return true
  }

  /** A copy. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.length)
  }

  #grow(): void {
    const grown = new Uint8Array(2 * this.length)
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
