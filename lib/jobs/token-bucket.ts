/**
 * The token bucket of one job: tells when its next step may be made. Pure; the caller knows the time.
 *
 * A step is paid for when it is done, since its size is not known before: the bucket goes below zero, and
 * the next step waits until it is paid. So a job does not end before its last step but one is paid,
 * and many short jobs are as slow as one long job. What a job has not used it may catch up on,
 * up to a burst: it was overtaken, or a timer was late.
 */

/** The burst is what the rate gives in this time ... */
const BURST_MS = 50
/** ... but not less than this. */
const BURST_BYTES_MIN = 256 * 1024

export class TokenBucket {
  #bytesPerSecond: number | undefined
  /** What may be read or written at once; below zero what is not paid for. */
  #bytes = 0
  #filledMs: number

  /** @param bytesPerSecond undefined: no limit; 0: no step */
  constructor(bytesPerSecond: number | undefined, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#filledMs = nowMs
  }

  setRate(bytesPerSecond: number | undefined, nowMs: number): void {
    this.#fill(nowMs)
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Pays for a step. */
  take(bytes: number, nowMs: number): void {
    this.#fill(nowMs)
    this.#bytes -= bytes
  }

  /** How long the next step has to wait: 0 if it need not, Infinity while the rate is 0. */
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
