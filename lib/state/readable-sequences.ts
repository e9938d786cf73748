/**
 * The sequences at which someone may still read: the newest, and those of open snapshots and iterators, and the
 * moments by which these judge what has expired. Compactions keep what they can see. A get needs none: it has its
 * pointer before control returns to the event loop.
 */
import { wallTime } from '../base/clock.ts'
import type { Sequence } from '../base/ids.ts'

export class ReadableSequences {
  /** Sequence -> how many hold it. */
  readonly #held: Map<Sequence, number> = new Map()
  /** Moment -> how many hold it. */
  readonly #moments: Map<number, number> = new Map()
  /** Moments by which jobs that run have judged what has expired; one that is there twice is held twice. */
  readonly #judged: number[] = []
  /** That of the last write that is visible. Whoever makes one visible says so here. */
  newest: Sequence
  /** The files that these sequences were read from are given up: a read-only store has started again. */
  stale = false
  /** Called when nobody can read at an older sequence any more, or what was awaited has expired for all who read. */
  released: () => void = () => {}
  /** What expires at this moment is still seen by somebody; Infinity if nobody waits for that to end. */
  awaited: number = Number.POSITIVE_INFINITY

  constructor(newest: Sequence) {
    this.newest = newest
  }

  /** @param moment what has not expired by then is seen */
  hold(sequence: Sequence, moment: number): void {
    this.#held.set(sequence, (this.#held.get(sequence) ?? 0) + 1)
    this.#moments.set(moment, (this.#moments.get(moment) ?? 0) + 1)
  }

  release(sequence: Sequence, moment: number): void {
    const holders = this.#moments.get(moment) ?? 0
    if (holders > 1) this.#moments.set(moment, holders - 1)
    else this.#moments.delete(moment)
    const count = this.#held.get(sequence) ?? 0
    if (count > 1) this.#held.set(sequence, count - 1)
    else this.#held.delete(sequence)
    // What the newest one sees stays readable. Without writes every range ends so, and the collector need not look.
    const isAwaited = moment < this.awaited && this.oldestMoment >= this.awaited
    if (isAwaited || (count <= 1 && sequence !== this.newest)) this.released()
  }

  /** Of those by which snapshots and iterators judge; Infinity if there are none. */
  get oldestMoment(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#moments.keys())
  }

  /** Somebody reads at `older` or later, but before `newer`; what is read at the newest sequence is not asked for. */
  isAnyBetween(older: Sequence, newer: Sequence): boolean {
    for (const held of this.#held.keys()) if (held >= older && held < newer) return true
    return false
  }

  get count(): number {
    let count = 0
    for (const holders of this.#held.values()) count += holders
    return count
  }

  get oldest(): Sequence | undefined {
    return this.#held.size === 0 ? undefined : Math.min(...this.#held.keys())
  }

  /** Of snapshots and iterators, ascending, without repetition. */
  get held(): Sequence[] {
    return [...this.#held.keys()].sort((left, right) => left - right)
  }

  /** Ascending; how many hold each. */
  holders(): { sequence: Sequence; count: number }[] {
    return [...this.#held]
      .map(([sequence, count]) => ({ sequence, count }))
      .sort((left, right) => left.sequence - right.sequence)
  }

  /**
   * That of a reader that begins now. It is none before that of a job that runs, should the clock have been set back
   * meanwhile: what the job has dropped would be gone from under that reader when its edit is in force.
   */
  get moment(): number {
    return Math.max(wallTime(), ...this.#judged)
  }

  /**
   * A job begins that drops what has expired for every reader by now.
   * @returns that moment, and what to call when the job's edit is in force, or will never be
   */
  judge(): { readonly expiredBy: number; readonly end: () => void } {
    const { expiredBy } = this
    this.#judged.push(expiredBy)
    return { expiredBy, end: () => this.#judged.splice(this.#judged.indexOf(expiredBy), 1) }
  }

  /** What expires at this moment or before has done so for every reader. */
  get expiredBy(): number {
    return Math.min(wallTime(), this.oldestMoment)
  }

  /** Ascending, without repetition, the newest included: what a job must keep readable. */
  list(): Sequence[] {
    return [...new Set(this.#held.keys()).add(this.newest)].sort((left, right) => left - right)
  }
}

/** Does one of them read at `older` or later, but before `newer`? @param held ascending */
export function isAnyBetween(held: readonly Sequence[], older: Sequence, newer: Sequence): boolean {
  let low = 0
  let high = held.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (held[middle]! < older) low = middle + 1
    else high = middle
  }
  return low < held.length && held[low]! < newer
}
