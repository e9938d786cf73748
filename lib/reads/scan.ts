/**
 * The scan behind every iterator: walks the keys of a range at one sequence, a batch at a time.
 *
 * Between batches it holds a sequence and a key, nothing else: when the state has changed it takes a new cursor
 * and seeks to where it was, so that a slow reader keeps no files and no memtables alive. Only the newest
 * entry of a key at or below the sequence counts, and a tombstone hides the key.
 *
 * What is not to be seen costs time, too: runs of tombstones are remembered and jumped over (empty-ranges.ts), many
 * versions of one key are passed by a seek, and a scan that finds nothing for long stops for the event loop to turn.
 */

import { compareRange } from '../base/bytes.ts'
import { wallTime } from '../base/clock.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import { SEQUENCE_MAX, type Sequence } from '../base/ids.ts'
import { isEmptyRange, type ResolvedScan } from '../contract/arguments.ts'
import type { EmptyRange, EmptyRanges } from '../state/empty-ranges.ts'
import type { ReadState, TreeReader } from '../state/tree-reader.ts'
import { Entry, type EntryCursor, isGone, KIND } from '../tree/entry.ts'
import { EmptyRun } from './empty-run.ts'
import { isBeforeLower, isBehindUpper, seekBack, seekToStart } from './scan-bounds.ts'

/** Entries of one key that are passed one by one: then a seek is cheaper. */
const VERSION_STEPS_MAX = 8
/** Keys that are passed before it is asked whether the event loop should turn: less than 0.1 ms. */
const KEYS_PER_LOOK = 64
/** A run is held against the remembered ranges at its first key, and then at one key in so many. */
const KEYS_PER_FIND = 16

/** What takes the entries of a scan. */
export interface EntrySink {
  /** Takes an entry. Key and inline value are views that die when the call returns. @returns false to end the batch */
  take(entry: Entry): boolean
  /** A copy of the key that was taken last: the scan goes on from there. */
  readonly lastKey: Uint8Array
}

/** What a scan reads, and how. */
export interface ScanParts {
  readonly engine: {
    readonly tree: TreeReader
    /** Those of the contents that `tree` shows now. */
    readonly memtables: { readonly emptyRanges: EmptyRanges }
    readonly turn: Pick<EventLoopTurn, 'isOld'>
  }
  /** The one to read at; asked for with each batch. @throws if it can no longer be read */
  readonly sequence: Sequence
  /** What has expired by then is not seen; now, if there is none. */
  readonly moment?: number
}

export class Scan {
  readonly #parts: ScanParts
  readonly #range: ResolvedScan
  readonly #moment: number
  #state: ReadState | undefined
  #cursor: EntryCursor | undefined
  /** Of an earlier step: keys may have been put since behind its back, and before the places of its sources. */
  #isCursorOld = false
  #evictions = 0
  /** The last key that was given out, or the key to seek to. */
  #position: Uint8Array | undefined
  /** True if the key at `position` is still to be given out. */
  #includesPosition = false
  #remaining: number
  #done: boolean
  /** Backwards: the newest entry of a key, behind which the cursor has gone on. */
  readonly #entry: Entry = new Entry()
  readonly #run: EmptyRun
  /** Keys that it has passed since it looked whether the event loop should turn. */
  #passed = 0
  /** Entries that were too new, and the key of one of them. */
  #newer = 0
  #newerKey: Uint8Array | undefined
  /** Moves of cursors so far: what a scan costs. */
  steps = 0

  constructor(parts: ScanParts, range: ResolvedScan) {
    this.#parts = parts
    this.#range = range
    this.#moment = parts.moment ?? wallTime()
    this.#run = new EmptyRun(range.reverse)
    this.#remaining = range.limit
    this.#done = isEmptyRange(range) || range.limit === 0
  }

  /** All that the limit allows was given out. */
  get isUsedUp(): boolean {
    return this.#remaining === 0
  }

  /** Goes on at `key` (inclusive), in the scan's direction; outside the range is clamped to it. */
  seek(key: Uint8Array): void {
    this.#position = key
    this.#includesPosition = true
    this.#cursor = undefined
    this.#done = isEmptyRange(this.#range) || this.#remaining === 0
  }

  /** Entries that were read ahead and are given back: they count as not given out. */
  giveBack(count: number): void {
    this.#remaining += count
  }

