/**
 * Iterators of a transaction: those of its snapshot, with its own puts and deletes merged in, in both directions.
 *
 * Own writes count as they are when an entry is given out. What it has come past is noted as read: up to the last key
 * that it has given, whatever the store's own iterator has read ahead.
 */
import { copyBytes, keyString } from '../base/bytes.ts'
import { WiscError } from '../base/errors.ts'
import { keyBytes, type ResolvedScan } from '../contract/arguments.ts'
import { integer } from '../contract/checks.ts'
import type {
  EntryIterator,
  Key,
  KeyIterator,
  KeyRange,
  RangeOptions,
  Snapshot,
  SnapshotOptions,
  StoreIterator,
} from '../contract/types.ts'
import { bytesOf, type WalkRange, walkRangeOf } from '../writes/walk-range.ts'
import type { OwnWrites } from './own-writes.ts'
import type { ReadRange, ReadSet } from './read-set.ts'

/** What a transaction reads of its store. */
export interface StoreReads {
  get(key: Uint8Array, options: SnapshotOptions): Promise<Buffer | undefined>
  getMany(keys: readonly Uint8Array[], options: SnapshotOptions): Promise<(Buffer | undefined)[]>
  has(key: Uint8Array, options: SnapshotOptions): boolean
  entries(range: RangeOptions): EntryIterator
  keys(range: RangeOptions): KeyIterator
  snapshot(): Snapshot
}

/** What is given out for an entry. */
export interface ItemShape<T> {
  readonly values: boolean
  readonly item: (key: Buffer, value: Buffer) => T
}

const NO_VALUE = Buffer.alloc(0)
export const ENTRIES: ItemShape<[Buffer, Buffer]> = {
  values: true,
  item: (key, value) => [key, value],
}
export const VALUES: ItemShape<Buffer> = { values: true, item: (_key, value) => value }
export const KEYS: ItemShape<Buffer> = { values: false, item: (key) => key }

export interface TransactionIteratorParts {
  readonly store: Pick<StoreReads, 'entries' | 'keys'>
  readonly snapshot: Snapshot
  readonly reads: ReadSet
  readonly writes: OwnWrites
  /** @throws if the transaction has ended */
  readonly check: () => void
  readonly ended: () => void
}

/** An entry of the snapshot. */
interface Found {
  readonly text: string
  readonly key: Buffer
  readonly value: Buffer
}

export class TransactionIterator<T> implements StoreIterator<T> {
  readonly #parts: TransactionIteratorParts
  readonly #range: ResolvedScan
  readonly #span: WalkRange
  readonly #shape: ItemShape<T>
  #read: ReadRange
  #source: Source
  /** The next entry of the snapshot, if it was looked at. */
  #peeked: Found | undefined
  /** The last key that was given, or the one to go on at. */
  #position: string | undefined
  #includesPosition = false
  #remaining: number
  #isClosed = false
  #tail: Promise<unknown> = Promise.resolve()

  constructor(parts: TransactionIteratorParts, range: ResolvedScan, shape: ItemShape<T>) {
    this.#parts = parts
    this.#range = range
    this.#span = walkRangeOf(range)
    this.#shape = shape
    this.#remaining = range.limit
    this.#read = parts.reads.addRange(this.#span, undefined)
    this.#source = this.#open(undefined)
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const [item] = await this.#inTurn(() => this.#take(1))
    return item === undefined ? { value: undefined, done: true } : { value: item as T, done: false }
  }

  async nextMany(count: number): Promise<T[]> {
    integer('count', count, 1, Number.MAX_SAFE_INTEGER)
    return this.#inTurn(() => this.#take(count))
  }

  /** One: what its source has at hand may be deleted by the transaction before it is given out. */
  async nextSome(count: number): Promise<T[]> {
    integer('count', count, 1, Number.MAX_SAFE_INTEGER)
    return this.#inTurn(() => this.#take(1))
  }

  seek(key: Key): void {
    this.#parts.check()
    if (this.#isClosed) throw new WiscError('WISC_NOT_OPEN', 'iterator is closed')
    const target = copyBytes(keyBytes(key))
    const seeking = this.#inTurn(async () => {
      if (this.#isClosed) return
      const text = keyString(target)
      void this.#source.iterator.close()
      this.#peeked = undefined
      this.#position = text
      this.#includesPosition = true
      this.#read = this.#parts.reads.addRange(this.#span, text)
      this.#source = this.#open(undefined)
      this.#source.iterator.seek(target)
    })
    // What fails fails the next call, too.
    void Promise.allSettled([seeking])
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#peeked = undefined
    this.#parts.ended()
    await this.#source.iterator.close()
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Calls that do not wait for the one before would take entries out of order. */
  #inTurn<R>(action: () => Promise<R>): Promise<R> {
    const mine = this.#tail.then(action, action)
    this.#tail = mine
    return mine
  }

