/** Histograms of durations, as Prometheus has them: how many took at most so long. */

/** The bounds of buckets in seconds: 1, 2.5 and 5 of each decade, and the one above. */
function decades(from: number, to: number): readonly number[] {
  const bounds: number[] = []
  // By their texts: products of powers of ten are not quite what they should be.
  for (let power = from; power < to; power++) {
    for (const digits of ['1', '2.5', '5']) bounds.push(Number(`${digits}e${power}`))
  }
  return [...bounds, Number(`1e${to}`)]
}

/** A microsecond to ten seconds: for what a caller waits for. */
export const CALL_BOUNDS: readonly number[] = decades(-6, 1)
/** A millisecond to a thousand seconds: for background work, and for waiting for it. */
export const WORK_BOUNDS: readonly number[] = decades(-3, 3)

export class Histogram {
  readonly bounds: readonly number[]
  /** How many lie above the bound before, and at or below the one of the same place; those above all come last. */
  readonly #counts: Float64Array
  #sumMs = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }

  note(ms: number): void {
    const { bounds } = this
    const seconds = ms / 1000
    let place = 0
    while (place < bounds.length && seconds > bounds[place]!) place++
    this.#counts[place]!++
    this.#sumMs += ms
  }

  /** For each bound, how many took at most so long; for all of them last. */
  cumulative(): number[] {
    let count = 0
    return Array.from(this.#counts, (more) => {
      count += more
      return count
    })
  }

  get sumSeconds(): number {
    return this.#sumMs / 1000
  }
}
