/** The parts of the log and its ports: shared by log.ts, log-syncer.ts and segment-preparer.ts. */
import type { WiscError } from '../../lib/base/errors.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { StoreDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber, LogOrdinal, Sequence, VersionNumber } from '../../lib/base/ids.ts'
import type { LogPosition } from '../../lib/base/log-position.ts'
import type { Random } from '../../lib/base/random.ts'

export interface SegmentSeal {
  readonly number: FileNumber
  readonly length: number
  readonly lastSequence: Sequence
}

/** A segment that is added to the log, at its end. */
export interface NewSegment {
  readonly number: FileNumber
  readonly salt: number
  readonly ordinal: LogOrdinal
}

/** Where a frame goes. */
export interface FramePlace {
  readonly segment: FileNumber
  readonly offset: number
}

/** What the edit says that ends the log; all bytes of the log are durable. */
export interface LogEnding {
  readonly end: LogPosition
  /** The last segment, if it has a frame. */
  readonly seals: readonly SegmentSeal[]
  /** Segments without a frame. */
  readonly unused: readonly FileNumber[]
}

/** What the log needs of the manifest; every promise resolves when the edit is durable. */
export interface LogEdits {
  allocateFileNumber(): FileNumber
  addSegment(segment: NewSegment): Promise<unknown>
  sealSegment(seal: SegmentSeal, durable: LogPosition): Promise<unknown>
  /** For a segment in which nothing was ever written. */
  dropSegment(number: FileNumber): Promise<unknown>
  /** For a new segment whose edit was refused: its file goes as soon as no crash can bring the edit back. */
  discardSegment(number: FileNumber): void
  /** Number of the last durable edit. */
  readonly durableEdit: VersionNumber
}

/** Who reads the files of segments. */
export interface SegmentReaders {
  /** A segment has a file, which readers may use. */
  adopt(number: FileNumber, file: File): void
  /** The log has no more use for a segment's file: its reader keeps or closes it. */
  release(number: FileNumber): void
}

/** Who is told what has failed, and decides what is tried again when. */
export interface LogHealth {
  /** A sync has failed. Called once. */
  end(error: WiscError): void
  /** An edit could not be written: `retry` tries again. */
  logTroubled(error: WiscError): void
  /** Does what a full disk must not keep from being done: once more, if there is room for it then. */
  withBallast<T>(work: () => Promise<T>): Promise<T>
}

/** An open segment: its end moves, everything else stays. */
export interface OpenSegment extends NewSegment {
  readonly file: File
  readonly seed: number
  /** Bytes written, 0 until the first frame. */
  length: number
  lastSequence: Sequence
}

export interface LogStart extends StoreDirectory {
  readonly random: Random
  readonly edits: LogEdits
  readonly segmentBytes: number
  /** End of the log so far; nothing is appended to the segment that it names. */
  readonly end: LogPosition
  /** Of the next segment. */
  readonly nextOrdinal: LogOrdinal
  /** Sequence of the last record before `end`. */
  readonly lastSequence: Sequence
  readonly readers: SegmentReaders
  readonly health: LogHealth
}

/** @param last segments that are not sealed yet */
export function endingOf(end: LogPosition, last: readonly OpenSegment[]): LogEnding {
  const seals: SegmentSeal[] = []
  const unused: FileNumber[] = []
  for (const { number, length, lastSequence } of last) {
    if (length > 0) seals.push({ number, length, lastSequence })
    else unused.push(number)
  }
  return { end, seals, unused }
}
