/**
 * Splices newer entries into a data block: what lies between them is copied as it is, undecoded. Data plane.
 *
 * Only entries that take the place of one with the same key can be spliced in: then each key shares with the one before
 * what it shared before, and restarts stay where they are among the entries. First all places are found, then the
 * block is written, so that nothing has happened if a key is missing.
 */
import { compareRange, copyRange, writeU32 } from '../../base/bytes.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { readCount, skipVarint, writeVarint } from '../../base/varint.ts'
import { type Entry, KIND } from '../entry.ts'
import { ENTRY_OVERHEAD_BYTES_MAX, writePayload } from './block-builder.ts'
import {
  ABSENT,
  type EntryContext,
  MALFORMED,
  readPayload,
  restartAt,
  restartCount,
  skipPayload,
  TAG_MASK,
} from './block-format.ts'
import { TRAILER_BYTES } from './table-format.ts'

const WORD_BYTES = 4

/** Who counts what is replaced. */
export interface ReplacedFigures {
  /** @returns the place of the new entry's segment in the references */
  replace(old: Entry, by: Entry): number
}

/** Where an entry lies: itself, its tag, the part of its key that is stored, its payload. */
const AT = 0
const TAG_AT = 1
const KEY_AT = 2
const PAYLOAD_AT = 3
const PLACE_FIELDS = 4

export class BlockSplicer {
  /** The block that was made. */
  readonly content: GrowingBytes = new GrowingBytes(8192)
  #places: Int32Array = new Int32Array(PLACE_FIELDS * 64)
  /** Where restarts are in the new content. */
  #restarts: Uint32Array = new Uint32Array(64)

