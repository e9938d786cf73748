/**
 * One cursor over the tables of a run, whose key ranges are disjoint and in order.
 *
 * Tables are opened when the cursor comes to them, and one at a time: the port may close the table
 * it gave before as soon as it is asked for another. All entries of a key lie in one table.
 */
import type { Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor, type TableMeta } from '../entry.ts'
import { endsBefore } from '../key-span.ts'

/** Gives a cursor over a table. The one that it gave before is not used any more. */
export type OpenTableCursor = (table: TableMeta) => EntryCursor

export class RunCursor implements EntryCursor {
  valid = false
  /** That of the cursor over the present table. */
  entry: Entry = new Entry()

  readonly #tables: readonly TableMeta[]
  readonly #openCursor: OpenTableCursor
  #index = -1
  #cursor: EntryCursor | undefined

  /** `tables` in key order. */
  constructor(tables: readonly TableMeta[], openCursor: OpenTableCursor) {
    this.#tables = tables
    this.#openCursor = openCursor
  }

  seekToFirst(): void {
    this.valid = false
    if (this.#tables.length === 0) return
    this.#open(0).seekToFirst()
    this.#settleForward()
  }

  seekToLast(): void {
    this.valid = false
    if (this.#tables.length === 0) return
    this.#open(this.#tables.length - 1).seekToLast()
    this.#settleBackward()
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.valid = false
    const index = firstTableReaching(this.#tables, key)
    if (index === this.#tables.length) return
    this.#open(index).seek(key, sequence)
    this.#settleForward()
  }

  seekBefore(key: Uint8Array): void {
    this.valid = false
    const index = firstTableReaching(this.#tables, key)
    if (index === this.#tables.length) {
      this.seekToLast()
      return
    }
    this.#open(index).seekBefore(key)
    this.#settleBackward()
  }

  next(): void {
    if (!this.valid) return
    this.valid = false
    this.#cursor!.next()
    this.#settleForward()
  }

  previous(): void {
    if (!this.valid) return
    this.valid = false
    this.#cursor!.previous()
    this.#settleBackward()
  }

  #open(index: number): EntryCursor {
    if (this.#index !== index || this.#cursor === undefined) {
      this.#cursor = undefined
      this.#cursor = this.#openCursor(this.#tables[index]!)
      this.entry = this.#cursor.entry
      this.#index = index
    }
    return this.#cursor
  }

  #settleForward(): void {
    let cursor = this.#cursor!
    while (!cursor.valid && this.#index + 1 < this.#tables.length) {
      cursor = this.#open(this.#index + 1)
      cursor.seekToFirst()
    }
    this.valid = cursor.valid
  }

  #settleBackward(): void {
    let cursor = this.#cursor!
    while (!cursor.valid && this.#index > 0) {
      cursor = this.#open(this.#index - 1)
      cursor.seekToLast()
    }
    this.valid = cursor.valid
  }
}

/**
 * Index of the first table that does not end before `key`; the count of tables if there is
 * none.
 */
export function firstTableReaching(tables: readonly TableMeta[], key: Uint8Array): number {
  let low = 0
  let high = tables.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (endsBefore(tables[middle]!, key, 0, key.length)) low = middle + 1
    else high = middle
  }
  return low
}
