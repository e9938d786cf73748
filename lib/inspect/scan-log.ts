/**
 * The walk over a file of the value log that does not end at damage: it says where bytes prove nothing and goes on
 * behind them.
 *
 *   frame records ... | damage | records of the same frame ... | damage | the next frame ...
 *
 * A frame proves itself and its place (vlog/FORMAT.md, F-V4), a record only itself: a value may hold a copy of another
 * store's log. So records outside a proved frame count only where their sequences lie between those of the proved
 * frames around them, and without a frame behind them only if they go on exactly from the one before. Values are not
 * read.
 */

import {
  CODEC_NONE,
  proveRecordHead,
  RECORD_HEADER_BYTES,
  RECORD_KEY_BYTES_MAX,
  RECORD_KIND,
  type RecordHeader,
  readRecordHeader,
} from '../../vlog/record.ts'
import type { File } from '../base/file-system.ts'
import { FileWindow } from '../base/file-window.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  readFrameHeader,
} from '../base/frame.ts'

/** A record whose head is proved. Key bytes are a view that dies with the next step. */
export interface ScannedRecord {
  readonly type: 'record'
  readonly header: RecordHeader
  readonly offset: number
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
}

export type Scanned =
  | { readonly type: 'frame'; readonly frame: FrameHeader }
  | ScannedRecord
  | {
      readonly type: 'damage'
      readonly offset: number
      readonly end: number
      readonly reason: string
    }

export interface SegmentScanOptions {
  /** Of the frames of this file. */
  readonly seed: number
  /** Where the first frame begins. */
  readonly from: number
  readonly end: number
  /** Sequence of the first record, if it is known. */
  readonly firstSequence: number | undefined
}

/** Between two places that are proved, or with nothing behind it. */
interface Bounds {
  readonly from: number
  readonly to: number
  /** The smallest sequence of a record that can lie here. */
  readonly least: number
  /** The largest one; undefined if nothing is known: then `least` is the only one that can come next. */
  readonly most: number | undefined
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
      if (next !== undefined && frame.firstSequence !== next) {
        const reason = 'sequence of frame does not go on from the one before'
        yield { type: 'damage', offset, end: offset, reason }
      }
      yield { type: 'frame', frame }
      yield* frameRecords(window, frame, end)
      next = frame.firstSequence + frame.recordCount
      offset += frame.length
      continue
    }
    const behind = findFrame(window, seed, offset + 1, end)
    const to = behind?.offset ?? end
    const most = behind && behind.firstSequence - 1
    const reason = end - offset < FRAME_HEADER_BYTES ? 'frame is cut off' : 'no valid frame'
    // Most often it is the frame's header alone.
    const first = Math.min(to, offset + FRAME_HEADER_BYTES)
    yield* looseRecords(window, { from: first, to, least: next ?? 1, most }, offset, reason)
    if (behind) next = behind.firstSequence
    offset = to
  }
}

/** The frame that begins at `offset`, if its header proves that. */
function frameAt(
  window: FileWindow,
  seed: number,
  offset: number,
  end: number,
): FrameHeader | undefined {
  if (end - offset < FRAME_HEADER_BYTES) return undefined
  const at = window.view(offset, FRAME_HEADER_BYTES)
  return readFrameHeader(window.bytes, at, seed, offset)
}

