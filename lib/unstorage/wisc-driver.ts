/**
 * wisc as a driver of unstorage: `wisc/unstorage`, for unstorage 1 and 2. It stands on the public face alone, and needs
 * no package.
 *
 * unstorage joins the parts of keys by colons, makes text of values, and leaves out where the driver is mounted.
 */
import type { ExpiryOptions, Options, Store, StreamSource } from '../index.ts'
import { LazyStore } from '../lazy/lazy-store.ts'

/** A store that is open, which its owner closes; or the path of its directory, with options for its `open`. */
export type WiscDriverOptions =
  | { readonly store: Store }
  // Nitro tells a driver by which name it was found, too.
  | (Options & { readonly path: string; readonly driver?: string })

/** Of what is set: in seconds, as all drivers have it. */
export interface WiscDriverExpiry {
  readonly ttl?: number | undefined
}

/** Its methods are called without it: so each is a function that knows it. */
export class WiscDriver {
  readonly name = 'wisc'
  readonly flags: { readonly ttl: boolean } = { ttl: true }
  readonly options: WiscDriverOptions
  readonly #store: LazyStore

  constructor(options: WiscDriverOptions) {
    this.options = options
    if ('store' in options) this.#store = new LazyStore(options.store)
    else {
      const { path, driver: _, ...ofStore } = options
      this.#store = new LazyStore(path, ofStore)
    }
  }

  readonly getInstance = (): Promise<Store> => this.#store.get()

  readonly hasItem = async (key: string): Promise<boolean> => (await this.#store.get()).hasSync(key)

  readonly getItem = async (key: string): Promise<string | null> =>
    text(await (await this.#store.get()).get(key))

  /** As of one moment. */
  readonly getItems = async (
    items: readonly { readonly key: string }[],
  ): Promise<{ key: string; value: string | null }[]> => {
    const values = await (await this.#store.get()).getMany(items.map(({ key }) => key))
    return items.map(({ key }, i) => ({ key, value: text(values[i]) }))
  }

  /** Bytes; or a stream of them, if that `type` is wanted. */
  readonly getItemRaw = async (key: string, options?: { type?: unknown }): Promise<unknown> => {
    const store = await this.#store.get()
    return (await (options?.type === 'stream' ? store.getStream(key) : store.get(key))) ?? null
  }

  readonly setItem = async (
    key: string,
    value: string,
    options?: WiscDriverExpiry,
  ): Promise<void> => (await this.#store.get()).put(key, value, expiry(options))

  /** All or none. */
  readonly setItems = async (
    items: readonly { key: string; value: string; options?: WiscDriverExpiry | undefined }[],
  ): Promise<void> => {
    const puts = items.map(({ key, value, options }) => ({ key, value, ...expiry(options) }))
    await (await this.#store.get()).write(puts.map((put) => ({ type: 'put', ...put })))
  }

  /** @param value bytes, text, or anything that `putStream` takes */
  readonly setItemRaw = async (
    key: string,
    value: unknown,
    options?: WiscDriverExpiry,
  ): Promise<void> => {
    const store = await this.#store.get()
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value
    if (typeof bytes === 'string' || bytes instanceof Uint8Array)
      await store.put(key, bytes, expiry(options))
    else await store.putStream(key, bytes as StreamSource, expiry(options))
  }

  readonly removeItem = async (key: string): Promise<void> => (await this.#store.get()).delete(key)

  readonly getMeta = async (key: string): Promise<{ size: number; expiresAt?: Date } | null> => {
    const stat = await (await this.#store.get()).stat(key)
    if (!stat) return null
    const { size, expiresAt } = stat
    return expiresAt === undefined ? { size } : { size, expiresAt: new Date(expiresAt) }
  }

  /** Of keys with more parts than are wanted only the first one of each part is looked at. */
  readonly getKeys = async (base = '', options?: { maxDepth?: number }): Promise<string[]> => {
    const found: string[] = []
    const keys = (await this.#store.get()).keys({ prefix: base })
    for await (const bytes of keys) {
      const key = String(bytes)
      const end = colon(key, options?.maxDepth ?? Infinity)
      if (end < 0) found.push(key)
      // What begins with these parts and a colon comes before what has the next sign in its place.
      else keys.seek(`${key.slice(0, end)};`)
    }
    return found
  }

  /** One record. */
  readonly clear = async (base?: string): Promise<void> =>
    (await this.#store.get()).deleteRange(base ? { prefix: base } : { gte: '' })

  /** Closes the store, if it has opened it: everything is on disk then. */
  readonly dispose = (): Promise<void> => this.#store.close()
}

/** As unstorage, and what is configured by names of drivers, wants to have it. */
export default function wiscDriver(options: WiscDriverOptions): WiscDriver {
  return new WiscDriver(options)
}

function text(value: Buffer | undefined): string | null {
  return value?.toString() ?? null
}

function expiry(options: WiscDriverExpiry | undefined): ExpiryOptions {
  return options?.ttl ? { ttl: Math.ceil(options.ttl * 1000) } : {}
}

/** The place of the colon behind so many others, or -1. */
function colon(key: string, others: number): number {
  let at = key.indexOf(':')
  for (let passed = 0; at >= 0 && passed < others; passed++) at = key.indexOf(':', at + 1)
  return at
}
