/**
 * Spans of keys, as tables have them: the lower end is inclusive; the upper one is a key that may be in it, or, where
 * a range tombstone reaches behind all entries, a key that is not, or no end at all.
 */
import { compareBytes, compareRange } from '../base/bytes.ts'

export interface KeySpan {
  readonly smallestKey: Uint8Array
  readonly largestKey: Uint8Array
  /** `largestKey` lies behind all that is in the span; if it is empty, nothing does: there is no end. */
  readonly largestExclusive: boolean
}

/** True for a span without an upper end. */
export function isEndless({ largestKey, largestExclusive }: KeySpan): boolean {
  return largestExclusive && largestKey.length === 0
}

/** True if the key keyBytes[start .. end) lies behind all that is in the span. */
export function endsBefore(
  span: KeySpan,
  keyBytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const { largestKey, largestExclusive } = span
  const order = compareRange(largestKey, 0, largestKey.length, keyBytes, start, end)
  return largestExclusive ? order <= 0 && largestKey.length > 0 : order < 0
}

/** Which of two spans reaches further: as a comparison. */
export function compareSpanEnds(left: KeySpan, right: KeySpan): number {
  if (isEndless(left) || isEndless(right)) return Number(isEndless(left)) - Number(isEndless(right))
  const order = compareBytes(left.largestKey, right.largestKey)
  return order || Number(right.largestExclusive) - Number(left.largestExclusive)
}

/** True if the upper end of a span is not below its lower one. */
export function isInOrder(span: KeySpan): boolean {
  const { smallestKey, largestKey, largestExclusive } = span
  if (isEndless(span)) return true
  const order = compareBytes(smallestKey, largestKey)
  return largestExclusive ? order < 0 : order <= 0
}
