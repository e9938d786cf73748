/**
 * Slows writers before the bound of space is broken: gradually, by small waits, and only while something can come back.
 * What they write is owed, and paid for with time at the rate that is allowed at the moment.
 */
import type { Log } from '../../../vlog/log/log.ts'
import { Signal } from '../../base/signal.ts'
import { allowedRate, type Pressure } from '../plan/pressure.ts'

/** Waits shorter than this are saved up: a timer is no finer. */
const WAIT_MS_MIN = 2
/** One wait is never longer: the figures change. */
const WAIT_MS_MAX = 50
/** Reclaimed bytes a second before the first ones were counted. */
const RATE_AT_FIRST = 64 * 1024 * 1024
const RATE_MIN = 1024 * 1024
/** The mean is over about so much time: a step that is over at once says little. */
const RATE_MS = 300

export class WriterPace {
  readonly #log: Pick<Log, 'bytesWritten'>
  #pressure: Pressure | undefined
  /** Disk bytes when they were last measured, and what was written by then. */
  #measuredBytes = 0
  #writtenThen = 0
  #reclaimRate = RATE_AT_FIRST
  /** Written, and not yet paid for with time at the rate that is allowed. */
  #owedBytes = 0
  /** When that was reckoned, and what was written by then. */
  #paidAt = 0
  #writtenBefore = 0
  readonly #measured: Signal = new Signal()

  constructor(log: Pick<Log, 'bytesWritten'>) {
    this.#log = log
  }

  /** Bytes on disk now: what was measured, and what was written since. */
  get diskBytes(): number {
    return this.#measuredBytes + this.#log.bytesWritten - this.#writtenThen
  }

  /** @param pressure undefined: nothing can come back, so nobody waits */
  measured(diskBytes: number, pressure: Pressure | undefined): void {
    this.#measuredBytes = diskBytes
    this.#writtenThen = this.#log.bytesWritten
    // What was written without pressure is not owed.
    if (this.#pressure === undefined) this.#reckon(Number.POSITIVE_INFINITY)
    this.#pressure = pressure
    this.wake()
  }

  /** So many bytes came back in so much time. */
  reclaimed(bytes: number, ms: number): void {
    const rate = (Math.max(0, bytes) * 1000) / Math.max(1, ms)
    this.#reclaimRate += (rate - this.#reclaimRate) * (1 - Math.exp(-ms / RATE_MS))
  }

  /** A group wants to be written. @returns what it should wait for; then it asks again */
  admit(): Promise<void> | undefined {
    const rate = this.#allowedRate()
    if (rate === 0) return this.measuredAgain()
    this.#reckon(rate)
    const ms = (this.#owedBytes * 1000) / rate
    return ms < WAIT_MS_MIN ? undefined : this.#measured.next({ ms: Math.min(ms, WAIT_MS_MAX) })
  }

  #allowedRate(): number {
    if (this.#pressure === undefined) return Number.POSITIVE_INFINITY
    return allowedRate(this.diskBytes, this.#pressure, Math.max(this.#reclaimRate, RATE_MIN))
  }

  /** What was written since the last time is owed, and what time has paid for at this rate is not. */
  #reckon(rate: number): void {
    const now = performance.now()
    const written = this.#log.bytesWritten
    const paid = ((now - this.#paidAt) * rate) / 1000
    const owed = Math.max(0, this.#owedBytes - paid) + written - this.#writtenBefore
    this.#owedBytes = rate === Number.POSITIVE_INFINITY ? 0 : owed
    this.#paidAt = now
    this.#writtenBefore = written
  }

  /** Resolves when there are new figures; whoever waits asks again. */
  measuredAgain(): Promise<void> {
    return this.#measured.next()
  }

  /** A writer waits. */
  get isWaitedFor(): boolean {
    return this.#measured.isAwaited
  }

  /** Lets all go on who wait; they ask again. */
  wake(): void {
    this.#measured.tell()
  }
}
