/**
 * The end of a log that somebody else writes: its records go into memtables, from the checkpoint on, as they come.
 *
 *   in tables      | in memtables             | being written     | not yet
 *   ---------------+--------------------------+-------------------+---------
 *                  checkpoint                 end
 *
 * Bytes of a file that is open count when they make whole frames that are proved; what is not whole is not yet there,
 * whatever it looks like: a frame that is being written, one that failed, or a torn tail. A file of the log goes on
 * behind the last whole frame of the one before, as its header says. So what has been taken is a prefix of the log
 * (I2), whether it is durable or not; a store that lost its end is noticed by what the version says then (`isOn`).
 */
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../vlog/log/segment-header.ts'
import { FIRST_FRAME_OFFSET, SegmentWalk } from '../../vlog/log/segment-walk.ts'
import { CorruptionError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import { frameSeed } from '../base/files/frame.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../base/log-position.ts'
import { logFiles, type Version } from '../tree/version/version.ts'
import type { LogFile } from '../tree/version/version-edit.ts'
import { MissingStreamError, type ReplayTarget, replayFrame } from './replay.ts'

export class LogTail {
  readonly #context: StoreDirectory
  readonly #target: ReplayTarget
  readonly #checkpoint: LogPosition
  #end: LogPosition
  /** The file in which it ends, if it has taken a frame. */
  #file: FileNumber | undefined
  /** Of the record that comes next in that file. */
  #nextSequence: Sequence | undefined
  #lastSequence: Sequence
  #records = 0
  /** Where the frames end of files from which it has taken some. */
  readonly #ends: Map<SegmentNumber, number> = new Map()

  /** Begins at the checkpoint of a version. @param target its memtables are empty */
  constructor(context: StoreDirectory, version: Version, target: ReplayTarget) {
    this.#context = context
    // Where a frame is inserted in part, and waits for its rest, its end before that is still read at.
    const isEndBetween = (older: Sequence, newer: Sequence): boolean =>
      older <= this.#lastSequence && this.#lastSequence < newer
    const isAnyBetween = (older: Sequence, newer: Sequence): boolean =>
      isEndBetween(older, newer) || target.held?.isAnyBetween(older, newer) === true
    this.#target = { ...target, held: { isAnyBetween } }
    this.#checkpoint = version.checkpoint
    this.#end = version.checkpoint
    this.#lastSequence = version.lastSequence
  }

  /** Everything up to here is in tables or memtables. */
  get end(): LogPosition {
    return this.#end
  }

  /** Of the last whole frame that was taken; at least that of the version which it began with. */
  get lastSequence(): Sequence {
    return this.#lastSequence
  }

  /** How many were taken. */
  get records(): number {
    return this.#records
  }

  /** Where the frames of a file end that is not sealed; 0 if none were taken from it. */
  writtenEnd(segment: SegmentNumber): number {
    return this.#ends.get(segment) ?? 0
  }

  /** It is a part of the log of another version, too, and begins at its checkpoint: it may go on with that. */
  isOn(version: Version): boolean {
    if (compareLogPositions(version.checkpoint, this.#checkpoint) !== 0) return false
    // Nothing was taken yet.
    if (this.#file === undefined) return true
    const file = version.files.get(this.#file)
    if (file?.role !== 'log') return false
    return file.seal === undefined || file.seal.length >= this.#end.offset
  }

  /**
   * Takes what has been written. Yields between frames.
   * @param version whose manifest was read before: what that says has been written lies in the log
   * @throws CorruptionError, IoError: what a version needs is missing or damaged; it may be too old
   */
  *advance(version: Version): Generator<void, void> {
    while (yield* this.#takeMore(version));
    const { checkpoint, durable } = version
    const known = compareLogPositions(checkpoint, durable) > 0 ? checkpoint : durable
    if (compareLogPositions(known, this.#end) <= 0) return
    const name = segmentName(this.#file ?? version.log.get(this.#end.ordinal) ?? 0)
    throw new CorruptionError(name, this.#end.offset, 'log ends before its proved end')
  }

  /** To the end of the file at hand, and to that of the next one. @returns false if there was nothing */
  *#takeMore(version: Version): Generator<void, boolean> {
    const { ordinal } = this.#end
    let [own, next] = logFiles(version, ordinal)
    if (own && own.ordinal > ordinal) [own, next] = [undefined, own]
    if (own) {
      const from = Math.max(this.#end.offset, FIRST_FRAME_OFFSET)
      const sequence = own.number === this.#file ? this.#nextSequence : undefined
      if (yield* this.#take(version, own, from, sequence)) return true
    }
    const header = next && this.#headerOf(next)
    if (!next || !header) return false
    if (this.#isFollowedBy(header)) {
      return yield* this.#take(version, next, FIRST_FRAME_OFFSET, header.firstSequence)
    }
    // More of the file at hand was written before the next one was begun, and after it had been looked at.
    const { offset } = this.#end
    if (!own || header.predecessor !== ordinal || header.predecessorLength <= offset) return false
    return yield* this.#take(version, own, Math.max(offset, FIRST_FRAME_OFFSET), this.#nextSequence)
  }

  /** As in a survey: behind the end, or behind what lay below the checkpoint and is gone. */
  #isFollowedBy({ predecessor, predecessorLength }: SegmentHeader): boolean {
    const named = { ordinal: predecessor, offset: predecessorLength }
    if (compareLogPositions(named, this.#end) === 0) return true
    return predecessor > this.#end.ordinal && compareLogPositions(named, this.#checkpoint) <= 0
  }

  /** @returns undefined if it is not whole yet @throws CorruptionError if it is sealed, and damaged */
  #headerOf(next: LogFile): SegmentHeader | undefined {
    const { number, seal } = next
    const { fileSystem, directory } = this.#context
    const path = joinPath(directory, segmentName(number))
    if (!seal && (fileSystem.statPath(path)?.size ?? 0) <= SEGMENT_HEADER_BYTES) return undefined
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
    const file = fileSystem.open(path, 'read')
    try {
      file.read(bytes, 0, bytes.length, 0)
    } finally {
      file.close()
    }
    try {
      const header = readSegmentHeader(bytes, number, this.#context.databaseId)
      const isMeant = header.identity.salt === next.salt && header.ordinal === next.ordinal
      if (isMeant) return header
      throw new CorruptionError(segmentName(number), 56, 'segment is not the one that is meant')
    } catch (error) {
      if (seal || !(error instanceof CorruptionError)) throw error
      return undefined
    }
  }

  /** Takes the frames of a file from a place on. @returns false if there are none */
  *#take(
    version: Version,
    { number, ordinal, salt, seal }: LogFile,
    from: number,
    firstSequence: Sequence | undefined,
  ): Generator<void, boolean> {
    const { fileSystem, directory, databaseId } = this.#context
    const path = joinPath(directory, segmentName(number))
    const end = seal?.length ?? fileSystem.statPath(path)?.size ?? 0
    if (end <= from) return false
    const seed = frameSeed({ kind: 'segment', databaseId, number, salt })
    const file = fileSystem.open(path, 'read')
    let walk: SegmentWalk | undefined
    try {
      walk = new SegmentWalk(file, { number, seed, end, from, firstSequence, proveValues: true })
      for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
        const place = { number, ordinal }
        yield* replayFrame(this.#context, version, walk, frame, place, this.#target)
        this.#records += frame.recordCount
        this.#noteTaken(number, { ordinal, offset: walk.validEnd }, walk.nextSequence!)
        yield
      }
      const { damage } = walk
      if (damage && seal)
        throw new CorruptionError(segmentName(number), damage.offset, damage.reason)
      return walk.validEnd > from
    } catch (error) {
      // The edit that adds the stream was made after this version: with the next one the log goes on here.
      if (!(error instanceof MissingStreamError)) throw error
      return false
    } finally {
      walk?.close()
      file.close()
    }
  }

  #noteTaken(number: FileNumber, end: LogPosition, nextSequence: Sequence): void {
    this.#file = number
    this.#end = end
    this.#ends.set(number, end.offset)
    this.#nextSequence = nextSequence
    this.#lastSequence = Math.max(this.#lastSequence, nextSequence - 1)
  }
}
