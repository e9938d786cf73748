/**
 * The scan behind every iterator: walks the keys of a range at one sequence, a batch at a time.
 *
 * Between batches it holds a sequence and a key, nothing else: when the state has changed it takes a new cursor
 * and seeks to where it was, so that a slow reader keeps no files and no memtables alive. Only the newest
 * entry of a key at or below the sequence counts, and a tombstone hides the key.
 */

import { isEmptyRange, type ResolvedScan } from './arguments.ts'
import { compareRange, equalBytes } from './base/bytes.ts'
import { SEQUENCE_MAX } from './base/log-position.ts'
import { type EntryCursor, KIND } from './tree/entry.ts'
import { Lookup, type ReadState, type TreeReader } from './tree-reader.ts'

/**
 * Takes the entry. Its key and inline value are views that die when the call returns, so the sink copies the
 * key and leaves the copy in `entry.keyBytes`, whole: the scan goes on from there.
 * @returns false to end the batch behind it
 */
export type EntrySink = (entry: Lookup) => boolean

export class Scan {
  readonly #tree: TreeReader
  readonly #range: ResolvedScan
  readonly #sequence: () => number
  #state: ReadState | undefined
  #cursor: EntryCursor | undefined
  #evictions = 0
  /** The last key that was given out, or the key to seek to. */
  #position: Uint8Array | undefined
  /** True if the key at `position` is still to be given out. */
  #includesPosition = false
  #remaining: number
  #done: boolean
  readonly #entry: Lookup = new Lookup()