/** The next frame at or behind `from`. */
function findFrame(
  window: FileWindow,
  seed: number,
  from: number,
  end: number,
): FrameHeader | undefined {
  for (let offset = from; offset + FRAME_HEADER_BYTES <= end; ) {
    const length = Math.min(window.chunkBytes, end - offset)
    const at = window.view(offset, length)
    const bytes = Buffer.from(window.bytes.buffer, window.bytes.byteOffset + at, length)
    const hit = bytes.indexOf(FRAME_MAGIC)
    if (hit < 0) {
      if (length <= FRAME_MAGIC.length) return undefined
      offset += length - (FRAME_MAGIC.length - 1)
      continue
    }
    offset += hit
    const frame = frameAt(window, seed, offset, end)
    if (frame !== undefined) return frame
    offset++
  }
  return undefined
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
    const most = frame.firstSequence + frame.recordCount - 1
    const found = findRecord(window, { from: offset + 1, to: end, least: sequence + 1, most })
    const reason = (found ? undefined : cut) ?? `record ${i} of the frame is damaged`
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

/** The records that can be found where no frame is proved. What lies between them is damage. */
function* looseRecords(
  window: FileWindow,
  bounds: Bounds,
  damaged: number,
  reason: string,
): Generator<Scanned> {
  let { from, least } = bounds
  for (let start = damaged, why = reason; ; why = 'no valid record') {
    const record = findRecord(window, { ...bounds, from, least })
    const end = record?.offset ?? bounds.to
    if (end > start) yield { type: 'damage', offset: start, end, reason: why }
    if (record === undefined) return
    yield record
    from = record.offset + record.header.length
    least = record.header.sequence + 1
    start = from
  }
}

/**
 * The records of a relocation: they follow each other without gaps.
 * @param places where records begin, ascending, if the index tells; else they are looked for
 */
export function* scanRecords(
  file: File,
  from: number,
  end: number,
  places: Float64Array | undefined,
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
    if (places === undefined) {
      const least = 0
      const most = Number.MAX_SAFE_INTEGER
      next = findRecord(window, { from: offset + 1, to: end, least, most })?.offset ?? end
    } else {
      while (index < places.length && places[index]! <= offset) index++
      next = places[index] ?? end
    }
    yield { type: 'damage', offset, end: next, reason: 'no valid record' }
    offset = next
  }
}

/** The record at `offset`, if its head is proved and this version knows all of it. */
export function recordAt(
  window: FileWindow,
  offset: number,
  end: number,
): ScannedRecord | undefined {
  if (end - offset < RECORD_HEADER_BYTES) return undefined
  const at = window.view(offset, RECORD_HEADER_BYTES)
  const header = readRecordHeader(window.bytes, at, end - offset)
  if (header === undefined || header.codec !== CODEC_NONE || header.refuseFlags !== 0) {
    return undefined
  }
  const headAt = window.view(offset, header.headBytes)
  if (!proveRecordHead(window.bytes, headAt, header)) return undefined
  const keyEnd = headAt + header.headBytes
  const keyStart = keyEnd - header.keyLength
  return { type: 'record', header, offset, keyBytes: window.bytes, keyStart, keyEnd }
}

/** The next record within bounds, by trying every byte. */
function findRecord(window: FileWindow, bounds: Bounds): ScannedRecord | undefined {
  const { from, to, least } = bounds
  const most = bounds.most ?? least
  for (let offset = from; offset + RECORD_HEADER_BYTES <= to; ) {
    const length = Math.min(window.chunkBytes, to - offset)
    const at = window.view(offset, length)
    const last = length - RECORD_HEADER_BYTES
    let skipped = 0
    while (skipped <= last && !mayBeRecord(window.bytes, at + skipped)) skipped++
    offset += skipped
    if (skipped > last) continue
    const record = recordAt(window, offset, to)
    const sequence = record?.header.sequence ?? -1
    if (sequence >= least && sequence <= most) return record
    offset++
  }
  return undefined
}

/** A quick look: kind, codec, flags and the zeros of the lengths. */
function mayBeRecord(bytes: Uint8Array, at: number): boolean {
  const kind = bytes[at + 8]
  if (kind !== RECORD_KIND.put && kind !== RECORD_KIND.delete) return false
  return (
    bytes[at + 9] === CODEC_NONE &&
    bytes[at + 11] === 0 &&
    bytes[at + 15] === 0 &&
    bytes[at + 14]! <= RECORD_KEY_BYTES_MAX >>> 16 &&
    bytes[at + 23] === 0 &&
    bytes[at + 31] === 0 &&
    bytes[at + 30] === 0 &&
    bytes[at + 24] === bytes[at + 32]
  )
}
