/**
 * Data blocks: entries with prefix compression and restart points. Data plane. The encoder is
 * block-builder.ts.
 *
 *   content := entry+ restart: u32[restartCount] restartCount: u32
 *   entry   := shared: varint      bytes of the key that it shares with the entry before;
 *                                  0 at a restart point
 *              unshared: varint    bytes of the key that follow
 *              tag: u8             bits 0 .. 3 kind: 0 tombstone, 1 inline, 2 pointer; bit 4: it
 *                                  expires; another kind, or bit 5: WISC_FORMAT_VERSION;
 *                                  bits 6 and 7 are ignored
 *              sequence: varint    distance from the table's base sequence
 *              key: u8[unshared]
 *              payload
 *   payload := if it expires, which a tombstone does not: expiresAt: varint, then
 *              tombstone: nothing
 *              inline:    length: varint, value: u8[length]
 *              pointer:   segment: varint (its place in the table's references), offset: varint,
 *                         length: varint
 *
 * A restart is the offset in the content of an entry whose key is whole; the first is 0, and at
 * most RESTART_INTERVAL_ENTRIES entries lie from one to the next.
 *
 * Functions take a block as bytes[start .. end), `end` being where its entries end and its restarts
 * begin. They check each length against `end` before they use it, and answer MALFORMED or
 * UNKNOWN_TAG, for they know neither file nor place. Conditions are written as what must hold, so
 * that NaN (a varint behind the memory) fails them.
 */

import { compareRange, copyRange, readU32, wordAt } from '../../base/bytes.ts'
import { FILE_BYTES_MAX, SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { readCount, readVarint, skipVarint } from '../../base/varint.ts'
import { type Entry, KEY_BYTES_MAX, KIND } from '../entry.ts'

export const MALFORMED = -1
export const UNKNOWN_TAG = -2
/** {@link findInBlock}: no such entry. */
export const ABSENT = -3

/** What a reader must know of a tag: the kind, and flags to be refused. The other bits are flags to be ignored. */
export const TAG_MASK = 0x3f
/** The bit of a tag that says: the payload begins with the moment from which on the entry is gone. */
export const EXPIRES_TAG = 0x10
const WORD_BYTES = 4

/** What entries of a table are relative to. */
export interface EntryContext {
  readonly baseSequence: Sequence
  /** The table's segments, by their places in its references. */
  readonly segments: Float64Array
}

/**
 * True if the restarts of the content bytes[start .. contentEnd) are whole, ascend and lie in its
 * entries.
 */
export function hasGoodRestarts(bytes: Uint8Array, start: number, contentEnd: number): boolean {
  const length = contentEnd - start
  if (length < 2 * WORD_BYTES) return false
  const count = readU32(bytes, contentEnd - WORD_BYTES)
  if (count === 0 || (count + 1) * WORD_BYTES >= length) return false
  const end = entriesEnd(bytes, contentEnd)
  if (readU32(bytes, end) !== 0) return false
  for (let i = 1, previous = 0; i < count; i++) {
    const restart = readU32(bytes, end + i * WORD_BYTES)
    if (restart <= previous || restart >= end - start) return false
    previous = restart
  }
  return true
}

/** Where the entries end in a block with good restarts whose content ends at `contentEnd`. */
export function entriesEnd(bytes: Uint8Array, contentEnd: number): number {
  return contentEnd - (readU32(bytes, contentEnd - WORD_BYTES) + 1) * WORD_BYTES
}

/**
 * The count of restart points of a block whose entries end at `end` and its content at
 * `contentEnd`.
 */
export function restartCount(end: number, contentEnd: number): number {
  return (contentEnd - end) / WORD_BYTES - 1
}

/** Where in `bytes` restart point `i` lies. */
export function restartAt(bytes: Uint8Array, start: number, end: number, i: number): number {
  return start + readU32(bytes, end + i * WORD_BYTES)
}

/** Fewer restart points are found as fast without words. */
const WORDS_FROM_RESTARTS = 4
const WORDS_AT = 2

/**
 * Of the keys at restart points the four bytes behind those that all but the first have in common, for a block that
 * is searched again and again: they decide most steps of {@link findRestart} in one array.
 *
 *   words := commonLength, where the second restart's key begins, word[restartCount]     word[0] means nothing
 *
 * @returns undefined if there are few restart points, or one is none
 */
export function restartWords(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): Uint32Array | undefined {
  if (count < WORDS_FROM_RESTARTS) return undefined
  const keyStarts = new Float64Array(count)
  const keyEnds = new Float64Array(count)
  for (let i = 1; i < count; i++) {
    const at = restartAt(bytes, start, end, i)
    const keyStart = skipVarint(bytes, skipVarint(bytes, at + 1) + 1)
    const keyEnd = keyStart + readCount(bytes, at + 1)
    if (!(bytes[at] === 0 && keyEnd <= end)) return undefined
    keyStarts[i] = keyStart
    keyEnds[i] = keyEnd
  }
  const first = keyStarts[1]!
  const last = keyStarts[count - 1]!
  const limit = Math.min(keyEnds[1]! - first, keyEnds[count - 1]! - last)
  let common = 0
  while (common < limit && bytes[first + common] === bytes[last + common]) common++
  const words = new Uint32Array(WORDS_AT + count)
  words[0] = common
  words[1] = first
  for (let i = 1; i < count; i++)
    words[WORDS_AT + i] = wordAt(bytes, keyStarts[i]! + common, keyEnds[i]!)
  return words
}

/**
 * The place of the last restart point whose entry is at or before (key, sequence), or of the first
 * one.
 * @param words what {@link restartWords} made of the block, if anything
 * @returns MALFORMED if a restart point is none
 */
export function findRestart(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  key: Uint8Array,
  sequence: Sequence,
  context: EntryContext,
  words?: Uint32Array,
): number {
  const keyLength = key.length
  let low = 0
  let high = count - 1
  let word = 0
  if (words !== undefined) {
    const common = words[0]!
    const keyStart = words[1]!
    const order = compareRange(
      bytes,
      keyStart,
      keyStart + common,
      key,
      0,
      Math.min(common, keyLength),
    )
    // A key that ends inside of what they have in common lies before them.
    if (order > 0) return start
    if (order < 0) return restartAt(bytes, start, end, high)
    word = wordAt(key, common, keyLength)
  }
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (words !== undefined) {
      const restartWord = words[WORDS_AT + middle]!
      if (restartWord < word) {
        low = middle
        continue
      }
      if (restartWord > word) {
        high = middle - 1
        continue
      }
    }
    let at = restartAt(bytes, start, end, middle)
    if (bytes[at++] !== 0) return MALFORMED
    let unshared = bytes[at]!
    if (unshared < 128) at++
    else {
      unshared = readCount(bytes, at)
      at = skipVarint(bytes, at)
    }
    const sequenceAt = at + 1
    at = skipVarint(bytes, sequenceAt)
    if (!(unshared <= end - at)) return MALFORMED
    let order = compareRange(bytes, at, at + unshared, key, 0, keyLength)
    if (order === 0) order = sequence - context.baseSequence - readVarint(bytes, sequenceAt)
    if (order <= 0) low = middle
    else high = middle - 1
  }
  return restartAt(bytes, start, end, low)
}

