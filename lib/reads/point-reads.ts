/**
 * Reads of single keys: the entry from the tree, then its value from where the entry says.
 *
 * Without a snapshot they are of the newest state: where files have gone, a store that only reads goes on in a newer
 * view (read-again.ts). Data plane: one lookup serves all reads, and nothing else is allocated but the value.
 */

import { SlabAllocator } from '../../vlog/read/slab.ts'
import type { ValuePart } from '../../vlog/value-chunks.ts'
import { copyBytes } from '../base/bytes.ts'
import type { Sequence } from '../base/ids.ts'
import { partOf, takeWithSequence, throwIfAborted } from '../contract/arguments.ts'
import type { ReadOptions, SequencedValue, SnapshotOptions, ValueStat } from '../contract/types.ts'
import { Entry, KIND } from '../tree/entry.ts'
import { momentOf } from './hold.ts'
import { readAgain, readAgainLater, staleView } from './read-again.ts'
import { presentView, type ReadView, viewOf } from './read-view.ts'
import type { ReadingEngine } from './reading-engine.ts'
import type { ValueCache } from './value-cache.ts'
import { valueStat } from './value-stat.ts'

/** Keys that are looked up, and their values read, before the event loop may turn: about a millisecond. */
const SLICE_KEYS = 256

/** An entry that was seen: the newest of its key at or below a sequence, at a moment by which it had not expired. */
interface SeenEntry {
  readonly key: Uint8Array
  readonly sequence: Sequence
  readonly seenAt: Sequence
  readonly moment: number
}

export class PointReads {
  readonly #engine: ReadingEngine
  readonly #sequence: (options: SnapshotOptions | undefined) => Sequence
  readonly #lookup: Entry = new Entry()
  readonly #slabs: SlabAllocator = new SlabAllocator()

  /** @param sequence the one to read at; throws if it can no longer be read */
  constructor(engine: ReadingEngine, sequence: (options: SnapshotOptions | undefined) => Sequence) {
    this.#engine = engine
    this.#sequence = sequence
  }

