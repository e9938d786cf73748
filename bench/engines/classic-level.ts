/**
 * classic-level (LevelDB) with its default options. Keys and values are Buffers on both sides.
 *
 * Scans raise `highWaterMarkBytes` and use `nextv`: with the default of 16 KiB every fetch brings
 * four entries of 4 KiB, and its figures would be a third of these.
 */
import { ClassicLevel } from 'classic-level'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillLevel,
  NOTHING_APART,
  type Source,
} from './engine.ts'

const READ_AHEAD_BYTES = 4 * 1024 * 1024
/** Entries of one fetch; about as many as ranges ask for. */
const FETCH_ENTRIES = 100
const FETCH_KEYS = 1000

type Database = ClassicLevel<Buffer, Buffer>

/** LevelDB through its own binding. */
export function createClassicLevel(data: Extent): Engine {
  return {
    ways: ['writers', 'batches'],
    batchWay: 'batches',
    leavesOut: [],
    open: async (path) => {
      const database: Database = new ClassicLevel(path, {
        keyEncoding: 'buffer',
        valueEncoding: 'buffer',
      })
      await database.open()
      return new ClassicLevelStore(data, database)
    },
    apart: () => NOTHING_APART,
  }
}

class ClassicLevelStore implements EngineStore {
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

  putDurable(key: Buffer, value: Buffer): Promise<void> {
    return this.#database.put(key, value, { sync: true })
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#database.get(key)
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#database.getSync(key)
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#database.getMany([...keys])
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    const iterator = this.#database.iterator({ highWaterMarkBytes: READ_AHEAD_BYTES })
    for (;;) {
      const entries = await iterator.nextv(FETCH_ENTRIES)
      if (entries.length === 0) break
      for (const [, value] of entries) visit(value)
    }
    await iterator.close()
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    const iterator = this.#database.keys({ highWaterMarkBytes: READ_AHEAD_BYTES })
    for (;;) {
      const keys = await iterator.nextv(FETCH_KEYS)
      if (keys.length === 0) break
      for (const key of keys) visit(key)
    }
    await iterator.close()
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    const iterator = this.#database.iterator({
      gte: this.#data.key(index),
      limit,
      highWaterMarkBytes: READ_AHEAD_BYTES,
    })
    let left = limit
    while (left > 0) {
      const entries = await iterator.nextv(left)
      if (entries.length === 0) break
      for (const [, value] of entries) visit(value)
      left -= entries.length
    }
    await iterator.close()
  }

  /** LevelDB has no call for it. */
  flush(): void {}

  figures(): Readonly<Record<string, unknown>> {
    return { stats: this.#database.getProperty('leveldb.stats') }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
