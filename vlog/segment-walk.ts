/**
 * The walk over one segment: frame by frame, record by record, with constant memory.
 *
 * A frame counts only when all of it is proved: its header in its own place, every record's checksums, lengths
 * that meet its end, sequences that are contiguous and go on from the frame before. The walk stops at the
 * first byte where that fails and says where and why; whether that is a torn tail or corruption is decided
 * by `recovery.ts`, which knows how far the log was durable.
 */

import { checksum } from '../lib/base/checksum.ts'
import { assert, WiscError } from '../lib/base/errors.ts'
import { segmentName } from '../lib/base/file-names.ts'
import type { File } from '../lib/base/file-system.ts'
import { FileWindow } from '../lib/base/file-window.ts'
import { FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader } from '../lib/base/frame.ts'
import {
  CODEC_NONE,
  chunkChecksum,
  chunkChecksumBytes,
  proveRecord,
  proveRecordHead,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readRecordHeader,
  VALUE_CHUNK_BYTES,
} from './record.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

/** Longer records are proved chunk by chunk instead of in one piece. */
const WHOLE_RECORD_BYTES_MAX = 512 * 1024

export interface WalkOptions {
  readonly number: number
  /** Seed of the frames of this segment. */
  readonly seed: number
  /** Walk up to here: the length of a sealed segment, the size of the file of an open one. */
  readonly end: number
  /** Where the first frame to walk begins; SEGMENT_HEADER_BYTES or the offset of any frame. */
  readonly from: number
  /** Sequence of the first record, if known: the chain is checked from there. */
  readonly firstSequence: number | undefined
  /** False to prove only heads: values have been proved already. */
  readonly proveValues: boolean
}

/** Called for each record of a proved frame; the bytes are views that die with the call. */
export type RecordVisitor = (record: VisitedRecord) => void

/** One record of a walk. A walk uses one object for all. */
export interface VisitedRecord {
  header: RecordHeader
  /** Offset in the segment. */
  offset: number
  keyBytes: Uint8Array
  keyStart: number
  keyEnd: number
  /** The value is fetched only when asked for: at most VALUE_CHUNK_BYTES of it. */
  value(): Uint8Array
}

export interface WalkResult {
  /** End of the last proved frame. */
  readonly validEnd: number
  /** Sequence that the next record would have; undefined if no frame was walked and none was given. */
  readonly nextSequence: number | undefined
  readonly frames: readonly FrameSummary[]
  /** Why the walk stopped before `end`. */
  readonly damage: { readonly offset: number; readonly reason: string } | undefined
}

/** What recovery needs of a frame. */
export type FrameSummary = Pick<
  FrameHeader,
  'offset' | 'length' | 'firstSequence' | 'recordCount' | 'durable' | 'durableEdit'
>

/**
 * A walk in steps: `next` proves a frame, `visit` goes through its records. Reads are synchronous.
 * All methods throw IoError if a read fails, and WISC_FORMAT_VERSION or WISC_CODEC_UNAVAILABLE for a
 * proved frame or record with parts that this version does not know.
 */
export class SegmentWalk {
  readonly #options: WalkOptions
  readonly #window: FileWindow
  #frame: FrameHeader | undefined
  #offset: number
  #nextSequence: number | undefined
  #damage: WalkResult['damage']

  constructor(file: File, options: WalkOptions) {
    this.#options = options
    this.#window = new FileWindow(file, options.end)
    this.#offset = options.from
    this.#nextSequence = options.firstSequence
  }

  /** End of the last proved frame. */
  get validEnd(): number {
    return this.#offset
  }

  get nextSequence(): number | undefined {
    return this.#nextSequence
  }

  /** Set when `next` returned undefined before the end. */
  get damage(): WalkResult['damage'] {
    return this.#damage
  }

