/**
 * The part of a memtable that lies behind a checkpoint. What lies below it is in tables, too, and its records may be
 * gone: the writer keeps no record of the log whose value is in a table. Range tombstones may stay: they delete nothing
 * that is not deleted.
 */
import type { Sequence } from '../base/ids.ts'
import type { ReadMemtable } from '../state/tree-reader.ts'
import { Entry, type EntryCursor } from '../tree/entry.ts'
import type { RangeList } from '../tree/ranges/range-list.ts'

export class UnflushedPart implements ReadMemtable {
  readonly #memtable: ReadMemtable
  readonly #flushed: Sequence
  /** What the memtable has: not shown before it is known to lie behind the checkpoint. */
  readonly #candidate: Entry = new Entry()

  /** @param flushed the last sequence below the checkpoint */
  constructor(memtable: ReadMemtable, flushed: Sequence) {
    this.#memtable = memtable
    this.#flushed = flushed
  }

  get ranges(): RangeList {
    return this.#memtable.ranges
  }

  get largestSequence(): Sequence {
    return this.#memtable.largestSequence
  }

  find(key: Uint8Array, hash: number, sequence: Sequence, found: Entry): boolean {
    const candidate = this.#candidate
    candidate.copyFrom(found)
    const isThere = this.#memtable.find(key, hash, sequence, candidate)
    if (!isThere || candidate.sequence <= this.#flushed) return false
    found.copyFrom(candidate)
    return true
  }

  cursor(): EntryCursor {
    return new UnflushedCursor(this.#memtable.cursor(), this.#flushed)
  }
}

/** Passes the entries below the checkpoint. */
class UnflushedCursor implements EntryCursor {
  readonly entry: Entry
  readonly #source: EntryCursor
  readonly #flushed: Sequence

  constructor(source: EntryCursor, flushed: Sequence) {
    this.#source = source
    this.#flushed = flushed
    this.entry = source.entry
  }

  get valid(): boolean {
    return this.#source.valid
  }

  seekToFirst(): void {
    this.#source.seekToFirst()
    this.#passForwards()
  }

  seekToLast(): void {
    this.#source.seekToLast()
    this.#passBackwards()
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.#source.seek(key, sequence)
    this.#passForwards()
  }

  seekBefore(key: Uint8Array): void {
    this.#source.seekBefore(key)
    this.#passBackwards()
  }

  next(): void {
    this.#source.next()
    this.#passForwards()
  }

  previous(): void {
    this.#source.previous()
    this.#passBackwards()
  }

  #passForwards(): void {
    const source = this.#source
    while (source.valid && source.entry.sequence <= this.#flushed) source.next()
  }

  #passBackwards(): void {
    const source = this.#source
    while (source.valid && source.entry.sequence <= this.#flushed) source.previous()
  }
}
