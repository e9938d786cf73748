/**
 * The last write of each key, in key order where somebody asks for one: what a transaction has written so far, or what
 * the batches of a group do that are in no memtable yet. Readers see it before the store.
 *
 * However many writes and ranges there are, none of the questions passes all of them.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { keyString } from '../base/bytes.ts'
import type { Given } from '../contract/arguments.ts'
import { type KeyStrings, LastRanges } from './key-strings.ts'
import { SortedKeys } from './sorted-keys.ts'
import { isBehindEnd, type WalkRange } from './walk-range.ts'

/** A write, and its place in the order in which they came. */
interface Placed<W> {
  readonly write: W
  readonly at: number
}

export class WritesByKey<W extends Given> {
  /** Of single keys. */
  readonly #writes: Map<string, Placed<W>> = new Map()
  readonly #ranges: (KeyStrings & Placed<W>)[] = []
  readonly #lastRanges: LastRanges<KeyStrings & Placed<W>> = new LastRanges()
  #count = 0
  /** The keys that have a value; undefined until somebody asks for an order. */
  #puts: SortedKeys | undefined

  get size(): number {
    return this.#writes.size + this.#ranges.length
  }

  /** Those that are deleted: they may hide more of the store than there are writes. */
  get ranges(): readonly KeyStrings[] {
    return this.#ranges
  }

  /** The last write of a key, or that of a range by which it is deleted. */
  get(key: string): W | undefined {
    const placed = this.#writes.get(key)
    if (this.#ranges.length === 0) return placed?.write
    const range = this.#lastRanges.find(key)
    if (range === undefined) return placed?.write
    return placed !== undefined && placed.at > range.at ? placed.write : range.write
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** Of writes of single keys, also where a range was deleted since. */
  keys(): IterableIterator<string> {
    return this.#writes.keys()
  }

  /** Each key once, behind all ranges. */
  list(): W[] {
    const writes = this.#ranges.map(({ write }) => write)
    for (const [key, { write }] of this.#writes) if (this.get(key) === write) writes.push(write)
    return writes
  }

  /** The key is this one's from now on. */
  set(write: W): void {
    const key = keyString(write.key)
    const at = this.#count++
    if (write.kind === RECORD_KIND.deleteRange) {
      const end = write.value.length === 0 ? undefined : keyString(write.value)
      const range = { start: key, end, write, at }
      this.#ranges.push(range)
      this.#lastRanges.add(range)
      this.#puts?.deleteRange(key, end)
      return
    }
    this.#writes.set(key, { write, at })
    if (isPut(write)) this.#puts?.add(key)
    else this.#puts?.delete(key)
  }

  /** The next key of a span with a value in here, behind `position` or, if that is included, at it. */
  nextPut(span: WalkRange, position: string | undefined, includes: boolean): string | undefined {
    if (this.#writes.size === 0) return undefined
    const { reverse } = span
    let from = reverse ? span.upper : span.lower
    let isOpen = reverse ? span.upperOpen : span.lowerOpen
    // Outside of the span a seek begins where the span does.
    if (position === from) isOpen ||= !includes
    else if (position !== undefined && (from === undefined || position < from === reverse)) {
      from = position
      isOpen = !includes
    }
    const key = this.#putFrom(from, !isOpen, reverse)
    return key === undefined || isBehindEnd(span, key) ? undefined : key
  }

  #putFrom(from: string | undefined, includes: boolean, reverse: boolean): string | undefined {
    this.#puts ??= new SortedKeys(this.#putKeys())
    if (from === undefined) return reverse ? this.#puts.last : this.#puts.first
    return reverse ? this.#puts.previous(from, includes) : this.#puts.next(from, includes)
  }

  *#putKeys(): Generator<string, void> {
    for (const key of this.#writes.keys()) if (isPut(this.get(key)!)) yield key
  }
}

export function isPut({ kind }: Given): boolean {
  return kind !== RECORD_KIND.delete && kind !== RECORD_KIND.deleteRange
}