  /** @param moment by which it may not have expired: now, without one */
  has(
    key: Uint8Array,
    options: SnapshotOptions | undefined,
    moment: number | undefined = momentOf(options),
  ): boolean {
    const view = this.#viewOf(options)
    const sequence = this.#sequence(options)
    try {
      return view.tree.find(key, sequence, this.#lookup, moment)
    } catch (error) {
      const read = (at: number): boolean => this.#engine.tree.find(key, at, this.#lookup, moment)
      return this.#again(error, options, read)
    }
  }

  stat(
    key: Uint8Array,
    options: SnapshotOptions | undefined,
    moment: number | undefined = momentOf(options),
  ): ValueStat | undefined {
    const view = this.#viewOf(options)
    const sequence = this.#sequence(options)
    try {
      return this.statAt(view, key, sequence, moment)
    } catch (error) {
      return this.#again(error, options, (at) => this.statAt(this.#engine, key, at, moment))
    }
  }

  /** The same in a view, at a sequence and a moment that are held. */
  statAt(
    view: ReadView,
    key: Uint8Array,
    sequence: Sequence,
    moment: number | undefined,
  ): ValueStat | undefined {
    const { tree, values } = view
    const lookup = this.#lookup
    return tree.find(key, sequence, lookup, moment) ? valueStat(values, lookup) : undefined
  }

  /**
   * A part of the value of one entry, for later.
   * @param memory where it may go; see `readPartAhead` of the value reader
   */
  async part(
    view: ReadView,
    { key, sequence, seenAt, moment }: SeenEntry,
    part: ValuePart,
    memory: Buffer | undefined,
  ): Promise<Buffer> {
    const lookup = new Entry()
    const { tree, values } = view
    const isThere = tree.find(key, seenAt, lookup, moment) && lookup.sequence === sequence
    if (!isThere) throw staleView()
    if (lookup.kind === KIND.inline) return this.#copyInline(lookup, part)
    return values.readPartAhead(lookup, part, memory)
  }

  /** @param soon a promise is welcome if the read is likely to be slow; else it is read at once */
  get(
    key: Uint8Array,
    options: ReadOptions | undefined,
    soon: boolean,
    moment: number | undefined = momentOf(options),
  ): Buffer | undefined | Promise<Buffer | undefined> {
    const part = options === undefined ? undefined : partOf(options)
    // What `partOf` has let pass may be there and undefined.
    const at = options === undefined ? undefined : snapshotOf(options)
    const sequence = this.#sequence(at)
    try {
      const result = this.#get(this.#viewOf(at), key, sequence, soon, part, moment)
      if (!(result instanceof Promise)) return result
      const { viewNumber, moveOn } = this.#engine
      // The caller may use its array again before the read fails.
      const own = moveOn === undefined ? key : copyBytes(key)
      return result.catch((error: unknown) =>
        this.#getAgain(error, own, at, moment, part, viewNumber),
      )
    } catch (error) {
      return this.#getAgain(error, key, at, moment, part)
    }
  }

  /** The same, by a promise; with the sequence of its entry, too, if the options say so. */
  getSoon(
    key: Uint8Array,
    options: (ReadOptions & { readonly withSequence?: boolean }) | undefined,
  ): Promise<Buffer | SequencedValue | undefined> {
    const result =
      options?.withSequence === undefined
        ? this.get(key, options, true)
        : this.getSequenced(key, takeWithSequence(options))
    // What the thread pool reads settles in a turn of its own.
    if (result instanceof Promise) return result
    const { turn } = this.#engine
    if (!turn.isOldRarely()) return Promise.resolve(result)
    return new Promise((resolve) => turn.later(() => resolve(result)))
  }

  /** The same with the sequence of its entry, if `withSequence` says so. */
  getSequenced(
    given: Uint8Array,
    { withSequence, rest }: { readonly withSequence: boolean; readonly rest: ReadOptions },
  ): Buffer | SequencedValue | undefined | Promise<Buffer | SequencedValue | undefined> {
    if (!withSequence) return this.get(given, rest, true)
    const key = copyBytes(given)
    const result = this.get(key, rest, true)
    // Nothing else has looked anything up since.
    const { sequence } = this.#lookup
    if (!(result instanceof Promise)) return result && { value: result, sequence }
    const { viewNumber } = this.#engine
    return result.then((value) => {
      if (this.#engine.viewNumber === viewNumber) return value && { value, sequence }
      const again = this.get(key, rest, false) as Buffer | undefined
      return again && { value: again, sequence: this.#lookup.sequence }
    })
  }

  #getAgain(
    error: unknown,
    key: Uint8Array,
    options: SnapshotOptions | undefined,
    moment: number | undefined,
    part: ValuePart | undefined,
    viewNumber?: number,
  ): Buffer | undefined {
    const read = (at: number): Buffer | undefined =>
      this.#get(this.#engine, key, at, false, part, moment) as Buffer | undefined
    return this.#again(error, options, read, viewNumber)
  }

  #get(
    view: ReadView,
    key: Uint8Array,
    sequence: Sequence,
    soon: boolean,
    part: ValuePart | undefined,
    moment: number | undefined,
  ): Buffer | undefined | Promise<Buffer | undefined> {
    const lookup = this.#lookup
    const { tree, values } = view
    if (!tree.find(key, sequence, lookup, moment)) return undefined
    if (lookup.kind === KIND.inline) return this.#copyInline(lookup, part)
    if (part) return soon ? values.readPartSoon(lookup, part) : values.readPart(lookup, part)
    const { valueCache } = this.#engine
    if (valueCache) return this.#getCached(valueCache, lookup, soon)
    return soon ? values.readSoon(lookup) : values.read(lookup)
  }

  /** A separated value, from memory if it is read again and again. */
  #getCached(cache: ValueCache, lookup: Entry, soon: boolean): Buffer | Promise<Buffer> {
    const { sequence } = lookup
    const cached = cache.find(sequence)
    if (cached) return this.#copy(cached, 0, cached.length)
    const { values } = this.#engine
    const value = soon ? values.readSoon(lookup) : values.read(lookup)
    if (!(value instanceof Promise)) {
      cache.note(sequence, value)
      return value
    }
    return value.then((read) => {
      cache.note(sequence, read)
      return read
    })
  }

