/**
 * The walk over a file of the value log that does not end at damage: it says where bytes prove nothing and goes on
 * behind them.
 *
 *   frame records ... | damage | records of the same frame ... | damage | the next frame ...
 *
 * A frame proves itself and its place (vlog/FORMAT.md, F-V4), a record only itself: a value may hold a copy of another
 * store's log. So a record behind damage counts only if its place is known: right behind a record or a frame header,
 * with the sequence that comes next; or as the first of records that follow each other up to a known end (of the frame,
 * or where the next frame begins) with the sequences that lead there. Values are not read.
 */

import {
  RECORD_HEADER_BYTES,
  RECORD_KEY_BYTES_MAX,
  type RecordHeader,
  recordExpiry,
  unknownRecord,
} from '../../../vlog/record.ts'
import { viewAnyHead } from '../../../vlog/record-window.ts'
import { readU32, readU64 } from '../../base/bytes.ts'
import type { WiscError } from '../../base/errors.ts'
import type { File } from '../../base/files/file-system.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import { nextFrame } from '../../base/files/find-frames.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  readFrameHeader,
  unknownFrame,
} from '../../base/files/frame.ts'
import type { Sequence } from '../../base/ids.ts'
import { LOG_START } from '../../base/log-position.ts'

/** A record whose head is proved. Key bytes are a view that dies with the next step. */
export interface ScannedRecord {
  readonly type: 'record'
  readonly header: RecordHeader
  readonly offset: number
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
  /** Why this version must not use it; then only its head means something. */
  readonly unknown: WiscError | undefined
}

export type Scanned =
  /** `head`: the bytes of the frame header, those that were proved. */
  | {
      readonly type: 'frame'
      readonly frame: FrameHeader
      readonly head: Uint8Array
      /** Why this version must not use it; its records are passed over. */
      readonly unknown: WiscError | undefined
    }
  | ScannedRecord
  | {
      readonly type: 'damage'
      readonly offset: number
      readonly end: number
      readonly reason: string
    }

export interface SegmentScanOptions {
  /** Of the frames of this file; undefined if the header is lost: then frames count by their places. */
  readonly seed: number | undefined
  /** Where the first frame begins. */
  readonly from: number
  readonly end: number
  /** Sequence of the first record, if it is known. */
  readonly firstSequence: Sequence | undefined
}

/** @throws IoError */
export function* scanSegment(file: File, options: SegmentScanOptions): Generator<Scanned> {
  const { seed, end } = options
  const window = new FileWindow(file, end)
  let offset = options.from
  let next = options.firstSequence
  while (offset < end) {
    const frame = frameAt(window, seed, offset, end)
    if (frame !== undefined) {
      const at = window.view(offset, FRAME_HEADER_BYTES)
      const head = window.bytes.slice(at, at + FRAME_HEADER_BYTES)
      if (next !== undefined && frame.firstSequence !== next) {
        const reason = 'sequence of frame does not go on from the one before'
        yield { type: 'damage', offset, end: offset, reason }
      }
      const unknown = frame.refuseFlags === 0 ? undefined : unknownFrame(window.fileName, frame)
      yield { type: 'frame', frame, head, unknown }
      if (unknown === undefined) yield* frameRecords(window, frame, end)
      next = frame.firstSequence + frame.recordCount
      offset += frame.length
      continue
    }
    const behind = nextFrame(window, offset + 1, end, (at) => frameAt(window, seed, at, end))
    const to = behind?.offset ?? end
    yield* looseRecords(window, offset, to, next, behind && behind.firstSequence - 1)
    if (behind) next = behind.firstSequence
    offset = to
  }
}

/** The frame that begins at `offset`, if its header proves that. */
function frameAt(
  window: FileWindow,
  seed: number | undefined,
  offset: number,
  end: number,
): FrameHeader | undefined {
  if (end - offset < FRAME_HEADER_BYTES) return undefined
  const at = window.view(offset, FRAME_HEADER_BYTES)
  if (seed !== undefined) return readFrameHeader(window.bytes, at, seed, offset)
  // A frame of another file lies elsewhere; so does a copy of this one.
  const head = window.bytes.subarray(at, at + FRAME_HEADER_BYTES)
  const isHere = FRAME_MAGIC.every((byte, i) => head[i] === byte) && readU64(head, 8) === offset
  const length = readU64(head, 16)
  if (!isHere || length < FRAME_HEADER_BYTES || length > end - offset) return undefined
  return {
    offset,
    length,
    firstSequence: readU64(head, 24),
    recordCount: readU32(head, 32),
    refuseFlags: 0,
    durable: LOG_START,
    durableEdit: 0,
  }
}

/** The records of a proved frame, as many as can be found. */
function* frameRecords(
  window: FileWindow,
  frame: FrameHeader,
  fileEnd: number,
): Generator<Scanned> {
  const whole = frame.offset + frame.length
  const end = Math.min(whole, fileEnd)
  const cut = whole > fileEnd ? 'frame is cut off' : undefined
  let offset = frame.offset + FRAME_HEADER_BYTES
  for (let i = 0; i < frame.recordCount; ) {
    const sequence = frame.firstSequence + i
    const record = recordAt(window, offset, end)
    if (record?.header.sequence === sequence) {
      yield record
      offset += record.header.length
      i++
      continue
    }
    const last = frame.firstSequence + frame.recordCount - 1
    const found = cut ? undefined : findChain(window, offset + 1, end, sequence + 1, last)
    const reason = cut ?? `record ${i} of the frame is damaged`
    yield { type: 'damage', offset, end: found?.offset ?? end, reason }
    if (found === undefined) return
    offset = found.offset
    i = found.header.sequence - frame.firstSequence
  }
  if (offset !== end || cut !== undefined) {
    const reason = cut ?? 'records do not end with their frame'
    yield { type: 'damage', offset, end, reason }
  }
}