  async #take(count: number): Promise<T[]> {
    const items: T[] = []
    while (items.length < count) {
      this.#parts.check()
      if (this.#isClosed) break
      const isThere = this.#remaining > 0 && (await this.#give(items))
      if (!isThere) {
        if (items.length === 0) await this.close()
        break
      }
    }
    return items
  }

  /** Adds the next one. @returns false at the end */
  async #give(items: T[]): Promise<boolean> {
    const { writes } = this.#parts
    let found: Found | undefined
    // Own writes may come while the snapshot is read: they are asked when an entry is at hand.
    do {
      found = await this.#peek()
      this.#parts.check()
      if (this.#isClosed) return false
    } while (found && writes.get(found.text) && this.#skip())
    const own = writes.nextPut(this.#span, this.#position, this.#includesPosition)
    if (found === undefined && own === undefined) {
      this.#read.coverAll()
      return false
    }
    if (own !== undefined && (found === undefined || this.#isBefore(own, found.text))) {
      const value = this.#shape.values ? Buffer.from(writes.get(own)!.value) : NO_VALUE
      this.#pass(own)
      items.push(this.#shape.item(bytesOf(own), value))
      return true
    }
    const { text, key, value } = found!
    this.#peeked = undefined
    this.#pass(text)
    items.push(this.#shape.item(key, value))
    return true
  }

  #pass(key: string): void {
    this.#read.coverTo(key)
    this.#position = key
    this.#includesPosition = false
    this.#remaining--
  }

  #skip(): true {
    this.#peeked = undefined
    return true
  }

  #isBefore(left: string, right: string): boolean {
    return this.#span.reverse ? left > right : left < right
  }

  async #peek(): Promise<Found | undefined> {
    while (this.#peeked === undefined) {
      const source = this.#source
      this.#peeked = await source.next()
      if (this.#peeked !== undefined) break
      // Own deletes have used up its limit: there may be more behind.
      if (!source.isUsedUp) return undefined
      this.#source = this.#open(source.last)
    }
    return this.#peeked
  }

  /** @param behind the last key that the source before has given */
  #open(behind: string | undefined): Source {
    const { store, snapshot, writes } = this.#parts
    const { lower, lowerOpen, upper, upperOpen, reverse, highWaterMarkBytes } = this.#range
    // A key that was given out is its caller's.
    const from = behind === undefined ? undefined : { key: bytesOf(behind), open: true }
    const first = (!reverse && from) || (lower && { key: lower, open: lowerOpen })
    const last = (reverse && from) || (upper && { key: upper, open: upperOpen })
    const ends: KeyRange = {
      ...(first && { [first.open ? 'gt' : 'gte']: first.key }),
      ...(last && { [last.open ? 'lt' : 'lte']: last.key }),
    }
    // A range that is deleted may hide any number of them.
    const wanted =
      writes.ranges.length > 0 ? Number.MAX_SAFE_INTEGER : this.#remaining + writes.size
    const limit = Math.min(Number.MAX_SAFE_INTEGER, wanted)
    const options = { ...ends, reverse, highWaterMarkBytes, snapshot, limit }
    return new Source(store, options, this.#shape.values)
  }
}

/** The entries of the snapshot, no more than are likely to be needed. */
class Source {
  readonly iterator: StoreIterator<[Buffer, Buffer]> | StoreIterator<Buffer>
  readonly #next: () => Promise<Found | undefined>
  readonly #limit: number
  #given = 0
  last: string | undefined

  constructor(
    store: Pick<StoreReads, 'entries' | 'keys'>,
    options: RangeOptions & { readonly limit: number },
    values: boolean,
  ) {
    this.#limit = options.limit
    if (values) {
      const entries = store.entries(options)
      this.iterator = entries
      this.#next = async () => {
        const { value: entry } = await entries.next()
        return entry && { text: keyString(entry[0]), key: entry[0], value: entry[1] }
      }
    } else {
      const keys = store.keys(options)
      this.iterator = keys
      this.#next = async () => {
        const { value: key } = await keys.next()
        return key && { text: keyString(key), key, value: NO_VALUE }
      }
    }
  }

  /** It has given all that its limit allows, and so does not know whether there are more. */
  get isUsedUp(): boolean {
    return this.#given === this.#limit && this.#limit > 0
  }

  async next(): Promise<Found | undefined> {
    const found = await this.#next()
    if (found === undefined) return undefined
    this.#given++
    this.last = found.text
    return found
  }
}
