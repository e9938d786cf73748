/**
 * A small cache on the fault-injecting file system, and the model that says what it must hold: everything that was
 * written and not deleted, but for what is older than the bound that the store itself tells.
 */
import { expect, onTestFinished } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { CheckedRunner } from '../../support/parts/checked-runner.ts'
import { seededRandom } from '../../support/random.ts'
import { allocatedBytes } from '../../support/store/recount.ts'

export const MAX_BYTES: number = 1024 * 1024
export const CACHE: Options = {
  workers: 0,
  segmentBytes: 32768,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 131072,
  streamThreshold: 16384,
  blockCacheBytes: 65536,
  valueThreshold: 256,
  tree: { sizeRatio: 4, tableBytes: 8192, blockBytes: 512 },
  cache: { maxBytes: MAX_BYTES },
}

interface Written {
  readonly value: Buffer
  readonly sequence: number
}

export type Model = ReadonlyMap<string, Written>

export class CachedStore {
  fileSystem: FaultFileSystem = new FaultFileSystem()
  #store: Store | undefined
  #model: Map<string, Written> = new Map()
  #written = 0

  static async open(options: Options = CACHE): Promise<CachedStore> {
    const cached = new CachedStore()
    await cached.open(options)
    onTestFinished(async () => {
      await Promise.allSettled([cached.store.close()])
    })
    return cached
  }

  async open(options: Options = CACHE): Promise<void> {
    const { fileSystem } = this
    this.#store = await openStore(DIRECTORY, options, {
      fileSystem,
      random: seededRandom(1),
      wrapRunner: (runner) => new CheckedRunner(runner, fileSystem),
    })
  }

  /** The process ends: what it has written is there. */
  async kill(options: Options = CACHE): Promise<void> {
    const killed = this.store
    this.fileSystem = new FaultFileSystem({}, this.fileSystem.visibleImage())
    await this.open(options)
    await killed.close()
  }

  get store(): Store {
    return this.#store!
  }

  get model(): Model {
    return new Map(this.#model)
  }

  /** What is older is gone. */
  get evictedBelow(): number {
    return engineOf(this.store).version.evictedBelow
  }

  /** The oldest entry of the memtables has it, or nothing that is written by now. */
  get unflushedFrom(): number {
    const { memtables, version, visibleSequence } = engineOf(this.store)
    let oldest = visibleSequence + 1
    for (const memtable of memtables.list(version.checkpoint)) {
      const cursor = memtable.cursor()
      for (cursor.seekToFirst(); cursor.valid; cursor.next())
        oldest = Math.min(oldest, cursor.entry.sequence)
    }
    return oldest
  }

  get diskBytes(): number {
    return allocatedBytes(this.fileSystem, DIRECTORY)
  }

  valueOf(key: string, length: number): Buffer {
    return Buffer.alloc(length, `${key}:${this.#written++};`)
  }

  /** Its records have the last sequences that were given. */
  #note(writes: readonly (readonly [key: string, value: Buffer | undefined])[]): void {
    const last = engineOf(this.store).visibleSequence
    for (const [i, [key, value]] of writes.entries()) {
      if (value) this.#model.set(key, { value, sequence: last - writes.length + 1 + i })
      else this.#model.delete(key)
    }
  }

  async put(key: string, length: number): Promise<void> {
    const value = this.valueOf(key, length)
    await this.store.put(key, value)
    this.#note([[key, value]])
  }

  async putStream(key: string, length: number): Promise<void> {
    const value = this.valueOf(key, length)
    async function* source(): AsyncGenerator<Buffer> {
      yield value.subarray(0, length >> 1)
      yield value.subarray(length >> 1)
    }
    await this.store.putStream(key, source())
    this.#note([[key, value]])
  }

  async delete(key: string): Promise<void> {
    await this.store.delete(key)
    this.#note([[key, undefined]])
  }

  async deleteRange(gte: string, lt: string): Promise<void> {
    await this.store.deleteRange({ gte, lt })
    for (const key of [...this.#model.keys()]) if (key >= gte && key < lt) this.#model.delete(key)
  }

  async write(keys: readonly string[], length: number): Promise<void> {
    const writes = keys.map((key): readonly [string, Buffer] => [key, this.valueOf(key, length)])
    await this.store.write(writes.map(([key, value]) => ({ type: 'put', key, value })))
    this.#note(writes)
  }

  /** What a reader sees now of what was there then. */
  expected(model: Model = this.#model): Map<string, Buffer> {
    const { evictedBelow } = this
    const seen = [...model].filter(([, { sequence }]) => sequence >= evictedBelow)
    return new Map(seen.map(([key, { value }]): [string, Buffer] => [key, value]))
  }

  /** Reads one key in every way. */
  async checkKey(key: string, model: Model = this.#model, snapshot?: Snapshot): Promise<void> {
    const { store } = this
    const options = snapshot ? { snapshot } : {}
    const value = this.expected(model).get(key)
    const size = value?.length
    const same = (found: Buffer | undefined): boolean =>
      value === undefined ? found === undefined : found !== undefined && value.equals(found)
    expect(same(store.getSync(key, options)), `getSync ${key}`).toBe(true)
    expect(store.hasSync(key, options), `has ${key}`).toBe(value !== undefined)
    expect((await store.stat(key, options))?.size, `stat ${key}`).toBe(size)
    // Looked up in this turn, whatever is evicted until they are read.
    const soon = [store.get(key, options), store.getMany([key], options).then(([found]) => found)]
    const part = store.get(key, { ...options, offset: 1, length: 5 })
    for (const found of await Promise.all(soon)) expect(same(found), `get ${key}`).toBe(true)
    expect(String(await part)).toBe(String(value?.subarray(1, 6)))
  }

  /** Everything is there that is not older than the bound, and nothing else, in both directions. */
  async checkAll(model: Model = this.#model, snapshot?: Snapshot): Promise<void> {
    const options = snapshot ? { snapshot } : {}
    for (const reverse of [false, true]) {
      const before = this.expected(model)
      const found = new Map<string, Buffer>()
      for await (const [key, value] of this.store.entries({ ...options, reverse }))
        found.set(String(key), value)
      // What goes while the iterator is under way it has given out, or not.
      const after = this.expected(model)
      const wrong = [...found].filter(([key, value]) => before.get(key)?.equals(value) !== true)
      const missing = [...after.keys()].filter((key) => !found.has(key))
      expect([wrong.map(([key]) => key), missing]).toEqual([[], []])
    }
  }
}
