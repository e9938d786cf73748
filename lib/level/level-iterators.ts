/**
 * Iterators of abstract-level over those of the store.
 *
 * One of the store that has come to its end is closed, and pins nothing; one of abstract-level can still seek then. So
 * each holds a snapshot until it is closed, and takes a new iterator at that when it seeks after its end.
 */
import {
  AbstractIterator,
  AbstractKeyIterator,
  type AbstractSnapshot,
  AbstractValueIterator,
} from 'abstract-level'
import type { RangeOptions, Snapshot, Store, StoreIterator } from '../index.ts'
import { LevelError, toLevelError } from './level-error.ts'
import { LevelLoop } from './level-loop.ts'
import { LevelSnapshot } from './level-snapshot.ts'

/** Ends of a range as abstract-level hands them on: encoded; both of a pair may be there. */
export interface EncodedRange {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lt?: Buffer
  readonly lte?: Buffer
  readonly reverse: boolean
  /** -1: none. */
  readonly limit: number
  readonly snapshot?: AbstractSnapshot
}

export interface EncodedIteration extends EncodedRange {
  readonly keys: boolean
  readonly values: boolean
  readonly signal?: AbortSignal
  readonly highWaterMarkBytes?: number
}

const NO_KEY = Buffer.alloc(0)

export type LowerEnd = { readonly gt: Buffer } | { readonly gte: Buffer }
export type UpperEnd = { readonly lt?: Buffer } | { readonly lte: Buffer }

/** Where a range begins: of two ends the inclusive one counts. */
export function lowerEnd({ gt, gte }: EncodedRange): LowerEnd {
  if (gte === undefined && gt !== undefined) return { gt }
  return { gte: gte ?? NO_KEY }
}

/** Where it ends. */
export function upperEnd({ lt, lte }: EncodedRange): UpperEnd {
  if (lte !== undefined) return { lte }
  return lt === undefined ? {} : { lt }
}

/** The range as an iterator of the store takes it. */
export function storeRange(range: EncodedRange): RangeOptions {
  const { reverse, limit } = range
  return { ...lowerEnd(range), ...upperEnd(range), reverse, ...(limit >= 0 && { limit }) }
}

/** How abstract-level makes keys and values of bytes: iterators have it where its types do not tell. */
interface Decoder<T> {
  decode(bytes: Buffer): T
}

type DecoderName = 'keyEncoding' | 'valueEncoding'

function decoderOf<T>(name: DecoderName, options: EncodedIteration): Decoder<T> {
  const place = (AbstractIterator as unknown as Record<DecoderName, symbol>)[name]
  return (options as unknown as Record<symbol, Decoder<T>>)[place]!
}

/** What `next` reads at once: so many entries at most are given out before the event loop may turn. */
const FETCH = 16

/** What an iterator of abstract-level reads from. `T` is what one of the store gives. */
class Reading<T> {
  readonly #list: (range: RangeOptions) => StoreIterator<T>
  readonly #range: RangeOptions
  readonly #signal: AbortSignal | undefined
  /** Its own, if the caller gave none. */
  readonly #snapshot: Snapshot | undefined
  /** Made by the first read, and by the first after a seek from the end. */
  #iterator: StoreIterator<T> | undefined
  /** Where the next one begins. */
  #target: Buffer | undefined
  /** Of a limit; what was read and not given out yet does not count. */
  #left: number
  /** What was read and not given out yet. */
  #items: readonly T[] = []
  #at = 0
  /** How many loops have taken without asking abstract-level, which counts the others. */
  readyCount = 0