  /** The next frame, proved, or undefined at the end or at damage. */
  next(): FrameSummary | undefined {
    const offset = this.#offset
    const { end, seed } = this.#options
    if (offset >= end || this.#damage) return undefined
    const at = this.#window.view(offset, Math.min(FRAME_HEADER_BYTES, end - offset))
    const frame = readFrameHeader(this.#window.bytes, at, seed, offset)
    const bad = frame ? this.#prove(frame) : 'no valid frame'
    if (frame === undefined || bad !== undefined) {
      this.#damage = { offset, reason: bad ?? 'no valid frame' }
      return undefined
    }
    this.#frame = frame
    this.#nextSequence = frame.firstSequence + frame.recordCount
    this.#offset = offset + frame.length
    return frame
  }

  #prove(frame: FrameHeader): string | undefined {
    if (frame.refuseFlags !== 0) {
      const name = segmentName(this.#options.number)
      const message = `frame is from a newer version file=${name} offset=${frame.offset}`
      throw new WiscError('WISC_FORMAT_VERSION', message)
    }
    if (frame.offset + frame.length > this.#options.end) return 'frame is cut off'
    if (this.#nextSequence !== undefined && frame.firstSequence !== this.#nextSequence) {
      return 'sequence of frame does not go on from the one before'
    }
    return proveFrame(this.#window, frame, this.#options)
  }

  /** Goes through the records of the frame that `next` returned. */
  visit(visitor: RecordVisitor): void {
    assert(this.#frame !== undefined, 'a frame was proved before its records are visited')
    visitFrame(this.#window, this.#frame, visitor)
  }
}

/** Walks a segment to its end or to the first damage. */
export function walkSegment(file: File, options: WalkOptions, visitor?: RecordVisitor): WalkResult {
  const walk = new SegmentWalk(file, options)
  const frames: FrameSummary[] = []
  for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
    if (visitor) walk.visit(visitor)
    frames.push(frame)
  }
  const { validEnd, nextSequence, damage } = walk
  return { validEnd, nextSequence, frames, damage }
}

/** @returns what is wrong with a record of the frame, or undefined */
function proveFrame(
  window: FileWindow,
  frame: FrameHeader,
  options: WalkOptions,
): string | undefined {
  const end = frame.offset + frame.length
  let offset = frame.offset + FRAME_HEADER_BYTES
  for (let i = 0; i < frame.recordCount; i++) {
    const header = recordAt(window, offset, end)
    if (header === undefined) return `record ${i} of frame has impossible lengths`
    const bad = options.proveValues
      ? proveWhole(window, offset, header)
      : proveHead(window, offset, header)
    if (bad !== undefined) return `${bad} record=${i}`
    if (header.sequence !== frame.firstSequence + i) return `record ${i} has another sequence`
    if (header.refuseFlags !== 0 || header.codec !== CODEC_NONE) {
      throw new WiscError(
        header.codec === CODEC_NONE ? 'WISC_FORMAT_VERSION' : 'WISC_CODEC_UNAVAILABLE',
        `record is from a newer version file=${segmentName(options.number)} offset=${offset}`,
      )
    }
    offset += header.length
  }
  return offset === end ? undefined : 'records do not end with their frame'
}

function recordAt(window: FileWindow, offset: number, end: number): RecordHeader | undefined {
  const available = end - offset
  if (available < RECORD_HEADER_BYTES) return undefined
  const at = window.view(offset, RECORD_HEADER_BYTES)
  return readRecordHeader(window.bytes, at, available)
}

function proveHead(window: FileWindow, offset: number, header: RecordHeader): string | undefined {
  const at = window.view(offset, header.headBytes)
  return proveRecordHead(window.bytes, at, header) ? undefined : 'record header checksum mismatch'
}

function proveWhole(window: FileWindow, offset: number, header: RecordHeader): string | undefined {
  if (header.length <= WHOLE_RECORD_BYTES_MAX) {
    const at = window.view(offset, header.length)
    if (!proveRecordHead(window.bytes, at, header)) return 'record header checksum mismatch'
    return proveRecord(window.bytes, at, header)
  }
  return proveHead(window, offset, header) ?? proveChunks(window, offset, header)
}

function proveChunks(window: FileWindow, offset: number, header: RecordHeader): string | undefined {
  const headAt = window.view(offset, header.headBytes)
  // A copy: the window moves on while the chunks are read.
  const head = window.bytes.slice(headAt, headAt + header.headBytes)
  const sumsBytes = chunkChecksumBytes(header.storedLength)
  for (let from = 0, chunk = 0; from < header.storedLength; from += VALUE_CHUNK_BYTES, chunk++) {
    const length = Math.min(VALUE_CHUNK_BYTES, header.storedLength - from)
    const at = window.view(offset + header.headBytes + from, length)
    const sum = checksum(window.bytes.subarray(at, at + length))
    assert(chunk === 0 || chunk * 4 <= sumsBytes, 'chunk has a checksum')
    if (sum !== chunkChecksum(head, chunk)) return `value checksum mismatch chunk=${chunk}`
  }
  return undefined
}

function visitFrame(window: FileWindow, frame: FrameHeader, visit: RecordVisitor): void {
  const end = frame.offset + frame.length
  let offset = frame.offset + FRAME_HEADER_BYTES
  const record: VisitedRecord = {
    header: undefined as unknown as RecordHeader, // set before each visit
    offset,
    keyBytes: window.bytes,
    keyStart: 0,
    keyEnd: 0,
    value() {
      const length = Math.min(VALUE_CHUNK_BYTES, this.header.storedLength)
      const start = window.view(this.offset, this.header.headBytes + length) + this.header.headBytes
      this.keyBytes = window.bytes
      this.keyEnd = start
      this.keyStart = start - this.header.keyLength
      return window.bytes.subarray(start, start + length)
    },
  }
  for (let i = 0; i < frame.recordCount; i++) {
    const header = recordAt(window, offset, end)
    assert(header !== undefined, 'a proved record stays readable')
    const at = window.view(offset, header.headBytes)
    record.header = header
    record.offset = offset
    record.keyBytes = window.bytes
    record.keyEnd = at + header.headBytes
    record.keyStart = record.keyEnd - header.keyLength
    visit(record)
    offset += header.length
  }
}

/** Where the frames of every segment begin. */
export const FIRST_FRAME_OFFSET: number = SEGMENT_HEADER_BYTES
