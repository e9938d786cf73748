/**
 * Ranges of keys in which nothing is visible: a scan that has passed a long run of tombstones remembers it here, and
 * the next one jumps over it. Without it the first key of a queue costs a step for each that was ever taken.
 *
 *   keys     a   b   c   d   e   f           x: deleted, o: has a value
 *            o   x   x   x   x   o
 *                [-----------]               from before b to behind e, known since sequence 17
 *
 * What is remembered is a fact about the contents, not about a place in the tree: at its sequence, and at every later
 * one, no key of the range has a value. Deletes, flushes and compactions leave it true; a put takes its key out of the
 * range before anyone can see it (I6, I7: nothing is hidden that a merge of the tree would show). A reader at an older
 * sequence does not use it. Memory only, and bounded (I10): whatever is forgotten is found again by walking.
 */

import { compareBytes, compareRange, copyBytes } from '../base/bytes.ts'
import type { Sequence } from '../base/ids.ts'
import { KEY_BYTES_MAX as TREE_KEY_BYTES_MAX } from '../tree/entry.ts'

const RANGES_MAX = 512
const KEY_BYTES_MAX = 1024 * 1024
/** What is left when that is too much. */
const RANGES_KEPT = 384
const KEY_BYTES_KEPT = 768 * 1024

/** A place between keys: before a key, or behind it. */
export interface Edge {
  readonly key: Uint8Array
  readonly behind: boolean
}

/** Behind all keys. */
export const END_EDGE: Edge = { key: new Uint8Array(TREE_KEY_BYTES_MAX).fill(0xff), behind: true }

export interface EmptyRange {
  readonly lower: Edge
  readonly upper: Edge
  /** Nothing is visible in it at this sequence and later. */
  readonly sequence: Sequence
}

interface Slot extends EmptyRange {
  /** When it was last of use. */
  used: number
}

export class EmptyRanges {
  /** In key order, none touches the next. */
  #slots: Slot[] = []
  #keyBytes = 0
  #clock = 0

  get count(): number {
    return this.#slots.length
  }

  /** The range that holds a key, if a reader at `sequence` may rely on it. */
  find(
    keyBytes: Uint8Array,
    start: number,
    end: number,
    sequence: Sequence,
  ): EmptyRange | undefined {
    const slot = this.#slotOf(keyBytes, start, end)
    if (slot === undefined || slot.sequence > sequence) return undefined
    slot.used = ++this.#clock
    return slot
  }

  /** Remembers a range. Its keys are copied. Requires: nothing in it is visible at `sequence` or later, as of now. */
  add(lower: Edge, upper: Edge, sequence: Sequence): void {
    const slots = this.#slots
    let low = lower
    let high = upper
    let known = sequence
    const from = this.#firstReaching(lower)
    let to = from
    for (; to < slots.length && compareEdges(slots[to]!.lower, upper) <= 0; to++) {
      const other = slots[to]!
      const beginsBefore = compareEdges(other.lower, low) < 0
      const endsBehind = compareEdges(other.upper, high) > 0
      if (beginsBefore) low = other.lower
      if (endsBehind) high = other.upper
      // What lies inside is known anew; what juts out is known as of its own sequence.
      if (beginsBefore || endsBehind) known = Math.max(known, other.sequence)
    }
    for (const slot of slots.slice(from, to)) this.#keyBytes -= bytesOf(slot)
    const slot: Slot = {
      lower: { key: copyBytes(low.key), behind: low.behind },
      // That one is never changed, and long.
      upper: high === END_EDGE ? high : { key: copyBytes(high.key), behind: high.behind },
      sequence: known,
      used: ++this.#clock,
    }
    this.#keyBytes += bytesOf(slot)
    slots.splice(from, to - from, slot)
    this.#forgetTooMany()
  }

  /** Takes a key out, which is about to have a value. */
  put(key: Uint8Array): void {
    if (this.#slots.length === 0) return
    const slot = this.#slotOf(key, 0, key.length)
    if (slot === undefined) return
    const own = copyBytes(key)
    const { lower, upper, sequence, used } = slot
    const before: Slot = { lower, upper: { key: own, behind: false }, sequence, used }
    const behind: Slot = { lower: { key: own, behind: true }, upper, sequence, used }
    const parts = [before, behind].filter((part) => compareEdges(part.lower, part.upper) < 0)
    this.#slots.splice(this.#slots.indexOf(slot), 1, ...parts)
    this.#keyBytes -= bytesOf(slot)
    for (const part of parts) this.#keyBytes += bytesOf(part)
    this.#forgetTooMany()
  }

  #slotOf(keyBytes: Uint8Array, start: number, end: number): Slot | undefined {
    const slots = this.#slots
    let low = 0
    let high = slots.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBehind(slots[middle]!.upper, keyBytes, start, end)) high = middle
      else low = middle + 1
    }
    const slot = slots[low]
    return slot && !isBehind(slot.lower, keyBytes, start, end) ? slot : undefined
  }

  /** Index of the first range that ends at or behind an edge. */
  #firstReaching(edge: Edge): number {
    const slots = this.#slots
    let low = 0
    let high = slots.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareEdges(slots[middle]!.upper, edge) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Those that were of no use for the longest time: some at once, so that each that comes does not look at all. */
  #forgetTooMany(): void {
    const slots = this.#slots
    if (slots.length <= RANGES_MAX && this.#keyBytes <= KEY_BYTES_MAX) return
    const kept = new Set<Slot>()
    let keyBytes = 0
    for (const slot of slots.toSorted((left, right) => right.used - left.used)) {
      if (kept.size >= RANGES_KEPT || keyBytes + bytesOf(slot) > KEY_BYTES_KEPT) break
      kept.add(slot)
      keyBytes += bytesOf(slot)
    }
    this.#slots = slots.filter((slot) => kept.has(slot))
    this.#keyBytes = keyBytes
  }
}

function compareEdges(left: Edge, right: Edge): number {
  return compareBytes(left.key, right.key) || Number(left.behind) - Number(right.behind)
}

/** True if the edge lies behind the key. */
function isBehind(edge: Edge, keyBytes: Uint8Array, start: number, end: number): boolean {
  const order = compareRange(edge.key, 0, edge.key.length, keyBytes, start, end)
  return order === 0 ? edge.behind : order > 0
}

function bytesOf({ lower, upper }: EmptyRange): number {
  return lower.key.length + upper.key.length
}