  /** @param sequence the sequence to read at; throws if it can no longer be read */
  constructor(tree: TreeReader, range: ResolvedScan, sequence: () => number) {
    this.#tree = tree
    this.#range = range
    this.#sequence = sequence
    this.#remaining = range.limit
    this.#done = isEmptyRange(range) || range.limit === 0
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

  /** Gives entries to the sink until it has enough or the range ends. Synchronous. */
  fill(sink: EntrySink): void {
    if (this.#done) return
    const sequence = this.#sequence()
    const cursor = this.#resume()
    if (this.#range.reverse) this.#fillBackward(cursor, sequence, sink)
    else this.#fillForward(cursor, sequence, sink)
  }

  /** Remembers the key at which the batch ended. */
  #leave(key: Uint8Array): void {
    this.#position = key
    this.#includesPosition = false
  }

  #resume(): EntryCursor {
    const { state, evictions } = this.#tree
    const isSame = this.#state === state && this.#evictions === evictions
    if (this.#cursor !== undefined && isSame) return this.#cursor
    this.#state = state
    this.#evictions = evictions
    this.#cursor = this.#tree.cursor(state)
    if (this.#range.reverse) this.#seekBackward(this.#cursor)
    else this.#seekForward(this.#cursor)
    return this.#cursor
  }

  #seekForward(cursor: EntryCursor): void {
    const { lower, lowerOpen } = this.#range
    const position = this.#position
    if (position !== undefined && (lower === undefined || compareKeys(position, lower) >= 0)) {
      cursor.seek(position, SEQUENCE_MAX)
      if (!this.#includesPosition || (lowerOpen && lower && equalBytes(position, lower))) {
        skipKeyForward(cursor, position)
      }
    } else if (lower !== undefined) {
      cursor.seek(lower, SEQUENCE_MAX)
      if (lowerOpen) skipKeyForward(cursor, lower)
    } else cursor.seekToFirst()
  }

  #seekBackward(cursor: EntryCursor): void {
    const { upper, upperOpen } = this.#range
    const position = this.#position
    if (position !== undefined && (upper === undefined || compareKeys(position, upper) <= 0)) {
      const open = !this.#includesPosition || (upperOpen && upper && equalBytes(position, upper))
      seekBack(cursor, position, Boolean(open))
    } else if (upper !== undefined) seekBack(cursor, upper, upperOpen)
    else cursor.seekToLast()
  }

  #fillForward(cursor: EntryCursor, sequence: number, sink: EntrySink): void {
    const { upper, upperOpen } = this.#range
    const entry = this.#entry
    while (cursor.valid) {
      if (cursor.sequence > sequence) {
        cursor.next()
        continue
      }
      if (upper !== undefined) {
        const order = compareRange(
          cursor.keyBytes,
          cursor.keyStart,
          cursor.keyEnd,
          upper,
          0,
          upper.length,
        )
        if (order > 0 || (order === 0 && upperOpen)) break
      }
      let more = true
      let key: Uint8Array
      if (cursor.kind === KIND.tombstone) key = keepKey(this.#skipped, cursor)
      else {
        copyEntry(cursor, entry)
        this.#remaining--
        more = sink(entry) && this.#remaining > 0
        key = entry.keyBytes
      }
      cursor.next()
      skipKeyForward(cursor, key)
      if (!more) {
        this.#leave(key)
        if (this.#remaining === 0) this.#done = true
        return
      }
    }
    this.#done = true
  }

  readonly #skipped: { bytes: Uint8Array } = { bytes: new Uint8Array(64) }

  #fillBackward(cursor: EntryCursor, sequence: number, sink: EntrySink): void {
    const { lower, lowerOpen } = this.#range
    const entry = this.#entry
    while (cursor.valid) {
      const key = cursor.keyBytes.slice(cursor.keyStart, cursor.keyEnd)
      if (lower !== undefined) {
        const order = compareKeys(key, lower)
        if (order < 0 || (order === 0 && lowerOpen)) break
      }
      // Entries of a key come oldest first: the last one at or below the sequence counts.
      let found = false
      while (cursor.valid && isKey(cursor, key)) {
        if (cursor.sequence <= sequence) {
          found = cursor.kind !== KIND.tombstone
          if (found) copyEntry(cursor, entry, true)
        }
        cursor.previous()
      }
      if (!found) continue
      entry.keyBytes = key
      entry.keyStart = 0
      entry.keyEnd = key.length
      this.#remaining--
      const more = sink(entry) && this.#remaining > 0
      if (more) continue
      this.#leave(key)
      if (this.#remaining === 0) this.#done = true
      return
    }
    this.#done = true
  }
}

function compareKeys(left: Uint8Array, right: Uint8Array): number {
  return compareRange(left, 0, left.length, right, 0, right.length)
}

function isKey(cursor: EntryCursor, key: Uint8Array): boolean {
  const { keyBytes, keyStart, keyEnd } = cursor
  return compareRange(keyBytes, keyStart, keyEnd, key, 0, key.length) === 0
}

/** Past every entry of a key on which the cursor may stand. */
function skipKeyForward(cursor: EntryCursor, key: Uint8Array): void {
  while (cursor.valid && isKey(cursor, key)) cursor.next()
}

/** To the last entry at or before `key`. */
function seekBack(cursor: EntryCursor, key: Uint8Array, open: boolean): void {
  if (open) {
    cursor.seekBefore(key)
    return
  }
  cursor.seek(key, 0)
  // (key, 0) lies behind every entry of the key: step back, or the whole range lies before.
  if (cursor.valid) cursor.previous()
  else cursor.seekToLast()
}

function keepKey(scratch: { bytes: Uint8Array }, cursor: EntryCursor): Uint8Array {
  const length = cursor.keyEnd - cursor.keyStart
  if (length > scratch.bytes.length) scratch.bytes = new Uint8Array(length * 2)
  scratch.bytes.set(cursor.keyBytes.subarray(cursor.keyStart, cursor.keyEnd))
  return scratch.bytes.subarray(0, length)
}

/** @param keep true if the cursor moves on before the value is used */
function copyEntry(cursor: EntryCursor, entry: Lookup, keep: boolean = false): void {
  entry.keyBytes = cursor.keyBytes
  entry.keyStart = cursor.keyStart
  entry.keyEnd = cursor.keyEnd
  entry.kind = cursor.kind
  entry.sequence = cursor.sequence
  entry.segment = cursor.segment
  entry.offset = cursor.offset
  entry.length = cursor.length
  entry.valueBytes = cursor.valueBytes
  entry.valueStart = cursor.valueStart
  entry.valueEnd = cursor.valueEnd
  if (keep && cursor.kind === KIND.inline) {
    entry.valueBytes = cursor.valueBytes.slice(cursor.valueStart, cursor.valueEnd)
    entry.valueEnd = entry.valueBytes.length
    entry.valueStart = 0
  }
}