  constructor(
    store: Store,
    list: (range: RangeOptions) => StoreIterator<T>,
    options: EncodedIteration,
  ) {
    const { signal, highWaterMarkBytes } = options
    const given = LevelSnapshot.inner(options.snapshot)
    const snapshot = given ?? store.snapshot()
    this.#list = list
    this.#signal = signal
    this.#snapshot = given ? undefined : snapshot
    this.#left = options.limit < 0 ? Number.POSITIVE_INFINITY : options.limit
    this.#range = {
      ...storeRange(options),
      snapshot,
      ...(signal && { signal }),
      // 0 is a wish for as little as possible.
      ...(highWaterMarkBytes !== undefined && {
        highWaterMarkBytes: Math.max(1, highWaterMarkBytes),
      }),
    }
  }

  /** A promise only where it has to read. */
  next(): T | Promise<T | undefined> {
    return this.#at < this.#items.length ? this.#items[this.#at++]! : this.#nextRead()
  }

  /** The next one if it was read already, made of by `decode`; what cannot be decoded is left to `next`. */
  ready<Out>(decode: (item: T) => Out): Out | undefined {
    const item = this.#items[this.#at]
    if (item === undefined || this.#signal?.aborted) return undefined
    try {
      const decoded = decode(item)
      // Which is the end, to abstract-level.
      if (decoded === undefined) return undefined
      this.#at++
      this.readyCount++
      return decoded
    } catch {
      return undefined
    }
  }

  async #nextRead(): Promise<T | undefined> {
    this.#items = await this.#read(FETCH)
    this.#at = 0
    return this.#items[this.#at++]
  }

  /** At most so many: fewer if they are long, as an iterator may have no end. */
  async nextv(size: number): Promise<T[]> {
    const from = this.#at
    if (from >= this.#items.length) return this.#read(size)
    this.#at = Math.min(from + size, this.#items.length)
    return this.#items.slice(from, this.#at)
  }

  async #read(count: number): Promise<T[]> {
    try {
      const items = await this.#current().nextSome(count)
      if (this.#signal !== undefined) this.#throwIfAborted()
      if (items.length === 0) this.#iterator = undefined
      this.#left -= items.length
      return items
    } catch (error) {
      throw toLevelError(error)
    }
  }

  seek(target: Buffer): void {
    const unread = this.#items.length - this.#at
    this.#items = []
    this.#at = 0
    this.#left += unread
    // That of the store has counted them: a new one has what is left of the limit.
    if (unread > 0 && this.#left !== Number.POSITIVE_INFINITY) {
      void this.#iterator?.close()
      this.#iterator = undefined
    }
    if (this.#iterator) this.#iterator.seek(target)
    else this.#target = target
  }

  async close(): Promise<void> {
    this.#items = []
    this.#snapshot?.close()
    await this.#iterator?.close()
  }

  #current(): StoreIterator<T> {
    if (!this.#iterator) {
      const limit = this.#left
      const isBound = limit !== Number.POSITIVE_INFINITY
      this.#iterator = this.#list(isBound ? { ...this.#range, limit } : this.#range)
      if (this.#target) this.#iterator.seek(this.#target)
    }
    return this.#iterator
  }

  /** Also when the answer was ready before the signal fired: who has aborted wants none. */
  #throwIfAborted(): void {
    const { aborted, reason } = this.#signal!
    if (aborted)
      throw new LevelError('LEVEL_ABORTED', 'the operation was aborted', { cause: reason })
  }
}

/** Over keys and values. */
export class LevelIterator<D, K, V> extends AbstractIterator<D, K, V> {
  readonly #reading: Reading<[Buffer, Buffer]>
  readonly #key: Decoder<K>
  readonly #value: Decoder<V>

  constructor(db: D, store: Store, options: EncodedIteration) {
    super(db, options as never)
    this.#reading = new Reading(store, (range) => store.entries(range), options)
    this.#key = decoderOf('keyEncoding', options)
    this.#value = decoderOf('valueEncoding', options)
  }

  override get count(): number {
    return super.count + this.#reading.readyCount
  }

