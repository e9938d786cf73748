/**
 * Reads of single keys: the entry from the tree, then its value from where the entry says.
 *
 * Data plane: one lookup serves all reads, and nothing else is allocated but the value.
 */
import { SlabAllocator } from '../vlog/slab.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { staleView } from './snapshot.ts'
import { KIND } from './tree/entry.ts'
import { Lookup } from './tree-reader.ts'

/** Keys that are looked up, and their values read, before the event loop may turn: about a millisecond. */
const SLICE_KEYS = 256

export class PointReads {
  readonly #engine: ReadingEngine
  readonly #lookup: Lookup = new Lookup()
  readonly #slabs: SlabAllocator = new SlabAllocator()

  constructor(engine: ReadingEngine) {
    this.#engine = engine
  }

  has(key: Uint8Array, sequence: number): boolean {
    return this.#engine.tree.find(key, sequence, this.#lookup)
  }

  /** @param soon a promise is welcome if the read is likely to be slow; else it is read at once */
  get(
    key: Uint8Array,
    sequence: number,
    soon: boolean,
  ): Buffer | undefined | Promise<Buffer | undefined> {
    const lookup = this.#lookup
    const { tree, values } = this.#engine
    if (!tree.find(key, sequence, lookup)) return undefined
    if (lookup.kind === KIND.inline) return this.#copyInline(lookup)
    return soon ? values.readSoon(lookup) : values.read(lookup)
  }

  /**
   * The values of keys, a slice of them at a time: between slices the event loop may turn, and the sequence is held.
   * @param check called before each slice but the first: throws if the store has been closed
   * @throws WISC_STALE if the view that a read-only store had at the beginning is given up meanwhile
   */
  async getMany(
    keys: readonly Uint8Array[],
    sequence: number,
    check: () => void,
  ): Promise<(Buffer | undefined)[]> {
    const { readers, turn } = this.#engine
    const values: (Buffer | undefined)[] = []
    if (keys.length <= SLICE_KEYS) {
      await this.#getSlice(keys, sequence, values)
      return values
    }
    readers.hold(sequence)
    try {
      for (let from = 0; from < keys.length; from += SLICE_KEYS) {
        if (from > 0) {
          if (turn.isOld()) await new Promise<void>((resolve) => turn.later(resolve))
          check()
          if (readers.stale) throw staleView()
          this.#engine.checkReadable(sequence)
        }
        await this.#getSlice(keys.slice(from, from + SLICE_KEYS), sequence, values)
      }
    } finally {
      readers.release(sequence)
    }
    return values
  }

  /** Adds the values of keys, or undefined, to `values`. Their places are known before control returns. */
  async #getSlice(
    keys: readonly Uint8Array[],
    sequence: number,
    values: (Buffer | undefined)[],
  ): Promise<void> {
    const { tree, values: reader } = this.#engine
    const found: (Buffer | undefined)[] = []
    const requests = keys.map((key) => {
      const lookup = new Lookup()
      const exists = tree.find(key, sequence, lookup)
      const inline = exists && lookup.kind === KIND.inline
      found.push(inline ? this.#copyInline(lookup) : undefined)
      return exists && !inline ? lookup : undefined
    })
    await reader.readMany(requests, found)
    for (const value of found) values.push(value)
  }

  /** What lies in shared memory or in a cached block is copied before it leaves the store. */
  #copyInline({ valueBytes: bytes, valueStart, valueEnd }: Lookup): Buffer {
    const length = valueEnd - valueStart
    const memory = this.#slabs.allocate(length)
    const at = this.#slabs.start
    memory.set(bytes.subarray(valueStart, valueEnd), at)
    return memory.subarray(at, at + length)
  }
}
