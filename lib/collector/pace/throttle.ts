/**
 * Spreads the room that writers have over the time until more of it comes back, so that all of them go slower instead
 * of some of them standing. Pure, but for its own figures: the time is passed in.
 *
 * A rewrite shows no even progress (victims are found, copied, synced, unlinked), so how long it takes is foretold from
 * its size, by what the last ones took. Writers go evenly up to that moment, and have used up the room then: the next
 * victims are the better, the less room is left when they are chosen. A return that is late they meet more and more
 * slowly. Time only delays what the budget of space (space-budget.ts) allows: a wrong guess costs evenness, and not the
 * bound.
 */

/** Rewrites of so many bytes weigh as much as all that was measured before. */
const SMOOTHED_BYTES = 256 * 1024 * 1024
/** Of the time that a rewrite should take: a return that is late is taken to be so far away. */
const LATE_SHARE = 1 / 4
/** Writers that came late may make up for so much, or for what they take if that is more. Milliseconds. */
const CREDIT_MS = 8

export class Throttle {
  /** What a rewrite takes for a byte of its victims, smoothed; 0: not known yet. */
  #msPerByte = 0
  #beganAt = 0
  /** When the next return should be; undefined: nothing is under way, and nobody waits. */
  #endAt: number | undefined
  /** A return that is late is taken to be so far away; undefined: nobody knows yet how long a rewrite takes. */
  #lateMs: number | undefined
  /** Up to this moment the room is used. */
  #paidAt = 0

  /** @param isUnderWay something may come back */
  looked(isUnderWay: boolean, now: number): void {
    this.#endAt = isUnderWay ? (this.#endAt ?? now + (this.#lateMs ?? 0)) : undefined
  }

  /** A rewrite of files of so many bytes begins. */
  rewriting(victimBytes: number, now: number): void {
    const ms = this.#msPerByte * victimBytes
    this.#beganAt = now
    this.#endAt = now + ms
    this.#lateMs = ms > 0 ? ms * LATE_SHARE : undefined
  }

  rewritten(victimBytes: number, now: number): void {
    const before = this.#msPerByte === 0 ? 0 : SMOOTHED_BYTES
    const ms = this.#msPerByte * before + (now - this.#beganAt)
    this.#msPerByte = ms / Math.max(1, before + victimBytes)
  }

  /** How long a group that takes so many bytes of this room should wait, in milliseconds. */
  waitMs(bytes: number, roomBytes: number, now: number): number {
    if (!this.#isSlow) return 0
    const ms = this.#timeOf(bytes, roomBytes, now)
    return Math.max(0, ms - this.#credit(now, ms))
  }

  /** A group that goes now may take so many bytes of this room as a whole. */
  growth(roomBytes: number, now: number): number {
    if (!this.#isSlow) return Number.POSITIVE_INFINITY
    return (roomBytes * this.#credit(now)) / this.#spanMs(now)
  }

  /** A group takes so many bytes of this room. */
  taken(bytes: number, roomBytes: number, now: number): void {
    if (!this.#isSlow) return
    const ms = this.#timeOf(bytes, roomBytes, now)
    this.#paidAt = now - this.#credit(now, ms) + ms
  }

  get #isSlow(): boolean {
    return this.#endAt !== undefined && this.#lateMs !== undefined
  }

  /** In so long writers would use all the room at their present pace. */
  #spanMs(now: number): number {
    return Math.max((this.#endAt ?? now) - now, this.#lateMs ?? 0)
  }

  /** In this time so many bytes are used of the room. What is more than all of it goes as fast as all of it. */
  #timeOf(bytes: number, roomBytes: number, now: number): number {
    return this.#spanMs(now) * Math.min(1, bytes / Math.max(1, roomBytes))
  }

  /**
   * What writers have waited for and not used, for a group that takes so long. Who has waited asks again: with less
   * credit than it takes it would never go.
   */
  #credit(now: number, ms: number = 0): number {
    return Math.min(Math.max(CREDIT_MS, ms), now - this.#paidAt)
  }
}
