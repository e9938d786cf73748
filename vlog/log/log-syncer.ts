/**
 * Makes the log durable: one sync at a time, in log order, and the seals that follow.
 *
 *   full, not synced -> (sync) -> full, synced -> (edit) -> sealed
 *   active           -> (sync, when someone waits) -> durable up to where it was when the sync began
 *
 * A request names a position. The loop syncs the oldest segment that is not durable to its end, moves
 * `durable` on and answers everyone whose position it has passed. A sync covers the bytes that were written before
 * it began, so the length is taken before the call (I1). Seals go their own way, in order: a manifest that
 * cannot be written must not keep a sync from being answered.
 */

import { syncFailed, toWiscError, WiscError } from '../../lib/base/errors.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import { compareLogPositions, type LogPosition } from '../../lib/base/log-position.ts'
import { Signal } from '../../lib/base/signal.ts'
import type { LogStart, OpenSegment } from './log-parts.ts'

export class LogSyncer {
  readonly #start: LogStart
  /** Told when another full segment may be added, or none ever. */
  readonly #changed: Signal
  readonly #marker: QuietTimer
  #durable: LogPosition
  #durableSequence: number
  /** Full segments in log order: first those that wait for their seals, then those that wait for their sync. */
  readonly #synced: OpenSegment[] = []
  readonly #unsynced: OpenSegment[] = []
  #active: OpenSegment | undefined
  /** Somebody waits until the log is durable up to here. */
  #wanted: LogPosition
  /** Told when the log is durable further on, failed when it will never be. */
  readonly #moved: Signal = new Signal()
  #syncing = false
  /** What the sync that runs will make durable. */
  #syncingSequence = 0
  #sealing: Promise<void> | undefined
  #failure: WiscError | undefined
  #sealFailure: WiscError | undefined

  /** @param marker is armed after each sync */
  constructor(start: LogStart, changed: Signal, marker: QuietTimer) {
    this.#start = start
    this.#changed = changed
    this.#marker = marker
    this.#durable = start.end
    this.#wanted = start.end
    this.#durableSequence = start.lastSequence
  }

  get durable(): LogPosition {
    return this.#durable
  }

  get durableSequence(): number {
    return this.#durableSequence
  }

