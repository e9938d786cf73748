/**
 * wisc as a driver of unstorage: `wisc/unstorage`, for unstorage 1 and 2. It stands on the public face alone, and needs
 * no package.
 *
 * unstorage joins the parts of keys by colons, makes text of values, and leaves out where the driver is mounted.
 */
import type { ExpiryOptions, Options, Store, StreamSource } from '../index.ts'
import { LazyStore } from '../lazy/lazy-store.ts'

/** A store that is open, which its owner closes; or the path of its directory, with options for its `open`. */
export type WiscDriverOptions = (
  | { readonly store: Store }
  // Nitro tells a driver by which name it was found, too.
  | (Options & { readonly path: string; readonly driver?: string })
) & {
  /** Parts in front of all keys in the store, for drivers that share one: each reads, lists and clears its own. */
  readonly base?: string
}

/** Of what is set: in seconds, as all drivers have it. */
export interface WiscDriverExpiry {
  readonly ttl?: number | undefined
}

/** What unstorage calls, and what is called without it: no method needs `this`. */
export interface WiscDriver {
  readonly name: string
  readonly flags: { readonly ttl: boolean }
  readonly options: WiscDriverOptions
  getInstance(): Promise<Store>
  hasItem(key: string): Promise<boolean>
  getItem(key: string): Promise<string | null>
  /** As of one moment. */
  getItems(items: { readonly key: string }[]): Promise<{ key: string; value: string | null }[]>
  /** Bytes; or a stream of them, if that `type` is wanted. */
  getItemRaw(key: string, options?: { readonly type?: unknown }): Promise<unknown>
  setItem(key: string, value: string, options?: WiscDriverExpiry): Promise<void>
  /** All or none. */
  setItems(items: { key: string; value: string; options?: WiscDriverExpiry }[]): Promise<void>
  /** @param value bytes, text, or anything that `putStream` takes */
  setItemRaw(key: string, value: unknown, options?: WiscDriverExpiry): Promise<void>
  removeItem(key: string): Promise<void>
  getMeta(key: string): Promise<{ size: number; expiresAt?: Date } | null>
  getKeys(base?: string, options?: { readonly maxDepth?: number }): Promise<string[]>
  /** One record. */
  clear(base?: string): Promise<void>
  /** Closes the store, if it has opened it: everything is on disk then. */
  dispose(): Promise<void>
}

/** As unstorage, and what is configured by names of drivers, wants to have it. */
export default function wiscDriver(options: WiscDriverOptions): WiscDriver {
  const lazy = lazyStore(options)
  const root = options.base ? options.base.replace(/:?$/, ':') : ''
  return {
    name: 'wisc',
    flags: { ttl: true },
    options,
    getInstance: () => lazy.get(),
    hasItem: async (key) => (await lazy.get()).hasSync(root + key),
    getItem: async (key) => text(await (await lazy.get()).get(root + key)),
    getItems: async (items) => {
      const values = await (await lazy.get()).getMany(items.map(({ key }) => root + key))
      return items.map(({ key }, i) => ({ key, value: text(values[i]) }))
    },
    getItemRaw: async (key, wanted) => {
      const store = await lazy.get()
      const isStream = wanted?.type === 'stream'
      return (await (isStream ? store.getStream(root + key) : store.get(root + key))) ?? null
    },
    setItem: async (key, value, ttl) => (await lazy.get()).put(root + key, value, expiry(ttl)),
    setItems: async (items) => {
      const puts = items.map(({ key, value, options: ttl }) => {
        return { type: 'put' as const, key: root + key, value, ...expiry(ttl) }
      })
      await (await lazy.get()).write(puts)
    },
    setItemRaw: async (key, value, ttl) => {
      const store = await lazy.get()
      const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value
      if (typeof bytes === 'string' || bytes instanceof Uint8Array)
        await store.put(root + key, bytes, expiry(ttl))
      else await store.putStream(root + key, bytes as StreamSource, expiry(ttl))
    },
    removeItem: async (key) => (await lazy.get()).delete(root + key),
    getMeta: async (key) => {
      const { size, expiresAt } = (await (await lazy.get()).stat(root + key)) ?? {}
      if (size === undefined) return null
      return expiresAt === undefined ? { size } : { size, expiresAt: new Date(expiresAt) }
    },
    getKeys: async (below = '', { maxDepth = Infinity } = {}) => {
      const found: string[] = []
      const keys = (await lazy.get()).keys({ prefix: root + below })
      for await (const bytes of keys) {
        const key = String(bytes).slice(root.length)
        const parts = key.split(':')
        if (parts.length <= maxDepth + 1) found.push(key)
        // Deeper ones begin with these parts and a colon: they come before what has the next sign in its place.
        else keys.seek(`${root}${parts.slice(0, maxDepth + 1).join(':')};`)
      }
      return found
    },
    clear: async (below = '') => {
      const prefix = root + below
      await (await lazy.get()).deleteRange(prefix ? { prefix } : { gte: '' })
    },
    dispose: () => lazy.close(),
  }
}

function lazyStore({ base: _, ...place }: WiscDriverOptions): LazyStore {
  if ('store' in place) return new LazyStore(place.store)
  const { path, driver: __, ...options } = place
  return new LazyStore(path, options)
}

function text(value: Buffer | undefined): string | null {
  return value?.toString() ?? null
}

function expiry(options: WiscDriverExpiry | undefined): ExpiryOptions {
  return options?.ttl ? { ttl: Math.ceil(options.ttl * 1000) } : {}
}