/**
 * Finds the newest entry of `key` at or below `sequence`, without building any key.
 * @param words as {@link findRestart} takes them
 * @returns where it ends, and `found` is filled; or ABSENT, MALFORMED, UNKNOWN_TAG
 */
export function findInBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  key: Uint8Array,
  sequence: Sequence,
  context: EntryContext,
  found: Entry,
  words?: Uint32Array,
): number {
  let at = findRestart(bytes, start, end, count, key, sequence, context, words)
  if (at < 0) return at
  const keyLength = key.length
  const distanceMax = sequence - context.baseSequence
  // The bytes that `key` shares with the entry before, which lies before it.
  let matched = 0
  let previousLength = 0
  while (at < end) {
    let shared = bytes[at]!
    if (shared < 128) at++
    else {
      shared = readCount(bytes, at)
      at = skipVarint(bytes, at)
    }
    let unshared = bytes[at]!
    if (unshared < 128) at++
    else {
      unshared = readCount(bytes, at)
      at = skipVarint(bytes, at)
    }
    const tag = bytes[at++]! & TAG_MASK
    const sequenceAt = at
    at = skipVarint(bytes, at)
    if (!(unshared <= end - at && shared <= previousLength)) return MALFORMED
    const keyEnd = at + unshared
    // An entry that shares more with the one before than `key` does lies before `key`, too.
    if (shared <= matched) {
      matched = shared
      while (at < keyEnd && matched < keyLength && bytes[at] === key[matched]) {
        at++
        matched++
      }
      if (at < keyEnd && (matched === keyLength || bytes[at]! > key[matched]!)) return ABSENT
      if (at === keyEnd && matched === keyLength) {
        const distance = readVarint(bytes, sequenceAt)
        if (distance <= distanceMax) {
          found.sequence = context.baseSequence + distance
          return readPayload(bytes, keyEnd, end, tag, context, found)
        }
      }
    }
    previousLength = shared + unshared
    at = skipPayload(bytes, keyEnd, end, tag)
    if (at < 0) return at
  }
  return at === end ? ABSENT : MALFORMED
}

/**
 * Reads the entry at `at`. `entry` holds the one before it, whose key has `previousLength` bytes (0
 * at a restart point), in a key buffer of its own from index 0 on; the buffer is replaced when the
 * key does not fit.
 * @returns where the next entry begins; or MALFORMED, UNKNOWN_TAG
 */
