/** A store as a view with encodings shows it: keys and values of types instead of bytes. Made by `Store.with`. */
import type { Beginning, Encodings, FoundBy, GivenTo } from './encodings.ts'
import type {
  Condition,
  KeyConditions,
  OneOf,
  Operation,
  RangeOptions,
  SequencedValue,
  SignalOptions,
  SnapshotOptions,
  SomeOf,
  StoreIterator,
  TouchOptions,
  ValueOptions,
  ValueStat,
  WriteOptions,
} from './types.ts'

/** An operation with a key and a value of a view's types. */
export type TypedOperation<K, V> =
  | (ValueOptions & { readonly type: 'put'; readonly key: K; readonly value: V })
  | { readonly type: 'delete'; readonly key: K }
  | (SomeOf<TypedKeyRange<K>> & { readonly type: 'deleteRange' })

/** {@link RangeOptions} with keys of a view's type; an end may be the beginning of one, too. */
export interface TypedRange<K> extends Omit<RangeOptions, 'prefix' | 'gt' | 'gte' | 'lt' | 'lte'> {
  /** Keys that begin with this text, these bytes, or these parts of a tuple. */
  readonly prefix?: Beginning<K>
  readonly gt?: K | Beginning<K>
  readonly gte?: K | Beginning<K>
  readonly lt?: K | Beginning<K>
  readonly lte?: K | Beginning<K>
}

/** {@link KeyRange} with keys of a view's type. */
export type TypedKeyRange<K> = Pick<TypedRange<K>, 'prefix' | 'gt' | 'gte' | 'lt' | 'lte'>

/** {@link KeyCondition}; a value is compared by the bytes that it is encoded to. */
export type TypedKeyCondition<V> = OneOf<KeyConditions<V>>

/** One condition of a batch. */
export type TypedCondition<K, V> = TypedKeyCondition<V> & { readonly key: K }

/** Options of a single put or delete. */
export interface TypedWriteOptions<V> extends WriteOptions {
  readonly if?: TypedKeyCondition<V>
}

/** Options of a single put. */
export type TypedPutOptions<V> = TypedWriteOptions<V> & ValueOptions

/** Options of a batch. */
export interface TypedBatchOptions<K, V> extends WriteOptions {
  /** All of them must hold; each is of another key. */
  readonly if?: readonly TypedCondition<K, V>[]
}

/** {@link SequencedValue}. */
export interface TypedSequencedValue<V> extends Omit<SequencedValue, 'value'> {
  readonly value: V
}

/**
 * The same store, with the same methods: what is not here is asked of the store itself. K and V are what is given,
 * FoundK and FoundV what comes back.
 *
 * A key or value that cannot be encoded fails the call with WISC_INVALID_ARGUMENT before anything is written; so does
 * one that cannot be decoded, because it was written with another encoding.
 */
export interface TypedStore<K, V, FoundK = K, FoundV = V> {
  put(key: K, value: V, options?: TypedPutOptions<V>): Promise<void>
  touch(key: K, options: TouchOptions): Promise<boolean>
  delete(key: K, options?: TypedWriteOptions<V>): Promise<void>
  deleteRange(range: SomeOf<TypedKeyRange<K>>, options?: WriteOptions): Promise<void>
  /** Does all operations or none. */
  write(
    operations: readonly TypedOperation<K, V>[],
    options?: TypedBatchOptions<K, V>,
  ): Promise<void>
  /** An operation as the store takes it, for a batch that goes beyond this view. */
  operation(operation: TypedOperation<K, V>): Operation
  /** A condition of a batch as the store takes it. */
  condition(condition: TypedCondition<K, V>): Condition
  get(
    key: K,
    options: SnapshotOptions & { readonly withSequence: true },
  ): Promise<TypedSequencedValue<FoundV> | undefined>
  get(key: K, options?: SnapshotOptions): Promise<FoundV | undefined>
  getSync(key: K, options?: SnapshotOptions): FoundV | undefined
  getMany(
    keys: readonly K[],
    options?: SnapshotOptions & SignalOptions,
  ): Promise<(FoundV | undefined)[]>
  has(key: K, options?: SnapshotOptions): Promise<boolean>
  hasSync(key: K, options?: SnapshotOptions): boolean
  stat(key: K, options?: SnapshotOptions): Promise<ValueStat | undefined>
  entries(range?: TypedRange<K>): TypedIterator<[FoundK, FoundV], K>
  keys(range?: TypedRange<K>): TypedIterator<FoundK, K>
  values(range?: TypedRange<K>): TypedIterator<FoundV, K>
}

export type TypedIterator<T, K> = StoreIterator<T, K | Beginning<K>>

/** The view that encodings make. */
export type ViewOf<E extends Encodings> = TypedStore<
  GivenTo<KeyEncodingOf<E>>,
  GivenTo<ValueEncodingOf<E>>,
  FoundBy<KeyEncodingOf<E>>,
  FoundBy<ValueEncodingOf<E>>
>

type KeyEncodingOf<E> = E extends { readonly key: infer One } ? One : 'binary'
type ValueEncodingOf<E> = E extends { readonly value: infer One } ? One : 'binary'
