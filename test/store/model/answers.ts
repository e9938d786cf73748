/** What the model of the store expects of ranges, and how answers are held against it. */
import type { RangeOptions } from '#dist/lib/contract/types.js'
import { KEYS, type ModelRange } from './operations.ts'

/** By index into KEYS, which are in order: the model is sorted by numbers. */
export type Model = Map<number, Buffer>

export function keyAt(index: number): Buffer {
  return KEYS[index]!
}

export function optionsOf(range: ModelRange): RangeOptions {
  const { lower, lowerOpen, upper, upperOpen, reverse, limit } = range
  return {
    ...(lower === undefined ? {} : { [lowerOpen ? 'gt' : 'gte']: keyAt(lower) }),
    ...(upper === undefined ? {} : { [upperOpen ? 'lt' : 'lte']: keyAt(upper) }),
    ...(limit === undefined ? {} : { limit }),
    reverse,
  }
}

/** The keys of a range, in its direction. */
export function keysIn(model: Model, range: ModelRange): number[] {
  const { lower, lowerOpen, upper, upperOpen, reverse, limit } = range
  const keys = [...model.keys()]
    .filter((key) => lower === undefined || (lowerOpen ? key > lower : key >= lower))
    .filter((key) => upper === undefined || (upperOpen ? key < upper : key <= upper))
    .sort((left, right) => (reverse ? right - left : left - right))
  return limit === undefined ? keys : keys.slice(0, limit)
}

export function same(found: Buffer | undefined, expected: Buffer | undefined, what: string): void {
  const equal = found === undefined ? expected === undefined : expected?.equals(found)
  if (!equal) throw new Error(`${what} gives ${show(found)}, not ${show(expected)}`)
}

export function sameList(
  found: readonly (Buffer | undefined)[],
  expected: readonly Buffer[],
  what: string,
): void {
  if (found.length !== expected.length) {
    throw new Error(
      `${what} gives ${found.length} items, not ${expected.length}: ${found.map(show)}`,
    )
  }
  for (const [at, one] of expected.entries()) same(found[at], one, `${what}, item ${at}`)
}

function show(bytes: Buffer | undefined): string {
  if (bytes === undefined) return 'nothing'
  return `${bytes.length} bytes ${bytes.subarray(0, 8).toString('hex')}`
}
