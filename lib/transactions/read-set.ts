/** What a transaction has read: single keys, and ranges as far as its iterators have come. Bounded in bytes. */
import { invalidArgument } from '../base/errors.ts'
import type { LastWrites } from '../writes/batch.ts'
import { isInRange, type WalkRange } from '../writes/walk-range.ts'
import { isWithin, type KeyStrings } from '../writes/writes-by-key.ts'

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

  holds(key: string): boolean {
    return this.keys.has(key) || this.ranges.some((range) => range.holds(key))
  }

  /** One of the written keys that was read. */
  findIn(writes: LastWrites): string | undefined {
    for (const range of writes.ranges) {
      const key = this.findWithin(range)
      if (key !== undefined) return key
    }
    if (this.ranges.length === 0 && this.keys.size < writes.size) {
      for (const key of this.keys) if (writes.has(key)) return key
      return undefined
    }
    for (const key of writes.keys()) if (this.holds(key)) return key
    return undefined
  }

  /** A key that was read, or the beginning of a range that is deleted where something of it was read. */
  findWithin(deleted: KeyStrings): string | undefined {
    for (const key of this.keys) if (isWithin(deleted, key)) return key
    return this.ranges.some((range) => range.meets(deleted)) ? deleted.start : undefined
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

  get read(): WalkRange | undefined {
    return this.#read
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

  /** Some key may lie in it and in a range that is deleted. */
  meets({ start, end }: KeyStrings): boolean {
    if (this.#read === undefined) return false
    const { lower, upper, upperOpen } = this.#read
    const isBefore = upper !== undefined && (upperOpen ? upper <= start : upper < start)
    const isBehind = lower !== undefined && end !== undefined && lower >= end
    return !isBefore && !isBehind
  }

  holds(key: string): boolean {
    return this.#read !== undefined && isInRange(this.#read, key)
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
