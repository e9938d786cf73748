/**
 * lmdb: binary keys and values, and its defaults otherwise; with `noSync` as the fast peer of fills and reads.
 *
 * A durable put awaits the commit and then `flushed`, as its documentation says: the promise of a
 * put alone settles before the sync. It has no asynchronous get of its own; its `get` behind an
 * `await` is what its users write.
 */
import { open, type RootDatabase } from 'lmdb'
import { COLD_READS, READS, SYNCED } from '../harness/workload-names.ts'
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

/**
 * Windows of puts that nobody awaits but the last one: more than the others may have in flight, since
 * it batches by itself.
 */
const UNAWAITED_ENTRIES = 1000
const UNAWAITED_BYTES = 16 * 1024 * 1024

type Database = RootDatabase<Buffer, Buffer>

/** LMDB through its own binding. The durable one leaves the reads to the other, which syncs do not touch. */
export function createLmdb(data: Extent, noSync: boolean): Engine {
  return {
    // Left out is what never won: its `batch`; transactions over a loaded store, where each commit looks for free
    // pages (2 % of the rate of the others); with syncs everything but the window, which has the fewest commits.
    ways: noSync ? ['writers', 'window', 'transactions'] : ['window'],
    batchWay: 'transactions',
    overwriteWays: noSync ? ['writers', 'window'] : ['window'],
    leavesOut: noSync
      ? Object.keys(SYNCED)
      : [...READS, ...COLD_READS, 'reopen', 'cold-reopen', 'scan-overwritten', 'paced-put'],
    open: async (path) =>
      new LmdbStore(data, open({ path, encoding: 'binary', keyEncoding: 'binary', noSync })),
    apart: () => NOTHING_APART,
  }
}

class LmdbStore implements EngineStore {
  readonly #data: Extent
  readonly #database: Database

  constructor(data: Extent, database: Database) {
    this.#data = data
    this.#database = database
  }

  fill(way: string, source: Source): Promise<void> {
    const database = this.#database
    const { valueBytes } = this.#data
    const size = windowEntries(valueBytes)
    switch (way) {
      case 'writers':
        return fillWithWriters(source, size, (key, value) => database.put(key, value))
      case 'window': {
        const unawaited = Math.min(UNAWAITED_ENTRIES, Math.ceil(UNAWAITED_BYTES / valueBytes))
        return fillInGroups(source, unawaited, (from, to) => putAll(source, from, to, database))
      }
      default:
        return fillInGroups(source, size, (from, to) =>
          database.transactionSync(() => {
            for (let i = from; i < to; i++) {
              const index = source.index(i)
              database.putSync(source.key(index), source.value(index))
            }
          }),
        )
    }
  }

  put(key: Buffer, value: Buffer): void {
    this.#database.putSync(key, value)
  }

  remove(key: Buffer): void {
    this.#database.removeSync(key)
  }

  async putDurable(key: Buffer, value: Buffer): Promise<void> {
    await this.#database.put(key, value)
    await this.#database.flushed
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#database.get(key)
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#database.get(key)
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#database.getMany([...keys])
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    for (const { value } of this.#database.getRange({})) visit(value)
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    for (const key of this.#database.getKeys({})) visit(key)
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    const start = this.#data.key(index)
    for (const { value } of this.#database.getRange({ start, limit })) visit(value)
  }

  flush(): Promise<unknown> {
    return this.#database.flushed
  }

  figures(): Readonly<Record<string, unknown>> {
    return { ...this.#database.getStats() }
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}

/** Puts a part of `source`; the result is the promise of the last put. */
function putAll(
  source: Source,
  from: number,
  to: number,
  database: Database,
): Promise<boolean> | undefined {
  let last: Promise<boolean> | undefined
  for (let i = from; i < to; i++) {
    const index = source.index(i)
    last = database.put(source.key(index), source.value(index))
  }
  return last
}
