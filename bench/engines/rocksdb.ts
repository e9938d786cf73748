/**
 * RocksDB through its binding (rocksdb-native), with values inside of its tables, or in blob files.
 *
 * The binding has no synchronous get and no durable put, so the workloads that need them leave it out. Each of its
 * batches is a trip through the thread pool, so puts that are called in one turn go together, as they do in wisc;
 * one by one they are slower.
 */
import { loadPackage } from '../harness/packages.ts'
import { SYNCED } from '../harness/workload-names.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillInGroups,
  fillWithWriters,
  NOTHING_APART,
  type Source,
  windowEntries,
} from './engine.ts'

/** What is used of the package, which brings no types. */
interface Database {
  ready(): Promise<void>
  close(): Promise<void>
  flush(): Promise<void>
  get(key: Buffer): Promise<Buffer | null>
  write(options: { capacity: number; autoDestroy: boolean }): Batch
  iterator(range: object, options: object): AsyncIterable<{ key: Buffer; value: Buffer }>
}

interface Batch {
  put(key: Buffer, value: Buffer): Promise<void>
  delete(key: Buffer): Promise<void>
  tryFlush(): void
}

/** Entries that one call of an iterator brings: as many as ranges ask for. */
const FETCH_ENTRIES = 100
const FETCH_KEYS = 1000
const LEFT_OUT = ['readrandom-sync', 'readmissing', ...Object.keys(SYNCED)]

/** RocksDB with these options of the binding. */
export function createRocksDb(data: Extent, options: Readonly<Record<string, unknown>>): Engine {
  return {
    ways: ['writers', 'batches'],
    batchWay: 'batches',
    leavesOut: LEFT_OUT,
    open: async (path) => {
      const RocksDb = loadPackage('rocksdb-native') as new (
        path: string,
        options: object,
      ) => Database
      const database = new RocksDb(path, options)
      await database.ready()
      return new RocksDbStore(data, database, options)
    },
    apart: () => NOTHING_APART,
  }
}

class RocksDbStore implements EngineStore {
  readonly #data: Extent
  readonly #database: Database
  readonly #options: Readonly<Record<string, unknown>>
  #gathered: Batch | undefined

  constructor(data: Extent, database: Database, options: Readonly<Record<string, unknown>>) {
    this.#data = data
    this.#database = database
    this.#options = options
  }

  fill(way: string, source: Source): Promise<void> {
    const size = windowEntries(this.#data.valueBytes)
    if (way === 'writers') {
      return fillWithWriters(source, size, (key, value) => this.put(key, value))
    }
    return fillInGroups(source, size, (from, to) => {
      const batch = this.#newBatch()
      const puts: Promise<void>[] = []
      for (let i = from; i < to; i++) {
        const index = source.index(i)
        puts.push(batch.put(source.key(index), source.value(index)))
      }
      batch.tryFlush()
      return Promise.all(puts)
    })
  }

  put(key: Buffer, value: Buffer): Promise<void> {
    return this.#batchOfThisTurn().put(key, value)
  }

  remove(key: Buffer): Promise<void> {
    return this.#batchOfThisTurn().delete(key)
  }

  putDurable(): Promise<void> {
    throw new Error('rocksdb-native does not sync its puts')
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return (await this.#database.get(key)) ?? undefined
  }

  getSync(): never {
    throw new Error('rocksdb-native has no synchronous get')
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    for await (const { value } of this.#database.iterator({}, { capacity: FETCH_ENTRIES })) {
      visit(value)
    }
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    const options = { capacity: FETCH_KEYS, values: false }
    for await (const { key } of this.#database.iterator({}, options)) visit(key)
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    const range = { gte: this.#data.key(index) }
    const options = { limit, capacity: Math.min(limit, FETCH_ENTRIES) }
    for await (const { value } of this.#database.iterator(range, options)) visit(value)
  }

  flush(): Promise<void> {
    return this.#database.flush()
  }

  figures(): Readonly<Record<string, unknown>> {
    return this.#options
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  #newBatch(): Batch {
    return this.#database.write({ capacity: FETCH_ENTRIES, autoDestroy: true })
  }

  #batchOfThisTurn(): Batch {
    if (this.#gathered === undefined) {
      const batch = this.#newBatch()
      this.#gathered = batch
      queueMicrotask(() => {
        this.#gathered = undefined
        batch.tryFlush()
      })
    }
    return this.#gathered
  }
}