/**
 * The records of [from, to), where frames have lost their headers. What lies between them is damage.
 * @param next the sequence that comes next, if it is known
 * @param last the sequence in front of the frame at `to`; undefined if the file ends there
 */
function* looseRecords(
  window: FileWindow,
  from: number,
  to: number,
  next: number | undefined,
  last: number | undefined,
): Generator<Scanned> {
  const first = to - from < FRAME_HEADER_BYTES ? 'frame is cut off' : 'no valid frame'
  let damaged = from
  let expected = next
  // Behind a record comes another one, or the header of a frame.
  for (let isFirst = true; ; isFirst = false) {
    const places = isFirst ? [from + FRAME_HEADER_BYTES] : [damaged, damaged + FRAME_HEADER_BYTES]
    const record = places
      .map((place) => recordAt(window, place, to))
      .find((one) => one && (expected ?? one.header.sequence) === one.header.sequence)
    if (!record) break
    const { offset, header } = record
    if (offset > damaged) yield { type: 'damage', offset: damaged, end: offset, reason: first }
    yield record
    damaged = offset + header.length
    expected = header.sequence + 1
  }
  let chain = last === undefined ? undefined : findChain(window, damaged, to, expected ?? 0, last)
  const end = chain?.offset ?? to
  if (end > damaged) yield { type: 'damage', offset: damaged, end, reason: first }
  while (chain) {
    yield chain
    chain = recordAt(window, chain.offset + chain.header.length, to)
  }
}

/**
 * The records of a relocation: they follow each other without gaps.
 * @param places where records begin, ascending; undefined if the index is damaged
 * @param isWhole records end at `end`; else something else may follow them
 */
export function* scanRecords(
  file: File,
  from: number,
  end: number,
  places: Float64Array | undefined,
  isWhole: boolean,
): Generator<Scanned> {
  const window = new FileWindow(file, end)
  let index = 0
  for (let offset = from; offset < end; ) {
    const record = recordAt(window, offset, end)
    if (record) {
      yield record
      offset += record.header.length
      continue
    }
    let next = end
    if (places !== undefined) {
      while (index < places.length && places[index]! <= offset) index++
      next = places[index] ?? end
    } else if (isWhole) next = findChain(window, offset + 1, end, 0, undefined)?.offset ?? end
    yield { type: 'damage', offset, end: next, reason: 'no valid record' }
    offset = next
  }
}

/** The record at `offset`, if its head is proved, known or not. */
function recordAt(window: FileWindow, offset: number, end: number): ScannedRecord | undefined {
  const header = viewAnyHead(window, offset, end)
  if (typeof header === 'string') return undefined
  const unknown = unknownRecord(header, window.fileName, offset)
  const head = window.view(offset, header.headBytes)
  const keyEnd = head + header.headBytes
  const place = { keyBytes: window.bytes, keyStart: keyEnd - header.keyLength, keyEnd }
  const expiresAt = unknown ? 0 : recordExpiry(window.bytes, head, header)
  return { type: 'record', header, offset, ...place, expiresAt, unknown }
}

/**
 * The first of records that follow each other up to `to`, by trying every byte from `from` on.
 * @param least the smallest sequence that it may have
 * @param last the sequence of the last one, one more for each; undefined: any sequences
 */
function findChain(
  window: FileWindow,
  from: number,
  to: number,
  least: number,
  last: number | undefined,
): ScannedRecord | undefined {
  for (let offset = from; offset + RECORD_HEADER_BYTES <= to; ) {
    const length = Math.min(window.chunkBytes, to - offset)
    const at = window.view(offset, length)
    const lastTry = length - RECORD_HEADER_BYTES
    let skipped = 0
    while (skipped <= lastTry && !mayBeRecord(window.bytes, at + skipped)) skipped++
    offset += skipped
    if (skipped > lastTry) continue
    const sequence = recordAt(window, offset, to)?.header.sequence ?? -1
    if (sequence >= least && leadsTo(window, offset, to, last)) return recordAt(window, offset, to)
    offset++
  }
  return undefined
}

/** True if records follow each other from `offset` up to `to`, with sequences up to `last`. */
function leadsTo(
  window: FileWindow,
  offset: number,
  to: number,
  last: number | undefined,
): boolean {
  let expected: number | undefined
  let at = offset
  while (at < to) {
    const header = recordAt(window, at, to)?.header
    if (!header || (expected !== undefined && header.sequence !== expected)) return false
    if (last !== undefined) expected = header.sequence + 1
    at += header.length
  }
  return last === undefined || expected === last + 1
}

/** A quick look at the kind and the zeros of the lengths: whatever is of a newer version must be found, too. */
function mayBeRecord(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 8] !== 0 &&
    bytes[at + 14]! <= RECORD_KEY_BYTES_MAX >>> 16 &&
    bytes[at + 23] === 0 &&
    bytes[at + 31] === 0 &&
    bytes[at + 30] === 0 &&
    bytes[at + 39] === 0 &&
    bytes[at + 38] === 0
  )
}
