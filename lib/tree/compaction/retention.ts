/**
 * Which entries of a key survive a flush or a compaction: the one rule, in one place.
 *
 * Kept are, for each key, the newest entry at or below each sequence that may still be read, and
 * every entry above the highest of these. A tombstone so kept is dropped only if all readers are at
 * or above it (then nothing older of the key is kept with it) and no older run outside the inputs
 * overlaps the key (I7: a tombstone outlives every older entry of its key). What was evicted is gone for all readers,
 * with everything older of its key: none of it is kept, and nothing has to hide it.
 *
 * Data plane: keys come in ascending order, the entries of a key newest first; nothing is
 * allocated.
 */
import { compareBytes, compareRange } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { Sequence } from '../../base/ids.ts'
import { compareSpanEnds, endsBefore, type KeySpan } from '../key-span.ts'
import type { RangeFragment } from '../ranges/range-fragments.ts'

export class Retention {
  readonly #readable: readonly number[]
  readonly #highest: number
  readonly #lowest: number
  readonly #olderRanges: readonly KeySpan[] | undefined
  readonly #evictedBelow: Sequence
  /** Readers 0 .. unserved - 1 have not met their entry of the present key. */
  #unserved = 0
  /**
   * Older ranges that begin at or before the present key, and how far the longest of them reaches.
   */
  #begun = 0
  #reach: KeySpan | undefined
  /** The same of those that begin before the end of the last fragment. */
  #met = 0
  #metReach: KeySpan | undefined

  /**
   * @param readableSequences sequences at which someone may read, ascending, at least one
   * @param olderRanges key ranges of all older tables outside the inputs, in order of their first
   *   keys; undefined keeps every tombstone that a reader needs (a flush)
   * @param evictedBelow entries below it were evicted; 0: none were
   */
  constructor(
    readableSequences: readonly Sequence[],
    olderRanges: readonly KeySpan[] | undefined,
    evictedBelow: Sequence = 0,
  ) {
    assert(readableSequences.length > 0, 'somebody may read')
    this.#readable = readableSequences
    this.#lowest = readableSequences[0]!
    this.#highest = readableSequences[readableSequences.length - 1]!
    this.#olderRanges = olderRanges
    this.#evictedBelow = evictedBelow
  }

  /** The next key begins. */
  startKey(): void {
    this.#unserved = this.#readable.length
  }

  /** True if the next older entry of the present key survives, tombstones not yet considered. */
  keeps(sequence: Sequence): boolean {
    if (sequence < this.#evictedBelow) return false
    if (sequence > this.#highest) return true
    const before = this.#unserved
    let unserved = before
    while (unserved > 0 && this.#readable[unserved - 1]! >= sequence) unserved--
    this.#unserved = unserved
    return unserved < before
  }

  /**
   * Of the sequences of a range tombstone, highest first, those that survive: for each reader the newest one that it
   * sees, and all above the highest reader. The last of them is dropped where all readers see it and nothing older is
   * left outside the inputs that it could hide (I7). Fragments ascend from call to call.
   */
  keptOfRange({ start, end, sequences }: RangeFragment): readonly Sequence[] {
    this.startKey()
    const kept = sequences.filter((sequence) => this.keeps(sequence))
    const last = kept[kept.length - 1]
    const isLast = last !== undefined && this.#olderRanges !== undefined && last <= this.#lowest
    if (!isLast || this.#isOlderIn(this.#olderRanges, start, end)) return kept
    return kept.slice(0, -1)
  }

  /** True if an older range has keys between two. Requires: these ascend from call to call, and do not overlap. */
  #isOlderIn(ranges: readonly KeySpan[], start: Uint8Array, end: RangeFragment['end']): boolean {
    while (this.#met < ranges.length) {
      const range = ranges[this.#met]!
      if (end !== undefined && compareBytes(range.smallestKey, end) >= 0) break
      if (this.#metReach === undefined || compareSpanEnds(range, this.#metReach) > 0)
        this.#metReach = range
      this.#met++
    }
    return this.#metReach !== undefined && !endsBefore(this.#metReach, start, 0, start.length)
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
      if (this.#reach === undefined || compareSpanEnds(range, this.#reach) > 0) this.#reach = range
      this.#begun++
    }
    return this.#reach === undefined || endsBefore(this.#reach, keyBytes, keyStart, keyEnd)
  }
}
