/**
 * Records of collected files in columns: a page of them, which never moves.
 *
 * A page ends when it is full of records or of key bytes, so that growing copies no column.
 */
import { NO_BYTES } from '../../lib/base/bytes.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../../lib/base/ids.ts'
import { RECORD_KEY_BYTES_MAX } from '../record.ts'

export const PAGE_BITS = 13
const PAGE_RECORDS: number = 2 ** PAGE_BITS
export const INDEX_MASK: number = PAGE_RECORDS - 1
const PAGE_KEY_BYTES_MAX = 1024 * 1024
/** What a page begins with; the longest key fits. */
const PAGE_KEY_BYTES_MIN: number = 2 * RECORD_KEY_BYTES_MAX

/** Fields of a record that lie together, so that whoever finds it by its key waits for few lines of memory. */
export const NUMBERS = 4
export const SEQUENCE = 0
export const OFFSET = 1
export const PLACE = 2
export const LENGTH = 3
export const WORDS = 4
export const KEY_START = 0
export const KEY_END = 1
export const SEGMENT = 2
export const FILE = 3

export class VictimPage {
  count = 0
  keys: Uint8Array = new Uint8Array(PAGE_KEY_BYTES_MIN)
  keysEnd = 0
  readonly numbers: Float64Array = new Float64Array(PAGE_RECORDS * NUMBERS)
  readonly words: Uint32Array = new Uint32Array(PAGE_RECORDS * WORDS)
  readonly kinds: Uint8Array = new Uint8Array(PAGE_RECORDS)
  readonly optionBytes: Uint8Array = new Uint8Array(PAGE_RECORDS)
  readonly live: Uint8Array = new Uint8Array(PAGE_RECORDS)

  hasRoom(keyLength: number): boolean {
    return this.count < PAGE_RECORDS && this.keysEnd + keyLength <= PAGE_KEY_BYTES_MAX
  }

  /** Key of the record that is added next. */
  addKey(bytes: Uint8Array, start: number, end: number): void {
    const from = this.keysEnd
    const to = from + (end - start)
    if (to > this.keys.length) {
      const grown = new Uint8Array(this.keys.length * 2)
      grown.set(this.keys)
      this.keys = grown
    }
    const keys = this.keys
    for (let at = from, i = start; i < end; at++, i++) keys[at] = bytes[i]!
    this.words[this.count * WORDS + KEY_START] = from
    this.words[this.count * WORDS + KEY_END] = to
    this.keysEnd = to
  }
}

/** What is read of one record; filled by `loadAt`. The key is keyBytes[keyStart .. keyEnd). */
export interface VictimRecord {
  keyBytes: Uint8Array
  keyStart: number
  keyEnd: number
  sequence: Sequence
  segment: SegmentNumber
  offset: number
  file: FileNumber
  place: number
  length: number
  kind: number
  /** Of its optional fields; 0 if only its pointer is known. */
  optionBytes: number
  isLive: boolean
}

/** An empty record, to be filled. */
export function emptyVictimRecord(): VictimRecord {
  return {
    keyBytes: NO_BYTES,
    keyStart: 0,
    keyEnd: 0,
    sequence: 0,
    segment: 0,
    offset: 0,
    file: 0,
    place: 0,
    length: 0,
    kind: 0,
    optionBytes: 0,
    isLive: false,
  }
}

/** Fills `record` from the record of a page. */
export function fill(page: VictimPage, index: number, record: VictimRecord): void {
  record.keyBytes = page.keys
  record.keyStart = page.words[index * WORDS + KEY_START]!
  record.keyEnd = page.words[index * WORDS + KEY_END]!
  record.sequence = page.numbers[index * NUMBERS + SEQUENCE]!
  record.segment = page.words[index * WORDS + SEGMENT]!
  record.offset = page.numbers[index * NUMBERS + OFFSET]!
  record.file = page.words[index * WORDS + FILE]!
  record.place = page.numbers[index * NUMBERS + PLACE]!
  record.length = page.numbers[index * NUMBERS + LENGTH]!
  record.kind = page.kinds[index]!
  record.optionBytes = page.optionBytes[index]!
  record.isLive = page.live[index] !== 0
}
