/**
 * A batch of entries, as a scan gives them: copies of their keys, and either the inline values or where values lie.
 *
 * Data plane: one object is filled again and again. What it gives out may leave the store, and is left alone by the
 * next batch.
 */
import type { SlabAllocator } from '../../vlog/read/slab.ts'
import type { ValueReader, ValueRequest } from '../../vlog/read/value-reader.ts'
import { copyRange, NO_BYTES } from '../base/bytes.ts'
import type { ValueStat } from '../contract/types.ts'
import { type Entry, KIND } from '../tree/entry.ts'
import type { EntrySink } from './scan.ts'
import { valueStat } from './value-stat.ts'

export class EntryBatch implements EntrySink {
  readonly #slabs: SlabAllocator
  readonly #withValues: boolean
  readonly #heads: ValueReader | undefined
  #requests: (ValueRequest | undefined)[] = []
  #countMax = 0
  #bytesMax = 0
  #bytesLeft = 0
  /** Bytes of values for each byte that was expected, of the last batch: what is compressed tells its size too late. */
  #growth = 1
  keys: Buffer[] = []
  /** Undefined until it is read, and when it was given out. Empty without values. */
  values: (Buffer | undefined)[] = []
  /** Empty unless they are asked for. */
  stats: ValueStat[] = []
  lastKey: Uint8Array = NO_BYTES

  /** @param heads reads what is to be known of values that are not read, if anything */
  constructor(slabs: SlabAllocator, withValues: boolean, heads: ValueReader | undefined) {
    this.#slabs = slabs
    this.#withValues = withValues
    this.#heads = heads
  }

  /** Lets go what it holds and begins anew: it has enough with so many entries, or so many bytes of values. */
  begin(countMax: number, bytesMax: number): void {
    this.drop()
    this.#countMax = countMax
    this.#bytesMax = bytesMax / this.#growth
    this.#bytesLeft = this.#bytesMax
  }

  drop(): void {
    // New arrays: reads under way write to the old ones, and who was given them keeps them.
    this.keys = []
    this.values = []
    this.stats = []
    this.#requests = []
  }

  take(entry: Entry): boolean {
    const key = this.#keep(entry.keyBytes, entry.keyStart, entry.keyEnd)
    this.keys.push(key)
    this.lastKey = key
    if (this.#heads !== undefined) this.stats.push(valueStat(this.#heads, entry))
    if (this.#withValues) this.#takeValue(entry, key)
    return this.keys.length < this.#countMax && this.#bytesLeft > 0
  }

  #takeValue(entry: Entry, key: Buffer): void {
    if (entry.kind === KIND.inline) {
      const { valueStart, valueEnd } = entry
      this.values.push(this.#keep(entry.valueBytes, valueStart, valueEnd))
      this.#requests.push(undefined)
      this.#bytesLeft -= valueEnd - valueStart
      return
    }
    const { sequence, segment, offset, length } = entry
    const keyEnd = key.length
    this.values.push(undefined)
    this.#requests.push({ keyBytes: key, keyStart: 0, keyEnd, sequence, segment, offset, length })
    this.#bytesLeft -= length
  }

  /** Reads the values that are not inline. @returns a promise if some have to be waited for */
  readValues(reader: ValueReader): Promise<void> | undefined {
    return this.#withValues ? reader.readMany(this.#requests, this.values) : undefined
  }

  /** The values are there: the next batch expects as much of a byte. */
  noteRead(): void {
    let bytes = 0
    for (const value of this.values) bytes += value === undefined ? 0 : value.length
    this.#growth = Math.max(1, bytes / Math.max(1, this.#bytesMax - this.#bytesLeft))
  }

  /** A copy in memory that may leave the store. */
  #keep(bytes: Uint8Array, start: number, end: number): Buffer {
    const length = end - start
    const memory = this.#slabs.allocate(length)
    const at = this.#slabs.start
    copyRange(bytes, start, end, memory, at)
    return memory.subarray(at, at + length)
  }
}
