/**
 * Holds reclaiming back while it makes the calling thread late, as long as there is room.
 *
 * While a job runs a timer looks how late it is called itself: puts and gets wait just as long. A late turn
 * halves the rate of the job, turns in time let it grow again. Near the bound of space the job runs unbridled.
 */
import { JobRate } from '../jobs/job-rate.ts'

const TICK_MS = 20
const LATE_MS = 10
const RATE_MIN = 32 * 1024 * 1024
const RATE_MAX = 2 ** 31
const GROWTH = 1.25

export class ForegroundWatch {
  readonly rate: JobRate
  /** The store is well below its bound. */
  hasRoom = false
  readonly #bytesPerSecond: number
  #present: number
  #timer: NodeJS.Timeout | undefined
  #expectedAt = 0

  /** @param bytesPerSecond the bound that the user has set */
  constructor(bytesPerSecond: number | undefined) {
    this.rate = new JobRate(bytesPerSecond)
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY
    this.#present = RATE_MAX
  }

  start(): void {
    this.#expectedAt = performance.now() + TICK_MS
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const late = performance.now() - this.#expectedAt
    this.#expectedAt = performance.now() + TICK_MS
    const before = this.#present
    if (!this.hasRoom) this.#present = RATE_MAX
    else if (late > LATE_MS) this.#present = Math.max(RATE_MIN, before / 2)
    else this.#present = Math.min(RATE_MAX, before * GROWTH)
    if (this.#present !== before) this.rate.set(Math.min(this.#present, this.#bytesPerSecond))
  }
}
