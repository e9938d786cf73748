/**
 * RocksDB through @nxtedition/rocksdb, a binding whose writes are made on the calling thread: it has what the other one
 * (rocksdb-native) has not, synchronous gets. `sync: true` syncs nothing there: 1,200 puts with it made 12 calls of
 * fsync or fdatasync in all.
 */
import { loadPackage } from '../harness/packages.ts'
import { SYNCED } from '../harness/workload-names.ts'
import {
  type BatchPut,
  type Engine,
  type EngineStore,
  type Extent,
  fillLevel,
  NOTHING_APART,
  type Source,
} from './engine.ts'
import { NXT_OPTIONS } from './settings.ts'

/** What is used of the package, which brings no types. */
interface Database {
  open(options: object): Promise<void>
  close(): Promise<void>
  put(key: Buffer, value: Buffer): Promise<void>
  del(key: Buffer): Promise<void>
  batch(operations: readonly BatchPut[]): Promise<void>
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>
  /** Documented nowhere, and used by its makers. */
  _getManySync(keys: readonly Buffer[]): (Buffer | undefined)[]
  iterator(options: object): {
    nextv(count: number): Promise<readonly (readonly [Buffer, Buffer])[]>
    close(): Promise<void>
  }
}

/** Entries that one call of an iterator brings: as many as ranges ask for. */
const FETCH_ENTRIES = 100
const FETCH_KEYS = 1000
/** Above the default of 16 KiB, with which a call would bring four entries of 4 KiB. */
const READ_AHEAD = { highWaterMarkBytes: 4 * 1024 * 1024 }

const LEFT_OUT = Object.keys(SYNCED)

/** RocksDB on the calling thread. */
export function createRocksDbNxt(data: Extent): Engine {
  return {
    ways: ['writers', 'batches'],
    batchWay: 'batches',
    leavesOut: LEFT_OUT,
    open: async (directory) => {
      const { RocksLevel } = loadPackage('@nxtedition/rocksdb') as {
        RocksLevel: new (directory: string, options: object) => Database
      }
      const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
      const database = new RocksLevel(directory, encodings)
      await database.open({ ...NXT_OPTIONS, createIfMissing: true })
      return new RocksDbNxtStore(data, database)
    },
    apart: () => NOTHING_APART,
  }
}

class RocksDbNxtStore implements EngineStore {
  readonly #data: Extent
  readonly #database: Database

  constructor(data: Extent, database: Database) {
    this.#data = data
    this.#database = database
  }

  fill(way: string, source: Source): Promise<void> {
    return fillLevel(this.#database, this.#data, way, source)
  }

  put(key: Buffer, value: Buffer): Promise<void> {
    return this.#database.put(key, value)
  }

  remove(key: Buffer): Promise<void> {
    return this.#database.del(key)
  }

  putDurable(): Promise<void> {
    throw new Error('@nxtedition/rocksdb does not sync its puts')
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return (await this.#database.getMany([key]))[0]
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#database._getManySync([key])[0]
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#database.getMany(keys)
  }

  scan(visit: (value: Uint8Array) => void): Promise<void> {
    return this.#visit({}, FETCH_ENTRIES, (_key, value) => visit(value))
  }

  scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    return this.#visit({ values: false }, FETCH_KEYS, visit)
  }

  range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    const range = { gte: this.#data.key(index), limit }
    return this.#visit(range, Math.min(limit, FETCH_ENTRIES), (_key, value) => visit(value))
  }

  flush(): void {}

  figures(): Readonly<Record<string, unknown>> {
    return NXT_OPTIONS
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  async #visit(
    range: object,
    count: number,
    visit: (key: Buffer, value: Buffer) => void,
  ): Promise<void> {
    const iterator = this.#database.iterator({ ...range, ...READ_AHEAD })
    for (;;) {
      const entries = await iterator.nextv(count)
      if (entries.length === 0) break
      for (const [key, value] of entries) visit(key, value)
    }
    await iterator.close()
  }
}
