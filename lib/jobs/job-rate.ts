/**
 * The rate of a job's reads and writes: set by whoever started the job, also while it runs, and the brake that keeps
 * it.
 */
import { assert } from '../base/errors.ts'

/** The burst is what the rate gives in this time ... */
const BURST_MS = 50
/** ... but not less than this. */
const BURST_BYTES_MIN = 256 * 1024

export type RateListener = (bytesPerSecond: number | undefined) => void

/** The limit holds for each job that it is given to, not for their sum. */
export class JobRate {
  readonly #listeners: Set<RateListener> = new Set()
  #bytesPerSecond: number | undefined

  /** @param bytesPerSecond undefined: no limit; 0: the job stands still */
  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = checked(bytesPerSecond)
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond
  }

  /** Takes effect before the job's next slice. */
  set(bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === this.#bytesPerSecond) return
    this.#bytesPerSecond = checked(bytesPerSecond)
    for (const listener of [...this.#listeners]) listener(bytesPerSecond)
  }

  /** @returns what ends the listening */
  onChange(listener: RateListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function checked(bytesPerSecond: number | undefined): number | undefined {
  const isRate =
    bytesPerSecond === undefined || (Number.isFinite(bytesPerSecond) && bytesPerSecond >= 0)
  assert(isRate, `a rate is not negative, bytesPerSecond=${bytesPerSecond}`)
  return bytesPerSecond
}

/**
 * Tells when the next slice of one job may run. Pure; the caller knows the time.
 *
 * A slice is paid for when it is done, since its size is not known before: the bucket goes below zero, and
 * the next slice waits until it is paid. So a job does not end before its last slice but one is paid,
 * and many short jobs are as slow as one long job. What a job has not used it may catch up on,
 * up to a burst: it was overtaken, or a timer was late.
 */
export class TokenBucket {
  #bytesPerSecond: number | undefined
  /** What may be read or written at once; below zero what is not paid for. */
  #bytes = 0
  #filledMs: number

  /** @param bytesPerSecond undefined: no limit; 0: no slice */
  constructor(bytesPerSecond: number | undefined, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#filledMs = nowMs
  }

  setRate(bytesPerSecond: number | undefined, nowMs: number): void {
    this.#fill(nowMs)
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Pays for a slice. */
  take(bytes: number, nowMs: number): void {
    this.#fill(nowMs)
    this.#bytes -= bytes
  }

  /** How long the next slice has to wait: 0 if it need not, Infinity while the rate is 0. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    if (this.#bytesPerSecond === undefined) return 0
    if (this.#bytesPerSecond === 0) return Number.POSITIVE_INFINITY
    return this.#bytes >= 0 ? 0 : (-this.#bytes / this.#bytesPerSecond) * 1000
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - this.#filledMs
    this.#filledMs = nowMs
    const rate = this.#bytesPerSecond
    // Without a limit nothing is owed, and nothing is saved up.
    if (rate === undefined) this.#bytes = 0
    else {
      const burst = Math.max((rate * BURST_MS) / 1000, BURST_BYTES_MIN)
      this.#bytes = Math.min(this.#bytes + (rate * elapsedMs) / 1000, burst)
    }
  }
}
