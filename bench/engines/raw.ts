/**
 * The raw floor: values appended to one file and read back with plain positioned calls, no keys at all.
 *
 * Synchronous reads go into one buffer that is used again: that an engine gives its caller a Buffer of their own
 * is a part of its cost. A fill is a loop of `writeSync`. A durable put is write + fdatasync through the
 * thread pool, which
 * any store that leaves the event loop alone has to use; those who wait share the next sync. What an
 * fdatasync on the main thread would give is measured as `fillsync-main`.
 */
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { YCSB } from '../harness/workload-names.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillInGroups,
  NOTHING_APART,
  type Source,
  windowEntries,
} from './engine.ts'

const fdatasync = promisify(fs.fdatasync)
const read = promisify(fs.read)

/** The floor under every engine. */
export function createRaw(data: Extent): Engine {
  // Where the value of each index lies, in values from the start; outlives a reopening.
  const places = new Uint32Array(data.entries)
  return {
    ways: ['writeSync'],
    leavesOut: ['readmissing', 'scan-keys', 'scan-overwritten', 'paced-put', 'deletehalf', ...YCSB],
    open: async (directory) => {
      fs.mkdirSync(directory, { recursive: true })
      return new RawStore(data, places, path.join(directory, 'values'))
    },
    apart: () => NOTHING_APART,
  }
}

interface WaitingPut {
  readonly value: Buffer
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class RawStore implements EngineStore {
  readonly #data: Extent
  readonly #places: Uint32Array
  readonly #fd: number
  readonly #value: Buffer
  #end: number
  #waiting: WaitingPut[] = []
  #syncing = false

  constructor(data: Extent, places: Uint32Array, file: string) {
    this.#data = data
    this.#places = places
    this.#fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT)
    this.#value = Buffer.alloc(data.valueBytes)
    this.#end = fs.fstatSync(this.#fd).size
  }

  async fill(_way: string, source: Source): Promise<void> {
    await fillInGroups(source, windowEntries(this.#data.valueBytes), (from, to) => {
      for (let i = from; i < to; i++) {
        const index = source.index(i)
        this.#places[index] = this.#end / this.#data.valueBytes
        this.append(source.value(index))
      }
    })
  }

  /** One positioned write at the end of the file. */
  append(value: Buffer): void {
    const count = fs.writeSync(this.#fd, value, 0, value.length, this.#end)
    if (count !== value.length) throw new Error(`short write count=${count}`)
    this.#end += count
  }

  /** The fdatasync that blocks the event loop. */
  syncNow(): void {
    fs.fdatasyncSync(this.#fd)
  }

  put(_key: Buffer, value: Buffer): void {
    this.append(value)
  }

  remove(): void {
    throw new Error('the raw floor has no keys')
  }

  putDurable(_key: Buffer, value: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ value, resolve, reject })
      if (!this.#syncing) void this.#syncWaiting()
    })
  }

  get(_key: Buffer, index: number): Promise<Uint8Array> {
    const { valueBytes } = this.#data
    // Of its own: several are in flight.
    const value = Buffer.allocUnsafe(valueBytes)
    return read(this.#fd, value, 0, valueBytes, this.#places[index]! * valueBytes).then(() => value)
  }

  getMany(keys: readonly Buffer[], indexes: readonly number[]): Promise<Uint8Array[]> {
    return Promise.all(keys.map((key, i) => this.get(key, indexes[i]!)))
  }

  async getPart(_key: Buffer, index: number, offset: number, length: number): Promise<Uint8Array> {
    const part = Buffer.allocUnsafe(length)
    const at = this.#places[index]! * this.#data.valueBytes + offset
    await read(this.#fd, part, 0, length, at)
    return part
  }

  getSync(_key: Buffer, index: number): Uint8Array {
    return this.#readPlace(this.#places[index]!)
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    // What an overwrite appended later is left out: scans see one value for each index.
    for (let place = 0; place < this.#data.entries; place++) visit(this.#readPlace(place))
  }

  async scanKeys(): Promise<void> {
    throw new Error('the raw floor has no keys')
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    for (let i = 0; i < limit; i++) visit(this.#readPlace(this.#places[index + i]!))
  }

  flush(): void {}

  figures(): Readonly<Record<string, unknown>> {
    return { fileBytes: this.#end }
  }

  async close(): Promise<void> {
    fs.closeSync(this.#fd)
  }

  #readPlace(place: number): Buffer {
    const { valueBytes } = this.#data
    fs.readSync(this.#fd, this.#value, 0, valueBytes, place * valueBytes)
    return this.#value
  }

  async #syncWaiting(): Promise<void> {
    this.#syncing = true
    // Those who ask in the same tick go together, as they do in any store with group commit.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        for (const put of group) this.append(put.value)
        await fdatasync(this.#fd)
        for (const put of group) put.resolve()
      } catch (error) {
        for (const put of group) put.reject(error)
      }
      // The resolved writers get their turn to ask again before the next group is closed.
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    this.#syncing = false
  }
}

/** Whether this store is the floor, which alone can sync on the main thread. */
export function isRawStore(store: EngineStore): store is RawStore {
  return store instanceof RawStore
}
