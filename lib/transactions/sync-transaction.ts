/**
 * A transaction in one go: its callback runs when its turn in the commit queue comes. Nobody can write meanwhile, so it
 * reads the newest state, and nothing has to be validated.
 */
import { keyString, NO_BYTES } from '../base/bytes.ts'
import { WiscError } from '../base/errors.ts'
import type { Sequence } from '../base/ids.ts'
import { keyBytes, resolveScan } from '../contract/arguments.ts'
import { plainObject, refuseUnknown } from '../contract/options.ts'
import {
  refuseOptions,
  type SyncTransaction,
  type SyncTransactionRange,
} from '../contract/transactions.ts'
import type { Key, Value } from '../contract/types.ts'
import { PointReads } from '../reads/point-reads.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { type EntrySink, Scan } from '../reads/scan.ts'
import type { Entry } from '../tree/entry.ts'
import { isPut, OwnWrites } from './own-writes.ts'
import { bytesOf, walkRangeOf } from './walk-range.ts'

const RANGE_NAMES = ['prefix', 'gt', 'gte', 'lt', 'lte', 'reverse', 'limit']
/** Keys that a scan looks at ahead, at most. */
const BATCH_MAX = 64

export class StoreSyncTransaction implements SyncTransaction {
  readonly writes: OwnWrites = new OwnWrites()
  readonly #engine: ReadingEngine
  readonly #reads: PointReads
  readonly #sequence: Sequence
  #over: WiscError | undefined
  isAborted = false

  constructor(engine: ReadingEngine) {
    this.#engine = engine
    this.#sequence = engine.visibleSequence
    this.#reads = new PointReads(engine, () => this.#sequence)
  }

  end(): void {
    this.#over ??= new WiscError('WISC_NOT_OPEN', 'the transaction has ended')
  }

  abort(): void {
    this.#check()
    this.isAborted = true
    this.#over = new WiscError('WISC_NOT_OPEN', 'the transaction was aborted by its callback')
  }

  get(key: Key, options?: unknown): Buffer | undefined {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const own = this.writes.get(keyString(bytes))
    if (own) return isPut(own) ? Buffer.from(own.value) : undefined
    return this.#reads.get(bytes, undefined, false) as Buffer | undefined
  }

  has(key: Key, options?: unknown): boolean {
    this.#check()
    refuseOptions(options)
    const bytes = keyBytes(key)
    const own = this.writes.get(keyString(bytes))
    return own ? isPut(own) : this.#reads.has(bytes, undefined)
  }

  put(key: Key, value: Value, options?: unknown): void {
    this.#check()
    refuseOptions(options)
    this.writes.put(key, value)
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
    if (this.#over) throw this.#over
  }

  #valueOf(key: string): Buffer {
    const own = this.writes.get(key)
    return own
      ? Buffer.from(own.value)
      : (this.#reads.get(bytesOf(key), undefined, false) as Buffer)
  }

  /** The keys of a range, with own writes as they are when a key is asked for. */
  *#walk(range: SyncTransactionRange | undefined): Generator<string, void, undefined> {
    this.#check()
    const given = plainObject(range === undefined ? {} : range, 'range') as SyncTransactionRange
    refuseUnknown(given, RANGE_NAMES, 'range')
    const resolved = resolveScan(given)
    const span = walkRangeOf(resolved)
    const ahead = new KeysAhead(this.#engine, this.#sequence, resolved)
    let position: string | undefined
    for (let left = resolved.limit; left > 0; left--) {
      this.#check()
      while (ahead.next !== undefined && this.writes.get(ahead.next)) ahead.pass()
      const own = this.writes.nextPut(span, position, false)
      const found = ahead.next
      if (own === undefined && found === undefined) return
      const isOwn =
        own !== undefined && (found === undefined || (span.reverse ? own > found : own < found))
      position = isOwn ? own : found!
      if (!isOwn) ahead.pass()
      yield position
    }
  }
}

/** The keys of the store in a range, some of them at a time. */
class KeysAhead implements EntrySink {
  lastKey: Uint8Array = NO_BYTES
  readonly #scan: Scan
  #keys: string[] = []
  #at = 0
  #batch: number
  #isDone = false

  constructor(engine: ReadingEngine, sequence: Sequence, range: ReturnType<typeof resolveScan>) {
    this.#scan = new Scan({ engine, sequence }, { ...range, limit: Number.MAX_SAFE_INTEGER })
    this.#batch = Math.min(range.limit, BATCH_MAX)
  }

  get next(): string | undefined {
    if (this.#at === this.#keys.length && !this.#isDone) this.#fill()
    return this.#keys[this.#at]
  }

  pass(): void {
    this.#at++
  }

  #fill(): void {
    this.#keys = []
    this.#at = 0
    // The event loop cannot turn before the callback ends: a scan that stops for it goes on.
    while (this.#scan.fill(this));
    this.#isDone = this.#keys.length < this.#batch
    this.#batch = BATCH_MAX
  }

  take({ keyBytes, keyStart, keyEnd }: Entry): boolean {
    this.lastKey = keyBytes.slice(keyStart, keyEnd)
    return this.#keys.push(keyString(this.lastKey)) < this.#batch
  }
}
