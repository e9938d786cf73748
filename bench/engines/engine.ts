/**
 * The seam between the workloads and the engines: what every engine can be asked, in its own natural way.
 *
 * An engine says in how many ways it can be filled; each is tried, and its best one counts. Callbacks
 * see every entry so that the workloads check what came back.
 */
import type { DataSet } from '../harness/data-set.ts'
import { Turns } from '../harness/measure.ts'

/** The engines by the names that `--engines` takes. */
export const ENGINE_NAMES = [
  'raw',
  'wisc',
  'wisc-inline',
  'wisc-separated',
  'wisc-lazy',
  'wisc-tiered',
  'classic-level',
  'lmdb-nosync',
  'lmdb',
  'rocksdb',
  'rocksdb-blob',
  'rocksdb-nxt',
  'sqlite',
  'files',
  'cacache',
] as const

export type EngineName = (typeof ENGINE_NAMES)[number]

/** Values in flight, or in a batch, while a store is filled: the same bound for every engine. */
const WINDOW_ENTRIES = 64
/** ... and at most this many bytes of them (never less than one value). */
const WINDOW_BYTES = 16 * 1024 * 1024
/** The clock is asked once in so many puts. */
const PUTS_PER_LOOK = 16

/** What an engine knows of the entries: how many, how large they are in the mean, and which key is the n-th. */
export type Extent = Pick<DataSet, 'entries' | 'valueBytes' | 'key'>

/** Entries to load: `count` of them, the i-th being that of `index(i)`. */
export interface Source {
  readonly count: number
  index(i: number): number
  key(index: number): Buffer
  value(index: number): Buffer
}

/** Bytes that an engine's write calls took for other things than user data. */
export interface WrittenApart {
  readonly ballastBytes: number
  readonly relocatedBytes: number
}

/** One open store of an engine. */
export interface EngineStore {
  /** Puts every entry of `source` in one of the engine's ways; settles when the last one is acknowledged. */
  fill(way: string, source: Source): Promise<void>
  /** One put, acknowledged when what it returns has settled; not durable. The way that answers first. */
  put(key: Buffer, value: Buffer): unknown
  /** One delete, in the same way. */
  remove(key: Buffer): unknown
  /** Settles when the entry is on disk. */
  putDurable(key: Buffer, value: Buffer): Promise<unknown>
  /** The asynchronous get. `index` is for the raw floor, which has no keys. */
  get(key: Buffer, index: number): Promise<Uint8Array | undefined>
  getSync(key: Buffer, index: number): Uint8Array | undefined
  /** The values of these keys in one call, or in calls made at once where the engine has none for it. */
  getMany(keys: readonly Buffer[], indexes: readonly number[]): Promise<(Uint8Array | undefined)[]>
  /** Some bytes out of the middle of a value, if the engine knows parts. */
  getPart?(
    key: Buffer,
    index: number,
    offset: number,
    length: number,
  ): Promise<Uint8Array | undefined>
  /** All entries in order, keys and values (the raw floor: in the order of its file, and no keys). */
  scan(visit: (value: Uint8Array) => void): Promise<void>
  scanKeys(visit: (key: Uint8Array) => void): Promise<void>
  /** `limit` entries from the key of `index` on. */
  range(index: number, limit: number, visit: (value: Uint8Array) => void): Promise<void>
  /** What is in memory alone goes to files, if the engine can be asked for that. */
  flush(): unknown
  /** The engine's own counters, for the JSON. */
  figures(): Readonly<Record<string, unknown>>
  close(): Promise<void>
}

/** An engine with the options that are measured. */
export interface Engine {
  /** The ways of {@link EngineStore.fill} in a new store, by name. */
  readonly ways: readonly string[]
  /** The way whose groups are one atomic write each; undefined if there is none. */
  readonly batchWay?: string
  /** ... and over a loaded one, where these differ. */
  readonly overwriteWays?: readonly string[]
  /** The workloads that make no sense for it, or that another entry of the table measures. */
  readonly leavesOut: readonly string[]
  /** Opens the store in `path`, creating it if need be. */
  open(path: string): Promise<EngineStore>
  /** What is counted apart, of the closed store in `path`; `figures` are those of right before the close. */
  apart(path: string, figures: Readonly<Record<string, unknown>>): WrittenApart
}

/** {@link Engine.apart} of engines that write user data only. */
export const NOTHING_APART: WrittenApart = { ballastBytes: 0, relocatedBytes: 0 }

/** Entries in flight or in a batch for values of this size. */
export function windowEntries(valueBytes: number): number {
  return Math.max(1, Math.min(WINDOW_ENTRIES, Math.floor(WINDOW_BYTES / valueBytes)))
}

/** So many writers, each of which awaits its put before the next. */
export async function fillWithWriters(
  source: Source,
  writers: number,
  put: (key: Buffer, value: Buffer) => unknown,
): Promise<void> {
  const turns = new Turns()
  let next = 0
  const write = async (): Promise<void> => {
    while (next < source.count) {
      const index = source.index(next++)
      await put(source.key(index), source.value(index))
      if (next % PUTS_PER_LOOK === 0 && turns.isDue()) await turns.take()
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
}

/** Groups of `size` entries, one after the other. */
export async function fillInGroups(
  source: Source,
  size: number,
  writeGroup: (from: number, to: number) => unknown,
): Promise<void> {
  const turns = new Turns()
  for (let from = 0; from < source.count; from += size) {
    await writeGroup(from, Math.min(source.count, from + size))
    if (turns.isDue()) await turns.take()
  }
}

/** A put of a batch, as LevelDB's bindings take it. */
export interface BatchPut {
  readonly type: 'put'
  readonly key: Buffer
  readonly value: Buffer
}

/** Fills a database with the calls of LevelDB's bindings: by writers, or in batches. */
export function fillLevel(
  database: {
    put(key: Buffer, value: Buffer): unknown
    batch(operations: BatchPut[]): unknown
  },
  { valueBytes }: Extent,
  way: string,
  source: Source,
): Promise<void> {
  const size = windowEntries(valueBytes)
  if (way === 'writers') {
    return fillWithWriters(source, size, (key, value) => database.put(key, value))
  }
  return fillInGroups(source, size, (from, to) => {
    const operations: BatchPut[] = []
    for (let i = from; i < to; i++) {
      const index = source.index(i)
      operations.push({ type: 'put', key: source.key(index), value: source.value(index) })
    }
    return database.batch(operations)
  })
}

/** Fills a store with all entries of a data set, in its order. */
export function fillInOrder(
  store: { put(key: Buffer, value: Buffer): unknown },
  data: DataSet,
): Promise<void> {
  const source = {
    count: data.entries,
    index: (i: number) => data.order[i]!,
    key: (index: number) => data.key(index),
    value: (index: number) => data.value(index, 0),
  }
  return fillWithWriters(source, windowEntries(data.valueBytes), (key, value) =>
    store.put(key, value),
  )
}
