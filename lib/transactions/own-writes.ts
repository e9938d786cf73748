/** What a transaction has put and deleted so far, in key order: its own reads see that before the store. */
import { RECORD_KIND } from '../../vlog/record.ts'
import { copyBytes, keyString, NO_BYTES } from '../base/bytes.ts'
import { type Given, keyBytes, valueBytes } from '../contract/arguments.ts'
import type { Key, Value } from '../contract/types.ts'
import { isBeforeStart, isBehindEnd, type WalkRange } from './walk-range.ts'

export class OwnWrites {
  readonly #writes: Map<string, Given> = new Map()
  /** Ascending; undefined until somebody asks for an order. */
  #order: string[] | undefined

  get size(): number {
    return this.#writes.size
  }

  get(key: string): Given | undefined {
    return this.#writes.get(key)
  }

  /** Copies both. */
  put(key: Key, value: Value): void {
    const bytes = copyBytes(keyBytes(key))
    this.#set({ kind: RECORD_KIND.put, key: bytes, value: copyBytes(valueBytes(value)) })
  }

  delete(key: Key): void {
    this.#set({ kind: RECORD_KIND.delete, key: copyBytes(keyBytes(key)), value: NO_BYTES })
  }

  /** Each key once. */
  list(): Given[] {
    return [...this.#writes.values()]
  }

  /** The next key of a span with a value of its own, behind `position` or, if that is included, at it. */
  nextPut(span: WalkRange, position: string | undefined, includes: boolean): string | undefined {
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

  #set(write: Given): void {
    const key = keyString(write.key)
    if (this.#order !== undefined && !this.#writes.has(key)) {
      this.#order.splice(firstAtLeast(this.#order, key), 0, key)
    }
    this.#writes.set(key, write)
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
