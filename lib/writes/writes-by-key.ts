/**
 * The last write of each key, in key order where somebody asks for one: what a transaction has written so far, or what
 * the batches of a group do that are in no memtable yet. Readers see it before the store.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { keyString } from '../base/bytes.ts'
import type { Given } from '../contract/arguments.ts'
import { isBeforeStart, isBehindEnd, type WalkRange } from './walk-range.ts'

/** Keys as strings (keyString). */
export interface KeyStrings {
  readonly start: string
  /** Exclusive; undefined: there is none. */
  readonly end: string | undefined
}

export class WritesByKey<W extends Given> {
  readonly #writes: Map<string, W> = new Map()
  /** Ranges that are deleted: what is written behind one of them is among the writes. */
  readonly #ranges: (KeyStrings & { readonly write: W })[] = []
  /** Ascending; undefined until somebody asks for an order. */
  #order: string[] | undefined

  get size(): number {
    return this.#writes.size + this.#ranges.length
  }

  /** Those that are deleted: they may hide more of the store than there are writes. */
  get ranges(): readonly KeyStrings[] {
    return this.#ranges
  }

  /** The last write of a key, or that of a range by which it is deleted. */
  get(key: string): W | undefined {
    const write = this.#writes.get(key)
    if (write !== undefined || this.#ranges.length === 0) return write
    return this.#ranges.findLast((range) => isWithin(range, key))?.write
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** Of writes of single keys. */
  keys(): IterableIterator<string> {
    return this.#writes.keys()
  }

  /** Each key once, behind all ranges. */
  list(): W[] {
    return [...this.#ranges.map(({ write }) => write), ...this.#writes.values()]
  }

  /** The key is this one's from now on. */
  set(write: W): void {
    const key = keyString(write.key)
    if (write.kind === RECORD_KIND.deleteRange) {
      this.#deleteRange(key, write)
      return
    }
    if (this.#order !== undefined && !this.#writes.has(key)) {
      this.#order.splice(firstAtLeast(this.#order, key), 0, key)
    }
    this.#writes.set(key, write)
  }

  /** The next key of a span with a value in here, behind `position` or, if that is included, at it. */
  nextPut(span: WalkRange, position: string | undefined, includes: boolean): string | undefined {
    if (this.#writes.size === 0) return undefined
    const order = this.#sorted()
    const step = span.reverse ? -1 : 1
    for (let i = startIn(order, span, position); i >= 0 && i < order.length; i += step) {
      const key = order[i]!
      if (isBehindEnd(span, key)) return undefined
      if (isBeforeStart(span, key) || (key === position && !includes)) continue
      if (isPut(this.#writes.get(key)!)) return key
    }
    return undefined
  }

  #deleteRange(start: string, write: W): void {
    const end = write.value.length === 0 ? undefined : keyString(write.value)
    const range = { start, end, write }
    this.#ranges.push(range)
    for (const key of this.#writes.keys()) if (isWithin(range, key)) this.#writes.delete(key)
    this.#order = undefined
  }

  #sorted(): string[] {
    this.#order ??= [...this.#writes.keys()].sort((left, right) => (left < right ? -1 : 1))
    return this.#order
  }
}

export function isPut({ kind }: Given): boolean {
  return kind !== RECORD_KIND.delete && kind !== RECORD_KIND.deleteRange
}

export function isWithin({ start, end }: KeyStrings, key: string): boolean {
  return key >= start && (end === undefined || key < end)
}

function startIn(order: readonly string[], span: WalkRange, position: string | undefined): number {
  const from = position ?? (span.reverse ? span.upper : span.lower)
  if (from === undefined) return span.reverse ? order.length - 1 : 0
  const index = firstAtLeast(order, from)
  return span.reverse && order[index] !== from ? index - 1 : index
}

function firstAtLeast(order: readonly string[], key: string): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (order[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
