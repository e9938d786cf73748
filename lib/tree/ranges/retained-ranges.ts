/**
 * The range tombstones of a flush or a compaction, beside the walk over its entries: what they delete of each key, and
 * what of them goes on into the new tables.
 */
import { compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import type { Entry } from '../entry.ts'
import { type FragmentList, firstFragmentReaching, type RangeFragment } from './range-fragments.ts'

/** The rule by which entries and range tombstones survive (compaction/retention.ts). */
export interface RangeRetention {
  keeps(sequence: Sequence): boolean
  keptOfRange(fragment: RangeFragment): readonly Sequence[]
}

const NONE: readonly Sequence[] = []

export class RetainedRanges {
  readonly #all: FragmentList
  readonly #kept: FragmentList
  #at = 0
  #nextKept = 0
  /** Sequences at which the present key was deleted, highest first, and how many of them are above its next entry. */
  #sequences: readonly Sequence[] = NONE
  #passed = 0

  constructor(all: FragmentList, retention: RangeRetention) {
    this.#all = all
    this.#kept = all.flatMap((fragment) => {
      const sequences = retention.keptOfRange(fragment)
      return sequences.length === 0 ? [] : [{ ...fragment, sequences }]
    })
  }

  /** The next key begins: that of an entry. Keys ascend. */
  startKey({ keyBytes, keyStart, keyEnd }: Entry): void {
    const all = this.#all
    this.#passed = 0
    this.#sequences = NONE
    let at = this.#at
    // The next one, or far ahead.
    if (at < all.length && endsBy(all[at]!, keyBytes, keyStart, keyEnd)) {
      at++
      if (at < all.length && endsBy(all[at]!, keyBytes, keyStart, keyEnd))
        at = firstFragmentReaching(all, keyBytes, keyStart, keyEnd)
    }
    this.#at = at
    if (at < all.length && begins(all[at]!, keyBytes, keyStart, keyEnd))
      this.#sequences = all[at]!.sequences
  }

  /** What deleted the present key above its next entry has served the readers that see it. */
  serve(sequence: Sequence, retention: RangeRetention): void {
    const sequences = this.#sequences
    while (this.#passed < sequences.length && sequences[this.#passed]! > sequence)
      retention.keeps(sequences[this.#passed++]!)
  }

  /** The present key was deleted after this sequence. */
  isDeletedAfter(sequence: Sequence): boolean {
    return this.#sequences.length > 0 && this.#sequences[0]! > sequence
  }

  /** The next one that goes on, if it begins at or before an entry; any, without one. */
  takeKept(before: Entry | undefined): RangeFragment | undefined {
    const fragment = this.#kept[this.#nextKept]
    if (fragment === undefined) return undefined
    if (before && !begins(fragment, before.keyBytes, before.keyStart, before.keyEnd))
      return undefined
    this.#nextKept++
    return fragment
  }
}

function endsBy(
  { end }: RangeFragment,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
): boolean {
  return end !== undefined && compareRange(end, 0, end.length, bytes, keyStart, keyEnd) <= 0
}

function begins(
  { start }: RangeFragment,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
): boolean {
  return compareRange(start, 0, start.length, bytes, keyStart, keyEnd) <= 0
}