  /**
   * True if the log may turn out to end, when the next sync fails, at `older` or later but before `newer`, which is
   * not durable yet. Syncs that have not begun cover whole segments, or all that is written.
   */
  mayEndBetween(older: number, newer: number): boolean {
    const isBetween = (last: number): boolean => last >= older && last < newer
    return (
      isBetween(this.#durableSequence) ||
      isBetween(this.#syncingSequence) ||
      this.#unsynced.some(({ lastSequence }) => isBetween(lastSequence))
    )
  }

  /** Full segments whose seals are not durable. */
  get fullSegments(): number {
    return this.#synced.length + this.#unsynced.length
  }

  /** Set for good when a sync has failed. */
  get failure(): WiscError | undefined {
    return this.#failure
  }

  /** Set while a seal could not be written. */
  get sealFailure(): WiscError | undefined {
    return this.#sealFailure
  }

  /** End of a full segment; 0 if there is none with this number. */
  writtenEnd(segment: SegmentNumber): number {
    const full = [...this.#synced, ...this.#unsynced]
    return full.find(({ number }) => number === segment)?.length ?? 0
  }

  /** Takes over a segment to which nothing will be written any more. */
  addFull(segment: OpenSegment): void {
    if (this.#active === segment) this.#active = undefined
    this.#unsynced.push(segment)
    this.#syncSoon()
  }

  /** @param active the segment that is being written now */
  async syncTo(position: LogPosition, active: OpenSegment | undefined): Promise<void> {
    if (this.#failure) throw this.#failure
    if (compareLogPositions(position, this.#durable) <= 0) return
    this.#active = active
    if (compareLogPositions(position, this.#wanted) > 0) this.#wanted = position
    this.#syncSoon()
    while (compareLogPositions(position, this.#durable) > 0) await this.#moved.next()
  }

  /** Resolves when every segment that is full now is sealed. @throws what keeps it from that */
  async finish(): Promise<void> {
    const last = this.#unsynced.at(-1)
    if (last) await this.syncTo({ ordinal: last.ordinal, offset: last.length }, this.#active)
    while (this.#synced.length > 0) {
      if (this.#failure) throw this.#failure
      if (this.#sealFailure) throw this.#sealFailure
      this.#sealSoon()
      await this.#sealing
    }
    if (this.#failure) throw this.#failure
  }

  /** Tries again to seal what could not be sealed. */
  async retrySeals(): Promise<void> {
    this.#sealFailure = undefined
    await this.finish()
  }

  /** Ends without another sync. */
  abandon(): void {
    this.#failure ??= new WiscError('WISC_NOT_OPEN', 'the log is closed')
    this.#moved.fail(this.#failure)
  }

  /** A sync failed, here or in the manifest: nothing is synced or sealed again. */
  fail(error: WiscError): void {
    if (this.#failure) return
    this.#failure = error
    this.#moved.fail(error)
    this.#start.health.end(error)
    this.#changed.tell()
  }

  /** A failed sync of the manifest or of the directory is as final as one of the log. */
  note(cause: unknown): WiscError {
    const error = toWiscError(cause)
    if (error.code === 'WISC_SYNC_FAILED') this.fail(error)
    return error
  }

  #syncSoon(): void {
    if (this.#syncing || this.#failure) return
    this.#syncing = true
    void this.#syncLoop()
  }

  /** `#syncing` ends in the same tick as the loop: a request that comes right behind must not rely on it. */
  async #syncLoop(): Promise<void> {
    for (;;) {
      const full = this.#unsynced[0]
      const isWanted = compareLogPositions(this.#wanted, this.#durable) > 0
      const segment = full ?? (isWanted ? this.#active : undefined)
      if (segment === undefined || this.#failure) break
      const end = { ordinal: segment.ordinal, offset: segment.length }
      const { lastSequence } = segment
      if (compareLogPositions(end, this.#durable) > 0) {
        this.#syncingSequence = lastSequence
        try {
          await segment.file.dataSyncAsync()
        } catch (cause) {
          this.fail(syncFailed(segment.file.path, cause))
          break
        }
        if (this.#failure) break
        this.#durable = end
        this.#durableSequence = lastSequence
        this.#marker.arm()
      }
      if (full) {
        this.#unsynced.shift()
        this.#synced.push(full)
        this.#sealSoon()
      }
      this.#moved.tell()
    }
    this.#syncing = false
  }

  #sealSoon(): void {
    if (this.#sealing || this.#failure || this.#sealFailure || this.#synced.length === 0) return
    this.#sealing = this.#sealLoop().finally(() => {
      this.#sealing = undefined
      this.#sealSoon()
    })
  }

  async #sealLoop(): Promise<void> {
    for (let segment = this.#synced[0]; segment !== undefined; segment = this.#synced[0]) {
      const { number, length, lastSequence } = segment
      const { edits, health } = this.#start
      const seal = { number, length, lastSequence }
      try {
        await health.withBallast(() => edits.sealSegment(seal, this.#durable))
      } catch (cause) {
        const error = this.note(cause)
        if (this.#failure) return
        this.#sealFailure = error
        health.logTroubled(error)
        this.#changed.tell()
        return
      }
      if (this.#failure) return
      this.#synced.shift()
      this.#start.readers.release(segment.number)
      this.#changed.tell()
    }
  }
}

/** Calls once after a quiet time, however often it is armed meanwhile; never keeps the process alive. */
export class QuietTimer {
  readonly #ms: number
  readonly #call: () => void
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(ms: number, call: () => void) {
    this.#ms = ms
    this.#call = call
  }

  arm(): void {
    if (this.#timer !== undefined || this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#call()
    }, this.#ms)
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
