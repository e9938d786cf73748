/**
 * A cursor over a sorted array of entries: the model that real cursors are held against, and a
 * source for merges.
 */

import { compareBytes } from '#dist/lib/base/bytes.js'
import { Entry, type EntryCursor, KIND, type Kind } from '#dist/lib/tree/entry.js'

export interface TestEntry {
  readonly key: Uint8Array
  readonly sequence: number
  readonly kind: Kind
  /** For kind inline. */
  readonly value?: Uint8Array | undefined
  readonly segment?: number
  readonly offset?: number
  readonly length?: number
  /** Without it, it never expires. */
  readonly expiresAt?: number
}

export function compareEntries(left: TestEntry, right: TestEntry): number {
  return compareBytes(left.key, right.key) || right.sequence - left.sequence
}

const NONE = new Uint8Array(0)

export class ArrayCursor implements EntryCursor {
  valid = false
  readonly entry: Entry = new Entry()
  readonly #entries: readonly TestEntry[]
  #at = 0

  /** `entries` sorted with {@link compareEntries}. */
  constructor(entries: readonly TestEntry[]) {
    this.#entries = entries
  }

  seekToFirst(): void {
    this.#moveTo(0)
  }

  seekToLast(): void {
    this.#moveTo(this.#entries.length - 1)
  }

  seek(key: Uint8Array, sequence: number): void {
    this.#moveTo(this.#lowerBound(key, sequence))
  }

  seekBefore(key: Uint8Array): void {
    this.#moveTo(this.#lowerBound(key, Number.POSITIVE_INFINITY) - 1)
  }

  next(): void {
    if (this.valid) this.#moveTo(this.#at + 1)
  }

  previous(): void {
    if (this.valid) this.#moveTo(this.#at - 1)
  }

  #lowerBound(key: Uint8Array, sequence: number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]!
      const order = compareBytes(entry.key, key) || sequence - entry.sequence
      if (order < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #moveTo(at: number): void {
    this.#at = at
    const entry = this.#entries[at]
    this.valid = entry !== undefined
    if (!entry) return
    Object.assign(this.entry, keyed(entry))
  }
}

/** What is under a cursor, copied. */
export function entryUnder(cursor: EntryCursor): TestEntry | undefined {
  if (!cursor.valid) return undefined
  const { entry } = cursor
  const key = Uint8Array.from(entry.keyBytes.subarray(entry.keyStart, entry.keyEnd))
  const { kind, sequence, expiresAt } = entry
  if (kind === KIND.tombstone) return { key, sequence, kind }
  const expiry = expiresAt === 0 ? {} : { expiresAt }
  if (kind === KIND.inline) {
    const value = Uint8Array.from(entry.valueBytes.subarray(entry.valueStart, entry.valueEnd))
    return { key, sequence, kind, value, ...expiry }
  }
  const { segment, offset, length } = entry
  return { key, sequence, kind, segment, offset, length, ...expiry }
}

/** An entry as the builder of tables takes it. */
export function keyed(entry: TestEntry): Entry {
  const { key, sequence, kind, value = NONE, segment = 0, offset = 0, length = 0 } = entry
  const keyEnd = key.length
  const valueEnd = value.length
  const place = { segment, offset, length, expiresAt: entry.expiresAt ?? 0 }
  const fields = { kind, sequence, keyBytes: key, keyEnd, valueBytes: value, valueEnd, ...place }
  return Object.assign(new Entry(), fields)
}
