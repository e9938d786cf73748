/**
 * What has failed, and what is tried again when. Parts tell of their failures here and ask here before they begin.
 *
 *   a failed sync    the end: nothing is written, synced, edited or unlinked again (I1)
 *   lost ground      the end, too: the directory is not the store's own any more (base/files/ground.ts)
 *   a full disk      the ballast is given up, and puts are refused until there is room for both (full-disk.ts)
 *   no room          a compaction or a step of the collector waits until there is more than it has found
 *   a refused call   no descriptor, no memory, an error of the disk: done again when there is reason
 *   anything else    damage or a bug: background work stands, and writes are refused; of the collector they stop
 *                    nothing else, and it does not come to the same damage again
 *   half a group     the end: what is in the log and in no memtable may not be passed by the next flush (I2)
 *
 * A reason is: somebody asks for it (a flush, a collection, the close), at once; a write that would be refused, ten
 * times a second at most; the room of the ballast; and where nobody asks, a timer that waits twice as long each time.
 * The collector, which gives things back to others, begins anew after a second, and warns of what it fails with. What
 * is done again is whole jobs and edits, which begin anew; never a sync (I1).
 */
import type { EventEmitter } from 'node:events'
import type { Log } from '../../vlog/log/log.ts'
import type { Compactions } from '../background/compactions.ts'
import type { Flushes } from '../background/flushes.ts'
import { isSameKind, mayPass, type WiscError } from '../base/errors.ts'
import type { Collector } from '../collector/collector.ts'
import type { CollectorWork, DiskLack } from '../collector/plan/decide.ts'
import { emitSafely } from '../contract/events.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import type { Refusal } from '../writes/admission.ts'
import type { DiskRoom } from './disk-room.ts'
import { FullDisk } from './full-disk.ts'

/** For refused writes. */
const AGAIN_MS = 100
/** Where nobody asks: from, and to. */
const UNASKED_MS_MIN = 250
const UNASKED_MS_MAX = 16_000
/** What the collector's steps have failed with may pass in so much time. */
const COLLECTOR_RESTS_MS = 1000
/** What has found no room is begun again when there is so much more. */
const MORE_BYTES = 1024 * 1024

/** What health stops, and begins anew. */
export interface Patients {
  readonly versions: VersionSet
  readonly log: Log
  readonly room: DiskRoom
  readonly flushes: Flushes
  readonly compactions: Compactions
  readonly collector: Collector
}

/** Something has found no room. */
interface NoRoom {
  readonly error: WiscError
  /** Begun again when the disk has so much, the ballast's included. */
  readonly wantedBytes: number
}

export class Health {
  readonly #events: EventEmitter
  #patients!: Patients
  #final: WiscError | undefined
  /** What stopped background work ... */
  #stopped: WiscError | undefined
  /** ... and while it is tried again: it stays to be seen until something has succeeded. */
  #former: WiscError | undefined
  #compactionRoom: NoRoom | undefined
  #collectorRoom: NoRoom | undefined
  /** What each kind of the collector's work has failed with, and has not done since. */
  readonly #collectorErrors: Map<CollectorWork, WiscError> = new Map()
  /** The collector begins nothing yet. */
  #collectorRests = false
  #collectorTimer: NodeJS.Timeout | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #unaskedMs = UNASKED_MS_MIN
  #timer: NodeJS.Timeout | undefined
  #closed = false
  /** Whether the disk is full, and what is done about that. */
  #disk!: FullDisk

  constructor(events: EventEmitter) {
    this.#events = events
  }

  /** Requires: called once, before anything can fail. */
  watch(patients: Patients): void {
    this.#patients = patients
    this.#disk = new FullDisk(patients, this)
  }

  /** What has ended all writing for good. */
  get final(): WiscError | undefined {
    return this.#final
  }

  /** The same, if for it nobody may see what is not durable: the page cache may claim what the disk has not. */
  get unproved(): WiscError | undefined {
    return this.#final?.code === 'WISC_SYNC_FAILED' ? this.#final : undefined
  }

  /** Why no flush and no compaction begins now. That a compaction waits for room keeps no flush from it. */
  get stopped(): WiscError | undefined {
    return this.#final ?? this.#stopped
  }

  /** What stopped writes or background work, if anything did. */
  get error(): WiscError | undefined {
    const [collectorError] = this.#collectorErrors.values()
    return this.#final ?? this.#workError ?? this.#disk.error ?? collectorError
  }

