/**
 * A look that takes several turns of the event loop where there are many files: writers and timers get theirs in
 * between. One is under way at a time; the first turn is at once, so that in a small store there is no other.
 */
import type { InTurns } from '../plan/in-turns.ts'
import type { LookTimes } from './look-times.ts'

export class LookTurns {
  /** Something has happened since the last one began that may change what it finds. */
  isOutdated = true
  readonly #times: Pick<LookTimes, 'ended' | 'soon'>
  #isUnderWay = false
  #isStopped = false
  #wereMany = false

  constructor(times: Pick<LookTimes, 'ended' | 'soon'>) {
    this.#times = times
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  /** A look would find what the last one found, and take many turns. One of a single turn is made: it costs little. */
  get isFresh(): boolean {
    return this.#wereMany && !this.isOutdated
  }

  /** @param work throws nothing */
  run(work: InTurns<void>): void {
    this.isOutdated = false
    this.#isUnderWay = true
    let ms = 0
    const turn = (isFirst: boolean): void => {
      if (this.#isStopped) return
      const began = performance.now()
      const { done } = work.next()
      ms += performance.now() - began
      if (!done) {
        setImmediate(turn, false)
        return
      }
      this.#isUnderWay = false
      this.#wereMany = !isFirst
      this.#times.ended(ms)
      if (!isFirst && this.isOutdated) this.#times.soon()
    }
    turn(true)
  }

  /** What is under way does not go on. */
  stop(): void {
    this.#isStopped = true
    this.#isUnderWay = false
  }
}
