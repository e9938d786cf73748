/**
 * Takes the best of many, then the next best: bare numbers in a heap. A look of the collector wants the best of some
 * twenty thousand alone; building the heap takes one pass, where a sort would take many.
 */

export class BestFirst {
  /** By id. */
  readonly #rates: Float64Array
  readonly #orders: Float64Array
  /** Ids. None is worse than the two below it, those at 2i + 1 and 2i + 2. */
  readonly #heap: Uint32Array
  #count = 0
  #isBuilt = false

  /** @param capacity ids are below it */
  constructor(capacity: number) {
    this.#rates = new Float64Array(capacity)
    this.#orders = new Float64Array(capacity)
    this.#heap = new Uint32Array(capacity)
  }

  /**
   * Before the first is taken.
   * @param order of two with the same rate the lower one comes first
   */
  add(id: number, rate: number, order: number): void {
    this.#rates[id] = rate
    this.#orders[id] = order
    this.#heap[this.#count++] = id
  }

  /** The id of the best that has not been taken yet. */
  take(): number | undefined {
    if (!this.#isBuilt) this.#build()
    if (this.#count === 0) return undefined
    const best = this.#heap[0]!
    this.#heap[0] = this.#heap[--this.#count]!
    this.#sink(0)
    return best
  }

  #build(): void {
    this.#isBuilt = true
    for (let at = (this.#count >> 1) - 1; at >= 0; at--) this.#sink(at)
  }

  #sink(from: number): void {
    const heap = this.#heap
    const id = heap[from]!
    let at = from
    for (let below = 2 * at + 1; below < this.#count; below = 2 * at + 1) {
      if (below + 1 < this.#count && this.#isBetter(heap[below + 1]!, heap[below]!)) below++
      if (!this.#isBetter(heap[below]!, id)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = id
  }

  #isBetter(left: number, right: number): boolean {
    const difference = this.#rates[left]! - this.#rates[right]!
    return difference === 0 ? this.#orders[left]! < this.#orders[right]! : difference > 0
  }
}
