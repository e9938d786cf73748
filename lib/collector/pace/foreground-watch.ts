/**
 * Holds reclaiming back while it makes the calling thread late, as long as there is room.
 *
 * While a job runs a timer looks how late it is called itself: puts and gets wait just as long. A late turn halves the
 * rate of the job, turns in time let it grow again, by the same amount each: so it settles where few turns are late,
 * and neither stays held back when none is. (Growing by a share of itself it went to the top and stayed there while
 * every fifth turn was late.) Near the bound of space the job runs unbridled.
 */
import { JobRate } from '../../jobs/job-rate.ts'

const TICK_MS = 20
const LATE_MS = 10
const MIB = 1024 * 1024
/** However late turns are, a job gets on. Bytes a second. */
export const RATE_MIN: number = 32 * MIB
/** As much as a job can do, about: a higher rate would hold nothing back after the first late turns. */
export const RATE_TOP: number = 1024 * MIB
/** By which each turn in time lets the rate grow: with one late turn in twenty it settles at 300 MiB a second. */
const GROWTH = 8 * MIB

/** The rate for the next turn, in bytes a second; Infinity: unbridled. */
export function nextRate(present: number, isLate: boolean, hasRoom: boolean): number {
  if (!hasRoom) return Number.POSITIVE_INFINITY
  if (isLate) return Math.max(RATE_MIN, Math.min(present, RATE_TOP) / 2)
  return present >= RATE_TOP - GROWTH ? Number.POSITIVE_INFINITY : present + GROWTH
}

export class ForegroundWatch {
  readonly rate: JobRate
  /** The store is well below its bound. */
  hasRoom = false
  readonly #bytesPerSecond: number
  #present: number = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #expectedAt = 0

  /** @param bytesPerSecond the bound that the user has set */
  constructor(bytesPerSecond: number | undefined) {
    this.rate = new JobRate(bytesPerSecond)
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY
  }

  /** A job begins. Beside another one the watch goes on: beginning anew would forgive the turn that is late now. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#expectedAt = performance.now() + TICK_MS
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const isLate = performance.now() - this.#expectedAt > LATE_MS
    this.#expectedAt = performance.now() + TICK_MS
    this.#present = nextRate(this.#present, isLate, this.hasRoom)
    const rate = Math.min(this.#present, this.#bytesPerSecond)
    this.rate.set(Number.isFinite(rate) ? rate : undefined)
  }
}
