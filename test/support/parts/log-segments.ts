/**
 * Segments of the value log, made without a store: frames of chosen records in a file in memory, and what the
 * manifest would know of them.
 */
import { joinPath, segmentName } from '#dist/lib/base/files/file-names.js'
import type { File, FileSystem } from '#dist/lib/base/files/file-system.js'
import { FRAME_HEADER_BYTES, frameSeed } from '#dist/lib/base/files/frame.js'
import type { StoreDirectory } from '#dist/lib/base/files/store-directory.js'
import { LOG_START, type LogPosition } from '#dist/lib/base/log-position.js'
import { Group, stagedBytes } from '#dist/vlog/log/group.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import {
  type FrameSummary,
  type RecordVisitor,
  SegmentWalk,
  type SegmentWalkResult,
  type WalkOptions,
} from '#dist/vlog/log/segment-walk.js'
import { plainRecord, RECORD_KIND } from '#dist/vlog/record.js'
import type { KnownSegment } from '#dist/vlog/recovery/survey.js'

/** Where the segments of these tests lie. */
export const LOG_DIRECTORY = '/log'
export const DATABASE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
export const SALT = 0xabcd1234

export function logContext(fileSystem: FileSystem): StoreDirectory {
  return { fileSystem, directory: LOG_DIRECTORY, databaseId: DATABASE_ID }
}

export function segmentPath(number: number): string {
  return joinPath(LOG_DIRECTORY, segmentName(number))
}

export function segmentSeed(number: number): number {
  return frameSeed({ kind: 'segment', databaseId: DATABASE_ID, number, salt: SALT })
}

/** Walks a segment to its end or to the first damage, and visits its records on the way. */
export function visitSegment(
  file: File,
  options: WalkOptions,
  visitor: RecordVisitor,
): SegmentWalkResult {
  const walk = new SegmentWalk(file, options)
  const frames: FrameSummary[] = []
  for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
    walk.visit(visitor)
    frames.push(frame)
  }
  const { validEnd, nextSequence, damage } = walk
  return { validEnd, nextSequence, frames, damage }
}

/** A put, unless it is a delete: then its value is empty. */
export interface PutRecord {
  readonly key: string | Uint8Array
  readonly value: Uint8Array
  readonly isDelete?: boolean
}

/** A value of a length, different for each fill. */
export function bytesOf(length: number, fill: number = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i >> 8) + i * 31 + fill
  return bytes
}

/** Writes one segment, frame by frame. */
export class SegmentMaker {
  readonly number: number
  /** Its place in the log: its number, if nothing else is said. */
  readonly ordinal: number
  readonly file: File
  /** Where each frame begins. */
  readonly frames: { readonly offset: number; readonly end: number }[] = []
  length = 0
  nextSequence: number
  readonly #predecessor: LogPosition
  readonly #group: Group = new Group()

  constructor(
    fileSystem: FileSystem,
    number: number,
    firstSequence: number = 1,
    predecessor: LogPosition = LOG_START,
    ordinal: number = number,
  ) {
    this.number = number
    this.ordinal = ordinal
    this.file = fileSystem.open(segmentPath(number), 'create')
    this.nextSequence = firstSequence
    this.#predecessor = predecessor
  }

  get end(): LogPosition {
    return { ordinal: this.ordinal, offset: this.length }
  }

  /** What a manifest knows of it. */
  known(sealed: boolean): KnownSegment {
    const { number, ordinal, length } = this
    const seal = { length, lastSequence: this.nextSequence - 1 }
    return { number, ordinal, salt: SALT, sealed: sealed ? seal : undefined }
  }

  /** Appends a frame of puts; without any it is a marker. @returns offsets of the records */
  frame(
    records: readonly PutRecord[],
    durable: LogPosition = LOG_START,
    durableEdit: number = 1,
  ): number[] {
    const written = records.map(({ key, value, isDelete }) =>
      plainRecord(isDelete ? RECORD_KIND.delete : RECORD_KIND.put, Buffer.from(key), value),
    )
    const staged = written.reduce((sum, record) => sum + stagedBytes(record), 0)
    const group = this.#group
    const first = this.length === 0
    const offset = first ? SEGMENT_HEADER_BYTES : this.length
    group.begin(this.nextSequence, staged)
    const places = written.map((record) => offset + group.add(record))
    const header = {
      identity: {
        kind: 'segment' as const,
        databaseId: DATABASE_ID,
        number: this.number,
        salt: SALT,
      },
      ordinal: this.ordinal,
      predecessor: this.#predecessor.ordinal,
      predecessorLength: this.#predecessor.offset,
      firstSequence: this.nextSequence,
    }
    const seed = segmentSeed(this.number)
    const sources = group.finish(seed, offset, durable, durableEdit, first ? header : undefined)
    this.file.writev(sources, this.length)
    this.length = offset + group.frameBytes
    this.frames.push({ offset, end: this.length })
    this.nextSequence += records.length
    return places
  }
}

/** Bytes of a frame that holds nothing. */
export const MARKER_BYTES: number = FRAME_HEADER_BYTES
