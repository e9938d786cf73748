/**
 * A histogram of value sizes with a bucket for each power of two, so that for a threshold that is one the sums are
 * exact: bucket 0 holds empty values, bucket i those of 2^(i-1) to 2^i - 1 bytes. A value counts by its size as it was
 * given, which is what a threshold is compared with.
 */
export interface SizeBucket {
  /** The smallest size, and the largest one. */
  readonly from: number
  readonly to: number
  readonly keys: number
  readonly keyBytes: number
  readonly valueBytes: number
  /** The same values as they are stored. */
  readonly storedBytes: number
}

/** Of one value: the size that was taken for it, and its size as it was given. */
export interface SizeSample {
  readonly taken: number
  readonly given: number
}

const BUCKETS = 54

export class SizeHistogram {
  readonly #keys: Float64Array = new Float64Array(BUCKETS)
  readonly #keyBytes: Float64Array = new Float64Array(BUCKETS)
  readonly #valueBytes: Float64Array = new Float64Array(BUCKETS)
  readonly #storedBytes: Float64Array = new Float64Array(BUCKETS)

  add(keyBytes: number, valueBytes: number, storedBytes: number = valueBytes): void {
    const at = bucketOf(valueBytes)
    this.#addTo(at, { keys: 1, keyBytes, valueBytes, storedBytes })
  }

  #addTo(at: number, bucket: Omit<SizeBucket, 'from' | 'to'>): void {
    this.#keys[at]! += bucket.keys
    this.#keyBytes[at]! += bucket.keyBytes
    this.#valueBytes[at]! += bucket.valueBytes
    this.#storedBytes[at]! += bucket.storedBytes
  }

  /**
   * Adds another one, whose sizes are put right by samples: the values of a bucket are spread as those of its samples
   * are. One without samples is taken as it is.
   */
  addCorrected(other: SizeHistogram, samples: readonly SizeSample[]): void {
    for (let at = 0; at < BUCKETS; at++) {
      const bucket = other.#bucket(at)
      if (bucket.keys === 0) continue
      const own = samples.filter(({ taken }) => bucketOf(taken) === at)
      if (own.length === 0) this.#addTo(at, bucket)
      else this.#spread(bucket, own)
    }
  }

  /** Counts stay whole numbers: each sample gets what its share adds to the sum so far. */
  #spread(bucket: SizeBucket, samples: readonly SizeSample[]): void {
    const taken = samples.reduce((sum, sample) => sum + sample.taken, 0)
    const given = samples.reduce((sum, sample) => sum + sample.given, 0)
    // What the samples say of all bytes: exact where nothing differs.
    const valueBytes = taken === 0 ? given : Math.round((bucket.valueBytes * given) / taken)
    const { keys, keyBytes, storedBytes } = bucket
    const all = { keys, keyBytes, valueBytes, storedBytes }
    let done = { keys: 0, keyBytes: 0, valueBytes: 0, storedBytes: 0 }
    let [sizes, sums] = [0, 0]
    for (const [i, sample] of samples.entries()) {
      sizes += sample.taken
      sums += sample.given
      const count = (i + 1) / samples.length
      const next = {
        keys: Math.round(all.keys * count),
        keyBytes: Math.round(all.keyBytes * count),
        valueBytes: Math.round(all.valueBytes * (given === 0 ? count : sums / given)),
        storedBytes: Math.round(all.storedBytes * (taken === 0 ? count : sizes / taken)),
      }
      this.#addTo(bucketOf(sample.given), {
        keys: next.keys - done.keys,
        keyBytes: next.keyBytes - done.keyBytes,
        valueBytes: next.valueBytes - done.valueBytes,
        storedBytes: next.storedBytes - done.storedBytes,
      })
      done = next
    }
  }

  #bucket(at: number): SizeBucket {
    return {
      from: at === 0 ? 0 : 2 ** (at - 1),
      to: at === 0 ? 0 : 2 ** at - 1,
      keys: this.#keys[at]!,
      keyBytes: this.#keyBytes[at]!,
      valueBytes: this.#valueBytes[at]!,
      storedBytes: this.#storedBytes[at]!,
    }
  }

  /** From the first to the last bucket that holds anything. */
  buckets(): SizeBucket[] {
    const first = this.#keys.findIndex((keys) => keys > 0)
    const last = this.#keys.findLastIndex((keys) => keys > 0)
    const buckets: SizeBucket[] = []
    for (let at = Math.max(0, first); at <= last; at++) buckets.push(this.#bucket(at))
    return buckets
  }
}

/** The number of a size's bucket. */
export function bucketOf(bytes: number): number {
  return bytes === 0 ? 0 : Math.floor(Math.log2(bytes)) + 1
}
