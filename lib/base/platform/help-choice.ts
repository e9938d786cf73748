/**
 * Pure: whether batches are read with help, by what batches with and without it took lately.
 *
 * Where no core is idle a thread that is woken takes the caller's own: nobody tells of that but the clock.
 */

/**
 * One batch in so many is read in the other way, to see what it takes now. The distances differ, or of callers that
 * take turns the trials would all fall to one.
 */
const TRIAL_EVERY: readonly number[] = [16, 13, 18, 15, 19]
/** What the last batch weighs. */
const WEIGHT = 1 / 8

export class HelpChoice {
  /** Milliseconds for a read, with help and without; undefined before the first batch. */
  #helped: number | undefined
  #alone: number | undefined
  #trials = 0
  #untilTrial: number = TRIAL_EVERY[0]!

  /** For the next batch: true if it is to have help. */
  choose(): boolean {
    const isTrial = this.#isTrial()
    if (this.#helped === undefined) return true
    if (this.#alone === undefined) return false
    const pays = this.#helped < this.#alone
    return isTrial ? !pays : pays
  }

  #isTrial(): boolean {
    if (--this.#untilTrial > 0) return false
    this.#trials++
    this.#untilTrial = TRIAL_EVERY[this.#trials % TRIAL_EVERY.length]!
    return true
  }

  note(isHelped: boolean, msPerRead: number): void {
    if (isHelped) this.#helped = moved(this.#helped, msPerRead)
    else this.#alone = moved(this.#alone, msPerRead)
  }
}

/** A pause of the machine says nothing of either way: at most twice of what was usual counts. */
function moved(before: number | undefined, now: number): number {
  if (before === undefined) return now
  return before + (Math.min(now, 2 * before) - before) * WEIGHT
}
