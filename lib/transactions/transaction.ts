/** One attempt of a transaction: a snapshot, what was read of it, and the writes that are to come. */
import { keyString } from '../base/bytes.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import { keyBytes, keyList, resolveScan } from '../contract/arguments.ts'
import { plainObject, refuseUnknown } from '../contract/checks.ts'
import { transactionPutExpiry } from '../contract/expiry.ts'
import { refuseOptions, type Transaction, type TransactionRange } from '../contract/transactions.ts'
import type {
  EntryIterator,
  ExpiryOptions,
  Key,
  KeyIterator,
  KeyRange,
  Snapshot,
  StoreIterator,
  Value,
  ValueIterator,
} from '../contract/types.ts'
import { isPut } from '../writes/writes-by-key.ts'
import { OwnWrites } from './own-writes.ts'
import { ReadSet } from './read-set.ts'
import {
  ENTRIES,
  type ItemShape,
  KEYS,
  type StoreReads,
  TransactionIterator,
  VALUES,
} from './transaction-iterator.ts'

const RANGE_NAMES = ['prefix', 'gt', 'gte', 'lt', 'lte', 'reverse', 'limit', 'highWaterMarkBytes']

export class StoreTransaction implements Transaction {
  readonly reads: ReadSet
  readonly writes: OwnWrites = new OwnWrites()
  readonly snapshot: Snapshot
  readonly began: number = performance.now()
  /** Rejects when it must end before its callback does. */
  readonly failed: Promise<never>
  readonly #store: StoreReads
  readonly #iterators: Set<{ close(): Promise<void> }> = new Set()
  #reject!: (error: WiscError) => void
  /** Why it takes no more calls. */
  #over: WiscError | undefined
  #failure: WiscError | undefined
  #isAborted = false

  constructor(store: StoreReads, readSetBytesMax: number) {
    this.#store = store
    this.reads = new ReadSet(readSetBytesMax)
    this.failed = new Promise((_, reject) => {
      this.#reject = reject
    })
    // Whoever waits for the callback hears of it; when nobody does any more, it is no news.
    void Promise.allSettled([this.failed])
    this.snapshot = store.snapshot()
  }

  get isAborted(): boolean {
    return this.#isAborted
  }

  /** Why it cannot commit any more, if so. */
  get failure(): WiscError | undefined {
    return this.#failure
  }

  /** It must end before it has committed. */
  fail(error: WiscError): void {
    this.#failure ??= error
    this.#over ??= error
    this.#reject(error)
    this.release()
  }

  /** The callback has come back: it takes no more calls. */
  finish(): void {
    this.#over ??= new WiscError('WISC_NOT_OPEN', 'the transaction has ended')
    for (const iterator of this.#iterators) void iterator.close()
  }

  /** It gives up what it pins. */
  release(): void {
    this.finish()
    this.snapshot.close()
  }

  abort(): void {
    this.#check()
    this.#isAborted = true
    this.#over = new WiscError('WISC_NOT_OPEN', 'the transaction was aborted by its callback')
  }

  async get(key: Key, options?: unknown): Promise<Buffer | undefined> {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const text = keyString(bytes)
    const own = this.writes.get(text)
    if (own) return isPut(own) ? Buffer.from(own.value) : undefined
    this.reads.addKey(text)
    return this.#store.get(bytes, { snapshot: this.snapshot })
  }

  async getMany(keys: readonly Key[], options?: unknown): Promise<(Buffer | undefined)[]> {
    this.#check()
    refuseOptions(options)
    const bytes = keyList(keys)
    const own = bytes.map((key) => this.writes.get(keyString(key)))
    const others = bytes.filter((_, i) => own[i] === undefined)
    for (const key of others) this.reads.addKey(keyString(key))
    const found = await this.#store.getMany(others, { snapshot: this.snapshot })
    let at = 0
    return own.map((write) => {
      if (write === undefined) return found[at++]
      return isPut(write) ? Buffer.from(write.value) : undefined
    })
  }

  async has(key: Key, options?: unknown): Promise<boolean> {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const text = keyString(bytes)
    const own = this.writes.get(text)
    if (own) return isPut(own)
    this.reads.addKey(text)
    return this.#store.has(bytes, { snapshot: this.snapshot })
  }

  entries(range?: TransactionRange): EntryIterator {
    return this.#iterate(range, ENTRIES)
  }

  keys(range?: TransactionRange): KeyIterator {
    return this.#iterate(range, KEYS)
  }

  values(range?: TransactionRange): ValueIterator {
    return this.#iterate(range, VALUES)
  }

  put(key: Key, value: Value, options?: ExpiryOptions): void {
    this.#check()
    const expiresAt = transactionPutExpiry(options)
    this.#write(() => this.writes.put(key, value, expiresAt))
  }

  deleteRange(range: KeyRange, options?: unknown): void {
    this.#check()
    refuseOptions(options)
    this.#write(() => this.writes.deleteRange(range))
  }

  delete(key: Key, options?: unknown): void {
    this.#check()
    refuseOptions(options)
    this.#write(() => this.writes.delete(key))
  }

  #write(write: () => void): void {
    try {
      write()
    } catch (error) {
      throw toWiscError(error)
    }
  }

  #iterate<T>(range: TransactionRange | undefined, shape: ItemShape<T>): StoreIterator<T> {
    this.#check()
    const given = plainObject(range === undefined ? {} : range, 'range') as TransactionRange
    refuseUnknown(given, RANGE_NAMES, 'range')
    const iterator = new TransactionIterator(
      {
        store: this.#store,
        snapshot: this.snapshot,
        reads: this.reads,
        writes: this.writes,
        check: () => this.#check(),
        ended: () => this.#iterators.delete(iterator),
      },
      resolveScan(given),
      shape,
    )
    this.#iterators.add(iterator)
    return iterator
  }

  #check(): void {
    if (this.#over) throw this.#over
  }
}
