/**
 * The iterators of the public face: a scan, batches that are read ahead, and one result after the other.
 *
 * `next` is answered from a batch that is in memory already, so it costs a resolved promise; values of a batch are read
 * in the order of their places in the log. What is read ahead is bounded in bytes; nothing is read
 * beyond `limit`. An iterator sees the store as it was when it was made (or as its snapshot does).
 */

import type { ReadableStream } from 'node:stream/web'
import type { SlabAllocator } from '../../vlog/read/slab.ts'
import { copyBytes } from '../base/bytes.ts'
import { toWiscError, WiscError } from '../base/errors.ts'
import { keyBytes, type ResolvedScan, throwIfAborted } from '../contract/arguments.ts'
import { integer } from '../contract/checks.ts'
import type { Key, KeyIterator, Listed, StoreIterator, ValueStat } from '../contract/types.ts'
import { EntryBatch } from '../reads/entry-batch.ts'
import type { Hold } from '../reads/hold.ts'
import type { ReadView } from '../reads/read-view.ts'
import { Scan, type ScanParts } from '../reads/scan.ts'

const FIRST_BATCH = 16
const VALUES_BATCH_MAX = 128
const KEYS_BATCH_MAX = 256

/** What an iterator needs of its store. */
export interface IteratorParts extends ScanParts {
  readonly engine: ReadView
  /** Keeps what it reads, until it ends. Ends by itself when the signal fires. */
  readonly hold: Hold
  /** Of all iterators of a store: most are short. */
  readonly slabs: SlabAllocator
}

/** Makes the stream of a value that is listed: nothing is read before somebody begins to. */
export type StreamOf = (key: Buffer, listing: Listing) => ReadableStream<Uint8Array>

/** An iterator, for the streams that it gives out: they begin while it is open, and keep it from becoming garbage. */
export interface Listing {
  readonly parts: IteratorParts
  readonly signal: AbortSignal | undefined
  readonly iterator: object
  readonly streamOf: StreamOf
}

/** How a batch is made: with or without values, what is given out for an entry, and what keys are given as. */
interface Shape<T, K> {
  readonly values: boolean
  /** Sizes and places of values in place of them. */
  readonly stats?: true
  /** Streams of values in place of them: they need what the iterator holds. */
  readonly streams?: true
  /** May throw: the entry is not passed then. */
  readonly item: (
    key: Buffer,
    value: Buffer,
    stat: ValueStat | undefined,
    listing: Listing | undefined,
  ) => T
  /** Where a seek goes. */
  readonly target: (key: K) => Key
}

/** As which values are listed: what an item is, made of key and value. */
type Shapes<Items extends { [As in keyof Listed]: unknown }> = {
  readonly [As in keyof Listed]: Shape<Items[As], Key>
}

const NO_VALUE = Buffer.alloc(0)
const target = (key: Key): Key => key
const BUFFERS = { values: true, target } as const
const STATS = { values: false, stats: true, target } as const
const STREAMS = { values: false, streams: true, target } as const
const KEYS: Shape<Buffer, Key> = { values: false, item: (key) => key, target }
const VALUES: Shapes<Listed> = {
  buffer: { ...BUFFERS, item: (_key, value) => value },
  stat: { ...STATS, item: (_key, _value, stat) => stat! },
  stream: { ...STREAMS, item: (key, _value, _stat, listing) => listing!.streamOf(key, listing!) },
}
const ENTRIES: Shapes<{ [As in keyof Listed]: [Buffer, Listed[As]] }> = {
  buffer: { ...BUFFERS, item: (key, value) => [key, value] },
  stat: { ...STATS, item: (key, _value, stat) => [key, stat!] },
  stream: {
    ...STREAMS,
    item: (key, _value, _stat, listing) => [key, listing!.streamOf(key, listing!)],
  },
}

export function keyIterator(parts: IteratorParts, range: ResolvedScan): KeyIterator {
  return new BatchIterator(parts, range, KEYS)
}

export function valueIterator<As extends keyof Listed>(
  parts: IteratorParts,
  range: ResolvedScan,
  as: As,
  streamOf: StreamOf,
): StoreIterator<Listed[As]> {
  return new BatchIterator<Listed[As], Key>(parts, range, VALUES[as], streamOf)
}

