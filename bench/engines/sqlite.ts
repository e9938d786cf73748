/**
 * SQLite through better-sqlite3: blobs in a table with an index of their keys, in a database with a write-ahead log.
 *
 * All of its calls are synchronous: they hold the event loop, durable puts while the disk syncs. A put by itself is a
 * transaction; fills make transactions of many, as its users do.
 */
import fs from 'node:fs'
import path from 'node:path'
import { loadPackage } from '../harness/packages.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillInGroups,
  NOTHING_APART,
  type Source,
  windowEntries,
} from './engine.ts'
import { SQLITE_PRAGMAS } from './settings.ts'

/** What is used of the package, which brings no types. */
interface Database {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare<Bound extends unknown[], Row>(sql: string): Statement<Bound, Row>
  transaction(run: (from: number, to: number) => void): (from: number, to: number) => void
  close(): void
}

interface Statement<Bound extends unknown[], Row> {
  run(...bound: Bound): unknown
  get(...bound: Bound): Row | undefined
  iterate(...bound: Bound): IterableIterator<Row>
  /** The first column alone instead of an object. */
  pluck(): this
}

/** SQLite through its own binding. */
export function createSqlite(data: Extent): Engine {
  return {
    // Left out is what never won: a transaction for each put.
    ways: ['transactions'],
    batchWay: 'transactions',
    leavesOut: [],
    open: async (directory) => {
      fs.mkdirSync(directory, { recursive: true })
      const Sqlite = loadPackage('better-sqlite3') as new (file: string) => Database
      const database = new Sqlite(path.join(directory, 'values.db'))
      for (const pragma of SQLITE_PRAGMAS) database.pragma(pragma)
      database.exec(
        'CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL)',
      )
      return new SqliteStore(data, database)
    },
    apart: () => NOTHING_APART,
  }
}

class SqliteStore implements EngineStore {
  readonly #data: Extent
  readonly #database: Database
  readonly #put: Statement<[Buffer, Buffer], never>
  readonly #remove: Statement<[Buffer], never>
  readonly #get: Statement<[Buffer], Buffer>
  readonly #range: Statement<[Buffer, number], Buffer>
  #isDurable = false

  constructor(data: Extent, database: Database) {
    this.#data = data
    this.#database = database
    this.#put = database.prepare(
      'INSERT INTO entries VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    )
    this.#remove = database.prepare('DELETE FROM entries WHERE key = ?')
    this.#get = database
      .prepare<[Buffer], Buffer>('SELECT value FROM entries WHERE key = ?')
      .pluck()
    this.#range = database
      .prepare<[Buffer, number], Buffer>(
        'SELECT value FROM entries WHERE key >= ? ORDER BY key LIMIT ?',
      )
      .pluck()
  }

  fill(_way: string, source: Source): Promise<void> {
    const putAll = this.#database.transaction((from, to) => {
      for (let i = from; i < to; i++) {
        const index = source.index(i)
        this.#put.run(source.key(index), source.value(index))
      }
    })
    return fillInGroups(source, windowEntries(this.#data.valueBytes), putAll)
  }

  put(key: Buffer, value: Buffer): void {
    this.#put.run(key, value)
  }

  remove(key: Buffer): void {
    this.#remove.run(key)
  }

  async putDurable(key: Buffer, value: Buffer): Promise<void> {
    if (!this.#isDurable) this.#database.pragma('synchronous = FULL')
    this.#isDurable = true
    this.#put.run(key, value)
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#get.get(key)
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#get.get(key)
  }

  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return keys.map((key) => this.#get.get(key))
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    const all = this.#database.prepare<[], Buffer>('SELECT value FROM entries ORDER BY key').pluck()
    for (const value of all.iterate()) visit(value)
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    const all = this.#database.prepare<[], Buffer>('SELECT key FROM entries ORDER BY key').pluck()
    for (const key of all.iterate()) visit(key)
  }

  async range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void> {
    for (const value of this.#range.iterate(this.#data.key(index), limit)) visit(value)
  }

  flush(): void {
    this.#database.pragma('wal_checkpoint(PASSIVE)')
  }

  figures(): Readonly<Record<string, unknown>> {
    return {
      pages: this.#database.pragma('page_count'),
      free: this.#database.pragma('freelist_count'),
    }
  }

  async close(): Promise<void> {
    this.#database.close()
  }
}
