/**
 * A transaction in one go: its callback runs when its turn in the commit queue comes. Nobody can write meanwhile, so it
 * reads the newest state, as of one moment, and nothing has to be validated. What comes before it in its group is not
 * in the tree yet, so reads look for a key in its own writes, then in those of the group, then in the store.
 */

import { keyString } from '../base/bytes.ts'
import { wallTime } from '../base/clock.ts'
import { WiscError } from '../base/errors.ts'
import type { Sequence } from '../base/ids.ts'
import { type Given, keyBytes, resolveScan } from '../contract/arguments.ts'
import { plainObject, refuseUnknown } from '../contract/checks.ts'
import { transactionPutExpiry } from '../contract/expiry.ts'
import {
  refuseOptions,
  type SyncTransaction,
  type SyncTransactionRange,
} from '../contract/transactions.ts'
import type { ExpiryOptions, Key, KeyRange, Value } from '../contract/types.ts'
import type { PointReads } from '../reads/point-reads.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import type { LastWrites } from '../writes/batch.ts'
import { bytesOf, type WalkRange, walkRangeOf } from '../writes/walk-range.ts'
import { isPut } from '../writes/writes-by-key.ts'
import type { KnownKeys } from './known-keys.ts'
import { OwnWrites } from './own-writes.ts'

const RANGE_NAMES = ['prefix', 'gt', 'gte', 'lt', 'lte', 'reverse', 'limit']

export class StoreSyncTransaction implements SyncTransaction {
  readonly writes: OwnWrites = new OwnWrites()
  readonly #earlier: LastWrites
  readonly #engine: ReadingEngine
  readonly #reads: PointReads
  readonly #sequence: Sequence
  /** What has expired by then is not seen. */
  readonly #moment: number = wallTime()
  readonly #known: KnownKeys
  #state: 'open' | 'ended' | 'aborted' = 'open'

  /**
   * @param reads of the newest state
   * @param known what transactions before it have seen of the store
   * @param earlier what comes before it in its group
   */
  constructor(engine: ReadingEngine, reads: PointReads, known: KnownKeys, earlier: LastWrites) {
    this.#engine = engine
    this.#reads = reads
    this.#known = known
    this.#earlier = earlier
    this.#sequence = engine.visibleSequence
  }

  get isAborted(): boolean {
    return this.#state === 'aborted'
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended'
  }

  abort(): void {
    this.#check()
    this.#state = 'aborted'
  }

  get(key: Key, options?: unknown): Buffer | undefined {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const write = this.#unwritten(keyString(bytes))
    if (write) return isPut(write) ? Buffer.from(write.value) : undefined
    return this.#read(bytes)
  }

  has(key: Key, options?: unknown): boolean {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const write = this.#unwritten(keyString(bytes))
    return write ? isPut(write) : this.#reads.has(bytes, undefined, this.#moment)
  }

  put(key: Key, value: Value, options?: ExpiryOptions): void {
    this.#check()
    this.writes.put(key, value, transactionPutExpiry(options))
  }

  deleteRange(range: KeyRange, options?: unknown): void {
    this.#check()
    refuseOptions(options)
    this.writes.deleteRange(range)
  }

  delete(key: Key, options?: unknown): void {
    this.#check()
    refuseOptions(options)
    this.writes.delete(key)
  }

  *entries(range?: SyncTransactionRange): IterableIterator<[Buffer, Buffer]> {
    for (const key of this.#walk(range)) yield [bytesOf(key), this.#valueOf(key)]
  }

  *keys(range?: SyncTransactionRange): IterableIterator<Buffer> {
    for (const key of this.#walk(range)) yield bytesOf(key)
  }

  *values(range?: SyncTransactionRange): IterableIterator<Buffer> {
    for (const key of this.#walk(range)) yield this.#valueOf(key)
  }

  #check(): void {
    if (this.#state === 'open') return
    const what = this.#state === 'aborted' ? 'was aborted by its callback' : 'has ended'
    throw new WiscError('WISC_NOT_OPEN', `the transaction ${what}`)
  }

  /** The write of a key that is in no memtable yet. */
  #unwritten(key: string): Given | undefined {
    return this.writes.get(key) ?? this.#earlier.get(key)
  }

  #valueOf(key: string): Buffer {
    const write = this.#unwritten(key)
    return write ? Buffer.from(write.value) : this.#read(bytesOf(key))!
  }

  #read(key: Uint8Array): Buffer | undefined {
    return this.#reads.get(key, undefined, false, this.#moment) as Buffer | undefined
  }

  /** The keys of a range, with own writes as they are when a key is asked for. */
  *#walk(range: SyncTransactionRange | undefined): Generator<string, void, undefined> {
    this.#check()
    const given = plainObject(range === undefined ? {} : range, 'range') as SyncTransactionRange
    refuseUnknown(given, RANGE_NAMES, 'range')
    const resolved = resolveScan(given)
    const span = walkRangeOf(resolved)
    const ahead = this.#known.walk(this.#engine, this.#sequence, this.#moment, resolved)
    let position: string | undefined
    let earlier = this.#earlier.nextPut(span, undefined, false)
    for (let left = resolved.limit; left > 0; left--) {
      this.#check()
      while (ahead.next !== undefined && this.#unwritten(ahead.next)) ahead.pass()
      while (earlier !== undefined && (earlier === position || this.writes.has(earlier)))
        earlier = this.#earlier.nextPut(span, earlier, false)
      const unwritten = first(span, this.writes.nextPut(span, position, false), earlier)
      position = first(span, unwritten, ahead.next)
      if (position === undefined) return
      if (position !== unwritten) ahead.pass()
      yield position
    }
  }
}

/** The key that a walk comes to first. */
function first(
  { reverse }: WalkRange,
  one: string | undefined,
  other: string | undefined,
): string | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one < other === reverse ? other : one
}
