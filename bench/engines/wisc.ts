/**
 * wisc through its public face: default options, or all values inline as the classical LSM store.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type Operation, type Options, open, type Store } from '../../lib/index.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillInGroups,
  fillWithWriters,
  type Source,
  type WrittenApart,
  windowEntries,
} from './engine.ts'

/** Keys of one `nextMany` in a scan of keys. */
const FETCH_KEYS = 1000
/** Values of one `nextMany`: so many, and about so many bytes. */
const FETCH_ENTRIES = 100
const FETCH_BYTES = 1024 * 1024

/** wisc with these options. */
export function createWisc(
  data: Extent,
  options: Options,
  leavesOut: readonly string[] = [],
): Engine {
  return {
    ways: ['writers', 'batches'],
    batchWay: 'batches',
    leavesOut,
    open: async (directory) => new WiscStore(data, await open(directory, options)),
    apart,
  }
}

/**
 * Ballast and collector. The ballast is made as a whole whenever it grows; the close may do so after
 * the last count.
 */
function apart(directory: string, figures: Readonly<Record<string, unknown>>): WrittenApart {
  const file = path.join(directory, 'BALLAST')
  const bytes = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const grewAtClose = bytes !== figures['ballastBytes']
  return {
    ballastBytes: Number(figures['ballastBytesWritten'] ?? 0) + (grewAtClose ? bytes : 0),
    // This version has no collector; its counter will have this name.
    relocatedBytes: Number(figures['relocatedBytesWritten'] ?? 0),
  }
}

class WiscStore implements EngineStore {
  readonly #data: Extent
  readonly #store: Store

  constructor(data: Extent, store: Store) {
    this.#data = data
    this.#store = store
  }

  fill(way: string, source: Source): Promise<void> {
    const size = windowEntries(this.#data.valueBytes)
    if (way === 'writers') {
      return fillWithWriters(source, size, (key, value) => this.#store.put(key, value))
    }
    return fillInGroups(source, size, (from, to) => {
      const operations: Operation[] = []
      for (let i = from; i < to; i++) {
        const index = source.index(i)
        operations.push({ type: 'put', key: source.key(index), value: source.value(index) })
      }
      return this.#store.write(operations)
    })
  }

  put(key: Buffer, value: Buffer): Promise<void> {
    return this.#store.put(key, value)
  }

  remove(key: Buffer): Promise<void> {
    return this.#store.delete(key)
  }

  putDurable(key: Buffer, value: Buffer): Promise<void> {
    return this.#store.put(key, value, { sync: true })
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#store.get(key)
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#store.getSync(key)
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#store.getMany([...keys])
  }

  getPart(
    key: Buffer,
    _index: number,
    offset: number,
    length: number,
  ): Promise<Buffer | undefined> {
    return this.#store.get(key, { offset, length })
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    const count = Math.max(
      1,
      Math.min(FETCH_ENTRIES, Math.floor(FETCH_BYTES / this.#data.valueBytes)),
    )
    const iterator = this.#store.entries()
    for (;;) {
      const entries = await iterator.nextMany(count)
      if (entries.length === 0) break
      for (const [, value] of entries) visit(value)
    }
    await iterator.close()
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    const iterator = this.#store.keys()
    for (;;) {
      const keys = await iterator.nextMany(FETCH_KEYS)
      if (keys.length === 0) break
      for (const key of keys) visit(key)
    }
    await iterator.close()
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    const iterator = this.#store.entries({ gte: this.#data.key(index), limit })
    let left = limit
    while (left > 0) {
      const entries = await iterator.nextMany(left)
      if (entries.length === 0) break
      for (const [, value] of entries) visit(value)
      left -= entries.length
    }
    await iterator.close()
  }

  flush(): Promise<void> {
    return this.#store.flush()
  }

  figures(): Readonly<Record<string, unknown>> {
    return { ...this.#store.stats() }
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