  /**
   * The values of keys, a slice of them at a time: between slices the event loop may turn, and the sequence is held.
   * A read-only store that gives up its view meanwhile begins again; one that follows goes on in the view that it has.
   */
  async getMany(
    given: readonly Uint8Array[],
    options: SnapshotOptions | undefined,
    signal: AbortSignal | undefined,
  ): Promise<(Buffer | undefined)[]> {
    throwIfAborted(signal)
    const sequence = this.#sequence(options)
    const moment = momentOf(options) ?? this.#engine.readers.moment
    const { viewNumber, moveOn } = this.#engine
    // Those that are looked up in a later turn: the caller may use its arrays again as soon as this has been called.
    const waits = given.length > SLICE_KEYS || moveOn !== undefined
    const keys = waits ? given.map((key) => copyBytes(key)) : given
    try {
      return await this.#getSlices(options, keys, sequence, moment, signal)
    } catch (error) {
      if (options?.snapshot) throw this.#viewOf(options).viewFailure(error)
      const read = (): Promise<(Buffer | undefined)[]> =>
        this.#getSlices(options, keys, this.#sequence(options), moment, signal)
      return readAgainLater(this.#engine, viewNumber, error, read)
    }
  }

  async #getSlices(
    options: SnapshotOptions | undefined,
    keys: readonly Uint8Array[],
    sequence: Sequence,
    moment: number,
    signal: AbortSignal | undefined,
  ): Promise<(Buffer | undefined)[]> {
    const view = options?.snapshot ? this.#viewOf(options) : presentView(this.#engine)
    const { readers, turn } = view
    const values: (Buffer | undefined)[] = []
    if (keys.length <= SLICE_KEYS) {
      await this.#getSlice(view, keys, sequence, moment, values)
      return values
    }
    readers.hold(sequence, moment)
    try {
      for (let from = 0; from < keys.length; from += SLICE_KEYS) {
        if (from > 0) {
          if (turn.isOld()) await new Promise<void>((resolve) => turn.later(resolve))
          throwIfAborted(signal)
          // Throws if the store has been closed.
          this.#sequence(undefined)
          if (readers.stale) throw staleView()
          view.checkReadable(sequence)
        }
        await this.#getSlice(view, keys.slice(from, from + SLICE_KEYS), sequence, moment, values)
      }
    } finally {
      readers.release(sequence, moment)
    }
    return values
  }

  /** Adds the values of keys, or undefined, to `values`. Their places are known before control returns. */
  async #getSlice(
    view: ReadView,
    keys: readonly Uint8Array[],
    sequence: Sequence,
    moment: number,
    values: (Buffer | undefined)[],
  ): Promise<void> {
    const { tree, values: reader } = view
    const found: (Buffer | undefined)[] = []
    const requests = keys.map((key) => {
      const lookup = new Entry()
      const exists = tree.find(key, sequence, lookup, moment)
      const inline = exists && lookup.kind === KIND.inline
      found.push(inline ? this.#copyInline(lookup) : undefined)
      return exists && !inline ? lookup : undefined
    })
    await reader.readMany(requests, found)
    for (const value of found) values.push(value)
  }

  #viewOf(options: SnapshotOptions | undefined): ReadView {
    const snapshot = options?.snapshot
    return snapshot === undefined ? this.#engine : viewOf(snapshot, this.#engine)
  }

  #again<T>(
    error: unknown,
    options: SnapshotOptions | undefined,
    read: (sequence: Sequence) => T,
    viewNumber: number | undefined = this.#engine.viewNumber,
  ): T {
    if (options?.snapshot) throw this.#viewOf(options).viewFailure(error)
    return readAgain(this.#engine, viewNumber, error, () => read(this.#sequence(options)))
  }

  /** What lies in shared memory or in a cached block is copied before it leaves the store. */
  #copyInline({ valueBytes: bytes, valueStart, valueEnd }: Entry, part?: ValuePart): Buffer {
    const from = part === undefined ? valueStart : Math.min(valueStart + part.offset, valueEnd)
    const to = part === undefined ? valueEnd : Math.min(from + part.length, valueEnd)
    return this.#copy(bytes, from, to)
  }

  #copy(bytes: Uint8Array, from: number, to: number): Buffer {
    const length = to - from
    const memory = this.#slabs.allocate(length)
    const at = this.#slabs.start
    memory.set(bytes.subarray(from, to), at)
    return memory.subarray(at, at + length)
  }
}

/** The options without a part. */
function snapshotOf({ snapshot }: ReadOptions): SnapshotOptions | undefined {
  return snapshot === undefined ? undefined : { snapshot }
}
