/**
 * The sequences at which someone may still read: those of open snapshots and iterators. Compactions keep what
 * they can see. A get needs none: it has its pointer before control returns to the event loop.
 */
import type { Sequence } from '../base/ids.ts'
export class ReadableSequences {
  /** Sequence -> how many hold it. */
  readonly #held: Map<number, number> = new Map()
  /** The files that these sequences were read from are given up: a read-only store has started again. */
  stale = false
  /** Called when a sequence is given up: what it kept may be garbage now. */
  released: () => void = () => {}

  hold(sequence: Sequence): void {
    this.#held.set(sequence, (this.#held.get(sequence) ?? 0) + 1)
  }

  release(sequence: Sequence): void {
    const count = this.#held.get(sequence) ?? 0
    if (count > 1) this.#held.set(sequence, count - 1)
    else this.#held.delete(sequence)
    this.released()
  }

  get count(): number {
    let count = 0
    for (const holders of this.#held.values()) count += holders
    return count
  }

  get oldest(): number | undefined {
    return this.#held.size === 0 ? undefined : Math.min(...this.#held.keys())
  }

  /** Ascending; how many hold each. */
  holders(): { sequence: Sequence; count: number }[] {
    return [...this.#held]
      .map(([sequence, count]) => ({ sequence, count }))
      .sort((left, right) => left.sequence - right.sequence)
  }

  /** Ascending, without repetition, `visible` included: what a job must keep readable. */
  list(visible: number): number[] {
    return [...new Set(this.#held.keys()).add(visible)].sort((left, right) => left - right)
  }
}
