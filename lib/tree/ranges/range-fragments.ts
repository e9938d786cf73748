/**
 * Range tombstones, fragmented: which keys are deleted from which sequences on.
 *
 *   written      a - - - - - - - - h        sequence 3
 *                      d - - - - - - - - m  sequence 7
 *   fragments    a - - d - - - - - h - - m
 *                 [3]      [7 3]      [7]
 *
 * Fragments of a list ascend and do not overlap, so a search among them is one for a key. All functions are pure: a
 * list is replaced as a whole, or spliced by its owner alone. Between a list and a read there is only arithmetic: an
 * entry is deleted for a reader if a tombstone over its key has a sequence above its own, and not above the reader's.
 * Where the two lie in the tree does not matter (I6: no sequence is given twice).
 */
import { compareBytes, compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'

/** Entries of the keys from `start` on and below `end` are deleted where they are older than one of the sequences. */
export interface RangeFragment {
  readonly start: Uint8Array
  /** Exclusive; undefined: no end. */
  readonly end: Uint8Array | undefined
  /** Highest first, at least one. */
  readonly sequences: readonly Sequence[]
}

export type FragmentList = readonly RangeFragment[]

export const NO_FRAGMENTS: FragmentList = []

/** As a comparison; no end lies behind all others. */
function compareFragmentEnds(left: RangeFragment['end'], right: RangeFragment['end']): number {
  if (left === undefined || right === undefined)
    return Number(left === undefined) - Number(right === undefined)
  return compareBytes(left, right)
}

/** True if the fragment ends at or before a key. */
export function endsAtOrBefore({ end }: RangeFragment, key: Uint8Array): boolean {
  return end !== undefined && compareBytes(end, key) <= 0
}

/** Index of the first fragment that ends behind the key keyBytes[start .. end); the count if there is none. */
export function firstFragmentReaching(
  list: FragmentList,
  keyBytes: Uint8Array,
  start: number,
  end: number,
): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const last = list[middle]!.end
    const isBefore =
      last !== undefined && compareRange(last, 0, last.length, keyBytes, start, end) <= 0
    if (isBefore) low = middle + 1
    else high = middle
  }
  return low
}

/** The highest sequence of a fragment that a reader at `sequence` sees; 0 if there is none. */
export function highestSeen({ sequences }: RangeFragment, sequence: Sequence): Sequence {
  for (const each of sequences) if (each <= sequence) return each
  return 0
}

/** One list of several. */
export function mergeFragments(lists: readonly FragmentList[]): FragmentList {
  if (lists.length === 0) return NO_FRAGMENTS
  if (lists.length === 1) return lists[0]!
  const middle = lists.length >> 1
  return mergeTwo(mergeFragments(lists.slice(0, middle)), mergeFragments(lists.slice(middle)))
}

/**
 * Adds a tombstone to a list that its caller owns, which is changed where it lies.
 * @param isNeeded whether somebody may still read at the older sequence but not at the newer one. What nobody needs is
 *   left out, so that a key that is deleted again and again does not take more and more
 */
export function insertFragment(
  list: RangeFragment[],
  added: RangeFragment,
  isNeeded: (older: Sequence, newer: Sequence) => boolean,
): void {
  const { start, end } = added
  // Those that only meet it are taken along: they may be one with it now.
  let from = firstFragmentReaching(list, start, 0, start.length)
  if (from > 0 && isSameKey(list[from - 1]!.end, start)) from--
  let to = from
  while (to < list.length && (end === undefined || compareBytes(list[to]!.start, end) <= 0)) to++
  const merged = new Merged((sequences) => withoutUnneeded(sequences, isNeeded))
  mergeInto(merged, list.slice(from, to), [added])
  list.splice(from, to - from, ...merged.list)
}

/** A part of a fragment. Requires: it is not empty. */
export function cutFragment(
  fragment: RangeFragment,
  start: Uint8Array,
  end: RangeFragment['end'],
): RangeFragment {
  return { start, end, sequences: fragment.sequences }
}

function mergeTwo(left: FragmentList, right: FragmentList): FragmentList {
  if (left.length === 0) return right
  if (right.length === 0) return left
  const merged = new Merged((sequences) => sequences)
  mergeInto(merged, left, right)
  return merged.list
}

/** Collects fragments in order; neighbours that say the same become one. */
class Merged {
  readonly list: RangeFragment[] = []
  readonly #kept: (sequences: readonly Sequence[]) => readonly Sequence[]

  constructor(kept: (sequences: readonly Sequence[]) => readonly Sequence[]) {
    this.#kept = kept
  }

  add(start: Uint8Array, end: RangeFragment['end'], given: readonly Sequence[]): void {
    const sequences = this.#kept(given)
    const last = this.list.at(-1)
    if (last && isSameKey(last.end, start) && isSame(last.sequences, sequences))
      this.list[this.list.length - 1] = { start: last.start, end, sequences }
    else this.list.push({ start, end, sequences })
  }
}

function mergeInto(merged: Merged, left: FragmentList, right: FragmentList): void {
  let i = 0
  let j = 0
  let a = left[0]
  let b = right[0]
  while (a !== undefined && b !== undefined) {
    const order = compareBytes(a.start, b.start)
    if (order < 0) {
      if (endsAtOrBefore(a, b.start)) {
        merged.add(a.start, a.end, a.sequences)
        a = left[++i]
      } else {
        merged.add(a.start, b.start, a.sequences)
        a = cutFragment(a, b.start, a.end)
      }
    } else if (order > 0) {
      if (endsAtOrBefore(b, a.start)) {
        merged.add(b.start, b.end, b.sequences)
        b = right[++j]
      } else {
        merged.add(b.start, a.start, b.sequences)
        b = cutFragment(b, a.start, b.end)
      }
    } else {
      const ends = compareFragmentEnds(a.end, b.end)
      const end = ends <= 0 ? a.end : b.end
      merged.add(a.start, end, union(a.sequences, b.sequences))
      const [before, behind]: RangeFragment[] = [a, b]
      a = ends > 0 ? cutFragment(before!, end!, before!.end) : left[++i]
      b = ends < 0 ? cutFragment(behind!, end!, behind!.end) : right[++j]
    }
  }
  for (; a !== undefined; a = left[++i]) merged.add(a.start, a.end, a.sequences)
  for (; b !== undefined; b = right[++j]) merged.add(b.start, b.end, b.sequences)
}

function withoutUnneeded(
  sequences: readonly Sequence[],
  isNeeded: (older: Sequence, newer: Sequence) => boolean,
): readonly Sequence[] {
  if (sequences.length === 1) return sequences
  return sequences.filter((older, i) => i === 0 || isNeeded(older, sequences[i - 1]!))
}

function union(left: readonly Sequence[], right: readonly Sequence[]): readonly Sequence[] {
  if (isSame(left, right)) return left
  return [...new Set([...left, ...right])].sort((a, b) => b - a)
}

function isSame(left: readonly Sequence[], right: readonly Sequence[]): boolean {
  return left.length === right.length && left.every((sequence, i) => sequence === right[i])
}

function isSameKey(left: RangeFragment['end'], right: Uint8Array): boolean {
  return left !== undefined && compareBytes(left, right) === 0
}
