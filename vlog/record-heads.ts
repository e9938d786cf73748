/**
 * The heads of the records of a value-log file, one after the other, for jobs that read no values.
 *
 *   segment     frame (frameHeader record*)*      the frames of a sealed segment, up to its length
 *   relocation  record*                           without gaps
 *
 * Unlike the walk of recovery (segment-walk.ts) it can stop behind any record, so that a slice stays
 * short in a frame of any size, and it looks at each byte once: whoever walks a file that must be
 * whole has no use for a record before damage, which throws. Values may be holes. Data plane.
 */

import { CorruptionError } from '../lib/base/errors.ts'
import type { File } from '../lib/base/files/file-system.ts'
import { FileWindow } from '../lib/base/files/file-window.ts'
import { FRAME_HEADER_BYTES, readKnownFrame } from '../lib/base/files/frame.ts'
import type { Sequence } from '../lib/base/ids.ts'
import { RECORD_HEADER_BYTES, type RecordHeader } from './record.ts'
import { viewProvedHead } from './record-window.ts'

/** The frames of a segment: their seed, and the sequence of its first record. */
export interface FrameChain {
  readonly seed: number
  readonly firstSequence: Sequence
}

/** Stands before the first record until `next` is called. */
export class RecordHeads {
  /** The record at hand. */
  header: RecordHeader | undefined
  /** Where it begins in the file. */
  offset = 0
  /** Its key is keyBytes[keyStart .. keyEnd) until the next call. */
  keyBytes: Uint8Array
  keyStart = 0
  keyEnd = 0

  readonly #window: FileWindow
  readonly #name: string
  readonly #end: number
  readonly #seed: number | undefined
  #at: number
  /** Of the frame at hand: where it ends, the records that are still to come and the next one's sequence. */
  #frameEnd: number
  #recordsLeft = 0
  #nextSequence = 0

  /**
   * @param name of the file, for messages
   * @param from where the first frame or record begins, `end` where the last one ends
   * @param frames undefined for records without frames
   */
  constructor(file: File, name: string, from: number, end: number, frames: FrameChain | undefined) {
    this.#window = new FileWindow(file, end)
    this.keyBytes = this.#window.bytes
    this.#name = name
    this.#end = end
    this.#at = from
    this.#seed = frames?.seed
    this.#frameEnd = frames === undefined ? end : from
    this.#nextSequence = frames?.firstSequence ?? 0
  }

  /** Nothing may be asked any more. The file stays open. */
  close(): void {
    this.#window.close()
  }

  /** Bytes read from the file so far. */
  get bytesRead(): number {
    return this.#window.bytesRead
  }

  /**
   * To the next record, whose head is proved.
   * @returns false at the end
   * @throws CorruptionError if anything but a value is damaged, WISC_FORMAT_VERSION,
   * WISC_CODEC_UNAVAILABLE, IoError
   */
  next(): boolean {
    if (this.nextOffset() < 0) return false
    const window = this.#window
    const at = this.#at
    const available = this.#frameEnd - at
    if (available < RECORD_HEADER_BYTES) throw this.#damage('record is cut off')
    const header = viewProvedHead(window, at, this.#frameEnd)
    if (typeof header === 'string') throw this.#damage(header)
    const head = window.view(at, header.headBytes)
    if (this.#seed !== undefined) this.#countRecord(header.sequence)
    this.header = header
    this.offset = at
    this.keyBytes = window.bytes
    this.keyEnd = head + header.headBytes
    this.keyStart = this.keyEnd - header.keyLength
    this.#at = at + header.length
    return true
  }

  /**
   * Where the next record begins; -1 at the end.
   * @throws CorruptionError if the frame before it or its own is damaged, IoError
   */
  nextOffset(): number {
    while (this.#at === this.#frameEnd) {
      if (this.#recordsLeft !== 0) throw this.#damage('frame ends before its records do')
      if (this.#at === this.#end) return -1
      this.#enterFrame()
    }
    return this.#at
  }

  /**
   * Passes over the next record, which must have this length, without looking at it: if it has another one, the head
   * that is looked at next is none. Requires: `nextOffset` has found one.
   */
  pass(length: number): void {
    if (this.#seed !== undefined) this.#countRecord(this.#nextSequence)
    this.#at = Math.min(this.#at + length, this.#frameEnd)
  }

  #enterFrame(): void {
    const window = this.#window
    const offset = this.#at
    const start = window.view(offset, Math.min(FRAME_HEADER_BYTES, this.#end - offset))
    const frame = readKnownFrame(window.bytes, start, this.#seed!, offset, this.#name)
    if (frame === undefined) throw this.#damage('no valid frame')
    if (offset + frame.length > this.#end) throw this.#damage('frame is cut off')
    if (frame.firstSequence !== this.#nextSequence) {
      throw this.#damage('sequence of frame does not go on from the one before')
    }
    this.#recordsLeft = frame.recordCount
    this.#frameEnd = offset + frame.length
    this.#at = offset + FRAME_HEADER_BYTES
  }

  #countRecord(sequence: Sequence): void {
    if (this.#recordsLeft === 0) throw this.#damage('records do not end with their frame')
    if (sequence !== this.#nextSequence) throw this.#damage('record has another sequence')
    this.#recordsLeft--
    this.#nextSequence = sequence + 1
  }

  #damage(reason: string): CorruptionError {
    return new CorruptionError(this.#name, this.#at, reason)
  }
}
