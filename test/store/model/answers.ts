/** What the model of the store expects of ranges, and how answers are held against it. */
import { EXPIRY_OPTION_BYTES } from '#dist/lib/base/record-size.js'
import type { ExpiryOptions, KeyRange, RangeOptions } from '#dist/lib/contract/types.js'
import type { Store } from '#dist/lib/store/store.js'
import { KEYS, type ModelRange } from './operations.ts'

/** By index into KEYS, which are in order: the model is sorted by numbers. */
export type Model = Map<number, Buffer>

/** What there was behind one batch. */
export type ModelState = ReadonlyMap<
  number,
  { readonly value: Buffer; readonly expiresAt: number | undefined }
>

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

/** Without direction and limit. */
export function endsOf(range: ModelRange): KeyRange {
  const { limit: _, reverse: __, ...ends } = optionsOf(range)
  return ends
}

/** A source of a stream: it fails behind its first half, if it does. */
export async function* halvesOf(
  value: Uint8Array,
  failure: Error | undefined,
): AsyncGenerator<Uint8Array, void> {
  yield value.subarray(0, value.length >> 1)
  if (failure) throw failure
  yield value.subarray(value.length >> 1)
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

/**
 * Keys, and values as they are stored: one of several chunks with its table, unless it came as a stream; the option of
 * a record that expires counts as value.
 */
export async function livingBytes(store: Store, model: Model): Promise<number> {
  const kinds = new Map(store.segments().map(({ id, kind }) => [id, kind]))
  let sum = 0
  for (const key of [...model.keys()].map(keyAt)) {
    const { storedSize, segment, inline, expiresAt } = (await store.stat(key))!
    const hasOption = expiresAt !== undefined && !inline && kinds.get(segment!) !== 'stream'
    sum += key.length + storedSize + (hasOption ? EXPIRY_OPTION_BYTES : 0)
  }
  return sum
}

/** When a put is to expire, as options of a call. */
export function expiryOf({ ttl }: ExpiryOptions): ExpiryOptions {
  return ttl === undefined ? {} : { ttl }
}

/** A value that no other number has. Every other one repeats itself, so that compression has something to do. */
export function modelValue(number: number, length: number): Buffer {
  const value = Buffer.alloc(length)
  const period = number % 2 === 0 ? 64 : length
  for (let i = 0, word = number; i < length; i++) {
    value[i] = i < period ? word : value[i - period]!
    word = Math.imul(word, 1103515245) + 12345
    word ^= word >>> 9
  }
  return value
}

function show(bytes: Buffer | undefined): string {
  if (bytes === undefined) return 'nothing'
  return `${bytes.length} bytes ${bytes.subarray(0, 8).toString('hex')}`
}
