/**
 * A cursor over a sorted array of entries: the model that real cursors are held against, and a
 * source for merges.
 */

import { compareBytes } from '#dist/lib/base/bytes.js'
import { type EntryCursor, KIND, type Kind } from '#dist/lib/tree/entry.js'
import type { TableBuilder } from '#dist/lib/tree/table/table-builder.js'

export interface TestEntry {
  readonly key: Uint8Array
  readonly sequence: number
  readonly kind: Kind
  /** For kind inline. */
  readonly value?: Uint8Array | undefined
  readonly segment?: number
  readonly offset?: number
  readonly length?: number
}

export function compareEntries(left: TestEntry, right: TestEntry): number {
  return compareBytes(left.key, right.key) || right.sequence - left.sequence
}

const NONE = new Uint8Array(0)

export class ArrayCursor implements EntryCursor {
  valid = false
  kind: Kind = KIND.tombstone
  sequence = 0
  keyBytes: Uint8Array = NONE
  keyStart = 0
  keyEnd = 0
  valueBytes: Uint8Array = NONE
  valueStart = 0
  valueEnd = 0
  segment = 0
  offset = 0
  length = 0
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
    this.kind = entry.kind
    this.sequence = entry.sequence
    this.keyBytes = entry.key
    this.keyStart = 0
    this.keyEnd = entry.key.length
    this.valueBytes = entry.value ?? NONE
    this.valueStart = 0
    this.valueEnd = this.valueBytes.length
    this.segment = entry.segment ?? 0
    this.offset = entry.offset ?? 0
    this.length = entry.length ?? 0
  }
}

/** What is under a cursor, copied. */
export function entryUnder(cursor: EntryCursor): TestEntry | undefined {
  if (!cursor.valid) return undefined
  const key = Uint8Array.from(cursor.keyBytes.subarray(cursor.keyStart, cursor.keyEnd))
  const { kind, sequence } = cursor
  if (kind === KIND.tombstone) return { key, sequence, kind }
  if (kind === KIND.inline) {
    const value = Uint8Array.from(cursor.valueBytes.subarray(cursor.valueStart, cursor.valueEnd))
    return { key, sequence, kind, value }
  }
  const { segment, offset, length } = cursor
  return { key, sequence, kind, segment, offset, length }
}

/** An entry as the builder of tables takes it. */
export function keyed(entry: TestEntry): Parameters<TableBuilder['add']>[0] {
  const { key, sequence, kind, value, segment = 0, offset = 0, length = 0 } = entry
  const valueBytes = value ?? new Uint8Array(0)
  return {
    keyBytes: key,
    keyStart: 0,
    keyEnd: key.length,
    sequence,
    kind,
    valueBytes,
    valueStart: 0,
    valueEnd: valueBytes.length,
    segment,
    offset,
    length,
  }
}
