/**
 * The reads of a transaction, in order: the writes of others are looked up in them, however many both are.
 *
 * It is sorted in steps: pieces first, then two and two of them become one.
 */
import type { LastWrites } from '../writes/batch.ts'
import { isWithin, type KeyStrings, keyWithin } from '../writes/key-strings.ts'
import { compareKeys } from '../writes/sorted-keys.ts'
import type { ReadSet } from './read-set.ts'
import type { Steps } from './steps.ts'

/** Sorted in one step: half a millisecond. */
const PIECE_ITEMS = 1024

export class SortedReads {
  /** Ascending. */
  readonly keys: readonly string[]
  /** Ascending, and none meets the next. */
  readonly ranges: readonly KeyStrings[]
  readonly #isRead: ReadonlySet<string>

  private constructor(reads: ReadSet, keys: readonly string[], ranges: readonly KeyStrings[]) {
    this.#isRead = reads.keys
    this.keys = keys
    this.ranges = ranges
  }

  /** @returns undefined if it was given up. Requires: nothing is read any more */
  static async of(reads: ReadSet, steps: Steps): Promise<SortedReads | undefined> {
    const keys = await sorted([...reads.keys], compareKeys, steps)
    const ranges = keys && (await sorted(reads.readRanges(), compareStarts, steps))
    return keys && ranges && new SortedReads(reads, keys, joined(ranges))
  }

  /** One of the written keys that was read. */
  findIn(writes: LastWrites): string | undefined {
    for (const range of writes.ranges) {
      const key = this.findWithin(range)
      if (key !== undefined) return key
    }
    if (this.ranges.length === 0 && this.keys.length < writes.size) {
      for (const key of this.keys) if (writes.has(key)) return key
      return undefined
    }
    for (const key of writes.keys()) if (this.#holds(key)) return key
    return undefined
  }

  /** A key that was read, or the beginning of a range that is deleted where something of it was read. */
  findWithin(deleted: KeyStrings): string | undefined {
    const key = keyWithin(this.keys, deleted)
    if (key !== undefined) return key
    const { start, end } = deleted
    const range = this.#lastRange((read) => end === undefined || read.start < end)
    return range && (range.end === undefined || range.end > start) ? start : undefined
  }

  #holds(key: string): boolean {
    if (this.#isRead.has(key)) return true
    const range = this.#lastRange(({ start }) => start <= key)
    return range !== undefined && isWithin(range, key)
  }

  /** Of those that a condition holds for, which are the first ones. */
  #lastRange(isBefore: (range: KeyStrings) => boolean): KeyStrings | undefined {
    let low = 0
    let high = this.ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(this.ranges[middle]!)) low = middle + 1
      else high = middle
    }
    return this.ranges[low - 1]
  }
}

function compareStarts(left: KeyStrings, right: KeyStrings): number {
  return compareKeys(left.start, right.start)
}

/** @returns undefined if it was given up */
async function sorted<T>(
  items: readonly T[],
  compare: (left: T, right: T) => number,
  steps: Steps,
): Promise<readonly T[] | undefined> {
  let pieces: (readonly T[])[] = []
  for (let at = 0; at < items.length; at += PIECE_ITEMS) {
    pieces.push(items.slice(at, at + PIECE_ITEMS).sort(compare))
    if (items.length > PIECE_ITEMS && (await steps.turnIfOld())) return undefined
  }
  while (pieces.length > 1) {
    const longer: (readonly T[])[] = []
    for (let i = 0; i < pieces.length; i += 2) {
      const right = pieces[i + 1]
      const merged =
        right === undefined ? pieces[i] : await merge(pieces[i]!, right, compare, steps)
      if (merged === undefined) return undefined
      longer.push(merged)
    }
    pieces = longer
  }
  return pieces[0] ?? []
}

async function merge<T>(
  left: readonly T[],
  right: readonly T[],
  compare: (left: T, right: T) => number,
  steps: Steps,
): Promise<readonly T[] | undefined> {
  const merged: T[] = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    const isLeft = j === right.length || (i < left.length && compare(left[i]!, right[j]!) <= 0)
    merged.push(isLeft ? left[i++]! : right[j++]!)
    if (steps.isTurnDue() && (await steps.turn())) return undefined
  }
  return merged
}

/** Those that meet become one. */
function joined(sortedRanges: readonly KeyStrings[]): readonly KeyStrings[] {
  const ranges: KeyStrings[] = []
  for (const range of sortedRanges) {
    const last = ranges.at(-1)
    if (last === undefined || (last.end !== undefined && last.end < range.start)) ranges.push(range)
    else ranges[ranges.length - 1] = { start: last.start, end: furtherEnd(last.end, range.end) }
  }
  return ranges
}

function furtherEnd(left: KeyStrings['end'], right: KeyStrings['end']): KeyStrings['end'] {
  if (left === undefined || right === undefined) return undefined
  return left > right ? left : right
}
