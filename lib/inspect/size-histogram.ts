/**
 * A histogram of value sizes with a bucket for each power of two, so that for a threshold that is one the sums are
 * exact: bucket 0 holds empty values, bucket i those of 2^(i-1) to 2^i - 1 bytes.
 */
export interface SizeBucket {
  /** The smallest size, and the largest one. */
  readonly from: number
  readonly to: number
  readonly keys: number
  readonly keyBytes: number
  readonly valueBytes: number
}

const BUCKETS = 54

export class SizeHistogram {
  readonly #keys: Float64Array = new Float64Array(BUCKETS)
  readonly #keyBytes: Float64Array = new Float64Array(BUCKETS)
  readonly #valueBytes: Float64Array = new Float64Array(BUCKETS)

  add(keyLength: number, valueLength: number): void {
    const bucket = valueLength === 0 ? 0 : Math.floor(Math.log2(valueLength)) + 1
    this.#keys[bucket]!++
    this.#keyBytes[bucket]! += keyLength
    this.#valueBytes[bucket]! += valueLength
  }

  /** From the first to the last bucket that holds anything. */
  buckets(): SizeBucket[] {
    const first = this.#keys.findIndex((keys) => keys > 0)
    const last = this.#keys.findLastIndex((keys) => keys > 0)
    const buckets: SizeBucket[] = []
    for (let i = Math.max(0, first); i <= last; i++) {
      buckets.push({
        from: i === 0 ? 0 : 2 ** (i - 1),
        to: i === 0 ? 0 : 2 ** i - 1,
        keys: this.#keys[i]!,
        keyBytes: this.#keyBytes[i]!,
        valueBytes: this.#valueBytes[i]!,
      })
    }
    return buckets
  }
}
