/**
 * The log as its writer sees it: frames go to the active segment, full segments are sealed behind it.
 *
 *   sealed  sealed | full  full | active | spare
 *                  | at most 7  |        | created ahead, empty
 *
 * The durable order, and what it keeps:
 *   1. A segment's file is created, then its directory entry and the edit that adds it are made durable;
 *      only then a frame goes into it (I1, I4). This happens ahead, for the spare, so rotation waits for nothing.
 *   2. A frame is written whole or it fails: then the segment ends before it, and no later frame is
 *      written anywhere until the edit that says so is durable. Bytes are never truncated away.
 *   3. Syncs run one at a time, in log order: `durable` is a position up to which everything is on disk (I2).
 *   4. A full segment is sealed, in order, by an edit that follows the fdatasync of its last byte.
 *   5. A failed sync is the end: nothing is written, synced or sealed again (`failed`).
 */

import { assert, WiscError } from '../../lib/base/errors.ts'
import type { SegmentNumber, Sequence } from '../../lib/base/ids.ts'
import { compareLogPositions, type LogPosition } from '../../lib/base/log-position.ts'
import { Signal } from '../../lib/base/signal.ts'
import { GROUP_BYTES_MAX, Group } from './group.ts'
import {
  endingOf,
  type FramePlace,
  type LogEnding,
  type LogStart,
  type OpenSegment,
} from './log-parts.ts'
import { LogSyncer, QuietTimer } from './log-syncer.ts'
import { PieceWriter } from './piece-writer.ts'
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts'
import { SegmentPreparer } from './segment-preparer.ts'

/** Full segments that may wait for their seal: with the default sizes as much log as a replay is bounded to. */
const FULL_SEGMENTS_MAX = 7
/** A write slower than this sends the next ones to the thread pool. */
const SLOW_WRITE_MS = 5
/** So many, then the calling thread tries again. */
const POOL_WRITES_AFTER_SLOW = 32
/** Quiet time after a sync before a marker frame records it. */
const MARKER_DELAY_MS = 50

export class Log {
  readonly #start: LogStart
  readonly #syncer: LogSyncer
  readonly #preparer: SegmentPreparer
  #active: OpenSegment | undefined
  /** Ends of the segments before the active one: what its header names. */
  #predecessor: LogPosition
  #recordedDurable: LogPosition
  #poolWriting = false
  #poolWritesLeft = 0
  /** A failed frame's segment is being ended. */
  #ending = false
  #endFailure: WiscError | undefined
  /** An empty segment whose end is not durable yet. */
  #unended: OpenSegment | undefined
  #retrying: Promise<void> | undefined
  #closed = false
  readonly #markerTimer: QuietTimer = new QuietTimer(MARKER_DELAY_MS, () => this.#writeMarker())
  readonly #marker: Group = new Group()
  readonly #pieces: PieceWriter = new PieceWriter()
  /** Told when `place` may have another answer. */
  readonly changed: Signal = new Signal()
  #bytesWritten = 0
  #lastSequence: Sequence

  /** A log that goes on behind `start.end`, once it has begun. */
  constructor(start: LogStart) {
    this.#start = start
    this.#predecessor = start.end
    this.#recordedDurable = start.end
    this.#lastSequence = start.lastSequence
    this.#syncer = new LogSyncer(start, this.changed, this.#markerTimer)
    this.#preparer = new SegmentPreparer(start, this.changed, this.#syncer)
  }

  /** Prepares the first segment: frames can be written when this has resolved. @throws why it cannot */
  async begin(): Promise<void> {
    await this.#preparer.ready()
    this.#active = this.#takeSegment()
  }

  /** End of the last frame. */
  get end(): LogPosition {
    const active = this.#active
    if (!active || active.length === 0) return this.#predecessor
    return { ordinal: active.ordinal, offset: active.length }
  }