  /**
   * Gives entries to the sink until it has enough or the range ends. Synchronous.
   * @returns true if it stopped only for the event loop to turn: there may be more
   */
  fill(sink: EntrySink): boolean {
    if (this.#done) return false
    const { sequence } = this.#parts
    const cursor = this.#resume()
    this.#run.begin()
    const stopped = this.#range.reverse
      ? this.#fillBackward(cursor, sequence, sink)
      : this.#fillForward(cursor, sequence, sink)
    this.#endRun(sequence)
    return stopped
  }

  /** Remembers the key at which the batch ended. */
  #leave(key: Uint8Array): void {
    this.#position = key
    this.#includesPosition = false
  }

  #resume(): EntryCursor {
    const { tree } = this.#parts.engine
    const { state, evictions } = tree
    const isSame = this.#state === state && this.#evictions === evictions
    this.#isCursorOld = this.#cursor !== undefined && isSame
    if (this.#cursor !== undefined && isSame) return this.#cursor
    this.#state = state
    this.#evictions = evictions
    this.#cursor = tree.cursor(state, this.#parts.sequence)
    const skipped = seekToStart(this.#cursor, this.#range, this.#position, this.#includesPosition)
    if (skipped) this.#skipKeyForward(this.#cursor, skipped)
    return this.#cursor
  }

  #fillForward(cursor: EntryCursor, sequence: Sequence, sink: EntrySink): boolean {
    const run = this.#run
    // The key at hand has a value for another reader: no remembered range may hold it.
    let isSeenLater = false
    while (cursor.valid && !isBehindUpper(cursor.entry, this.#range)) {
      this.steps++
      const found = cursor.entry
      if (found.sequence > sequence) {
        isSeenLater ||= found.kind !== KIND.tombstone
        if (this.#skipNewer(cursor, sequence)) isSeenLater = true
        if (isSeenLater) this.#endRun(sequence)
        if (cursor.valid && this.#isTurnOld()) return this.#stopBefore(cursor)
        continue
      }
      let key: Uint8Array
      let more = true
      const isDeleted = isGone(found, this.#moment)
      if (isDeleted) {
        if (this.#isCursorOld) {
          this.#renew(cursor)
          isSeenLater = false
          continue
        }
        if (this.#jumpForward(cursor, sequence)) continue
        if (found.kind !== KIND.tombstone) {
          // It has expired for this one, perhaps not for a reader with an earlier moment.
          isSeenLater = true
          this.#endRun(sequence)
        }
        key = run.pass(found.keyBytes, found.keyStart, found.keyEnd)
        // What was passed before it may be remembered, and what comes behind.
        if (isSeenLater) run.begin()
      } else {
        this.#endRun(sequence)
        this.#remaining--
        more = sink.take(found) && this.#remaining > 0
        key = sink.lastKey
      }
      isSeenLater = false
      cursor.next()
      this.#skipKeyForward(cursor, key)
      if (!more) return this.#endBatch(key)
      if (isDeleted && this.#isTurnOld()) return this.#stopBehind(key)
    }
    this.#done = true
    return false
  }

  #fillBackward(cursor: EntryCursor, sequence: Sequence, sink: EntrySink): boolean {
    const entry = this.#entry
    while (cursor.valid) {
      const key = keyOf(cursor)
      if (isBeforeLower(key, this.#range)) break
      const found = this.#newestBackward(cursor, key, sequence)
      if (found === 'nothing' && this.#isCursorOld) {
        this.#isCursorOld = false
        seekBack(cursor, key, false)
        continue
      }
      if (found !== 'value') {
        if (found === 'later') this.#endRun(sequence)
        else if (!this.#jumpBackward(cursor, key, sequence)) this.#run.pass(key, 0, key.length)
        if (this.#isTurnOld()) return this.#stopBehind(key)
        continue
      }
      this.#endRun(sequence)
      entry.keyBytes = key
      entry.keyStart = 0
      entry.keyEnd = key.length
      this.#remaining--
      if (!sink.take(entry) || this.#remaining === 0) return this.#endBatch(key)
    }
    this.#done = true
    return false
  }

  #endBatch(key: Uint8Array): false {
    this.#leave(key)
    if (this.#remaining === 0) this.#done = true
    return false
  }

  /** The event loop turns before the scan goes on behind a key, in its direction. */
  #stopBehind(key: Uint8Array): true {
    this.#leave(key.slice())
    return true
  }

  #stopBefore(cursor: EntryCursor): true {
    this.#position = keyOf(cursor)
    this.#includesPosition = true
    // What it has passed of this key, it must see again: a value for later readers may be among it.
    this.#cursor = undefined
    return true
  }

  #isTurnOld(): boolean {
    return ++this.#passed % KEYS_PER_LOOK === 0 && this.#parts.engine.turn.isOld()
  }

  #endRun(sequence: Sequence): void {
    if (!this.#run.isEmpty) this.#run.end(this.#parts.engine.memtables.emptyRanges, sequence)
  }

  #emptyRangeOf(bytes: Uint8Array, start: number, end: number, at: number): EmptyRange | undefined {
    if (this.#run.keys % KEYS_PER_FIND !== 0) return undefined
    return this.#parts.engine.memtables.emptyRanges.find(bytes, start, end, at)
  }

  /** If the key lies in a remembered range, to the first entry behind that. */
  #jumpForward(cursor: EntryCursor, sequence: Sequence): boolean {
    const { keyBytes, keyStart, keyEnd } = cursor.entry
    const range = this.#emptyRangeOf(keyBytes, keyStart, keyEnd, sequence)
    if (range === undefined) return false
    const { key, behind } = this.#run.jump(range)
    cursor.seek(key, behind ? 0 : SEQUENCE_MAX)
    return true
  }

  /** If the key lies in a remembered range, to the last entry before that. */
  #jumpBackward(cursor: EntryCursor, key: Uint8Array, sequence: Sequence): boolean {
    const range = this.#emptyRangeOf(key, 0, key.length, sequence)
    if (range === undefined) return false
    const edge = this.#run.jump(range)
    seekBack(cursor, edge.key, !edge.behind)
    return true
  }

  /** To the newest entry of the key at hand: a run is remembered only where the cursor has seen all that there is. */
  #renew(cursor: EntryCursor): void {
    this.#isCursorOld = false
    cursor.seek(keyOf(cursor), SEQUENCE_MAX)
  }

  /** Past every entry of a key on which the cursor may stand. */
  #skipKeyForward(cursor: EntryCursor, key: Uint8Array): void {
    for (let steps = 0; cursor.valid && isKey(cursor, key); steps++) {
      this.steps++
      if (steps < VERSION_STEPS_MAX) cursor.next()
      // Behind the oldest that there may be.
      else cursor.seek(key, 0)
    }
  }

  /** Past an entry that is too new, and past all such entries of a key that has many. @returns true if unseen */
  #skipNewer(cursor: EntryCursor, sequence: Sequence): boolean {
    if (++this.#newer % VERSION_STEPS_MAX === 0) {
      const key = this.#newerKey
      if (key !== undefined && isKey(cursor, key)) {
        cursor.seek(key, sequence)
        return true
      }
      this.#newerKey = keyOf(cursor)
    }
    cursor.next()
    return false
  }

  /**
   * Passes all entries of a key, which come oldest first. Its newest one to be seen counts: if that is a value, the
   * entry is filled. @returns `later` if it is none, but perhaps another reader sees one
   */
  #newestBackward(cursor: EntryCursor, key: Uint8Array, sequence: Sequence): Found {
    let found = false
    let isSeenLater = false
    for (let steps = 0; cursor.valid && isKey(cursor, key); steps++) {
      this.steps++
      if (steps === VERSION_STEPS_MAX) {
        isSeenLater = true
        cursor.seek(key, sequence)
        if (cursor.valid && isKey(cursor, key)) found = takeEntry(cursor, this.#entry, this.#moment)
        cursor.seekBefore(key)
        break
      }
      const isSeen = cursor.entry.sequence <= sequence
      if (isSeen) found = takeEntry(cursor, this.#entry, this.#moment)
      // It is for later readers, or has expired for this one.
      if (!found && cursor.entry.kind !== KIND.tombstone) isSeenLater = true
      cursor.previous()
    }
    if (found) return 'value'
    return isSeenLater ? 'later' : 'nothing'
  }
}

/** Of a key: a value; no value; no value, but one perhaps for other readers. */
type Found = 'value' | 'nothing' | 'later'

function isKey(cursor: EntryCursor, key: Uint8Array): boolean {
  const { keyBytes, keyStart, keyEnd } = cursor.entry
  return compareRange(keyBytes, keyStart, keyEnd, key, 0, key.length) === 0
}

/** A copy of the key under the cursor. */
function keyOf({ entry: { keyBytes, keyStart, keyEnd } }: EntryCursor): Uint8Array {
  return keyBytes.slice(keyStart, keyEnd)
}

/** @returns false for what is gone, which leaves `entry` as it is */
function takeEntry({ entry: found }: EntryCursor, entry: Entry, moment: number): boolean {
  if (isGone(found, moment)) return false
  entry.copyFrom(found)
  // The cursor moves on before the value is used.
  if (found.kind === KIND.inline) {
    entry.valueBytes = found.valueBytes.slice(found.valueStart, found.valueEnd)
    entry.valueEnd = entry.valueBytes.length
    entry.valueStart = 0
  }
  return true
}