/** @param streamOf where streams are listed */
export function entryIterator<As extends keyof Listed>(
  parts: IteratorParts,
  range: ResolvedScan,
  as: As,
  streamOf?: StreamOf,
): StoreIterator<[Buffer, Listed[As]]> {
  return new BatchIterator<[Buffer, Listed[As]], Key>(parts, range, ENTRIES[as], streamOf)
}

export class BatchIterator<T, K> implements StoreIterator<T, K> {
  readonly #parts: IteratorParts
  readonly #shape: Shape<T, K>
  readonly #scan: Scan
  readonly #signal: AbortSignal | undefined
  readonly #bytesMax: number
  readonly #limit: number
  readonly #listing: Listing | undefined
  readonly #batch: EntryBatch
  /** The next entry of the batch. */
  #at = 0
  /** Entries that the next batch has, unless somebody wants more at once. */
  #readAhead = FIRST_BATCH
  #closed = false
  /** A loop calls it, which has no way to close it when a call fails. */
  #isLooped = false
  /** A batch could not be read, or an item made. Later calls say so again: going on would leave entries out. */
  #failure: WiscError | undefined
  /** The call that is under way, if one had to wait. */
  #tail: Promise<unknown> | undefined

  /** @param streamOf only where streams are listed */
  constructor(parts: IteratorParts, range: ResolvedScan, shape: Shape<T, K>, streamOf?: StreamOf) {
    this.#parts = parts
    this.#shape = shape
    this.#scan = new Scan(parts, range)
    this.#signal = range.signal
    this.#bytesMax = range.highWaterMarkBytes
    this.#limit = range.limit
    if (shape.streams && streamOf)
      this.#listing = { parts, signal: range.signal, iterator: this, streamOf }
    const heads = shape.stats && parts.engine.values
    this.#batch = new EntryBatch(parts.slabs, shape.values, heads)
    if (range.limit <= KEYS_BATCH_MAX) this.#readAhead = range.limit
    parts.hold.belongsTo(this)
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#tail === undefined && this.#at < this.#batch.keys.length && !this.#signal?.aborted) {
      return this.#nextOfBatch()
    }
    return this.#inTurn(() => this.#nextSlowly())
  }

  #nextOfBatch(): Promise<IteratorResult<T, undefined>> {
    try {
      const result = { value: this.#take(), done: false } as const
      const { turn } = this.#parts.engine
      if (!turn.isOldRarely()) return Promise.resolve(result)
      return new Promise((resolve) => turn.later(() => resolve(result)))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #nextSlowly(): Promise<IteratorResult<T, undefined>> {
    throwIfAborted(this.#signal)
    // A call that waited for another one may find its entry read already.
    if (this.#at === this.#batch.keys.length) {
      try {
        await this.#fill(1)
      } catch (error) {
        if (this.#isLooped) this.#end()
        throw error
      }
    }
    if (this.#at < this.#batch.keys.length) return { value: this.#take(), done: false }
    await this.close()
    return { value: undefined, done: true }
  }

  async nextMany(count: number): Promise<T[]> {
    integer('count', count, 1, Number.MAX_SAFE_INTEGER)
    return this.#inTurn(() => this.#several(count, count))
  }

  async nextSome(count: number): Promise<T[]> {
    integer('count', count, 1, Number.MAX_SAFE_INTEGER)
    return this.#inTurn(() => this.#several(1, count))
  }

  /** The next ones: if there are so many at least `least` of them, at most `most`. */
  async #several(least: number, most: number): Promise<T[]> {
    throwIfAborted(this.#signal)
    const items: T[] = []
    while (items.length < least) {
      try {
        if (this.#at === this.#batch.keys.length) await this.#fill(most - items.length)
        if (this.#batch.keys.length === 0) break
        while (this.#at < this.#batch.keys.length && items.length < most) items.push(this.#take())
      } catch (error) {
        // What was read is given out; the next call fails.
        if (items.length > 0 && this.#failure === error) return items
        throw error
      }
    }
    if (items.length === 0) await this.close()
    return items
  }

  seek(key: K): void {
    this.#checkOpen()
    // A copy, because the caller may use the array again.
    const target = copyBytes(keyBytes(this.#shape.target(key)))
    if (this.#tail === undefined) this.#seekNow(target)
    else void this.#inTurn(async () => this.#seekNow(target))
  }

  #seekNow(target: Uint8Array): void {
    this.#failure = undefined
    this.#giveBack()
    this.#scan.seek(target)
  }

  async close(): Promise<void> {
    this.#failure = undefined
    this.#end()
  }

  #end(): void {
    this.#closed = true
    this.#drop()
    this.#parts.hold.release()
  }

  /** What was read ahead does not count. */
  #giveBack(): void {
    const unread = this.#batch.keys.length - this.#at
    this.#drop()
    if (this.#limit !== Number.MAX_SAFE_INTEGER) this.#scan.giveBack(unread)
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close()
    return { value: undefined, done: true }
  }

  [Symbol.asyncIterator](): this {
    this.#isLooped = true
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Calls that do not wait for the one before would take entries out of order. */
  #inTurn<R>(action: () => Promise<R>): Promise<R> {
    const before = this.#tail
    const mine = before ? before.then(action, action) : action()
    this.#tail = mine
    const done = (): void => {
      if (this.#tail === mine) this.#tail = undefined
    }
    mine.then(done, done)
    return mine
  }

  #take(): T {
    const at = this.#at
    const item = this.#item(at)
    this.#at = at + 1
    // Given away: the batch must not keep it alive.
    this.#batch.values[at] = undefined
    // Behind the last one of the limit nothing is read any more, after a seek neither: who takes the first of a queue
    // pins nothing, unless streams may still begin.
    const isLast = this.#at === this.#batch.keys.length && this.#scan.isUsedUp
    if (isLast && !this.#shape.streams) this.#parts.hold.release()
    return item
  }

  #item(at: number): T {
    try {
      const { keys, values, stats } = this.#batch
      return this.#shape.item(keys[at]!, values[at] ?? NO_VALUE, stats[at], this.#listing)
    } catch (error) {
      this.#failure = toWiscError(error)
      if (this.#isLooped) this.#end()
      throw this.#failure
    }
  }

  #drop(): void {
    this.#batch.drop()
    this.#at = 0
  }

  #checkOpen(): void {
    if (this.#closed) throw new WiscError('WISC_NOT_OPEN', 'iterator is closed')
  }

  /** Reads the next batch, of at most `wanted` entries if that is more than the read-ahead. */
  async #fill(wanted: number): Promise<void> {
    throwIfAborted(this.#signal)
    this.#drop()
    if (this.#failure) throw this.#failure
    if (this.#closed) return
    const most = batchMax(this.#shape)
    const count = Math.max(Math.min(this.#readAhead, most), Math.min(wanted, most))
    this.#readAhead = Math.min(this.#readAhead * 2, most)
    const { engine } = this.#parts
    const batch = this.#batch
    batch.begin(count, this.#bytesMax)
    try {
      // Where there is nothing to see for long, timers, sockets and the signal get their turns.
      while (this.#scan.fill(batch) && batch.keys.length === 0) {
        await new Promise<void>((resolve) => engine.turn.later(resolve))
        if (this.#closed || this.#signal?.aborted) break
      }
      const reading = batch.readValues(engine.values)
      if (reading) await reading
      batch.noteRead()
    } catch (error) {
      this.#giveBack()
      // What it read may be gone since the signal fired.
      throwIfAborted(this.#signal)
      this.#failure = engine.viewFailure(error)
      throw this.#failure
    }
    throwIfAborted(this.#signal)
    const { turn } = engine
    if (turn.isOld()) await new Promise<void>((resolve) => turn.later(resolve))
  }
}

/** Heads of records are read at once, each of which may have to wait for the disk. */
function batchMax({ values, stats }: Pick<Shape<unknown, never>, 'values' | 'stats'>): number {
  if (stats) return FIRST_BATCH
  return values ? VALUES_BATCH_MAX : KEYS_BATCH_MAX
}
