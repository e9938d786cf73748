/**
 * Which entries of a key survive a flush or a compaction: the one rule, in one place.
 *
 * Kept are, for each key, the newest entry at or below each sequence that may still be read, and
 * every entry above the highest of these. A tombstone so kept is dropped only if all readers are at
 * or above it (then nothing older of the key is kept with it) and no older run outside the inputs
 * overlaps the key (I7: a tombstone outlives every older entry of its key).
 *
 * Data plane: keys come in ascending order, the entries of a key newest first; nothing is
 * allocated.
 */
import { compareBytes, compareRange, NO_BYTES } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { Sequence } from '../../base/ids.ts'

/** A range of keys, both ends inclusive. */
export interface KeySpan {
  readonly smallestKey: Uint8Array
  readonly largestKey: Uint8Array
}

export class Retention {
  readonly #readable: readonly number[]
  readonly #highest: number
  readonly #lowest: number
  readonly #olderRanges: readonly KeySpan[] | undefined
  /** Readers 0 .. unserved - 1 have not met their entry of the present key. */
  #unserved = 0
  /**
   * Older ranges that begin at or before the present key, and how far the longest of them reaches.
   */
  #begun = 0
  #reach: Uint8Array = NO_BYTES

  /**
   * @param readableSequences sequences at which someone may read, ascending, at least one
   * @param olderRanges key ranges of all older tables outside the inputs, in order of their first
   *   keys; undefined keeps every tombstone that a reader needs (a flush)
   */
  constructor(readableSequences: readonly Sequence[], olderRanges: readonly KeySpan[] | undefined) {
    assert(readableSequences.length > 0, 'somebody may read')
    this.#readable = readableSequences
    this.#lowest = readableSequences[0]!
    this.#highest = readableSequences[readableSequences.length - 1]!
    this.#olderRanges = olderRanges
  }

  /** The next key begins. */
  startKey(): void {
    this.#unserved = this.#readable.length
  }

  /** True if the next older entry of the present key survives, tombstones not yet considered. */
  keeps(sequence: Sequence): boolean {
    if (sequence > this.#highest) return true
    const before = this.#unserved
    let unserved = before
    while (unserved > 0 && this.#readable[unserved - 1]! >= sequence) unserved--
    this.#unserved = unserved
    return unserved < before
  }

  /**
   * True if a tombstone that {@link keeps} kept need not be written. Keys must ascend from call to
   * call.
   */
  dropsTombstone(
    sequence: Sequence,
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
  ): boolean {
    const ranges = this.#olderRanges
    if (ranges === undefined || sequence > this.#lowest) return false
    while (this.#begun < ranges.length) {
      const range = ranges[this.#begun]!
      const first = range.smallestKey
      if (compareRange(first, 0, first.length, keyBytes, keyStart, keyEnd) > 0) break
      if (this.#begun === 0 || compareBytes(range.largestKey, this.#reach) > 0) {
        this.#reach = range.largestKey
      }
      this.#begun++
    }
    if (this.#begun === 0) return true
    return compareRange(this.#reach, 0, this.#reach.length, keyBytes, keyStart, keyEnd) < 0
  }
}
