/**
 * The walk over one segment: frame by frame, record by record, with constant memory.
 *
 * A frame counts only when all of it is proved: its header in its own place, every record's checksums, lengths
 * that meet its end, sequences that are contiguous and go on from the frame before. The walk stops at the
 * first byte where that fails and says where and why; whether that is a torn tail or corruption is decided
 * by `survey.ts`, which knows how far the log was durable.
 */

import { assert, CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { FileWindow } from '../../lib/base/files/file-window.ts'
import { FRAME_HEADER_BYTES, type FrameHeader, readKnownFrame } from '../../lib/base/files/frame.ts'
import type { FileNumber, Sequence } from '../../lib/base/ids.ts'
import { type RecordHeader, unknownRecord } from '../record.ts'
import {
  type PieceSink,
  viewAnyHead,
  viewProvedHead,
  viewProvedRecord,
  WHOLE_RECORD_BYTES_MAX,
} from '../record-window.ts'
import { CODEC_NONE } from '../value-chunks.ts'

export interface WalkOptions {
  readonly number: FileNumber
  /** Seed of the frames of this segment. */
  readonly seed: number
  /** Walk up to here: the length of a sealed segment, the size of the file of an open one. */
  readonly end: number
  /** Where the first frame to walk begins; SEGMENT_HEADER_BYTES or the offset of any frame. */
  readonly from: number
  /** Sequence of the first record, if known: the chain is checked from there. */
  readonly firstSequence: Sequence | undefined
  /** False to prove only heads: values have been proved already. */
  readonly proveValues: boolean
}

/** Called for each record of a frame as soon as it is proved; the bytes are views that die with the call. */
export type RecordVisitor = (record: VisitedRecord) => void

/** One record of a walk. A walk uses one object for all. The bytes are those that were proved. */
export interface VisitedRecord {
  header: RecordHeader
  /** Offset in the segment. */
  offset: number
  keyBytes: Uint8Array
  keyStart: number
  keyEnd: number
  /** The value, of a record without codec of at most WHOLE_RECORD_BYTES_MAX. */
  value(): Uint8Array
}

export interface SegmentWalkResult {
  /** End of the last proved frame. */
  readonly validEnd: number
  /** Sequence that the next record would have; undefined if no frame was walked and none was given. */
  readonly nextSequence: Sequence | undefined
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
 *
 * Between the two the bytes may change, so `visit` proves what it hands out, by itself. Who visits every frame
 * therefore takes `enter` in place of `next`.
 * All methods throw IoError if a read fails, and WISC_FORMAT_VERSION or WISC_CODEC_UNAVAILABLE for a
 * proved frame or record with parts that this version does not know.
 */
export class SegmentWalk {
  readonly #options: WalkOptions
  readonly #window: FileWindow
  #frame: FrameHeader | undefined
  #offset: number
  #nextSequence: Sequence | undefined
  #damage: SegmentWalkResult['damage']

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

  /** Set when `next` or `enter` returned undefined before the end. */
  get damage(): SegmentWalkResult['damage'] {
    return this.#damage
  }

  /** Gives up its memory for the next walk; the file stays open. Nothing may be asked of it any more. */
  close(): void {
    this.#window.close()
  }

  /** The next frame, proved, or undefined at the end or at damage. */
  next(): FrameSummary | undefined {
    return this.#step((frame) => this.#prove(frame, this.#options.proveValues))
  }

  /** The next frame, of which the header alone is proved. */
  enter(): FrameSummary | undefined {
    return this.#step(() => undefined)
  }

  #step(prove: (frame: FrameHeader) => string | undefined): FrameSummary | undefined {
    const offset = this.#offset
    const { end, seed } = this.#options
    if (offset >= end || this.#damage) return undefined
    const at = this.#window.view(offset, Math.min(FRAME_HEADER_BYTES, end - offset))
    const frame = readKnownFrame(this.#window.bytes, at, seed, offset, this.#window.fileName)
    const bad = frame ? (this.#misfit(frame) ?? prove(frame)) : 'no valid frame'
    if (frame === undefined || bad !== undefined) {
      this.#damage = { offset, reason: bad ?? 'no valid frame' }
      return undefined
    }
    this.#frame = frame
    this.#nextSequence = frame.firstSequence + frame.recordCount
    this.#offset = offset + frame.length
    return frame
  }

  /** Why a frame that is proved cannot be the next one. */
  #misfit(frame: FrameHeader): string | undefined {
    if (frame.offset + frame.length > this.#options.end) return 'frame is cut off'
    if (this.#nextSequence !== undefined && frame.firstSequence !== this.#nextSequence) {
      return 'sequence of frame does not go on from the one before'
    }
    return undefined
  }

  #prove(
    frame: FrameHeader,
    proveValues: boolean,
    use?: (header: RecordHeader, offset: number) => void,
  ): string | undefined {
    const view = proveValues ? viewProvedRecord : viewProvedHead
    const prove = (offset: number, end: number): RecordHeader | string =>
      view(this.#window, offset, end)
    return proveRecords(frame, prove, use)
  }

  /**
   * Goes through the records of the frame at hand, and proves each one before it is handed out.
   * @throws CorruptionError if one is not whole (any more): records before it have been handed out then
   */
  visit(visitor: RecordVisitor): void {
    this.#visit(this.#options.proveValues, visitor)
  }

  /** The same, of heads alone. */
  visitHeads(visitor: RecordVisitor): void {
    this.#visit(false, visitor)
  }

  #visit(proveValues: boolean, visitor: RecordVisitor): void {
    const frame = this.#frame
    assert(frame !== undefined, 'a frame is at hand when its records are visited')
    const window = this.#window
    const record = new WindowRecord(window, proveValues)
    const bad = this.#prove(frame, proveValues, (header, offset) => {
      record.stand(header, offset)
      visitor(record)
    })
    if (bad === undefined) return
    throw new CorruptionError(segmentName(this.#options.number), frame.offset, bad)
  }
}

class WindowRecord implements VisitedRecord {
  header: RecordHeader = undefined as unknown as RecordHeader // set before each visit
  offset = 0
  keyBytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  readonly #window: FileWindow
  readonly #hasValues: boolean

  constructor(window: FileWindow, hasValues: boolean) {
    this.#window = window
    this.#hasValues = hasValues
    this.keyBytes = window.bytes
  }

  /** The head is in the window. */
  stand(header: RecordHeader, offset: number): void {
    this.header = header
    this.offset = offset
    this.keyEnd = this.#window.view(offset, header.headBytes) + header.headBytes
    this.keyStart = this.keyEnd - header.keyLength
    this.keyBytes = this.#window.bytes
  }

  value(): Uint8Array {
    const isThere = this.#hasValues && this.header.length <= WHOLE_RECORD_BYTES_MAX
    assert(isThere, 'the value was proved with its record')
    const { codec, rawLength } = this.header
    assert(codec === CODEC_NONE, 'only what is stored as it was given is kept in the tree')
    const end = this.keyEnd + this.header.storedLength
    return this.keyBytes.subarray(end - rawLength, end)
  }
}

/** Walks a segment to its end or to the first damage. */
export function walkSegment(file: File, options: WalkOptions): SegmentWalkResult {
  const walk = new SegmentWalk(file, options)
  const frames: FrameSummary[] = []
  for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
    frames.push(frame)
  }
  const { validEnd, nextSequence, damage } = walk
  return { validEnd, nextSequence, frames, damage }
}

/**
 * Proves the records of a frame whose header is proved.
 * @param use gets each record as soon as it is proved
 * @returns what is wrong, or undefined
 */
function proveRecords(
  frame: FrameSummary,
  prove: (offset: number, end: number) => RecordHeader | string,
  use?: (header: RecordHeader, offset: number) => void,
): string | undefined {
  const end = frame.offset + frame.length
  let offset = frame.offset + FRAME_HEADER_BYTES
  for (let i = 0; i < frame.recordCount; i++) {
    const header = prove(offset, end)
    if (typeof header === 'string') return `${header} record=${i}`
    if (header.sequence !== frame.firstSequence + i) return `record ${i} has another sequence`
    use?.(header, offset)
    offset += header.length
  }
  return offset === end ? undefined : 'records do not end with their frame'
}

/**
 * Looks whether a frame behind damage, whose header is proved, holds a record that this version does not know: then
 * it is not for this version to say what is a torn tail. Records count as far as their heads prove themselves.
 * @throws WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE, IoError
 */
export function refuseUnknownRecords(
  window: FileWindow,
  frame: FrameSummary,
  fileEnd: number,
): void {
  const end = Math.min(frame.offset + frame.length, fileEnd)
  let offset = frame.offset + FRAME_HEADER_BYTES
  for (let i = 0; i < frame.recordCount; i++) {
    const header = viewAnyHead(window, offset, end)
    if (typeof header === 'string' || header.sequence !== frame.firstSequence + i) return
    const unknown = unknownRecord(header, window.fileName, offset)
    if (unknown) throw unknown
    offset += header.length
  }
}

/**
 * Copies the records of a frame that a walk has proved: each byte is proved once more as it is taken, for the file may
 * give others now.
 * @throws CorruptionError, as the walk's methods
 */
export function copyFrame(
  window: FileWindow,
  number: FileNumber,
  frame: FrameSummary,
  take: PieceSink,
): void {
  const prove = (offset: number, end: number): RecordHeader | string =>
    viewProvedRecord(window, offset, end, take)
  const bad = proveRecords(frame, prove)
  if (bad !== undefined) throw new CorruptionError(segmentName(number), frame.offset, bad)
}
