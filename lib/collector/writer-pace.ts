/**
 * Slows writers before the bound of space is broken: gradually, by small waits, and only while something can come back.
 */
import { allowedRate, type Pressure } from './pressure.ts'

/** Waits shorter than this are saved up: a timer is no finer. */
const WAIT_MS_MIN = 2
/** One wait is never longer: the figures change. */
const WAIT_MS_MAX = 50
/** Reclaimed bytes a second before the first ones were counted. */
const RATE_AT_FIRST = 64 * 1024 * 1024
const RATE_MIN = 1024 * 1024
/** Weight of the latest figure in the mean. */
const RATE_WEIGHT = 0.3

export class WriterPace {
  /** Bytes of log written so far. */
  readonly #written: () => number
  #pressure: Pressure | undefined
  /** Disk bytes when they were last measured, and what was written by then. */
  #measuredBytes = 0
  #writtenThen = 0
  #writtenBefore = 0
  #reclaimRate = RATE_AT_FIRST
  #owedMs = 0
  #waiters: (() => void)[] = []

  constructor(written: () => number) {
    this.#written = written
  }

  /** Bytes on disk now: what was measured, and what was written since. */
  get diskBytes(): number {
    return this.#measuredBytes + this.#written() - this.#writtenThen
  }

  /** @param pressure undefined: nothing can come back, so nobody waits */
  measured(diskBytes: number, pressure: Pressure | undefined): void {
    this.#measuredBytes = diskBytes
    this.#writtenThen = this.#written()
    this.#pressure = pressure
    this.wake()
  }

  /** So many bytes came back in so much time. */
  reclaimed(bytes: number, ms: number): void {
    const rate = (Math.max(0, bytes) * 1000) / Math.max(1, ms)
    this.#reclaimRate += (rate - this.#reclaimRate) * RATE_WEIGHT
  }

  /** A group wants to be written. @returns what it should wait for; then it asks again */
  admit(): Promise<void> | undefined {
    const pressure = this.#pressure
    if (pressure === undefined) return undefined
    const written = this.#written()
    const bytes = written - this.#writtenBefore
    this.#writtenBefore = written
    const rate = allowedRate(this.diskBytes, pressure, Math.max(this.#reclaimRate, RATE_MIN))
    if (rate === 0) return this.measuredAgain()
    this.#owedMs = rate === Number.POSITIVE_INFINITY ? 0 : this.#owedMs + (bytes * 1000) / rate
    if (this.#owedMs < WAIT_MS_MIN) return undefined
    const ms = Math.min(this.#owedMs, WAIT_MS_MAX)
    this.#owedMs = 0
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  /** Resolves when there are new figures; whoever waits asks again. */
  measuredAgain(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  /** Somebody waits for something to come back. */
  get isWaitedFor(): boolean {
    return this.#waiters.length > 0
  }

  /** Lets those go on who wait for something to come back; they ask again. */
  wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
