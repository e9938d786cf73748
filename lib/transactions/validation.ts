/**
 * The validation of a transaction: whether what it has read is unchanged when it commits. Then all that it has read
 * could as well have been read in its turn in the commit queue, and the order of that queue is one in which
 * transactions ran one by one.
 *
 *   snapshot ........ prepare: is there anything newer in what was read? ............ turn
 *                     (in steps; the queue tells of every group from here on) ------> + its own group
 *
 * Any newer entry of a key counts, a tombstone too. One that changes what the snapshot has seen is still there: the
 * hold of the snapshot keeps the older one, and that keeps the newer (I6, I7).
 */
import { compareBytes, compareRange, keyString } from '../base/bytes.ts'
import { ConflictError } from '../base/errors.ts'
import { SEQUENCE_MAX, type Sequence } from '../base/ids.ts'
import type { TreeReader } from '../state/tree-reader.ts'
import { Entry, type EntryCursor } from '../tree/entry.ts'
import type { RangeList } from '../tree/ranges/range-list.ts'
import type { BatchCondition, CommitWatcher, LastWrites } from '../writes/batch.ts'
import { bytesOf } from '../writes/walk-range.ts'
import type { SortedReads } from './sorted-reads.ts'
import type { Steps } from './steps.ts'

/** A range that was read, as bytes. */
interface ReadBytes {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

export class Validation implements BatchCondition, CommitWatcher {
  readonly #tree: TreeReader
  readonly #sequence: Sequence
  readonly #reads: SortedReads
  readonly #steps: Steps
  #conflict: ConflictError | undefined

  /** @param sequence that of the snapshot */
  constructor(tree: TreeReader, sequence: Sequence, reads: SortedReads, steps: Steps) {
    this.#tree = tree
    this.#sequence = sequence
    this.#reads = reads
    this.#steps = steps
  }

  get conflict(): ConflictError | undefined {
    return this.#conflict
  }

  /** Looks at what was committed before it was called; of what comes later it is told. */
  async prepare(): Promise<void> {
    const found = new Entry()
    for (const key of this.#reads.keys) {
      if (this.#steps.isTurnDue() && (await this.#turn())) return
      found.sequence = 0
      // It fills the entry for a tombstone, too, and tells of the range by which a key was deleted.
      this.#tree.find(bytesOf(key), SEQUENCE_MAX, found)
      if (found.sequence > this.#sequence) this.#found(key)
      if (this.#conflict) return
    }
    for (const { start, end } of this.#reads.ranges) {
      const range = { start: bytesOf(start), end: end === undefined ? undefined : bytesOf(end) }
      if (await this.#prepareDeleted(range)) return
      if (await this.#prepareEntries(range)) return
    }
  }

  committed(writes: LastWrites): void {
    if (this.#conflict) return
    const key = this.#reads.findIn(writes)
    if (key !== undefined) this.#found(key)
  }

  judge(earlier: LastWrites): ConflictError | undefined {
    if (this.#conflict) return this.#conflict
    const key = this.#reads.findIn(earlier)
    // Not remembered: what comes before it in its group may fail yet, and then it is judged again.
    return key === undefined ? undefined : conflictAt(key)
  }

  /** Range tombstones are no entries. @returns true if there is no more to do */
  async #prepareDeleted({ start, end }: ReadBytes): Promise<boolean> {
    let position: Uint8Array | undefined = start
    while (position !== undefined) {
      // They are these until the event loop turns.
      const lists = this.#tree.rangesAbove(this.#tree.state, this.#sequence)
      do position = this.#passRanges(lists, position, end)
      while (position !== undefined && !this.#steps.isTurnDue())
      if (this.#conflict) return true
      if (position !== undefined && (await this.#turn())) return true
    }
    return false
  }

  /** Looks at those over a key, or behind it. @returns up to where; undefined at the end */
  #passRanges(
    lists: readonly RangeList[],
    from: Uint8Array,
    end: Uint8Array | undefined,
  ): Uint8Array | undefined {
    let to: Uint8Array | undefined
    for (const list of lists) {
      const fragment = list.firstReaching(from, 0, from.length)
      if (fragment === undefined || (end && compareBytes(fragment.start, end) >= 0)) continue
      if (fragment.sequences[0]! > this.#sequence) {
        this.#found(keyString(compareBytes(fragment.start, from) < 0 ? from : fragment.start))
        return undefined
      }
      if (fragment.end && (to === undefined || compareBytes(fragment.end, to) < 0))
        to = fragment.end
    }
    return to
  }

  /** @returns true if there is no more to do */
  async #prepareEntries({ start, end }: ReadBytes): Promise<boolean> {
    const tree = this.#tree
    let position: Uint8Array | undefined = start
    for (;;) {
      const { state, evictions } = tree
      // What a cache has evicted since may have been newer than the snapshot. A lookup of a key sees it by itself.
      if (state.version.evictedBelow > this.#sequence + 1) this.#found(keyString(position))
      if (this.#conflict) return true
      const cursor = tree.cursorAbove(state, this.#sequence)
      cursor.seek(position, SEQUENCE_MAX)
      do {
        position = this.#walk(cursor, end)
        if (this.#conflict) return true
        if (position === undefined) return false
        if (await this.#turn()) return true
        // A cursor is good while its state is the current one.
      } while (tree.state === state && tree.evictions === evictions)
    }
  }

  /** @returns the key at which it stopped for the event loop to turn; undefined at the end */
  #walk(cursor: EntryCursor, end: Uint8Array | undefined): Uint8Array | undefined {
    for (; cursor.valid; cursor.next()) {
      const { keyBytes, keyStart, keyEnd, sequence } = cursor.entry
      if (end && compareRange(keyBytes, keyStart, keyEnd, end, 0, end.length) >= 0) break
      if (sequence > this.#sequence) {
        this.#found(keyString(keyBytes, keyStart, keyEnd))
        break
      }
      if (this.#steps.isTurnDue()) return keyBytes.slice(keyStart, keyEnd)
    }
    return undefined
  }

  async #turn(): Promise<boolean> {
    return (await this.#steps.turn()) || this.#conflict !== undefined
  }

  #found(key: string): void {
    this.#conflict ??= conflictAt(key)
  }
}

function conflictAt(key: string): ConflictError {
  return new ConflictError(bytesOf(key), 'a key that a transaction had read was changed')
}
