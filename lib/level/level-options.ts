/** Options of a {@link WiscLevel} beyond those of abstract-level. */
import type {
  AbstractBatchDelOperation,
  AbstractBatchOptions,
  AbstractBatchPutOperation,
  AbstractChainedBatch,
  AbstractChainedBatchPutOptions,
  AbstractChainedBatchWriteOptions,
  AbstractClearOptions,
  AbstractDatabaseOptions,
  AbstractDelOptions,
  AbstractIterator,
  AbstractIteratorOptions,
  AbstractKeyIterator,
  AbstractKeyIteratorOptions,
  AbstractLevel,
  AbstractOpenOptions,
  AbstractPutOptions,
  AbstractSublevel,
  AbstractSublevelOptions,
  AbstractValueIterator,
  AbstractValueIteratorOptions,
} from 'abstract-level'
import type { ExpiryOptions, Options, RangeOptions, WriteOptions } from '../index.ts'

/** Of `open`: those of the store, too. */
export interface LevelOpenOptions extends AbstractOpenOptions, LevelStoreOptions {}

/** Of the constructor. */
export interface LevelOptions<K, V> extends AbstractDatabaseOptions<K, V>, LevelStoreOptions {}

type LevelStoreOptions = Omit<Options, keyof AbstractOpenOptions>

export type LevelPutOptions<K, V> = AbstractPutOptions<K, V> & WriteOptions & ExpiryOptions

export interface LevelDelOptions<K> extends AbstractDelOptions<K>, WriteOptions {}

/** When the values of puts are gone holds for those that say nothing else themselves. */
export type LevelBatchOptions<K, V> = AbstractBatchOptions<K, V> & WriteOptions & ExpiryOptions

export type LevelBatchOperation<D, K, V> =
  | (AbstractBatchPutOperation<D, K, V> & ExpiryOptions)
  | AbstractBatchDelOperation<D, K>

export interface LevelClearOptions<K> extends AbstractClearOptions<K>, WriteOptions {}

/** How far iterators read ahead. */
type ReadAhead = Pick<RangeOptions, 'highWaterMarkBytes'>

export interface LevelChainedBatch<D, KDefault, VDefault>
  extends AbstractChainedBatch<D, KDefault, VDefault> {
  put(key: KDefault, value: VDefault): this
  put<K = KDefault, V = VDefault>(
    key: K,
    value: V,
    options: AbstractChainedBatchPutOptions<D, K, V> & ExpiryOptions,
  ): this
  write(options?: AbstractChainedBatchWriteOptions & WriteOptions): Promise<void>
}

type Format = string | Buffer | Uint8Array

/** The same in a sublevel: none of another one. */
export type LevelSublevelOperation<K, V> =
  | (Omit<AbstractBatchPutOperation<never, K, V>, 'sublevel'> & ExpiryOptions)
  | Omit<AbstractBatchDelOperation<never, K>, 'sublevel'>

interface LevelSublevelCalls<KDefault, VDefault> {
  put(key: KDefault, value: VDefault): Promise<void>
  put<K = KDefault, V = VDefault>(key: K, value: V, options: LevelPutOptions<K, V>): Promise<void>

  del(key: KDefault): Promise<void>
  del<K = KDefault>(key: K, options: LevelDelOptions<K>): Promise<void>

  batch(operations: LevelSublevelOperation<KDefault, VDefault>[]): Promise<void>
  batch<K = KDefault, V = VDefault>(
    operations: LevelSublevelOperation<K, V>[],
    options: LevelBatchOptions<K, V>,
  ): Promise<void>
}

/** A sublevel of the database whose calls take the options of the store, too: no heir, or the compiler finds no end. */
export type LevelSublevel<D, K, V> = LevelSublevelCalls<K, V> & AbstractSublevel<D, Format, K, V>

/** An abstract-level database whose calls take the options of the store, too. */
export interface LevelDatabase<KDefault, VDefault>
  extends AbstractLevel<Format, KDefault, VDefault> {
  open(options?: LevelOpenOptions): Promise<void>

  put(key: KDefault, value: VDefault): Promise<void>
  put<K = KDefault, V = VDefault>(key: K, value: V, options: LevelPutOptions<K, V>): Promise<void>

  del(key: KDefault): Promise<void>
  del<K = KDefault>(key: K, options: LevelDelOptions<K>): Promise<void>

  batch(operations: LevelBatchOperation<this, KDefault, VDefault>[]): Promise<void>
  batch<K = KDefault, V = VDefault>(
    operations: LevelBatchOperation<this, K, V>[],
    options: LevelBatchOptions<K, V>,
  ): Promise<void>
  batch(): LevelChainedBatch<this, KDefault, VDefault>

  clear(): Promise<void>
  clear<K = KDefault>(options: LevelClearOptions<K>): Promise<void>

  sublevel(name: string | string[]): LevelSublevel<this, string, string>
  sublevel<K = string, V = string>(
    name: string | string[],
    options: AbstractSublevelOptions<K, V>,
  ): LevelSublevel<this, K, V>

  iterator(): AbstractIterator<this, KDefault, VDefault>
  iterator<K = KDefault, V = VDefault>(
    options: AbstractIteratorOptions<K, V> & ReadAhead,
  ): AbstractIterator<this, K, V>

  keys(): AbstractKeyIterator<this, KDefault>
  keys<K = KDefault>(
    options: AbstractKeyIteratorOptions<K> & ReadAhead,
  ): AbstractKeyIterator<this, K>

  values(): AbstractValueIterator<this, KDefault, VDefault>
  values<K = KDefault, V = VDefault>(
    options: AbstractValueIteratorOptions<K, V> & ReadAhead,
  ): AbstractValueIterator<this, K, V>
}