  /** End of the frames of a segment that is not sealed yet; 0 if it has none. */
  writtenEnd(segment: SegmentNumber): number {
    if (this.#active?.number === segment) return this.#active.length
    return this.#syncer.writtenEnd(segment)
  }

  /** Up to here, and to this sequence, everything is on disk. */
  get durable(): LogPosition {
    return this.#syncer.durable
  }

  get durableSequence(): number {
    return this.#syncer.durableSequence
  }

  /** After a failed sync the log may end at `older` or later, but before `newer`: readers see what is up to there. */
  mayEndBetween(older: number, newer: number): boolean {
    return this.#syncer.mayEndBetween(older, newer)
  }

  /** Full segments are being synced and sealed. One whose seal has failed waits, and nobody should wait for it. */
  get isSealing(): boolean {
    return this.#syncer.fullSegments > 0 && this.failure === undefined
  }

  /** A frame has failed, and the end before it is not durable: a crash may bring the frame back. */
  get isEnding(): boolean {
    return this.#ending
  }

  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /**
   * Finds the place of a frame, rotating to the next segment if it does not fit in this one.
   * @returns the place of the frame, or undefined: wait until it has `changed`, then ask again
   */
  place(frameBytes: number): FramePlace | undefined {
    if (this.#poolWriting || this.#ending || this.#syncer.failure) return undefined
    const active = this.#active
    if (active && (active.length === 0 || active.length + frameBytes <= this.#start.segmentBytes)) {
      return { segment: active.number, offset: active.length || SEGMENT_HEADER_BYTES }
    }
    if (!this.#rotate()) return undefined
    return { segment: this.#active!.number, offset: SEGMENT_HEADER_BYTES }
  }

  /** The active segment is full: the spare one takes its place. @returns false: not now */
  #rotate(): boolean {
    if (this.#syncer.fullSegments >= FULL_SEGMENTS_MAX) return false
    const next = this.#takeSegment()
    if (!next) return false
    if (this.#active) this.#retire(this.#active)
    this.#active = next
    return true
  }

  /** Ends the active segment, if it holds anything; resolves when all but the new one are sealed. */
  async seal(): Promise<void> {
    await this.retry()
    for (;;) {
      const failure = this.takeFailure()
      if (failure) throw failure
      if (this.#closed) throw new WiscError('WISC_NOT_OPEN', 'the store is closed')
      const busy = this.#poolWriting || this.#ending
      if (!busy && (!this.#active?.length || this.#rotate())) return this.#syncer.finish()
      await this.changed.next()
    }
  }

  #takeSegment(): OpenSegment | undefined {
    const segment = this.#preparer.take()
    if (segment) segment.lastSequence = this.#lastSequence
    return segment
  }

  /** True if a frame of this size would start a new segment: a good moment to freeze the memtable. */
  wouldRotate(frameBytes: number): boolean {
    const length = this.#active?.length ?? 0
    return length > 0 && length + frameBytes > this.#start.segmentBytes
  }

  /**
   * Writes the frame of a group at the place that `place` gave.
   * @returns undefined when it is written, a promise when the thread pool writes it
   * @throws (or rejects with) IoError or ChangedValueError; then nothing of the group will ever be seen
   */
  write(group: Group): Promise<void> | undefined {
    const active = this.#active
    assert(active !== undefined && !this.#poolWriting, 'a frame has its place')
    const isFirst = active.length === 0
    const header = isFirst ? this.#headerOf(active, group.firstSequence) : undefined
    const offset = active.length || SEGMENT_HEADER_BYTES
    const durable = this.#syncer.durable
    const edit = this.#start.edits.durableEdit
    const sources = group.finish(active.seed, offset, durable, edit, header)
    const position = header ? 0 : offset
    const end = offset + group.frameBytes
    if (group.frameBytes > GROUP_BYTES_MAX || this.#poolWritesLeft > 0) {
      return this.#writeInPool(active, group, sources, position, end, durable)
    }
    const before = performance.now()
    try {
      if (sources.length === 1) active.file.write(sources[0]!, 0, sources[0]!.length, position)
      else active.file.writev(sources, position)
    } catch (error) {
      this.#endBeforeFailure(active)
      throw error
    }
    if (performance.now() - before > SLOW_WRITE_MS) this.#poolWritesLeft = POOL_WRITES_AFTER_SLOW
    this.#written(active, group, end, end - position, durable)
    return undefined
  }

  async #writeInPool(
    active: OpenSegment,
    group: Group,
    sources: readonly Uint8Array[],
    position: number,
    end: number,
    durable: LogPosition,
  ): Promise<void> {
    this.#poolWriting = true
    const before = performance.now()
    try {
      await this.#pieces.write(active.file, sources, group.borrowed, position)
      const slow = performance.now() - before > SLOW_WRITE_MS
      if (group.frameBytes <= GROUP_BYTES_MAX) {
        this.#poolWritesLeft = slow ? POOL_WRITES_AFTER_SLOW : this.#poolWritesLeft - 1
      }
      this.#written(active, group, end, end - position, durable)
    } catch (error) {
      this.#endBeforeFailure(active)
      throw error
    } finally {
      this.#poolWriting = false
      this.changed.tell()
    }
  }

  #written(
    active: OpenSegment,
    group: Group,
    end: number,
    bytes: number,
    durable: LogPosition,
  ): void {
    active.length = end
    active.lastSequence = group.firstSequence + group.records - 1
    this.#lastSequence = active.lastSequence
    this.#recordedDurable = durable
    this.#bytesWritten += bytes
  }

  #headerOf({ number, salt, ordinal }: OpenSegment, firstSequence: Sequence): SegmentHeader {
    const identity = { kind: 'segment' as const, databaseId: this.#start.databaseId, number, salt }
    const { ordinal: predecessor, offset: predecessorLength } = this.#predecessor
    return { identity, ordinal, predecessor, predecessorLength, firstSequence }
  }

  /** Resolves when everything that is written now is durable. */
  sync(): Promise<void> {
    return this.syncTo(this.end)
  }

  /** Resolves when the log is durable up to `position`. @throws WISC_SYNC_FAILED */
  syncTo(position: LogPosition): Promise<void> {
    return this.#syncer.syncTo(position, this.#active)
  }

  /** Passes a full (or ended) segment on to be synced and sealed. */
  #retire(segment: OpenSegment): void {
    this.#predecessor = { ordinal: segment.ordinal, offset: segment.length }
    this.#syncer.addFull(segment)
  }

  /**
   * A frame failed, perhaps in part: its segment ends before it. Nothing else is written until that
   * end is durable, or a crash now could find a later frame behind bytes that never were one.
   */
  #endBeforeFailure(segment: OpenSegment): void {
    this.#ending = true
    this.#active = undefined
    void this.#endSegment(segment)
  }

  async #endSegment(segment: OpenSegment): Promise<void> {
    if (segment.length > 0) this.#retire(segment)
    else this.#unended = segment
    try {
      if (segment.length > 0) await this.#syncer.finish()
      await this.#dropUnended()
      await this.#preparer.ready()
      this.#ending = false
    } catch (error) {
      // Why: without a durable end no frame may follow. The store decides when to try again.
      this.#endFailure = this.#syncer.note(error)
    }
    this.changed.tell()
  }

  /** Once: what fails behind it is tried again without it. */
  async #dropUnended(): Promise<void> {
    const segment = this.#unended
    if (segment === undefined) return
    const { edits, health } = this.#start
    await health.withBallast(() => edits.dropSegment(segment.number))
    this.#start.readers.release(segment.number)
    this.#unended = undefined
  }

  /** A sync failed elsewhere: nothing is synced or sealed again. */
  fail(error: WiscError): void {
    this.#syncer.fail(error)
  }

  /** What keeps the log from taking frames until `retry`, if anything. */
  get failure(): WiscError | undefined {
    return this.#syncer.failure ?? this.#endFailure ?? this.#syncer.sealFailure
  }

  /** Tries again what an edit could not be written for, for example when there is space again. */
  async retry(): Promise<void> {
    if (this.#syncer.failure) return
    // That a segment could not be made may be long past, and nobody may have heard of it.
    if (!this.#closed) this.#preparer.soon()
    if (!this.#endFailure && !this.#syncer.sealFailure) return
    this.#retrying ??= this.#retry()
    await this.#retrying
  }

  async #retry(): Promise<void> {
    try {
      await this.#syncer.retrySeals()
      if (this.#endFailure) {
        await this.#dropUnended()
        await this.#preparer.ready()
        this.#endFailure = undefined
        this.#ending = false
      }
    } catch (error) {
      if (this.#endFailure) this.#endFailure = this.#syncer.note(error)
    }
    this.#retrying = undefined
    this.changed.tell()
  }

  /** Why `place` finds no place, if it has failed. That there is no next segment is told once, then tried again. */
  takeFailure(): WiscError | undefined {
    const unprepared = this.#preparer.takeFailure()
    return this.failure ?? unprepared
  }

  /** An empty frame that records how far the log is durable, if no later frame has. It causes no sync itself. */
  #writeMarker(): void {
    const active = this.#active
    const busy = this.#poolWriting || this.#ending || this.#closed || this.failure !== undefined
    if (!active || active.length === 0 || busy) return
    if (compareLogPositions(this.#syncer.durable, this.#recordedDurable) <= 0) return
    this.#marker.begin(this.#lastSequence + 1, 0)
    // One that fails loses nothing, but its segment ends, and the next write tells of that.
    const failed = (error: unknown): unknown => error
    try {
      this.write(this.#marker)?.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /**
   * Syncs everything and seals all but the last segment, then asks for one edit that ends the log: whoever closes the
   * store has more to say in it. The log takes no more frames.
   */
  async close(endLog: (ending: LogEnding) => Promise<unknown>): Promise<void> {
    this.#closed = true
    this.#markerTimer.stop()
    // What a failed frame has begun comes to its end first, well or not.
    while (this.#poolWriting || (this.#ending && !this.#endFailure)) await this.changed.next()
    await this.retry()
    const { end } = this
    // In one whose first frame has failed, and whose end could not be written, nothing was written that counts.
    const spare = await this.#preparer.close()
    const last = [spare, this.#unended, this.#active].filter((one) => one !== undefined)
    await this.#syncer.syncTo(end, this.#active)
    await this.#syncer.finish()
    this.#predecessor = end
    this.#active = undefined
    this.#unended = undefined
    await endLog(endingOf(end, last))
    for (const { number } of last) this.#start.readers.release(number)
  }

  /**
   * Gives up without another write: after a failed sync, or when there is no room to close in order.
   * The files stay with their readers.
   */
  abandon(): Promise<void> {
    this.#closed = true
    this.#markerTimer.stop()
    this.#syncer.abandon()
    this.changed.tell()
    return this.#preparer.abandon()
  }
}