  /**
   * Finds the entries that `entries[0 .. count)` take the place of, in a block without two entries of a key.
   * @returns their count; or ABSENT, MALFORMED, UNKNOWN_TAG
   */
  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    contentEnd: number,
    entries: readonly Entry[],
    count: number,
  ): number {
    if (this.#places.length < PLACE_FIELDS * count)
      this.#places = new Int32Array(PLACE_FIELDS * 2 * count)
    return findEach(bytes, start, end, contentEnd, entries, count, this.#places)
  }

  /**
   * Writes the block anew with the entries that {@link find} was called with.
   * @param old filled with each entry that is replaced, but for its key
   * @returns the length of the content, behind which there is room for a trailer; or MALFORMED, UNKNOWN_TAG
   */
  write(
    bytes: Uint8Array,
    start: number,
    end: number,
    contentEnd: number,
    context: EntryContext,
    entries: readonly Entry[],
    count: number,
    old: Entry,
    figures: ReplacedFigures,
  ): number {
    const { content } = this
    const places = this.#places
    content.length = 0
    content.reserve(contentEnd - start)
    const restartBytes = contentEnd - end
    let from = start
    const restarts = restartCount(end, contentEnd)
    if (this.#restarts.length < restarts) this.#restarts = new Uint32Array(2 * restarts)
    const moved = this.#restarts
    let restart = 0
    for (let i = 0; i < count; i++) {
      const place = PLACE_FIELDS * i
      const at = places[place + AT]!
      const grown = content.length - (from - start)
      while (restart < restarts && restartAt(bytes, start, end, restart) <= at) {
        moved[restart] = restartAt(bytes, 0, end, restart) + grown
        restart++
      }
      const entry = entries[i]!
      const tagAt = places[place + TAG_AT]!
      const keyAt = places[place + KEY_AT]!
      const payloadAt = places[place + PAYLOAD_AT]!
      const tag = bytes[tagAt]! & TAG_MASK
      const entryEnd = readPayload(bytes, payloadAt, end, tag, context, old)
      if (entryEnd < 0) return entryEnd
      const segmentIndex = figures.replace(old, entry)
      const inlineBytes = entry.kind === KIND.inline ? entry.valueEnd - entry.valueStart : 0
      content.reserve(payloadAt - from + inlineBytes + ENTRY_OVERHEAD_BYTES_MAX)
      const target = content.bytes
      copyRange(bytes, from, tagAt, target, content.length)
      let to = content.length + tagAt - from
      target[to++] = entry.kind
      to = writeVarint(target, to, entry.sequence - context.baseSequence)
      for (let key = keyAt; key < payloadAt; key++) target[to++] = bytes[key]!
      content.length = writePayload(target, to, entry, segmentIndex)
      from = entryEnd
    }
    const grown = content.length - (from - start)
    content.reserve(end - from + restartBytes + TRAILER_BYTES)
    content.append(bytes, from, end)
    for (; restart < restarts; restart++) {
      moved[restart] = restartAt(bytes, 0, end, restart) + grown
    }
    return writeRestarts(content, moved, restarts)
  }
}

function writeRestarts(content: GrowingBytes, restarts: Uint32Array, count: number): number {
  content.reserve((count + 1) * WORD_BYTES + TRAILER_BYTES)
  let at = content.length
  for (let i = 0; i < count; i++, at += WORD_BYTES) writeU32(content.bytes, at, restarts[i]!)
  writeU32(content.bytes, at, count)
  content.length = at + WORD_BYTES
  return content.length
}

function findEach(
  bytes: Uint8Array,
  start: number,
  end: number,
  contentEnd: number,
  entries: readonly Entry[],
  count: number,
  places: Int32Array,
): number {
  const restarts = restartCount(end, contentEnd)
  let restart = 1
  let at = start
  /** Bytes that the key which is looked for shares with that of the entry before `at`, and the length of that one. */
  let matched = 0
  let previousLength = 0
  for (let i = 0; i < count; i++) {
    const { keyBytes: key, keyEnd: keyLength } = entries[i]!
    const before = i === 0 ? undefined : entries[i - 1]!
    if (before) matched = commonLength(before, key, keyLength)
    // On to the last restart whose key is not behind this one.
    while (restart < restarts) {
      const from = restartAt(bytes, start, end, restart)
      const order = compareRestart(bytes, from, end, key, keyLength)
      if (Number.isNaN(order)) return MALFORMED
      if (order > 0) break
      at = from
      matched = 0
      previousLength = 0
      restart++
    }
    let isFound = false
    while (!isFound) {
      if (at >= end) return ABSENT
      const entryAt = at
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
      const tagAt = at
      const keyAt = skipVarint(bytes, at + 1)
      if (!(unshared <= end - keyAt && shared <= previousLength)) return MALFORMED
      const payloadAt = keyAt + unshared
      // What shares more with the one before than the key does lies before the key, too.
      if (shared <= matched) {
        matched = shared
        let from = keyAt
        while (from < payloadAt && matched < keyLength && bytes[from] === key[matched]) {
          from++
          matched++
        }
        if (from < payloadAt && (matched === keyLength || bytes[from]! > key[matched]!))
          return ABSENT
        isFound = from === payloadAt && matched === keyLength
      }
      previousLength = shared + unshared
      at = skipPayload(bytes, payloadAt, end, bytes[tagAt]! & TAG_MASK)
      if (at < 0) return at
      if (!(at <= end)) return MALFORMED
      if (!isFound) continue
      const place = PLACE_FIELDS * i
      places[place + AT] = entryAt
      places[place + TAG_AT] = tagAt
      places[place + KEY_AT] = keyAt
      places[place + PAYLOAD_AT] = payloadAt
    }
  }
  return count
}

function commonLength({ keyBytes, keyEnd }: Entry, key: Uint8Array, keyLength: number): number {
  const limit = Math.min(keyEnd, keyLength)
  let common = 0
  while (common < limit && keyBytes[common] === key[common]) common++
  return common
}

/** How the whole key of a restart point compares; NaN if it is none. */
function compareRestart(
  bytes: Uint8Array,
  from: number,
  end: number,
  key: Uint8Array,
  keyLength: number,
): number {
  if (bytes[from] !== 0) return Number.NaN
  const unshared = readCount(bytes, from + 1)
  const keyAt = skipVarint(bytes, skipVarint(bytes, from + 1) + 1)
  if (!(unshared <= end - keyAt)) return Number.NaN
  return compareRange(bytes, keyAt, keyAt + unshared, key, 0, keyLength)
}
