/**
 * One file a value, as many programs keep their caches: written under a temporary name, and renamed to that of its key;
 * folders by a hash of the key, so that none gets too large. A durable put syncs the file before the rename, and the
 * folder behind it.
 *
 * There is no order in it: a scan lists all names and sorts them, and there are no ranges.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { COLD_READS } from '../harness/workload-names.ts'
import {
  type Engine,
  type EngineStore,
  type Extent,
  fillWithWriters,
  NOTHING_APART,
  type Source,
  windowEntries,
} from './engine.ts'

const FOLDERS = 256
/** Scans read so many files at once: as many as the thread pool has threads. */
const READERS = 4

/** The file system alone. */
export function createFiles(data: Extent): Engine {
  return {
    // Left out is what never won: calls that hold the event loop.
    ways: ['writers'],
    // To drop so many files from the page cache one by one takes minutes.
    leavesOut: ['ranges', 'ycsb-e', ...COLD_READS, 'cold-reopen'],
    open: async (directory) => new FilesStore(data, directory),
    apart: () => NOTHING_APART,
  }
}

class FilesStore implements EngineStore {
  readonly #data: Extent
  readonly #directory: string
  readonly #temporary: string
  #temporaries = 0

  constructor(data: Extent, directory: string) {
    this.#data = data
    this.#directory = directory
    this.#temporary = path.join(directory, 'temporary')
    for (let i = 0; i < FOLDERS; i++) fs.mkdirSync(this.#folder(i), { recursive: true })
    // What a killed process has left there is of no use.
    fs.rmSync(this.#temporary, { recursive: true, force: true })
    fs.mkdirSync(this.#temporary)
  }

  fill(_way: string, source: Source): Promise<void> {
    const writers = windowEntries(this.#data.valueBytes)
    return fillWithWriters(source, writers, async (key, value) => {
      const temporary = this.#nextTemporary()
      await fs.promises.writeFile(temporary, value)
      await fs.promises.rename(temporary, this.#fileOf(key))
    })
  }

  /** By calls that hold the event loop: one by one they answer first. */
  put(key: Buffer, value: Buffer): void {
    const temporary = this.#nextTemporary()
    fs.writeFileSync(temporary, value)
    fs.renameSync(temporary, this.#fileOf(key))
  }

  remove(key: Buffer): void {
    fs.unlinkSync(this.#fileOf(key))
  }

  async putDurable(key: Buffer, value: Buffer): Promise<void> {
    const temporary = this.#nextTemporary()
    const file = this.#fileOf(key)
    await fs.promises.writeFile(temporary, value, { flush: true })
    await fs.promises.rename(temporary, file)
    const folder = await fs.promises.open(path.dirname(file))
    await folder.sync()
    await folder.close()
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    try {
      return await fs.promises.readFile(this.#fileOf(key))
    } catch (error) {
      return undefinedIfAbsent(error)
    }
  }

  getSync(key: Buffer): Buffer | undefined {
    try {
      return fs.readFileSync(this.#fileOf(key))
    } catch (error) {
      return undefinedIfAbsent(error)
    }
  }

  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)))
  }

  async getPart(
    key: Buffer,
    _index: number,
    offset: number,
    length: number,
  ): Promise<Buffer | undefined> {
    const file = await fs.promises.open(this.#fileOf(key))
    const { buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
    await file.close()
    return buffer
  }

  async scan(visit: (value: Uint8Array) => void): Promise<void> {
    const names = this.#names()
    for (let from = 0; from < names.length; from += READERS) {
      const keys = names.slice(from, from + READERS).map(keyOf)
      for (const value of await this.getMany(keys)) visit(value!)
    }
  }

  async scanKeys(visit: (key: Uint8Array) => void): Promise<void> {
    for (const name of this.#names()) visit(keyOf(name))
  }

  async range(): Promise<void> {
    throw new Error('files have no order')
  }

  flush(): void {}

  figures(): Readonly<Record<string, unknown>> {
    return {}
  }

  async close(): Promise<void> {}

  #nextTemporary(): string {
    return path.join(this.#temporary, String(this.#temporaries++))
  }

  #folder(number: number): string {
    return path.join(this.#directory, number.toString(16).padStart(2, '0'))
  }

  #fileOf(key: Buffer): string {
    const [hash] = createHash('md5').update(key).digest()
    // Keys may have a slash.
    return path.join(this.#folder(hash! % FOLDERS), encodeURIComponent(key.toString()))
  }

  #names(): string[] {
    const folders = Array.from({ length: FOLDERS }, (_, i) => fs.readdirSync(this.#folder(i)))
    return folders.flat().sort()
  }
}

function keyOf(name: string): Buffer {
  return Buffer.from(decodeURIComponent(name))
}

function undefinedIfAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  return undefined
}
