/**
 * The last write of each key, in key order where somebody asks for one: what a transaction has written so far, or what
 * the batches of a group do that are in no memtable yet. Readers see it before the store.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { keyString } from '../base/bytes.ts'
import type { Given } from '../contract/arguments.ts'
import { isBeforeStart, isBehindEnd, type WalkRange } from './walk-range.ts'

export class WritesByKey<W extends Given> {
  readonly #writes: Map<string, W> = new Map()
  /** Ascending; undefined until somebody asks for an order. */
  #order: string[] | undefined

  get size(): number {
    return this.#writes.size
  }

  get(key: string): W | undefined {
    return this.#writes.get(key)
  }

  has(key: string): boolean {
    return this.#writes.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#writes.keys()
  }

  /** Each key once. */
  list(): W[] {
    return [...this.#writes.values()]
  }

  /** The key is this one's from now on. */
  set(write: W): void {
    const key = keyString(write.key)
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

  #sorted(): string[] {
    this.#order ??= [...this.#writes.keys()].sort((left, right) => (left < right ? -1 : 1))
    return this.#order
  }
}

export function isPut({ kind }: Given): boolean {
  return kind !== RECORD_KIND.delete
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
