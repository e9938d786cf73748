/**
 * wisc as an abstract-level database (version 3): `wisc/level`. It stands on the public face alone.
 *
 * abstract-level encodes and decodes, keeps its own order of open and close, and calls the methods that begin with `_`,
 * which its types leave out. Keys and values come and go as Buffers, strings as their UTF-8.
 */
import { AbstractLevel, type AbstractSnapshot } from 'abstract-level'
import {
  type ExpiryOptions,
  type Key,
  type Operation,
  type Options,
  open,
  type SnapshotOptions,
  type Store,
  type WriteOptions,
} from '../index.ts'
import { asLevel, LevelError, toLevelError } from './level-error.ts'
import {
  type EncodedIteration,
  type EncodedRange,
  LevelHalfIterator,
  LevelIterator,
  LevelKeyIterator,
  LevelValueIterator,
  type LowerEnd,
  lowerEnd,
  storeRange,
  type UpperEnd,
  upperEnd,
} from './level-iterators.ts'
import type { LevelDatabase, LevelOptions } from './level-options.ts'
import { LevelSnapshot, type SnapshotOwner } from './level-snapshot.ts'

export type * from './level-options.ts'

const MANIFEST = {
  encodings: { buffer: true },
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
  implicitSnapshots: true,
  explicitSnapshots: true,
  permanence: true,
  signals: { iterators: true },
}

/** Options of the store among those of the database, which may hold what only hooks know. */
const STORE_OPTIONS = Object.keys({
  createIfMissing: 0,
  errorIfExists: 0,
  readOnly: 0,
  follow: 0,
  waitForLock: 0,
  valueThreshold: 0,
  streamThreshold: 0,
  sync: 0,
  syncIntervalMs: 0,
  compression: 0,
  compressionLevel: 0,
  segmentBytes: 0,
  memtableBytes: 0,
  maxUnflushedLogBytes: 0,
  maxPendingBytes: 0,
  blockCacheBytes: 0,
  valueCacheBytes: 0,
  maxOpenFiles: 0,
  workers: 0,
  controlSocket: 0,
  fileMode: 0,
  tree: 0,
  collector: 0,
  cache: 0,
  transactions: 0,
} satisfies Record<keyof Options, 0>) as (keyof Options)[]

/** Keys that are looked up, or deleted in one batch, before the event loop may turn. */
const SLICE_KEYS = 1000

/** Its calls take more options than those of its parent. */
const Base: new <K, V>(manifest: object, options?: LevelOptions<K, V>) => LevelDatabase<K, V> =
  AbstractLevel as never

interface PassedSnapshot {
  readonly snapshot?: AbstractSnapshot
}

/** A batch operation as abstract-level hands it on: encoded, among options of all kinds. */
type EncodedOperation =
  | ({ readonly type: 'put'; readonly key: Buffer; readonly value: Buffer } & ExpiryOptions)
  | { readonly type: 'del'; readonly key: Buffer }

/**
 * An abstract-level database on a store of wisc.
 *
 * @template K type of keys where an operation names no encoding of its own
 * @template V the same of values
 */
export class WiscLevel<K = string, V = string> extends Base<K, V> {
  readonly #location: string
  #store: Store | undefined

  /** @param location path of the store's directory */
  constructor(location: string, options?: LevelOptions<K, V>) {
    if (typeof location !== 'string' || location === '') {
      throw new TypeError("The first argument 'location' must be a non-empty string")
    }
    super(MANIFEST, options)
    this.#location = location
  }

  get location(): string {
    return this.#location
  }