export function decodeEntry(
  bytes: Uint8Array,
  at: number,
  end: number,
  previousLength: number,
  context: EntryContext,
  entry: Entry,
): number {
  let shared = bytes[at]!
  if (shared < 128) at++
  else {
    shared = readCount(bytes, at)
    at = skipVarint(bytes, at)
  }
  let unshared = bytes[at]!
  if (unshared < 128) at++
  else {
    unshared = readCount(bytes, at)
    at = skipVarint(bytes, at)
  }
  const tag = bytes[at++]! & TAG_MASK
  // Read in place, as further down: a function cannot say both what a varint is and where it ends.
  let byte = bytes[at++]!
  let distance = byte & 127
  for (let scale = 128; byte >= 128; scale *= 128) {
    byte = bytes[at++]!
    distance += (byte & 127) * scale
  }
  const sequence = context.baseSequence + distance
  if (!(unshared <= end - at && shared <= previousLength)) return MALFORMED
  const keyLength = shared + unshared
  if (!(keyLength <= KEY_BYTES_MAX && sequence <= SEQUENCE_MAX)) return MALFORMED
  if (keyLength > entry.keyBytes.length) growKey(entry, shared, keyLength)
  copyRange(bytes, at, at + unshared, entry.keyBytes, shared)
  entry.keyEnd = keyLength
  entry.sequence = sequence
  return readPayload(bytes, at + unshared, end, tag, context, entry)
}

function growKey(entry: Entry, shared: number, length: number): void {
  const grown = new Uint8Array(Math.min(KEY_BYTES_MAX, Math.max(64, length * 2)))
  copyRange(entry.keyBytes, 0, shared, grown, 0)
  entry.keyBytes = grown
}

/** Reads what lies behind the key of an entry into `found`. @returns where it ends; or MALFORMED, UNKNOWN_TAG */
export function readPayload(
  bytes: Uint8Array,
  at: number,
  end: number,
  tag: number,
  context: EntryContext,
  found: Entry,
): number {
  found.expiresAt = 0
  if (tag === KIND.pointer) {
    let segmentIndex = bytes[at]!
    if (segmentIndex < 128) at++
    else {
      segmentIndex = readCount(bytes, at)
      at = skipVarint(bytes, at)
    }
    let byte = bytes[at++]!
    let offset = byte & 127
    for (let scale = 128; byte >= 128; scale *= 128) {
      byte = bytes[at++]!
      offset += (byte & 127) * scale
    }
    byte = bytes[at++]!
    let length = byte & 127
    for (let scale = 128; byte >= 128; scale *= 128) {
      byte = bytes[at++]!
      length += (byte & 127) * scale
    }
    if (!(at <= end && segmentIndex < context.segments.length)) return MALFORMED
    if (!(offset + length <= FILE_BYTES_MAX)) return MALFORMED
    found.offset = offset
    found.length = length
    found.segment = context.segments[segmentIndex]!
    found.kind = KIND.pointer
    return at
  }
  if (tag === KIND.inline) {
    const length = readCount(bytes, at)
    at = skipVarint(bytes, at)
    if (!(length <= end - at)) return MALFORMED
    found.valueBytes = bytes
    found.valueStart = at
    found.valueEnd = at + length
    found.kind = KIND.inline
    return at + length
  }
  if (tag === KIND.tombstone) {
    found.kind = KIND.tombstone
    return at
  }
  if (!expires(tag)) return unknownTag(tag)
  const expiresAt = readVarint(bytes, at)
  const payloadAt = skipVarint(bytes, at)
  if (!(payloadAt <= end && expiresAt > 0 && expiresAt <= Number.MAX_SAFE_INTEGER)) return MALFORMED
  const behind = readPayload(bytes, payloadAt, end, tag & ~EXPIRES_TAG, context, found)
  found.expiresAt = expiresAt
  return behind
}

function expires(tag: number): boolean {
  return tag === (EXPIRES_TAG | KIND.inline) || tag === (EXPIRES_TAG | KIND.pointer)
}

/** @returns where the payload ends: behind the block, if it is malformed; or MALFORMED, UNKNOWN_TAG */
export function skipPayload(bytes: Uint8Array, at: number, end: number, tag: number): number {
  if (tag === KIND.pointer) return skipVarint(bytes, skipVarint(bytes, skipVarint(bytes, at)))
  if (tag === KIND.inline) {
    const length = readCount(bytes, at)
    const valueStart = skipVarint(bytes, at)
    return length <= end - valueStart ? valueStart + length : MALFORMED
  }
  if (expires(tag)) return skipPayload(bytes, skipVarint(bytes, at), end, tag & ~EXPIRES_TAG)
  return tag === KIND.tombstone ? at : unknownTag(tag)
}

/** A flag or a kind of a later version, or a kind that is never on disk. */
function unknownTag(tag: number): number {
  return tag === KIND.deferred ? MALFORMED : UNKNOWN_TAG
}
