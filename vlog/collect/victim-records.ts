/**
 * The records of the files that are collected, packed: no object for a record, memory in proportion
 * to their count and the bytes of their keys.
 *
 *   id        the order in which records were added: by the heads file by file, ascending by place; by the
 *             pointers of tables table by table, ascending by key
 *   position  the order of entries: by key, then by sequence, newest first; exists once sorted
 *
 * Columns lie in pages (victim-page.ts), and an id is page * PAGE_RECORDS + index in it.
 */

import { compareRange, NO_BYTES } from '../../lib/base/bytes.ts'
import { assert, CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../../lib/base/ids.ts'
import { RECORD_KEY_BYTES_MAX, RECORD_KIND } from '../record.ts'
import { RecordOrder } from './record-order.ts'
import type { VictimFile } from './victim.ts'
import {
  FILE,
  fill,
  INDEX_MASK,
  KEY_END,
  KEY_START,
  LENGTH,
  NUMBERS,
  OFFSET,
  PAGE_BITS,
  PLACE,
  SEGMENT,
  SEQUENCE,
  VictimPage,
  type VictimRecord,
  WORDS,
} from './victim-page.ts'

export class VictimRecords {
  readonly files: readonly VictimFile[]
  count = 0
  readonly #pages: VictimPage[] = []
  /** Index of the file that holds each logical segment. */
  readonly #holders: Map<number, number> = new Map()
  /** How many bytes all keys have in common. */
  #commonLength: number = RECORD_KEY_BYTES_MAX
  #order: RecordOrder | undefined
  #hasLive = false
  /** What `compare` holds records against, and its bytes behind the common ones; see `probe`. */
  #probeBytes: Uint8Array = NO_BYTES
  #probeStart = 0
  #probeEnd = 0
  #probeSequence = 0
  #probeHigh = 0
  #probeLow = 0
  /** What every record compares as, if the probe has not the common bytes; else 0. */
  #outside = 0

  constructor(files: readonly VictimFile[]) {
    this.files = files
  }

  /** Says which file holds a logical segment: pointers into it must lead to a record. */
  addSegment(segment: SegmentNumber, file: FileNumber): void {
    this.#holders.set(segment, file)
  }

  holdsSegment(segment: SegmentNumber): boolean {
    return this.#holders.has(segment)
  }

  /** The logical segments that the files hold. */
  get segments(): SegmentNumber[] {
    return [...this.#holders.keys()]
  }

  /** Index of the file that holds a logical segment. */
  holderOf(segment: SegmentNumber): number {
    const holder = this.#holders.get(segment)
    assert(holder !== undefined, 'a pointer leads into a collected segment')
    return holder
  }

  /** Adds a record of files[file], whose key is copied; the fields of `record` may change afterwards. */
  add(record: Omit<VictimRecord, 'isLive'>): void {
    const { keyBytes, keyStart, keyEnd } = record
    let page = this.#pages[this.#pages.length - 1]
    if (page === undefined || !page.hasRoom(keyEnd - keyStart)) {
      page = new VictimPage()
      this.#pages.push(page)
    }
    this.#shortenCommon(keyBytes, keyStart, keyEnd)
    const index = page.count
    page.addKey(keyBytes, keyStart, keyEnd)
    const { numbers, words } = page
    numbers[index * NUMBERS + SEQUENCE] = record.sequence
    numbers[index * NUMBERS + OFFSET] = record.offset
    numbers[index * NUMBERS + PLACE] = record.place
    numbers[index * NUMBERS + LENGTH] = record.length
    words[index * WORDS + SEGMENT] = record.segment
    words[index * WORDS + FILE] = record.file
    page.kinds[index] = record.kind
    page.optionBytes[index] = record.optionBytes
    page.count = index + 1
    this.count++
  }

  /** Adds a record that is known to live. */
  addLive(record: Omit<VictimRecord, 'isLive'>): void {
    this.add(record)
    const page = this.#pages[this.#pages.length - 1]!
    page.live[page.count - 1] = 1
    this.#hasLive = true
  }

  #shortenCommon(bytes: Uint8Array, start: number, end: number): void {
    const first = this.#pages[0]!
    let common = Math.min(this.#commonLength, end - start)
    if (this.count > 0) {
      const { keys } = first
      let i = 0
      while (i < common && keys[i] === bytes[start + i]) i++
      common = i
    }
    this.#commonLength = common
  }

  /** Sorts, when all are added. Yields 0 after each slice: nothing is read. */
  *sortSlices(): Generator<number, void> {
    const order = new RecordOrder(this.count, (left, right) => this.#compareIds(left, right))
    for (let page = 0, position = 0; page < this.#pages.length; page++) {
      const { count, keys, words } = this.#pages[page]!
      for (let index = 0; index < count; index++, position++) {
        const start = words[index * WORDS + KEY_START]! + this.#commonLength
        const end = words[index * WORDS + KEY_END]!
        order.ids[position] = (page << PAGE_BITS) | index
        order.highs[position] = wordAt(keys, start, end)
        order.lows[position] = wordAt(keys, start + 4, end)
      }
      yield 0
    }
    yield* order.sortSlices()
    this.#order = order
  }

  #compareIds(left: number, right: number): number {
    const one = this.#pages[left >>> PAGE_BITS]!
    const other = this.#pages[right >>> PAGE_BITS]!
    const i = left & INDEX_MASK
    const j = right & INDEX_MASK
    const common = this.#commonLength
    const order = compareRange(
      one.keys,
      one.words[i * WORDS + KEY_START]! + common,
      one.words[i * WORDS + KEY_END]!,
      other.keys,
      other.words[j * WORDS + KEY_START]! + common,
      other.words[j * WORDS + KEY_END]!,
    )
    return order !== 0
      ? order
      : other.numbers[j * NUMBERS + SEQUENCE]! - one.numbers[i * NUMBERS + SEQUENCE]!
  }

  /** Sets the (key, sequence) that `compare` and `reach` hold records against; the bytes must stay as they are. */
  probe(keyBytes: Uint8Array, keyStart: number, keyEnd: number, sequence: Sequence): void {
    const common = this.#commonLength
    const head = Math.min(keyEnd, keyStart + common)
    const keys = this.#pages[0]?.keys ?? NO_BYTES
    // A key that ends inside of the common bytes lies before all that have them.
    let outside = compareRange(keys, 0, head - keyStart, keyBytes, keyStart, head)
    if (outside === 0 && keyEnd - keyStart < common) outside = 1
    this.#outside = outside
    this.#probeBytes = keyBytes
    this.#probeStart = keyStart + common
    this.#probeEnd = keyEnd
    this.#probeSequence = sequence
    this.#probeHigh = wordAt(keyBytes, keyStart + common, keyEnd)
    this.#probeLow = wordAt(keyBytes, keyStart + common + 4, keyEnd)
  }

  /** The order of the record at a position and the probe: negative if the record lies before. */
  compare(position: number): number {
    if (this.#outside !== 0) return this.#outside
    const { ids, highs, lows } = this.#order!
    const high = highs[position]! - this.#probeHigh
    if (high !== 0) return high
    const low = lows[position]! - this.#probeLow
    if (low !== 0) return low
    const id = ids[position]!
    const page = this.#pages[id >>> PAGE_BITS]!
    const index = id & INDEX_MASK
    const order = compareRange(
      page.keys,
      page.words[index * WORDS + KEY_START]! + this.#commonLength,
      page.words[index * WORDS + KEY_END]!,
      this.#probeBytes,
      this.#probeStart,
      this.#probeEnd,
    )
    return order !== 0 ? order : this.#probeSequence - page.numbers[index * NUMBERS + SEQUENCE]!
  }

  /** The first position from `from` on whose record is not before the probe; near ones are found fastest. */
  reach(from: number): number {
    let low = from
    let step = 1
    while (low + step <= this.count && this.compare(low + step - 1) < 0) {
      low += step
      step *= 2
    }
    let high = Math.min(low + step - 1, this.count)
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compare(middle) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** A view of the key at a position. */
  keyAt(position: number): Uint8Array {
    const id = this.#order!.ids[position]!
    const page = this.#pages[id >>> PAGE_BITS]!
    const index = id & INDEX_MASK
    return page.keys.subarray(
      page.words[index * WORDS + KEY_START]!,
      page.words[index * WORDS + KEY_END]!,
    )
  }

  sequenceAt(position: number): number {
    const id = this.#order!.ids[position]!
    return this.#pages[id >>> PAGE_BITS]!.numbers[(id & INDEX_MASK) * NUMBERS + SEQUENCE]!
  }

  /**
   * Marks the record at a position as live, if a pointer names it: by its address, or by its place in its own file. It
   * keeps the name that the pointer has for it.
   * @returns false if it is another record, or one that nothing may point to
   */
  mark(position: number, segment: SegmentNumber, offset: number, length: number): boolean {
    const id = this.#order!.ids[position]!
    const page = this.#pages[id >>> PAGE_BITS]!
    const index = id & INDEX_MASK
    const { words, numbers } = page
    const isAddress =
      words[index * WORDS + SEGMENT] === segment && numbers[index * NUMBERS + OFFSET] === offset
    if (!isAddress) {
      const isPlace =
        this.files[words[index * WORDS + FILE]!]!.number === segment &&
        numbers[index * NUMBERS + PLACE] === offset
      if (!isPlace) return false
    }
    if (numbers[index * NUMBERS + LENGTH] !== length || page.kinds[index] !== RECORD_KIND.put) {
      return false
    }
    words[index * WORDS + SEGMENT] = segment
    numbers[index * NUMBERS + OFFSET] = offset
    page.live[index] = 1
    this.#hasLive = true
    return true
  }

  isLiveAt(position: number): boolean {
    const id = this.#order!.ids[position]!
    return this.#pages[id >>> PAGE_BITS]!.live[id & INDEX_MASK] !== 0
  }

  /** True if any of them is known to live. */
  get hasLive(): boolean {
    return this.#hasLive
  }

  /** Fills `record` from the record at a position. */
  loadAt(position: number, record: VictimRecord): void {
    const id = this.#order!.ids[position]!
    fill(this.#pages[id >>> PAGE_BITS]!, id & INDEX_MASK, record)
  }

  /** Visits all records of a page of them, in the order of ids. */
  visitPage(page: number, record: VictimRecord, visit: () => void): void {
    const columns = this.#pages[page]!
    for (let index = 0; index < columns.count; index++) {
      fill(columns, index, record)
      visit()
    }
  }

  get pageCount(): number {
    return this.#pages.length
  }

  /** The error for a pointer into one of the segments that leads to no record of its own (I8). */
  pointerError(segment: SegmentNumber, offset: number, from: string): CorruptionError {
    const { kind, number } = this.files[this.holderOf(segment)]!
    const place = `segment=${segment} at=${offset} table=${from}`
    const reason = `a pointer leads to no record of its key and sequence ${place}`
    return new CorruptionError(segmentName(number), kind === 'segment' ? offset : 0, reason)
  }
}

/** Four bytes from `at` on, the first one highest; 0 for those at or behind `end`. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return (
      ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
    )
  }
  let word = 0
  for (let i = at; i < at + 4; i++) word = (word << 8) | (i < end ? bytes[i]! : 0)
  return word >>> 0
}
