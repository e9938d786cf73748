/**
 * The ways to take space back from files, best first: by the bytes that each frees for each byte of cost. Pure.
 *
 * A look of the collector wants the best one alone, of twenty thousand files perhaps. So the ways are not sorted but
 * lie in a heap, as bare numbers: building it takes a pass over the files, and each way that is taken a walk down it.
 */
import type { CollectibleFile } from '../../contract/collection-plan.ts'
import { estimatePunch, isRewriteWorthIt, punchRate, rewriteRate, rewriteSums } from './costs.ts'
import type { PlannerOptions } from './planning-rules.ts'

/** One way to take space back from one file. */
export interface Way {
  readonly file: CollectibleFile
  readonly action: 'punch' | 'rewrite'
}

export class RankedWays {
  readonly #files: readonly CollectibleFile[]
  /** Of way 2i the punch of file i, of way 2i + 1 its rewrite; unused where there is none. */
  readonly #rates: Float64Array
  /** Ways; none is worse than the two below it, those at 2i + 1 and 2i + 2. */
  readonly #heap: number[] = []

  constructor(files: readonly CollectibleFile[], options: PlannerOptions) {
    this.#files = files
    this.#rates = new Float64Array(files.length * 2)
    files.forEach((file, index) => {
      const punch = estimatePunch(file, options)
      if (punch) this.#add(index * 2, punchRate(file, punch))
      const sums = rewriteSums(file)
      if (isRewriteWorthIt(sums, options)) this.#add(index * 2 + 1, rewriteRate(sums))
    })
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  /** The best way that has not been taken yet. */
  takeBest(): Way | undefined {
    const best = this.#heap[0]
    const last = this.#heap.pop()
    if (best === undefined || last === undefined) return undefined
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return { file: this.#files[best >> 1]!, action: best & 1 ? 'rewrite' : 'punch' }
  }

  #add(way: number, rate: number): void {
    this.#rates[way] = rate
    this.#heap.push(way)
  }

  #sink(from: number): void {
    const heap = this.#heap
    const way = heap[from]!
    let at = from
    for (let below = 2 * at + 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && this.#isBetter(heap[below + 1]!, heap[below]!)) below++
      if (!this.#isBetter(heap[below]!, way)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = way
  }

  /** Of equals the oldest file, and its punch, which needs no space, comes first. */
  #isBetter(left: number, right: number): boolean {
    const [leftRate, rightRate] = [this.#rates[left]!, this.#rates[right]!]
    if (leftRate !== rightRate) return leftRate > rightRate
    const [leftFile, rightFile] = [this.#files[left >> 1]!, this.#files[right >> 1]!]
    return leftFile === rightFile ? left < right : leftFile.number < rightFile.number
  }
}

/** There is a way that is worth its cost. */
export function hasWay(file: CollectibleFile, options: PlannerOptions): boolean {
  return estimatePunch(file, options) !== undefined || isRewriteWorthIt(rewriteSums(file), options)
}
