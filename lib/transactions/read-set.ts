/** The reads of a transaction: single keys, and ranges as far as its iterators have come. Bounded in bytes. */
import { invalidArgument } from '../base/errors.ts'
import type { KeyStrings } from '../writes/key-strings.ts'
import type { WalkRange } from '../writes/walk-range.ts'

/** Beside the characters of a key, and of the ends of a range. */
const KEY_BYTES = 80
const RANGE_BYTES = 250

export class ReadSet {
  readonly keys: Set<string> = new Set()
  readonly ranges: ReadRange[] = []
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** @throws WISC_INVALID_ARGUMENT if it is too much */
  addKey(key: string): void {
    if (this.keys.has(key)) return
    this.#take(KEY_BYTES + key.length)
    this.keys.add(key)
  }

  /** @param from where it begins, if that is not where the span does */
  addRange(span: WalkRange, from: string | undefined): ReadRange {
    const { lower = '', upper = '' } = span
    this.#take(RANGE_BYTES + lower.length + upper.length)
    const range = new ReadRange(span, from)
    this.ranges.push(range)
    return range
  }

  /** Those of which something was read, as far as they were. */
  readRanges(): KeyStrings[] {
    return this.ranges.flatMap(({ read }) => read ?? [])
  }

  #take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= this.#bytesMax) return
    throw invalidArgument(
      `a transaction has read too much: transactions.maxReadSetBytes=${this.#bytesMax}`,
    )
  }
}

/** A part of a span that was read, from its beginning on. */
export class ReadRange {
  readonly #span: WalkRange
  readonly #from: string | undefined
  /** Up to where; undefined: nothing yet. */
  #read: WalkRange | undefined

  constructor(span: WalkRange, from: string | undefined) {
    this.#span = span
    this.#from = from
  }

  /** undefined: nothing; or nothing that could be there. */
  get read(): KeyStrings | undefined {
    if (this.#read === undefined) return undefined
    const { lower = '', lowerOpen, upper, upperOpen } = this.#read
    const start = lowerOpen ? keyBehind(lower) : lower
    const end = upper === undefined || upperOpen ? upper : keyBehind(upper)
    return end === undefined || start < end ? { start, end } : undefined
  }

  /** Everything up to this key is known now. */
  coverTo(key: string): void {
    const { reverse } = this.#span
    this.#read = this.#begun(
      reverse ? { lower: key, lowerOpen: false } : { upper: key, upperOpen: false },
    )
  }

  /** ... up to the end of the span. */
  coverAll(): void {
    this.#read = this.#begun({})
  }

  #begun(end: Partial<WalkRange>): WalkRange {
    const from = this.#from
    const { reverse, lower, upper } = this.#span
    if (from === undefined) return { ...this.#span, ...end }
    // Outside of the span a seek begins where the span does.
    if (reverse && (upper === undefined || from < upper))
      return { ...this.#span, upper: from, upperOpen: false, ...end }
    if (!reverse && (lower === undefined || from > lower))
      return { ...this.#span, lower: from, lowerOpen: false, ...end }
    return { ...this.#span, ...end }
  }
}

/** The next key in the order of keys. */
function keyBehind(key: string): string {
  return `${key}\0`
}
