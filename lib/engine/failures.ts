/**
 * What keeps a store from its work, and what lets it go on.
 *
 *   a failed sync    the end: nothing is written, synced, edited or unlinked again (I1)
 *   lost ground      the end, too: the directory is not the store's own any more (base/ground.ts)
 *   a full disk      puts are refused until there is room again (disk-space.ts)
 *   a refused call   no descriptor, no memory, an error of the disk: done again when there is reason
 *   anything else    damage or a bug: background work stands, and writes are refused
 *
 * A reason is: somebody asks for it (a flush, a collection, the close), at once; a write that would be refused, ten
 * times a second at most; the room of the reserve; and where nobody asks, a timer that waits twice as long each time.
 * What is done again is whole jobs and edits, which begin anew; never a sync (I1).
 */
import type { EventEmitter } from 'node:events'
import type { Log } from '../../vlog/log/log.ts'
import type { Background } from '../background/background.ts'
import { mayPass, type WiscError } from '../base/errors.ts'
import type { Collector } from '../collector/collector.ts'
import { emitSafely } from '../contract/events.ts'
import type { VersionSet } from '../tree/version/version-set.ts'
import type { DiskSpace } from './disk-space.ts'

/** For refused writes. */
const AGAIN_MS = 100
/** Where nobody asks: from, and to. */
const UNASKED_MS_MIN = 250
const UNASKED_MS_MAX = 16_000

export interface FailureParts {
  readonly events: EventEmitter
  readonly versions: VersionSet
  readonly log: Log
  readonly diskSpace: DiskSpace
  readonly background: Background
  readonly collector: Collector
}

export class Failures {
  readonly #parts: FailureParts
  #final: WiscError | undefined
  #triedAt = Number.NEGATIVE_INFINITY
  #unaskedMs = UNASKED_MS_MIN
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(parts: FailureParts) {
    this.#parts = parts
  }

  /** What has ended all writing for good. */
  get final(): WiscError | undefined {
    return this.#final
  }

  /** The same, if for it nobody may see what is not durable: the page cache may claim what the disk has not. */
  get unproved(): WiscError | undefined {
    return this.#final?.code === 'WISC_SYNC_FAILED' ? this.#final : undefined
  }

  /** What stopped writes or background work, if anything did. */
  get error(): WiscError | undefined {
    return this.#final ?? this.#parts.background.error ?? this.#parts.diskSpace.error
  }

  /** A sync has failed, or the ground is lost: nothing is written, synced, edited or unlinked again. */
  end(error: WiscError): void {
    if (this.#final) return
    this.#final = error
    clearTimeout(this.#timer)
    this.#parts.collector.stop(error)
    this.#parts.versions.poison(error)
    this.#parts.log.fail(error)
    this.#emit(error)
  }

  /** @param isNew false: it has failed once more */
  backgroundFailed(error: WiscError, isNew: boolean): void {
    if (error.code === 'WISC_SYNC_FAILED') {
      this.end(error)
      return
    }
    this.#note(error)
    // Writers may wait for what has failed.
    this.#parts.collector.wake()
    if (!isNew) return
    this.#unaskedMs = Math.min(this.#unaskedMs, UNASKED_MS_MIN)
    this.#emit(error)
  }

  /** An edit of the log could not be written. */
  logTroubled(error: WiscError): void {
    this.#note(error)
  }

  /** A write to the log has failed. It is asked at once whether it can go on; on a full disk not for each write. */
  writeFailed(error: WiscError): void {
    this.#note(error)
    if (this.#mayTry()) void this.tryNow()
    else if (!this.#parts.diskSpace.error) void this.#parts.log.retry()
  }

  /** Why a write is refused now, if it is. A refused write is a reason to try again. */
  refusal(deletesOnly: boolean, bytes: number): WiscError | undefined {
    if (this.#final) return this.#final
    const { background, collector, diskSpace } = this.#parts
    if (background.error && this.#mayTry()) this.#tryAgain()
    const full = diskSpace.refusal(deletesOnly) ?? collector.refusal(deletesOnly, bytes)
    if (full) return full
    // While it tries again writes are taken: they wait in memtables, as they do for any flush.
    const { stopped } = background
    return stopped?.code === 'WISC_DISK_FULL' ? undefined : stopped
  }

  /** Somebody asks for what has failed: it is tried again. Resolves when the log has; background work goes on then. */
  async tryNow(): Promise<void> {
    if (this.#final) return
    this.#triedAt = performance.now()
    await this.#parts.log.retry()
    this.#tryAgain()
  }

  /** There is room again on a full disk. @throws what keeps the log from going on */
  async resume(): Promise<void> {
    await this.tryNow()
    if (this.#parts.log.failure) throw this.#parts.log.failure
  }

  /** Nothing is tried again unless somebody asks. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  #mayTry(): boolean {
    return performance.now() - this.#triedAt >= AGAIN_MS
  }

  #note(error: WiscError): void {
    const { diskSpace } = this.#parts
    if (diskSpace.noteFailure(error)) {
      // There is the room of the reserve.
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#unaskedMs = 0
    }
    if (mayPass(error)) this.#tryLater()
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

  #tryAgain(): void {
    this.#triedAt = performance.now()
    this.#parts.background.tryAgain()
  }

  #emit(error: WiscError): void {
    const { events } = this.#parts
    if (events.listenerCount('error') > 0) emitSafely(events, 'error', error)
  }
}
