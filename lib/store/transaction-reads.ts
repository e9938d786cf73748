/** The reads of transactions: they are no calls of the store's users, so they are not traced. */
import type {
  EntryIterator,
  KeyIterator,
  RangeOptions,
  Snapshot,
  SnapshotOptions,
} from '../contract/types.ts'
import type { PointReads } from '../reads/point-reads.ts'
import type { StoreReads } from '../transactions/transaction-iterator.ts'
import { entryIterator, keyIterator } from './iterator.ts'
import type { StoreReaders } from './store-readers.ts'

export class TransactionReads implements StoreReads {
  readonly #points: PointReads
  readonly #readers: StoreReaders

  constructor(points: PointReads, readers: StoreReaders) {
    this.#points = points
    this.#readers = readers
  }

  get(key: Uint8Array, options: SnapshotOptions): Promise<Buffer | undefined> {
    return this.#points.getSoon(key, options) as Promise<Buffer | undefined>
  }

  getMany(keys: readonly Uint8Array[], options: SnapshotOptions): Promise<(Buffer | undefined)[]> {
    return this.#points.getMany(keys, options, undefined)
  }

  has(key: Uint8Array, options: SnapshotOptions): boolean {
    return this.#points.has(key, options)
  }

  entries(range: RangeOptions): EntryIterator {
    return entryIterator(...this.#readers.iteration(range), 'buffer')
  }

  keys(range: RangeOptions): KeyIterator {
    return keyIterator(...this.#readers.iteration(range))
  }

  snapshot(): Snapshot {
    return this.#readers.snapshot()
  }
}
