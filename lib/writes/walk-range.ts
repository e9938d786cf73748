/** Ranges of keys as strings, which are compared as they are (keyString in lib/base/bytes.ts). */
import { keyString } from '../base/bytes.ts'
import type { ResolvedRange } from '../contract/arguments.ts'

export interface WalkRange {
  readonly lower: string | undefined
  readonly lowerOpen: boolean
  readonly upper: string | undefined
  readonly upperOpen: boolean
  readonly reverse: boolean
}

export function walkRangeOf(range: ResolvedRange & { readonly reverse: boolean }): WalkRange {
  const { lower, lowerOpen, upper, upperOpen, reverse } = range
  return {
    lower: lower && keyString(lower),
    lowerOpen,
    upper: upper && keyString(upper),
    upperOpen,
    reverse,
  }
}

export function bytesOf(key: string): Buffer {
  return Buffer.from(key, 'latin1')
}

/** True if a walk over the span has ended before it comes to the key. */
export function isBehindEnd(span: WalkRange, key: string): boolean {
  return span.reverse ? isBelow(span, key) : isAbove(span, key)
}

function isBelow({ lower, lowerOpen }: WalkRange, key: string): boolean {
  return lower !== undefined && (lowerOpen ? key <= lower : key < lower)
}

function isAbove({ upper, upperOpen }: WalkRange, key: string): boolean {
  return upper !== undefined && (upperOpen ? key >= upper : key > upper)
}

export function isInRange(span: WalkRange, key: string): boolean {
  return !isBelow(span, key) && !isAbove(span, key)
}
