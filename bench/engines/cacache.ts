/**
 * cacache, the cache of npm: a file for each different value, under its hash, and one for each key that names it.
 *
 * It syncs nothing, has no synchronous calls and no order; what is overwritten stays until its `verify` is called.
 */
import { loadPackage } from '../harness/packages.ts'
import { COLD_READS, SYNCED } from '../harness/workload-names.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillWithWriters,
  NOTHING_APART,
  type Source,
  windowEntries,
} from './engine.ts'

/** What is used of the package, which brings no types. */
interface Cacache {
  put(directory: string, key: string, value: Buffer): Promise<unknown>
  readonly get: {
    (directory: string, key: string): Promise<{ readonly data: Buffer }>
    byDigest(directory: string, integrity: string): Promise<Buffer>
  }
  readonly rm: { entry(directory: string, key: string): Promise<unknown> }
  ls(directory: string): Promise<Readonly<Record<string, { readonly integrity: string }>>>
}

const LEFT_OUT = [
  ...Object.keys(SYNCED),
  'readrandom-sync',
  'readmissing',
  'ranges',
  'ycsb-e',
  'deletehalf',
  // To drop so many files from the page cache one by one takes minutes.
  ...COLD_READS,
  'cold-reopen',
]

/** The package with its defaults. */
export function createCacache(data: Extent): Engine {
  const cacache = loadPackage('cacache') as Cacache
  return {
    ways: ['writers'],
    leavesOut: LEFT_OUT,
    open: async (directory) => new CacacheStore(data, cacache, directory),
    apart: () => NOTHING_APART,
  }
}

class CacacheStore implements EngineStore {
  readonly #data: Extent
  readonly #cacache: Cacache
  readonly #directory: string

  constructor(data: Extent, cacache: Cacache, directory: string) {
    this.#data = data
    this.#cacache = cacache
    this.#directory = directory
  }

  fill(_way: string, source: Source): Promise<void> {
    const writers = windowEntries(this.#data.valueBytes)
    return fillWithWriters(source, writers, (key, value) => this.put(key, value))
  }

  put(key: Buffer, value: Buffer): Promise<unknown> {
    return this.#cacache.put(this.#directory, key.toString(), value)
  }

  remove(key: Buffer): Promise<unknown> {
    return this.#cacache.rm.entry(this.#directory, key.toString())
  }

  putDurable(): never {
    throw new Error('cacache syncs nothing')
  }

  async get(key: Buffer): Promise<Buffer> {
    return (await this.#cacache.get(this.#directory, key.toString())).data
  }

  getSync(): never {
    throw new Error('cacache has no synchronous get')
  }

  getMany(keys: readonly Buffer[]): Promise<Buffer[]> {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    const entries = await this.#cacache.ls(this.#directory)
    for (const key of Object.keys(entries).sort()) {
      visit(await this.#cacache.get.byDigest(this.#directory, entries[key]!.integrity))
    }
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    const entries = await this.#cacache.ls(this.#directory)
    for (const key of Object.keys(entries).sort()) visit(Buffer.from(key))
  }

  async range(): Promise<void> {
    throw new Error('cacache has no order')
  }

  flush(): void {}

  figures(): Readonly<Record<string, unknown>> {
    return {}
  }

  async close(): Promise<void> {}
}
