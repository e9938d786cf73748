/**
 * When the collector looks: soon after something has changed, after each sixteenth of a segment that was written, when
 * writes have ceased, and again and again while a writer waits. After a long look it rests, so that looks take a part
 * of the thread at most. An idle store is looked at no more.
 */

import type { Log } from '../../../vlog/log/log.ts'
import { wallTime } from '../../base/clock.ts'
import { TIMER_MS_MAX } from '../../contract/options.ts'

/** A look follows each such part of a segment that was written. */
const LOOK_SHARE = 1 / 16
/** Looks take at most about this share of the thread. */
const LOOK_TIME_SHARE = 1 / 5
/** A shorter one is followed by the next at once. */
const LONG_LOOK_MS = 4
/** Quiet time after writes before the last look. */
const QUIET_MS = 300
/** What expires one after the other is looked at together. */
const EXPIRY_MS = 1000
/** While a writer waits. */
const AGAIN_MS = 100

export interface Looker {
  /** False: it would do nothing about what it sees. */
  readonly isActive: boolean
  /** @param isQuiet no write has come for a while */
  look(isQuiet: boolean): void
}

/** Snapshots and iterators, as far as their moments go. */
interface AwaitedReaders {
  readonly oldestMoment: number
  awaited: number
}

export class LookTimes {
  readonly #looker: Looker
  readonly #log: Pick<Log, 'bytesWritten'>
  readonly #readers: AwaitedReaders
  readonly #lookBytes: number
  #isScheduled = false
  /** What was written when the last look began. */
  #seenBytes = 0
  /** When the next one may be. */
  #nextAt = 0
  #quietTimer: NodeJS.Timeout | undefined
  #againTimer: NodeJS.Timeout | undefined
  #restTimer: NodeJS.Timeout | undefined
  #expiryTimer: NodeJS.Timeout | undefined

  constructor(
    looker: Looker,
    log: Pick<Log, 'bytesWritten'>,
    readers: AwaitedReaders,
    segmentBytes: number,
  ) {
    this.#looker = looker
    this.#log = log
    this.#readers = readers
    this.#lookBytes = segmentBytes * LOOK_SHARE
  }

  /** A group is going to be written. */
  writing(): void {
    const { bytesWritten } = this.#log
    if (bytesWritten - this.#seenBytes >= this.#lookBytes) this.soon()
    this.#quietTimer ??= setTimeout(() => this.#afterQuiet(bytesWritten), QUIET_MS).unref()
  }

  #afterQuiet(written: number): void {
    this.#quietTimer = undefined
    const { bytesWritten } = this.#log
    if (bytesWritten === written) this.#looker.look(true)
    else this.#quietTimer = setTimeout(() => this.#afterQuiet(bytesWritten), QUIET_MS).unref()
  }

  /** Something has changed. */
  soon(): void {
    if (this.#isScheduled || !this.#looker.isActive) return
    this.#isScheduled = true
    const restMs = this.#nextAt - performance.now()
    // Not unref'd: a writer may wait for this look.
    if (restMs > 0) this.#restTimer = setTimeout(() => this.#look(), restMs)
    else setImmediate(() => this.#look())
  }

  /** Somebody waits, who must not depend on somebody else's event, nor on what else keeps the process alive. */
  again(): void {
    this.#againTimer ??= setTimeout(() => {
      this.#againTimer = undefined
      this.soon()
    }, AGAIN_MS)
  }

  /**
   * At a moment, in milliseconds since 1970, something will have expired for all readers: an idle store is looked at
   * then, too. Where it has for everybody but a snapshot or an iterator, that is when this one ends.
   */
  at(moment: number): void {
    clearTimeout(this.#expiryTimer)
    const isSeen = moment <= wallTime() && this.#readers.oldestMoment < moment
    this.#readers.awaited = isSeen ? moment : Number.POSITIVE_INFINITY
    if (isSeen || moment === Number.POSITIVE_INFINITY) return
    const ms = Math.min(Math.max(EXPIRY_MS, moment - wallTime()), TIMER_MS_MAX)
    this.#expiryTimer = setTimeout(() => this.soon(), ms).unref()
  }

  #look(): void {
    this.#isScheduled = false
    this.#looker.look(this.#quietTimer === undefined)
  }

  /** @param ms that a look took, in all its turns */
  ended(ms: number): void {
    const restMs = ms / LOOK_TIME_SHARE - ms
    this.#nextAt = ms < LONG_LOOK_MS ? 0 : performance.now() + restMs
  }

  /** A look begins: it sees what is written by now. */
  begun(): void {
    this.#seenBytes = this.#log.bytesWritten
  }

  /** Nothing was written since the last look. */
  get isUpToDate(): boolean {
    return this.#log.bytesWritten === this.#seenBytes
  }

  stop(): void {
    clearTimeout(this.#quietTimer)
    clearTimeout(this.#againTimer)
    clearTimeout(this.#restTimer)
    clearTimeout(this.#expiryTimer)
  }
}
