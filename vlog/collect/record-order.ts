/**
 * Sorts record ids by their keys in short slices: a merge sort over packed columns.
 *
 * Each id has eight bytes of its key beside it, as two big-endian words, which decide most
 * comparisons in memory that is read in order; the rest asks `compareIds`. Parts that are in order
 * already (the records of a relocation are) are moved as a whole.
 */

/** So many records are sorted by insertion. */
const CHUNK_RECORDS = 16
/** Records that one slice sorts or merges: 1 to 3 ms. */
const SLICE_RECORDS = 16_384

interface Columns {
  readonly ids: Uint32Array
  readonly highs: Uint32Array
  readonly lows: Uint32Array
}

export class RecordOrder implements Columns {
  readonly count: number
  ids: Uint32Array
  highs: Uint32Array
  lows: Uint32Array
  readonly #compareIds: (left: number, right: number) => number

  /** Fill the columns, then sort. @param compareIds orders ids whose eight bytes are equal */
  constructor(count: number, compareIds: (left: number, right: number) => number) {
    this.count = count
    this.ids = new Uint32Array(count)
    this.highs = new Uint32Array(count)
    this.lows = new Uint32Array(count)
    this.#compareIds = compareIds
  }

  *sortSlices(): Generator<number, void> {
    const { count } = this
    for (let from = 0; from < count; from += SLICE_RECORDS) {
      const to = Math.min(from + SLICE_RECORDS, count)
      for (let chunk = from; chunk < to; chunk += CHUNK_RECORDS) {
        this.#insertionSort(chunk, Math.min(chunk + CHUNK_RECORDS, to))
      }
      yield 0
    }
    if (count <= CHUNK_RECORDS) return
    let spare: Columns = {
      ids: new Uint32Array(count),
      highs: new Uint32Array(count),
      lows: new Uint32Array(count),
    }
    const merge = new Merge((left, right) => this.#compare(left, right))
    for (let width = CHUNK_RECORDS; width < count; width *= 2) {
      let budget = SLICE_RECORDS
      for (let from = 0; from < count; from += 2 * width) {
        const middle = Math.min(from + width, count)
        merge.begin(this, spare, from, middle, Math.min(middle + width, count))
        for (;;) {
          budget -= merge.run(budget)
          if (budget > 0) break
          yield 0
          budget = SLICE_RECORDS
        }
      }
      const { ids, highs, lows } = this
      this.ids = spare.ids
      this.highs = spare.highs
      this.lows = spare.lows
      spare = { ids, highs, lows }
      // What is moved as a whole has not counted.
      yield 0
    }
  }

  /** The order of the records at two positions. */
  #compare(left: number, right: number): number {
    const { highs, lows, ids } = this
    const high = highs[left]! - highs[right]!
    if (high !== 0) return high
    const low = lows[left]! - lows[right]!
    return low !== 0 ? low : this.#compareIds(ids[left]!, ids[right]!)
  }

  #insertionSort(from: number, to: number): void {
    for (let i = from + 1; i < to; i++) {
      for (let j = i; j > from && this.#compare(j - 1, j) > 0; j--) this.#swap(j - 1, j)
    }
  }

  #swap(left: number, right: number): void {
    const { ids, highs, lows } = this
    const id = ids[left]!
    const high = highs[left]!
    const low = lows[left]!
    ids[left] = ids[right]!
    highs[left] = highs[right]!
    lows[left] = lows[right]!
    ids[right] = id
    highs[right] = high
    lows[right] = low
  }
}

/** Merges [from, middle) and [middle, to) of one set of columns into another, as far as a budget goes. */
class Merge {
  readonly #compare: (left: number, right: number) => number
  #source!: Columns
  #target!: Columns
  #left = 0
  #leftEnd = 0
  #right = 0
  #rightEnd = 0
  #out = 0

  /** @param compare orders positions of the source */
  constructor(compare: (left: number, right: number) => number) {
    this.#compare = compare
  }

  begin(source: Columns, target: Columns, from: number, middle: number, to: number): void {
    this.#source = source
    this.#target = target
    this.#left = from
    this.#leftEnd = middle
    this.#right = middle
    this.#rightEnd = to
    this.#out = from
  }

  /** @returns how many records it has moved: less than `budget` when it is done */
  run(budget: number): number {
    const start = this.#out
    if (this.#left < this.#leftEnd && this.#right < this.#rightEnd) {
      if (this.#compare(this.#leftEnd - 1, this.#right) > 0) this.#interleave(budget)
    }
    const moved = this.#out - start
    if (moved >= budget) return moved
    this.#move(this.#left, this.#leftEnd)
    this.#left = this.#leftEnd
    this.#move(this.#right, this.#rightEnd)
    this.#right = this.#rightEnd
    return moved
  }

  #interleave(budget: number): void {
    const { ids, highs, lows } = this.#source
    const target = this.#target
    const leftEnd = this.#leftEnd
    const rightEnd = this.#rightEnd
    let left = this.#left
    let right = this.#right
    let out = this.#out
    const outEnd = out + budget
    while (left < leftEnd && right < rightEnd && out < outEnd) {
      const from = this.#compare(left, right) <= 0 ? left++ : right++
      target.ids[out] = ids[from]!
      target.highs[out] = highs[from]!
      target.lows[out] = lows[from]!
      out++
    }
    this.#left = left
    this.#right = right
    this.#out = out
  }

  /** Moves what is in order as a whole: cheap, so it counts for nothing. */
  #move(from: number, to: number): void {
    if (from >= to) return
    const { ids, highs, lows } = this.#source
    const target = this.#target
    const out = this.#out
    target.ids.set(ids.subarray(from, to), out)
    target.highs.set(highs.subarray(from, to), out)
    target.lows.set(lows.subarray(from, to), out)
    this.#out = out + (to - from)
  }
}
