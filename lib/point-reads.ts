/**
 * Reads of single keys: the entry from the tree, then its value from where the entry says.
 *
 * Data plane: one lookup serves all reads, and nothing else is allocated but the value.
 */
import { SlabAllocator } from '../vlog/slab.ts'
import type { ReadingEngine } from './reading-engine.ts'
import { KIND } from './tree/entry.ts'
import { Lookup } from './tree-reader.ts'

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

  async getMany(keys: readonly Uint8Array[], sequence: number): Promise<(Buffer | undefined)[]> {
    const { tree, values } = this.#engine
    const results: (Buffer | undefined)[] = []
    const requests = keys.map((key) => {
      const lookup = new Lookup()
      const found = tree.find(key, sequence, lookup)
      const inline = found && lookup.kind === KIND.inline
      results.push(inline ? this.#copyInline(lookup) : undefined)
      return found && !inline ? lookup : undefined
    })
    await values.readMany(requests, results)
    return results
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
