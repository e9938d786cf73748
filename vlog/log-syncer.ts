/**
 * Makes the log durable: one sync at a time, in log order, and the seals that follow.
 *
 * A request names a position. The loop syncs the oldest segment that is not durable to its end, moves
 * `durable` on, answers everyone whose position it has passed, and seals full segments. A sync covers the
 * bytes that were written before it began, so the length is taken before the call (I1).
 */
import { toWiscError, WiscError } from '../lib/base/errors.ts'
import { compareLogPositions, type LogPosition } from '../lib/base/value-pointer.ts'
import type { LogEdits, OpenSegment } from './log.ts'

export interface LogSyncerParts {
  readonly edits: LogEdits
  /** Durable to here at the start. */
  readonly durable: LogPosition
  readonly durableSequence: number
  /** After each sync. */
  readonly synced: () => void
  /** After each seal: there is room for another full segment. */
  readonly sealed: (segment: OpenSegment) => void
  /** Once, when a sync has failed. */
  readonly failed: (error: WiscError) => void
}

interface Waiter {
  readonly position: LogPosition
  readonly resolve: () => void
  readonly reject: (error: WiscError) => void
}

export class LogSyncer {
  readonly #parts: LogSyncerParts
  #durable: LogPosition
  #durableSequence: number
  /** Full segments in log order, until their seals are durable. */
  readonly #full: OpenSegment[] = []
  #active: OpenSegment | undefined
  #waiters: Waiter[] = []
  #running: Promise<void> | undefined
  #failure: WiscError | undefined
  #sealFailure: WiscError | undefined

  constructor(parts: LogSyncerParts) {
    this.#parts = parts
    this.#durable = parts.durable
    this.#durableSequence = parts.durableSequence
  }

  get durable(): LogPosition {
    return this.#durable
  }

  get durableSequence(): number {
    return this.#durableSequence
  }

  get fullSegments(): number {
    return this.#full.length
  }

  /** End of a full segment; 0 if there is none with this number. */
  writtenEnd(segment: number): number {
    return this.#full.find(({ number }) => number === segment)?.length ?? 0
  }

  /** Set for good when a sync has failed. */
  get failure(): WiscError | undefined {
    return this.#failure
  }

  isWaiting(segment: OpenSegment): boolean {
    return this.#full.includes(segment)
  }

  /** Takes over a segment to which nothing will be written any more. */
  addFull(segment: OpenSegment): void {
    if (this.#active === segment) this.#active = undefined
    this.#full.push(segment)
    this.#run()
  }

  /** @param active the segment that is being written now */
  syncTo(position: LogPosition, active: OpenSegment | undefined): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    if (compareLogPositions(position, this.#durable) <= 0) return Promise.resolve()
    this.#active = active
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject })
      this.#run()
    })
  }

  /** Resolves when the seal of this segment is durable. */
  async sealed(segment: OpenSegment): Promise<void> {
    while (this.#full.includes(segment)) {
      this.#run()
      await this.#running
      if (this.#failure) throw this.#failure
      if (this.#sealFailure) throw this.#sealFailure
    }
  }

  /** Tries again to seal what could not be sealed. */
  async retrySeals(): Promise<void> {
    this.#sealFailure = undefined
    await this.finish()
  }

  /** Syncs and seals every full segment. */
  async finish(): Promise<void> {
    for (const segment of [...this.#full]) await this.sealed(segment)
    if (this.#failure) throw this.#failure
  }

  /** Ends without another sync. */
  abandon(): void {
    this.#failure ??= new WiscError('WISC_NOT_OPEN', 'the log is closed')
    this.#rejectAll(this.#failure)
  }

  #run(): void {
    if (this.#running || this.#failure) return
    this.#running = this.#loop().finally(() => {
      this.#running = undefined
      // Work that came while the loop was ending.
      if (!this.#failure && !this.#sealFailure && this.#next()) this.#run()
    })
  }

  /** The oldest segment with something to do. */
  #next(): OpenSegment | undefined {
    if (this.#full.length > 0) return this.#full[0]
    return this.#waiters.length > 0 ? this.#active : undefined
  }

  async #loop(): Promise<void> {
    for (let segment = this.#next(); segment !== undefined; segment = this.#next()) {
      const end = { segment: segment.number, offset: segment.length }
      const lastSequence = segment.lastSequence
      if (compareLogPositions(end, this.#durable) > 0) {
        try {
          await segment.file.dataSyncAsync()
        } catch (error) {
          this.#fail(error)
          return
        }
        if (this.#failure) return
        this.#durable = end
        this.#durableSequence = lastSequence
        this.#answer()
        this.#parts.synced()
      } else this.#answer()
      if (segment === this.#full[0]) {
        if (this.#sealFailure) return
        await this.#seal(segment)
        if (this.#sealFailure || this.#failure) return
      }
    }
  }

  async #seal(segment: OpenSegment): Promise<void> {
    const { number, length, lastSequence } = segment
    try {
      await this.#parts.edits.sealSegment({ number, length, lastSequence }, this.#durable)
    } catch (error) {
      this.#sealFailure = toWiscError(error)
      return
    }
    this.#full.shift()
    this.#parts.sealed(segment)
  }

  #answer(): void {
    const durable = this.#durable
    const rest: Waiter[] = []
    for (const waiter of this.#waiters) {
      if (compareLogPositions(waiter.position, durable) <= 0) waiter.resolve()
      else rest.push(waiter)
    }
    this.#waiters = rest
  }

  #fail(cause: unknown): void {
    if (this.#failure) return
    const message = 'a sync of the log failed: reopen the store'
    this.#failure = new WiscError('WISC_SYNC_FAILED', message, { cause })
    this.#rejectAll(this.#failure)
    this.#parts.failed(this.#failure)
  }

  #rejectAll(error: WiscError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
  }
}