  override [Symbol.asyncIterator](): LevelLoop<[K, V]> {
    const decode = ([key, value]: [Buffer, Buffer]): [K, V] => [
      this.#key.decode(key),
      this.#value.decode(value),
    ]
    return new LevelLoop(this, () => this.#reading.ready(decode))
  }

  /** @internal */
  _next(): [Buffer, Buffer] | Promise<[Buffer, Buffer] | undefined> {
    return this.#reading.next()
  }

  /** @internal */
  _nextv(size: number): Promise<[Buffer, Buffer][]> {
    return this.#reading.nextv(size)
  }

  /** @internal */
  _seek(target: Buffer): void {
    this.#reading.seek(target)
  }

  /** @internal */
  _close(): Promise<void> {
    return this.#reading.close()
  }
}

/** Over keys: no value is read. */
export class LevelKeyIterator<D, K> extends AbstractKeyIterator<D, K> {
  readonly #reading: Reading<Buffer>
  readonly #key: Decoder<K>

  constructor(db: D, store: Store, options: EncodedIteration) {
    super(db, options as never)
    this.#reading = new Reading(store, (range) => store.keys(range), options)
    this.#key = decoderOf('keyEncoding', options)
  }

  override get count(): number {
    return super.count + this.#reading.readyCount
  }

  override [Symbol.asyncIterator](): LevelLoop<K> {
    const decode = (bytes: Buffer): K => this.#key.decode(bytes)
    return new LevelLoop(this, () => this.#reading.ready(decode))
  }

  /** @internal */
  _next(): Buffer | Promise<Buffer | undefined> {
    return this.#reading.next()
  }

  /** @internal */
  _nextv(size: number): Promise<Buffer[]> {
    return this.#reading.nextv(size)
  }

  /** @internal */
  _seek(target: Buffer): void {
    this.#reading.seek(target)
  }

  /** @internal */
  _close(): Promise<void> {
    return this.#reading.close()
  }
}

/** Over values. */
export class LevelValueIterator<D, K, V> extends AbstractValueIterator<D, K, V> {
  readonly #reading: Reading<Buffer>
  readonly #value: Decoder<V>

  constructor(db: D, store: Store, options: EncodedIteration) {
    super(db, options as never)
    this.#reading = new Reading(store, (range) => store.values(range), options)
    this.#value = decoderOf('valueEncoding', options)
  }

  override get count(): number {
    return super.count + this.#reading.readyCount
  }

  override [Symbol.asyncIterator](): LevelLoop<V> {
    const decode = (bytes: Buffer): V => this.#value.decode(bytes)
    return new LevelLoop(this, () => this.#reading.ready(decode))
  }

  /** @internal */
  _next(): Buffer | Promise<Buffer | undefined> {
    return this.#reading.next()
  }

  /** @internal */
  _nextv(size: number): Promise<Buffer[]> {
    return this.#reading.nextv(size)
  }

  /** @internal */
  _seek(target: Buffer): void {
    this.#reading.seek(target)
  }

  /** @internal */
  _close(): Promise<void> {
    return this.#reading.close()
  }
}

type HalfEntry = [Buffer, undefined] | [undefined, Buffer]

/** Over entries of which one half is not wanted: nor is it read. */
export class LevelHalfIterator<D, K, V> extends AbstractIterator<D, K, V> {
  readonly #reading: Reading<Buffer>
  readonly #entry: (half: Buffer) => HalfEntry

  constructor(db: D, store: Store, options: EncodedIteration) {
    super(db, options as never)
    const { values } = options
    this.#entry = values ? (value) => [undefined, value] : (key) => [key, undefined]
    const list = (range: RangeOptions): StoreIterator<Buffer> =>
      values ? store.values(range) : store.keys(range)
    this.#reading = new Reading(store, list, options)
  }

  /** @internal */
  async _next(): Promise<HalfEntry | undefined> {
    const half = await this.#reading.next()
    return half && this.#entry(half)
  }

  /** @internal */
  async _nextv(size: number): Promise<HalfEntry[]> {
    return (await this.#reading.nextv(size)).map(this.#entry)
  }

  /** @internal */
  _seek(target: Buffer): void {
    this.#reading.seek(target)
  }

  /** @internal */
  _close(): Promise<void> {
    return this.#reading.close()
  }
}
