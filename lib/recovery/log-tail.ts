/**
 * The end of a log that somebody else writes: its records go into memtables, from the checkpoint on, as they come.
 *
 *   in tables  | in tables, too | in memtables         | being written     | not yet
 *   -----------+----------------+----------------------+-------------------+---------
 *              start            checkpoint             end
 *
 * The checkpoint moves on when the writer has flushed; memtables that lie below it are given up.
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
import { SegmentWalk } from '../../vlog/log/segment-walk.ts'
import { CorruptionError } from '../base/errors.ts'
import { joinPath, segmentName } from '../base/files/file-names.ts'
import type { File } from '../base/files/file-system.ts'
import { frameSeed } from '../base/files/frame.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../base/log-position.ts'
import type { Memtables } from '../state/memtables.ts'
import { isOpen, logFiles, type Version } from '../tree/version/version.ts'
import type { LogFile } from '../tree/version/version-edit.ts'
import { MissingStreamError, type ReplayTarget, replayFrame } from './replay.ts'

export class LogTail {
  readonly #context: StoreDirectory
  readonly #target: ReplayTarget
  #end: LogPosition
  /** The file in which it ends, if it has taken a frame. */
  #file: Pick<LogFile, 'number' | 'salt'> | undefined
  /** Of the record that comes next in that file. */
  #nextSequence: Sequence | undefined
  #lastSequence: Sequence
  #records = 0
  /** Where the frames end of files that are not sealed: of that with the checkpoint, and of those behind it. */
  readonly #ends: Map<FileNumber, number> = new Map()

  /** Begins at the checkpoint of a version. @param target its memtables are empty */
  constructor(context: StoreDirectory, version: Version, target: ReplayTarget) {
    this.#context = context
    // Where a frame is inserted in part, and waits for its rest, its end before that is still read at.
    const isEndBetween = (older: Sequence, newer: Sequence): boolean =>
      older <= this.#lastSequence && this.#lastSequence < newer
    const isAnyBetween = (older: Sequence, newer: Sequence): boolean =>
      isEndBetween(older, newer) || target.held?.isAnyBetween(older, newer) === true
    this.#target = { ...target, held: { isAnyBetween } }
    const { ordinal, offset } = version.checkpoint
    this.#end = version.checkpoint
    this.#lastSequence = version.lastSequence
    const file = version.files.get(version.log.get(ordinal) ?? 0)
    if (file !== undefined && isOpen(file)) this.#ends.set(file.number, offset)
  }

  get memtables(): Memtables {
    return this.#target.memtables
  }

  /** Of the last whole frame that was taken; at least that of the version which it began with. */
  get lastSequence(): Sequence {
    return this.#lastSequence
  }

  /** How many were taken. */
  get records(): number {
    return this.#records
  }

  /** Where the frames of a file end that is not sealed, as far as they were taken; 0 if none are known. */
  writtenEnd(segment: SegmentNumber): number {
    return this.#ends.get(segment as FileNumber) ?? 0
  }

  /**
   * True if what it has taken is a part of the log of a version; else its sequences may be those of other writes.
   * @param isSameWriter nothing was recovered since: a file that is gone was collected, with all that was taken of it
   */
  isOn(version: Version, isSameWriter: boolean): boolean {
    // Nothing was taken yet.
    if (this.#file === undefined) return true
    const file = version.files.get(this.#file.number)
    if (file === undefined) return isSameWriter && !this.#isBehind(version.checkpoint)
    if (file.role !== 'log' || file.salt !== this.#file.salt) return false
    return file.seal === undefined || file.seal.length >= this.#end.offset
  }

  /**
   * True if memtables have what lies behind a checkpoint. False if that has come to their end, too: those that begin
   * there have nothing to leave out.
   */
  hasBehind(checkpoint: LogPosition): boolean {
    const beyond = compareLogPositions(checkpoint, this.memtables.start)
    return beyond === 0 || (beyond > 0 && this.#isBehind(checkpoint))
  }

  /** True if it has taken something behind a checkpoint. */
  #isBehind(checkpoint: LogPosition): boolean {
    return compareLogPositions(checkpoint, this.#end) < 0
  }

  /**
   * The last sequence below the checkpoint of a version that it has records behind: the frame that begins there knows.
   * @throws CorruptionError, IoError: the file may be gone
   */
  flushedSequence(version: Version): Sequence {
    const { checkpoint } = version
    for (const file of logFiles(version, checkpoint.ordinal)) {
      const from = file.ordinal === checkpoint.ordinal ? checkpoint.offset : 0
      const next = this.#firstSequence(file, Math.max(from, SEGMENT_HEADER_BYTES))
      if (next !== undefined) return next - 1
    }
    const name = segmentName(version.log.get(checkpoint.ordinal) ?? 0)
    throw new CorruptionError(name, checkpoint.offset, 'no frame begins at the checkpoint')
  }

  /**
   * Takes what has been written. Yields between frames.
   * @param version whose manifest was read before: what that says has been written lies in the log
   * @throws CorruptionError, IoError: what a version needs is missing or damaged; it may be too old
   */
  *advance(version: Version): Generator<void, void> {
    for (const number of this.#ends.keys()) {
      const file = version.files.get(number)
      if (file === undefined || !isOpen(file)) this.#ends.delete(number)
    }
    while (yield* this.#takeMore(version));
    const { checkpoint, durable } = version
    const known = compareLogPositions(checkpoint, durable) > 0 ? checkpoint : durable
    if (compareLogPositions(known, this.#end) <= 0) {
      this.#lastSequence = Math.max(this.#lastSequence, version.lastSequence)
      return
    }
    const name = segmentName(this.#file?.number ?? version.log.get(this.#end.ordinal) ?? 0)
    throw new CorruptionError(name, this.#end.offset, 'log ends before its proved end')
  }

  /** To the end of the file at hand, and to that of the next one. @returns false if there was nothing */
  *#takeMore(version: Version): Generator<void, boolean> {
    const { ordinal } = this.#end
    let [own, next] = logFiles(version, ordinal)
    if (own && own.ordinal > ordinal) [own, next] = [undefined, own]
    if (own) {
      const from = Math.max(this.#end.offset, SEGMENT_HEADER_BYTES)
      const sequence = own.number === this.#file?.number ? this.#nextSequence : undefined
      if (yield* this.#take(version, own, from, sequence)) return true
    }
    const header = next && this.#headerOf(next)
    if (!next || !header) return false
    const { offset } = this.#end
    if (header.predecessor !== ordinal || header.predecessorLength < offset) return false
    if (header.predecessorLength === offset)
      return yield* this.#take(version, next, SEGMENT_HEADER_BYTES, header.firstSequence)
    // More of the file at hand was written before the next one was begun, and after it had been looked at.
    if (!own) return false
    return yield* this.#take(
      version,
      own,
      Math.max(offset, SEGMENT_HEADER_BYTES),
      this.#nextSequence,
    )
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
    logFile: LogFile,
    from: number,
    firstSequence: Sequence | undefined,
  ): Generator<void, boolean> {
    const { number, ordinal, seal } = logFile
    const { fileSystem, directory } = this.#context
    const path = joinPath(directory, segmentName(number))
    const end = seal?.length ?? fileSystem.statPath(path)?.size ?? 0
    if (end <= from) return false
    const file = fileSystem.open(path, 'read')
    let walk: SegmentWalk | undefined
    try {
      walk = this.#walk(file, logFile, from, end, firstSequence)
      for (let frame = walk.next(); frame !== undefined; frame = walk.next()) {
        const place = { number, ordinal }
        yield* replayFrame(this.#context, version, walk, frame, place, this.#target)
        this.#records += frame.recordCount
        this.#noteTaken(logFile, walk.validEnd, walk.nextSequence!)
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

  /** Of the frame that begins at `from`; undefined if the frames of the file end there. @throws CorruptionError */
  #firstSequence(logFile: LogFile, from: number): Sequence | undefined {
    const { fileSystem, directory } = this.#context
    const name = segmentName(logFile.number)
    const file = fileSystem.open(joinPath(directory, name), 'read')
    let walk: SegmentWalk | undefined
    try {
      const end = logFile.seal?.length ?? file.stat().size
      walk = this.#walk(file, logFile, from, end, undefined)
      const frame = walk.enter()
      const { damage } = walk
      // Where it is not sealed the frame is not whole yet.
      if (damage && logFile.seal) throw new CorruptionError(name, damage.offset, damage.reason)
      return frame?.firstSequence
    } finally {
      walk?.close()
      file.close()
    }
  }

  #walk(
    file: File,
    { number, salt }: LogFile,
    from: number,
    end: number,
    firstSequence: Sequence | undefined,
  ): SegmentWalk {
    const { databaseId } = this.#context
    const seed = frameSeed({ kind: 'segment', databaseId, number, salt })
    return new SegmentWalk(file, { number, seed, end, from, firstSequence, proveValues: true })
  }

  #noteTaken(file: LogFile, offset: number, nextSequence: Sequence): void {
    this.#file = file
    this.#end = { ordinal: file.ordinal, offset }
    if (file.seal === undefined) this.#ends.set(file.number, offset)
    this.#nextSequence = nextSequence
    this.#lastSequence = Math.max(this.#lastSequence, nextSequence - 1)
  }
}