  /**
   * The store while the database is open: for events, statistics, collections and whatever else abstract-level has no
   * word for. Hooks and events of the database do not see what is written there.
   * @throws LEVEL_DATABASE_NOT_OPEN
   */
  get store(): Store {
    if (this.#store) return this.#store
    throw new LevelError('LEVEL_DATABASE_NOT_OPEN', 'Database is not open')
  }

  /** @internal */
  async _open(options: Options): Promise<void> {
    const given = STORE_OPTIONS.filter((name) => options[name] !== undefined)
    const ofStore = Object.fromEntries(given.map((name) => [name, options[name]]))
    // One of classic-level, which libraries set for whatever database they are given.
    if (typeof ofStore['compression'] === 'boolean') delete ofStore['compression']
    this.#store = await asLevel(open(this.#location, ofStore))
  }

  /** @internal One that fails has released everything all the same: called again, it succeeds. */
  async _close(): Promise<void> {
    const store = this.#store
    this.#store = undefined
    if (store) await asLevel(store.close())
  }

  /** @internal */
  _get(key: Buffer, options: PassedSnapshot): Promise<Buffer | undefined> {
    return asLevel(this.store.get(key, at(options)))
  }

  /** @internal */
  _getSync(key: Buffer, options: PassedSnapshot): Buffer | undefined {
    try {
      return this.store.getSync(key, at(options))
    } catch (error) {
      throw toLevelError(error)
    }
  }

  /** @internal */
  _getMany(keys: Buffer[], options: PassedSnapshot): Promise<(Buffer | undefined)[]> {
    return asLevel(this.store.getMany(keys, at(options)))
  }

  /** @internal Done before control returns: abstract-level has given up the snapshot then. */
  _has(key: Buffer, options: PassedSnapshot): Promise<boolean> {
    return asLevel(this.store.has(key, at(options)))
  }

  /** @internal */
  async _hasMany(keys: Buffer[], { snapshot }: PassedSnapshot): Promise<boolean[]> {
    const { store } = this
    // abstract-level gives up its hold on a passed one before this has come back.
    snapshot?.ref()
    const own = snapshot ? undefined : store.snapshot()
    try {
      const reading = { snapshot: own ?? LevelSnapshot.inner(snapshot)! }
      const found: boolean[] = []
      for (const key of keys) {
        if (found.length % SLICE_KEYS === SLICE_KEYS - 1) await turn()
        found.push(store.hasSync(key, reading))
      }
      return found
    } catch (error) {
      throw toLevelError(error)
    } finally {
      own?.close()
      snapshot?.unref()
    }
  }

  /** @internal */
  _put(key: Buffer, value: Buffer, options: WriteOptions & ExpiryOptions): Promise<void> {
    const expiry = expiring(options)
    return asLevel(
      this.store.put(key, value, expiry ? { ...writing(options), ...expiry } : writing(options)),
    )
  }

  /** @internal */
  _del(key: Buffer, options: WriteOptions): Promise<void> {
    return asLevel(this.store.delete(key, writing(options)))
  }

  /** @internal Chained batches, too. */
  _batch(
    operations: readonly EncodedOperation[],
    options: WriteOptions & ExpiryOptions,
  ): Promise<void> {
    const own = operations.map((operation) => storeOperation(operation, options))
    return asLevel(this.store.write(own, writing(options)))
  }

  /** @internal All of a range is one record; what a limit or a snapshot chooses is deleted key by key. */
  async _clear(options: EncodedRange & WriteOptions): Promise<void> {
    try {
      if (options.limit < 0 && !options.snapshot) await this.#clearRange(options)
      else await this.#clearKeys(options)
    } catch (error) {
      throw toLevelError(error)
    }
  }

  async #clearRange(options: EncodedRange & WriteOptions): Promise<void> {
    const [lower, upper] = [lowerEnd(options), upperEnd(options)]
    // No mistake here, as it is for the store.
    if (isEmpty(lower, upper)) return
    await this.store.deleteRange({ ...lower, ...upper }, writing(options))
  }

  async #clearKeys(options: EncodedRange & WriteOptions): Promise<void> {
    const { store } = this
    await using keys = store.keys({ ...storeRange(options), ...at(options) })
    for (;;) {
      const some = await keys.nextMany(SLICE_KEYS)
      if (some.length === 0) break
      await store.write(some.map(deletion), writing(options))
    }
  }

  /** @internal */
  _iterator(options: EncodedIteration): unknown {
    const isWhole = options.keys && options.values
    const Iterator = isWhole ? LevelIterator<this, K, V> : LevelHalfIterator<this, K, V>
    return new Iterator(this, this.store, options)
  }

  /** @internal */
  _keys(options: EncodedIteration): LevelKeyIterator<this, K> {
    return new LevelKeyIterator(this, this.store, options)
  }

  /** @internal */
  _values(options: EncodedIteration): LevelValueIterator<this, K, V> {
    return new LevelValueIterator(this, this.store, options)
  }

  /** @internal */
  _snapshot(options: SnapshotOwner): AbstractSnapshot {
    return new LevelSnapshot(this.store.snapshot(), options)
  }
}

/** Options of a read. */
function at({ snapshot }: PassedSnapshot): SnapshotOptions | undefined {
  const inner = LevelSnapshot.inner(snapshot)
  return inner && { snapshot: inner }
}

/** Of the options of a write those that the store knows. */
function writing(options: WriteOptions | undefined): WriteOptions | undefined {
  const sync = options?.sync
  return sync === undefined ? undefined : { sync }
}

/** Of the options of a put when its value is gone, if they say so. The store refuses both ways at once. */
function expiring({ ttl, expiresAt }: ExpiryOptions): ExpiryOptions | undefined {
  if (ttl === undefined) return expiresAt === undefined ? undefined : { expiresAt }
  return expiresAt === undefined ? { ttl } : ({ ttl, expiresAt } as never)
}

function storeOperation(operation: EncodedOperation, ofBatch: ExpiryOptions): Operation {
  const { key } = operation
  if (operation.type === 'del') return deletion(key)
  return { type: 'put', key, value: operation.value, ...expiring(ownExpiry(operation, ofBatch)) }
}

/** abstract-level lays the options of an operation over those of its batch: `ttl` beside its own `expiresAt`, too. */
function ownExpiry(laid: ExpiryOptions, ofBatch: ExpiryOptions): ExpiryOptions {
  const { ttl, expiresAt } = laid
  if (ttl === undefined || expiresAt === undefined) return laid
  if (ttl === ofBatch.ttl) return { expiresAt }
  return expiresAt === ofBatch.expiresAt ? { ttl } : laid
}

function deletion(key: Key): Operation {
  return { type: 'delete', key }
}

/** True if no key can lie between the ends. */
function isEmpty(lower: LowerEnd, upper: UpperEnd): boolean {
  const from = 'gt' in lower ? lower.gt : lower.gte
  const to = 'lte' in upper ? upper.lte : upper.lt
  if (to === undefined) return false
  const isOpen = [lower, upper].map((end) => 'gt' in end || 'lt' in end)
  const order = Buffer.compare(from, to)
  if (order >= 0) return order > 0 || isOpen.includes(true)
  // Between a key and the next one lies nothing.
  return !isOpen.includes(false) && Buffer.concat([from, NEXT]).equals(to)
}

/** What makes a key the next one. */
const NEXT = Buffer.from([0])

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
