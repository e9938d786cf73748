/**
 * The survey of a log: what it proves, and where it ends.
 *
 *   sealed ... | open segments                                   |
 *   -----------+-----------------W===========X...................|
 *              proved by edits   valid, not  first invalid byte: torn tail,
 *              and frames        proved      set aside in lost/
 *
 * W, the proved end, is the furthest position that any version edit or any valid frame of the open segments
 * names as durable, frames behind damage included. X is where the walk ends. X before W is corruption.
 * Between W and X the bytes are valid but may be known to the page cache alone (a failed sync can leave
 * them so): they are copied to a new segment that is synced. Surveying only reads (I11); recovery-plan.ts
 * decides what follows from it. Source of the torn-tail rule: Pebble's record package, which reads ahead for chunks
 * that promise more than was found.
 */

import { CorruptionError, isMissing } from '../../lib/base/errors.ts'
import { joinPath, segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { FileWindow } from '../../lib/base/files/file-window.ts'
import { findFrames } from '../../lib/base/files/find-frames.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, LogOrdinal, Sequence, VersionNumber } from '../../lib/base/ids.ts'
import { compareLogPositions, LOG_START, type LogPosition } from '../../lib/base/log-position.ts'
import {
  readSegmentHeader,
  refuseUnknownSegment,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../log/segment-header.ts'
import {
  type FrameSummary,
  refuseUnknownRecords,
  type SegmentWalkResult,
  walkSegment,
} from '../log/segment-walk.ts'

/** What the manifest knows of a segment. */
export interface KnownSegment {
  readonly number: FileNumber
  readonly ordinal: LogOrdinal
  readonly salt: number
  /** Set when it is sealed. */
  readonly sealed: { readonly length: number; readonly lastSequence: Sequence } | undefined
}

/** An open segment as it was found. */
export interface FoundSegment {
  readonly number: FileNumber
  readonly ordinal: LogOrdinal
  readonly size: number
  readonly frames: readonly FrameSummary[]
}

export interface LogSurvey {
  /** W: nothing at or below it may be lost or moved. */
  readonly provedEnd: LogPosition
  /** X: the log goes to here. */
  readonly end: LogPosition
  /** The file that it ends in, or the one before; 0 if there is none. */
  readonly endFile: FileNumber
  /** Why it ends there, if not because the file does. */
  readonly reason: string | undefined
  /** The open segments in log order, with their valid frames. */
  readonly open: readonly FoundSegment[]
  /** Sequence of the last valid record (at least that of the last seal). */
  readonly lastSequence: Sequence
  /** The highest sequence that any valid frame uses, the torn tail included. */
  readonly highestSequence: number
  /** The highest version edit that a valid frame names as durable: the manifest must reach it. */
  readonly durableEdit: VersionNumber
}

/**
 * Surveys the log from the checkpoint on. Reads every byte of it once and proves it.
 *
 * @param known the segments of the version, in log order
 * @param durable the furthest durable position that a version edit names
 * @throws CorruptionError if the log fails or ends before its proved end; IoError if a read fails, and
 *   WISC_FORMAT_VERSION or WISC_CODEC_UNAVAILABLE for what proves itself and is of a newer version: neither is ever
 *   taken for a torn tail
 */
export function surveyLog(
  context: StoreDirectory,
  known: readonly KnownSegment[],
  checkpoint: LogPosition,
  durable: LogPosition,
): LogSurvey {
  const survey = new Survey(context, checkpoint, durable, openSizes(context, known))
  if (!known.some(({ ordinal }) => ordinal === checkpoint.ordinal)) survey.passCollected()
  for (const segment of known) {
    const { ordinal, sealed } = segment
    if (sealed === undefined) survey.addOpen(segment)
    else if (isBehind(checkpoint, { ordinal, offset: sealed.length })) {
      survey.passSealed(segment, sealed)
    } else survey.addSealed(segment, sealed)
  }
  return survey.result()
}

/**
 * How long the open segments are. The newest is asked first: what its frames name as durable, and all that was written
 * before them, is in the others by the time that these are asked, also beside a writer.
 */
function openSizes(
  { fileSystem, directory }: StoreDirectory,
  known: readonly KnownSegment[],
): ReadonlyMap<number, number> {
  const open = known.filter(({ sealed }) => sealed === undefined).toReversed()
  return new Map(
    open.map(({ number }) => [
      number,
      fileSystem.statPath(joinPath(directory, segmentName(number)))?.size ?? 0,
    ]),
  )
}

/** True if a segment that ends at `end` lies below the checkpoint: then all of it is in tables. */
function isBehind(checkpoint: LogPosition, end: LogPosition): boolean {
  return compareLogPositions(end, checkpoint) <= 0
}

class Survey {
  readonly #context: StoreDirectory
  readonly #checkpoint: LogPosition
  readonly #openSizes: ReadonlyMap<number, number>
  #provedEnd: LogPosition
  #end: LogPosition = LOG_START
  #endFile: FileNumber = 0
  #reason: string | undefined
  /** Set once the log has ended: later segments only tell how far it was durable. */
  #ended = false
  readonly #open: FoundSegment[] = []
  #lastSequence = 0
  #highestSequence = 0
  #durableEdit = 0

  constructor(
    context: StoreDirectory,
    checkpoint: LogPosition,
    durable: LogPosition,
    openSizes: ReadonlyMap<number, number>,
  ) {
    this.#context = context
    this.#openSizes = openSizes
    this.#checkpoint = checkpoint
    this.#provedEnd = durable
  }

  /** The segment of the checkpoint was reclaimed: the log was durable up to there, and goes on behind it. */
  passCollected(): void {
    this.#end = this.#checkpoint
  }

  passSealed(segment: KnownSegment, seal: { length: number; lastSequence: Sequence }): void {
    const end = { ordinal: segment.ordinal, offset: seal.length }
    if (compareLogPositions(end, this.#end) > 0) this.#end = end
    this.#endFile = segment.number
    this.#lastSequence = seal.lastSequence
    this.#highestSequence = Math.max(this.#highestSequence, seal.lastSequence)
  }

  addSealed(segment: KnownSegment, seal: { length: number; lastSequence: Sequence }): void {
    const checkpoint = this.#checkpoint
    const name = segmentName(segment.number)
    withSegment(this.#context, segment.number, (file, size) => {
      if (size < seal.length) {
        throw new CorruptionError(name, size, 'segment is shorter than its seal says')
      }
      const header = readHeader(this.#context, file, segment, size)
      if (!this.#follows(header)) {
        const reason = 'segment does not follow the one before'
        throw new CorruptionError(name, SEGMENT_HEADER_BYTES, reason)
      }
      const begins = checkpoint.ordinal === segment.ordinal && checkpoint.offset > 0
      const walk = walkSegment(file, {
        number: segment.number,
        seed: frameSeed(header.identity),
        end: seal.length,
        from: begins ? checkpoint.offset : SEGMENT_HEADER_BYTES,
        firstSequence: begins ? undefined : header.firstSequence,
        proveValues: true,
      })
      if (walk.damage) throw new CorruptionError(name, walk.damage.offset, walk.damage.reason)
      if (walk.nextSequence !== undefined && walk.nextSequence - 1 !== seal.lastSequence) {
        throw new CorruptionError(
          name,
          seal.length,
          'segment ends with another sequence than its seal',
        )
      }
      for (const frame of walk.frames) this.#noteFrame(frame)
    })
    this.passSealed(segment, seal)
  }

  /** A segment goes on where the one before ended, unless that one was below the checkpoint and is gone. */
  #follows(header: SegmentHeader): boolean {
    const end = this.#end
    if (header.predecessor === end.ordinal) return header.predecessorLength === end.offset
    const named = { ordinal: header.predecessor, offset: header.predecessorLength }
    return named.ordinal > end.ordinal && compareLogPositions(named, this.#checkpoint) <= 0
  }

  addOpen(segment: KnownSegment): void {
    withSegment(this.#context, segment.number, (file, sizeNow) => {
      const size = Math.min(sizeNow, this.#openSizes.get(segment.number) ?? 0)
      const seed = frameSeed(identityOf(this.#context, segment))
      let walk: SegmentWalkResult | undefined
      // Wherever the log has ended: what must be known is no torn tail (F-V19).
      const head = headerBytes(file, size)
      if (size > 0) refuseUnknownSegment(head, segment.number, this.#context.databaseId, seed)
      if (!this.#ended && size > 0) walk = this.#walkOpen(file, segment, seed, size)
      const { number, ordinal } = segment
      this.#open.push({ number, ordinal, size, frames: walk?.frames ?? [] })
      const from = walk?.damage ? walk.damage.offset : walk ? size : 0
      const window = new FileWindow(file, size)
      findFrames(file, seed, from, size, (frame) => {
        refuseUnknownRecords(window, frame, size)
        this.#noteFrame(frame)
      })
      if (size === 0) this.#ended = true
    })
  }

  #walkOpen(
    file: File,
    segment: KnownSegment,
    seed: number,
    size: number,
  ): SegmentWalkResult | undefined {
    let header: SegmentHeader
    try {
      header = readHeader(this.#context, file, segment, size)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      this.#endFile = segment.number
      this.#stop({ ordinal: segment.ordinal, offset: 0 }, error.reason)
      return undefined
    }
    if (!this.#follows(header)) {
      const reason = `log goes on in ${segmentName(segment.number)}, which does not follow it`
      this.#stop(this.#end, reason)
      return undefined
    }
    const walk = walkSegment(file, {
      number: segment.number,
      seed,
      end: size,
      from: SEGMENT_HEADER_BYTES,
      firstSequence: header.firstSequence,
      proveValues: true,
    })
    for (const frame of walk.frames) this.#noteFrame(frame)
    this.#endFile = segment.number
    this.#end = { ordinal: segment.ordinal, offset: walk.validEnd }
    if (walk.nextSequence !== undefined) this.#lastSequence = walk.nextSequence - 1
    if (walk.damage) this.#stop(this.#end, walk.damage.reason)
    return walk
  }

  #stop(end: LogPosition, reason: string): void {
    this.#ended = true
    this.#end = end
    this.#reason = reason
  }

  #noteFrame(frame: FrameSummary): void {
    if (compareLogPositions(frame.durable, this.#provedEnd) > 0) this.#provedEnd = frame.durable
    this.#durableEdit = Math.max(this.#durableEdit, frame.durableEdit)
    this.#highestSequence = Math.max(
      this.#highestSequence,
      frame.firstSequence + frame.recordCount - 1,
    )
  }

  result(): LogSurvey {
    if (compareLogPositions(this.#end, this.#provedEnd) < 0) {
      const { ordinal, offset } = this.#provedEnd
      const isSame = ordinal === this.#end.ordinal
      const place = isSame ? `at ${offset}` : `at ${offset} of file ${ordinal} of the log`
      throw new CorruptionError(
        segmentName(this.#endFile),
        this.#end.offset,
        `${this.#reason ?? 'log ends'} before its proved end, which is ${place}:`,
      )
    }
    return {
      provedEnd: this.#provedEnd,
      end: this.#end,
      endFile: this.#endFile,
      reason: this.#reason,
      open: this.#open,
      lastSequence: this.#lastSequence,
      highestSequence: this.#highestSequence,
      durableEdit: this.#durableEdit,
    }
  }
}

/** Opens a segment of the version for a moment. A missing one is corruption: the version needs it. */
function withSegment(
  context: StoreDirectory,
  number: FileNumber,
  use: (file: File, size: number) => void,
): void {
  const name = segmentName(number)
  let file: File
  try {
    file = context.fileSystem.open(joinPath(context.directory, name), 'read')
  } catch (error) {
    if (isMissing(error)) throw new CorruptionError(name, 0, 'segment is missing', { cause: error })
    throw error
  }
  try {
    use(file, file.stat().size)
  } finally {
    file.close()
  }
}

function identityOf(context: StoreDirectory, segment: KnownSegment): SegmentHeader['identity'] {
  const { number, salt } = segment
  return { kind: 'segment', databaseId: context.databaseId, number, salt }
}

function headerBytes(file: File, size: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(SEGMENT_HEADER_BYTES, size))
  file.read(bytes, 0, bytes.length, 0)
  return bytes
}

function readHeader(
  context: StoreDirectory,
  file: File,
  segment: KnownSegment,
  size: number,
): SegmentHeader {
  const header = readSegmentHeader(headerBytes(file, size), segment.number, context.databaseId)
  if (header.identity.salt !== segment.salt) {
    throw new CorruptionError(segmentName(segment.number), 56, 'segment carries another salt')
  }
  if (header.ordinal !== segment.ordinal) {
    throw new CorruptionError(
      segmentName(segment.number),
      68,
      'segment has another place in the log',
    )
  }
  return header
}
