/**
 * Whether what a transaction has read is unchanged when it commits. Then all that it has read could as well have been
 * read in its turn in the commit queue, and the order of that queue is one in which transactions ran one by one.
 *
 *   snapshot ........ prepare: is there anything newer in what was read? ............ turn
 *                     (in steps; the queue tells of every group from here on) ------> + its own group
 *
 * Any newer entry of a key counts, a tombstone too. One that changes what the snapshot has seen is still there: the
 * hold of the snapshot keeps the older one, and that keeps the newer (I6, I7).
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { compareRange, keyString } from '../base/bytes.ts'
import { ConflictError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import { SEQUENCE_MAX, type Sequence } from '../base/ids.ts'
import type { TreeReader } from '../state/tree-reader.ts'
import { Entry, type EntryCursor } from '../tree/entry.ts'
import type { CommitWatcher, LastWrites, Precondition } from '../writes/batch.ts'
import { bytesOf, isInRange, type WalkRange } from '../writes/walk-range.ts'
import type { ReadSet } from './read-set.ts'

/** Lookups, or steps of a cursor, before it is asked whether the event loop should turn. */
const STEPS_PER_LOOK = 128

export interface ValidationParts {
  readonly tree: TreeReader
  readonly turn: EventLoopTurn
}

export class Validation implements Precondition, CommitWatcher {
  readonly #parts: ValidationParts
  readonly #sequence: Sequence
  readonly #reads: ReadSet
  #conflict: ConflictError | undefined
  #steps = 0

  /** @param sequence that of the snapshot */
  constructor(parts: ValidationParts, sequence: Sequence, reads: ReadSet) {
    this.#parts = parts
    this.#sequence = sequence
    this.#reads = reads
  }

  get conflict(): ConflictError | undefined {
    return this.#conflict
  }

  /**
   * Looks at what was committed before it was called; of what comes later it is told.
   * @param isOver true if nobody waits for it any more
   */
  async prepare(isOver: () => boolean): Promise<void> {
    const found = new Entry()
    for (const key of this.#reads.keys) {
      if (this.#isStepOver() && (await this.#turn(isOver))) return
      found.sequence = 0
      // It fills the entry for a tombstone, too.
      this.#parts.tree.find(bytesOf(key), SEQUENCE_MAX, found)
      if (found.sequence > this.#sequence) this.#found(key)
      if (this.#conflict) return
    }
    this.#findDeletedRange()
    if (this.#conflict) return
    for (const { read } of this.#reads.ranges) {
      if (read && (await this.#prepareRange(read, isOver))) return
    }
  }

  /** Range tombstones are no entries. */
  #findDeletedRange(): void {
    const { tree } = this.#parts
    for (const list of tree.rangesOf(tree.state)) {
      for (const { start, end, sequences } of list) {
        if (sequences[0]! <= this.#sequence) continue
        const key = this.#reads.findWithin({ start: keyString(start), end: end && keyString(end) })
        if (key !== undefined) this.#found(key)
        if (this.#conflict) return
      }
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

  /** @returns true if there is no more to do */
  async #prepareRange(span: WalkRange, isOver: () => boolean): Promise<boolean> {
    const upper = span.upper === undefined ? undefined : bytesOf(span.upper)
    let position = span.lower
    for (;;) {
      const { tree } = this.#parts
      const { state, evictions } = tree
      const cursor = tree.cursorAbove(state, this.#sequence)
      if (position === undefined) cursor.seekToFirst()
      else cursor.seek(bytesOf(position), SEQUENCE_MAX)
      do {
        position = this.#walk(cursor, span, upper)
        if (this.#conflict) return true
        if (position === undefined) return false
        if (await this.#turn(isOver)) return true
        // A cursor is good while its state is the current one.
      } while (tree.state === state && tree.evictions === evictions)
    }
  }

  /** @returns the key at which it stopped for the event loop to turn; undefined at the end */
  #walk(cursor: EntryCursor, span: WalkRange, upper: Uint8Array | undefined): string | undefined {
    for (; cursor.valid; cursor.next()) {
      const { keyBytes, keyStart, keyEnd, sequence } = cursor.entry
      if (upper && compareRange(keyBytes, keyStart, keyEnd, upper, 0, upper.length) > 0) break
      const isNewer = sequence > this.#sequence
      const isStepOver = this.#isStepOver()
      if (!isNewer && !isStepOver) continue
      const key = keyString(keyBytes, keyStart, keyEnd)
      if (isNewer && isInRange(span, key)) this.#found(key)
      if (this.#conflict) return undefined
      if (isStepOver) return key
    }
    return undefined
  }

  #isStepOver(): boolean {
    return ++this.#steps % STEPS_PER_LOOK === 0 && this.#parts.turn.isOld()
  }

  async #turn(isOver: () => boolean): Promise<boolean> {
    await nextTurn()
    return isOver() || this.#conflict !== undefined
  }

  #found(key: string): void {
    this.#conflict ??= conflictAt(key)
  }
}

function conflictAt(key: string): ConflictError {
  return new ConflictError(bytesOf(key), 'a key that a transaction had read was changed')
}
