/** Ranges of keys as strings (keyString in lib/base/bytes.ts): from one key on and below another. */
import { firstAtLeast, SortedKeys } from './sorted-keys.ts'

export interface KeyStrings {
  readonly start: string
  /** Exclusive; undefined: there is none. */
  readonly end: string | undefined
}

export function isWithin({ start, end }: KeyStrings, key: string): boolean {
  return key >= start && (end === undefined || key < end)
}

/** Of the ranges that were added, the last one over each key. */
export class LastRanges<R extends KeyStrings> {
  /** Those parts of them that no later one covers: they do not overlap, and are found by where they begin. */
  readonly #parts: Map<string, KeyStrings & { readonly range: R }> = new Map()
  readonly #starts: SortedKeys = new SortedKeys()

  find(key: string): R | undefined {
    const start = this.#starts.previous(key, true)
    const part = start === undefined ? undefined : this.#parts.get(start)
    return part && isWithin(part, key) ? part.range : undefined
  }

  add(range: R): void {
    const { start, end } = range
    const before = this.#starts.previous(start, false)
    const part = before === undefined ? undefined : this.#parts.get(before)
    if (part && isWithin(part, start)) {
      this.#parts.set(part.start, { ...part, end: start })
      this.#keepBehind(part, end)
    }
    for (const covered of this.#starts.deleteRange(start, end)) {
      const old = this.#parts.get(covered)!
      this.#parts.delete(covered)
      this.#keepBehind(old, end)
    }
    this.#put(start, end, range)
  }

  /** What of a part lies behind the range that comes over it. */
  #keepBehind(part: KeyStrings & { readonly range: R }, end: string | undefined): void {
    if (end === undefined || (part.end !== undefined && part.end <= end)) return
    this.#put(end, part.end, part.range)
  }

  #put(start: string, end: string | undefined, range: R): void {
    this.#starts.add(start)
    this.#parts.set(start, { start, end, range })
  }
}

/** The key that lies in a range, or undefined. @param keys ascending */
export function keyWithin(keys: readonly string[], range: KeyStrings): string | undefined {
  const key = keys[firstAtLeast(keys, range.start)]
  return key !== undefined && isWithin(range, key) ? key : undefined
}
