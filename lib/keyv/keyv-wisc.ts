/**
 * wisc as a store of Keyv: `wisc/keyv`, for Keyv 5 and 6. It stands on the public face alone, and needs no package.
 *
 * Keyv makes text of values, puts its namespace in front of keys, and judges by itself what has expired. The store is
 * told, too, so that the space comes back.
 */
import { EventEmitter } from 'node:events'
import { ConflictError, type ExpiryOptions, type Options, type Store } from '../index.ts'
import { LazyStore } from '../lazy/lazy-store.ts'

/** One of `setMany`. */
export interface KeyvWiscEntry {
  readonly key: string
  readonly value: string
  readonly ttl?: number | undefined
}

export class KeyvWisc extends EventEmitter {
  /** Keyv looks at both. */
  readonly opts: { dialect: string; url: string }
  /** Set by Keyv: what `clear` is about. */
  namespace: string | undefined
  readonly #store: LazyStore

  /**
   * @param place an open store, of which several namespaces may be kept, and which its owner closes; or the path of its
   *   directory, which is opened when it is first used, with these options
   */
  constructor(place: string | Store, options?: Options) {
    super()
    this.opts = { dialect: 'wisc', url: typeof place === 'string' ? `wisc:${place}` : 'wisc:' }
    this.#store = new LazyStore(place, options)
  }

  async get(key: string): Promise<string | undefined> {
    return (await (await this.#store.get()).get(key))?.toString()
  }

  async getMany(keys: string[]): Promise<(string | undefined)[]> {
    const values = await (await this.#store.get()).getMany(keys)
    return values.map((value) => value?.toString())
  }

  async set(key: string, value: string, ttl?: number): Promise<void> {
    await (await this.#store.get()).put(key, value, expiry(ttl))
  }

  async setMany(entries: readonly KeyvWiscEntry[]): Promise<void> {
    const store = await this.#store.get()
    const puts = entries.map(({ key, value, ttl }) => ({ key, value, ...expiry(ttl) }))
    await store.write(puts.map((put) => ({ type: 'put', ...put })))
  }

  /** @returns whether it was there */
  async delete(key: string): Promise<boolean> {
    const store = await this.#store.get()
    try {
      await store.delete(key, { if: { present: true } })
      return true
    } catch (error) {
      if (error instanceof ConflictError) return false
      throw error
    }
  }

  /** @returns whether any was there */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await Promise.all(keys.map((key) => this.delete(key)))).includes(true)
  }

  async has(key: string): Promise<boolean> {
    return (await this.#store.get()).hasSync(key)
  }

  /** One record, of the namespace or of all. */
  async clear(): Promise<void> {
    const store = await this.#store.get()
    await store.deleteRange(this.namespace ? { prefix: `${this.namespace}:` } : { gte: '' })
  }

  async *iterator(namespace?: string): AsyncGenerator<[string, string], void> {
    const store = await this.#store.get()
    const prefix = namespace ? `${namespace}:` : ''
    for await (const [key, value] of store.entries({ prefix })) yield [String(key), String(value)]
  }

  /** Closes the store, if it has opened it: everything is on disk then. */
  disconnect(): Promise<void> {
    return this.#store.close()
  }
}

function expiry(ttl: number | undefined): ExpiryOptions {
  return ttl ? { ttl: Math.ceil(ttl) } : {}
}