  get disk(): FullDisk {
    return this.#disk
  }

  get #workError(): WiscError | undefined {
    return this.#stopped ?? this.#former ?? this.#compactionRoom?.error
  }

  /** Bytes that the disk has for the store, the ballast's included. */
  roomBytes(): number {
    return this.#patients.room.roomBytes()
  }

  #hasRoom(wait: NoRoom | undefined): boolean {
    return wait === undefined || this.roomBytes() >= wait.wantedBytes
  }

  /** A sync has failed, or the ground is lost: nothing is written, synced, edited or unlinked again. */
  end(error: WiscError): void {
    if (this.#final) return
    this.#final = error
    clearTimeout(this.#timer)
    const { collector, versions, log } = this.#patients
    collector.stop(error)
    versions.poison(error)
    log.fail(error)
    this.#tellWaiting()
    this.#emit(error)
  }

  /** @param roomBytes of a compaction: what the disk had when it began */
  workFailed(error: WiscError, roomBytes?: number): void {
    if (error.code === 'WISC_SYNC_FAILED') this.end(error)
    if (this.#final) {
      this.#tellWaiting()
      return
    }
    const before = this.#workError
    if (error.code === 'WISC_DISK_FULL' && roomBytes !== undefined) {
      // A disk that could not be asked then may say any day how much it has.
      const hadBytes = Number.isFinite(roomBytes) ? roomBytes : 0
      this.#compactionRoom = { error, wantedBytes: hadBytes + MORE_BYTES }
    } else this.#stopped = error
    this.#former = undefined
    this.#tellWaiting()
    this.#note(error)
    // Writers may wait for what has failed.
    this.#patients.collector.wake()
    if (before !== undefined && isSameKind(before, error)) return
    this.#unaskedMs = Math.min(this.#unaskedMs, UNASKED_MS_MIN)
    this.#emit(error)
  }

  /** An edit is durable: what had failed before has passed. */
  workDone(): void {
    this.#former = undefined
  }

  /** With nothing left to do, nothing can fail again. */
  workEnded(): void {
    const { flushes, compactions } = this.#patients
    if (!flushes.isRunning && !compactions.isRunning) this.#former = undefined
  }

  /** Why no compaction begins that writes tables, unless the disk has more room than when one found none. */
  noRoomToCompact(): WiscError | undefined {
    return this.#hasRoom(this.#compactionRoom) ? undefined : this.#compactionRoom?.error
  }

  /** A compaction has found room, or none is due. */
  foundRoomToCompact(): void {
    this.#compactionRoom = undefined
  }

  /** Whoever waits for a flush or a compaction asks again whether one will end. */
  #tellWaiting(): void {
    this.#patients.flushes.ended.tell()
    this.#patients.compactions.ended.tell()
  }

  /**
   * Work of the collector has failed. What needs room waits until there is some; after any other failure nothing is
   * begun for a while.
   * @param bytesWanted of the files that it was to write; 0: not even an edit could be written, so nothing else can
   */
  collectionFailed(work: CollectorWork, error: WiscError, bytesWanted: number): void {
    if (error.code === 'WISC_ABORTED' || error.code === 'WISC_NOT_OPEN') return
    if (error.code === 'WISC_SYNC_FAILED') this.end(error)
    if (this.#final) return
    const isFull = error.code === 'WISC_DISK_FULL'
    if (isFull) {
      const ballastBytes = this.#patients.room.ballastBytes
      this.#collectorRoom = { error, wantedBytes: 2 * bytesWanted + MORE_BYTES + ballastBytes }
    }
    // What is stale was chosen by figures that have changed; what stopped background work is told already.
    if (!isFull && error.code !== 'WISC_STALE' && error !== this.#stopped) this.#tell(work, error)
    if (!isFull || bytesWanted === 0) this.#collectorRests = true
    if (this.#closed) return
    this.#collectorTimer ??= setTimeout(() => {
      this.#collectorTimer = undefined
      this.#collectorRests = false
      this.#patients.collector.wake()
    }, COLLECTOR_RESTS_MS).unref()
  }

  /** Once for each kind of work and failure: it may go on for long, and writers pass the bound of space meanwhile. */
  #tell(work: CollectorWork, error: WiscError): void {
    const before = this.#collectorErrors.get(work)
    this.#collectorErrors.set(work, error)
    if (before !== undefined && isSameKind(before, error)) return
    const message = `the collector has failed, and tries again work=${work}: ${error.message}`
    emitSafely(this.#events, 'warning', message)
  }

  /** The collector has done such work: what it had failed with has passed. */
  collectionDone(work: CollectorWork): void {
    this.#collectorErrors.delete(work)
  }

  /** With nothing left to collect, nothing can fail again. */
  collectionEnded(): void {
    this.#collectorErrors.clear()
  }

  /** True if the collector may begin something. */
  get mayCollect(): boolean {
    return !this.#collectorRests
  }

  /** True if the collector may begin what writes new files. */
  hasRoomToCollect(): boolean {
    if (this.#collectorRoom === undefined) return true
    // There was none a moment ago, whatever the disk says: a quota may be full.
    if (this.#collectorTimer || !this.#hasRoom(this.#collectorRoom)) return false
    this.#collectorRoom = undefined
    return true
  }

  /** What a full disk lacks until puts go on. */
  diskLack(): DiskLack | undefined {
    return this.#disk.lack()
  }

  /** An edit of the log could not be written. */
  logTroubled(error: WiscError): void {
    this.#note(error)
  }

  /**
   * A write to the log has failed. It is asked at once whether it can go on; on a full disk not for each write.
   * @returns true if the disk was not known to be full before: there is the room of the ballast now, or soon
   */
  writeFailed(error: WiscError): boolean {
    const isFirst = this.#note(error)
    if (this.#mayTry()) void this.tryNow()
    else if (!this.#disk.error) void this.#patients.log.retry()
    return isFirst
  }

  /** Why writes are refused now, if they are: a reason to try again. Deletes go on on a full disk while it has room. */
  refusal(): Refusal | undefined {
    if (this.#final) return { error: this.#final, sparesDeletes: false }
    if (this.#workError && this.#mayTry()) this.#beginAnew()
    const full = this.#disk.refusal()
    // While it is tried again writes are taken: they wait in memtables, as they do for any flush.
    if (this.#stopped && this.#stopped.code !== 'WISC_DISK_FULL')
      return { error: this.#stopped, sparesDeletes: false }
    return full
  }

  /** A full disk is about to have the room of the ballast: deletes wait for it. */
  get roomToCome(): Promise<void> | undefined {
    return this.#final ? undefined : this.#disk.roomToCome
  }

  /** Does what must be done on a full disk, too. */
  withBallast<T>(work: () => Promise<T>): Promise<T> {
    return this.#disk.withBallast(work)
  }

  /** Somebody asks for what has failed: it is tried again. Resolves when the log has; background work goes on then. */
  async tryNow(): Promise<void> {
    if (this.#final) return
    this.#triedAt = performance.now()
    await this.#patients.log.retry()
    this.#beginAnew()
  }

  /** Nothing is tried again unless somebody asks. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#collectorTimer)
  }

  #mayTry(): boolean {
    return performance.now() - this.#triedAt >= AGAIN_MS
  }

  /** Background work that has failed begins anew, after any error that may pass. */
  #beginAnew(): void {
    this.#triedAt = performance.now()
    if (this.#stopped && mayPass(this.#stopped)) {
      this.#former = this.#stopped
      this.#stopped = undefined
    } else if (!this.#compactionRoom) return
    this.#patients.flushes.wake()
    this.#patients.compactions.wake()
    this.workEnded()
    if (this.#compactionRoom) this.#tryLater()
  }

  /** @returns true if it says that the disk is full, and that was not known before */
  #note(error: WiscError): boolean {
    const isFirst = this.#disk.note(error)
    if (isFirst) {
      // There is the room of the ballast.
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#unaskedMs = 0
    }
    if (mayPass(error)) this.#tryLater()
    return isFirst
  }

  #tryLater(): void {
    if (this.#timer || this.#closed || this.#final) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#unaskedMs = Math.min(UNASKED_MS_MAX, Math.max(UNASKED_MS_MIN, this.#unaskedMs * 2))
      void this.tryNow()
    }, this.#unaskedMs)
    this.#timer.unref()
  }

  #emit(error: WiscError): void {
    if (this.#events.listenerCount('error') > 0) emitSafely(this.#events, 'error', error)
  }
}
