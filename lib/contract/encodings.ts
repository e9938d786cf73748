/** Encodings: how values of a type become bytes, and come back. Bytes below, types above. */
import type { Key, Value } from './types.ts'

/**
 * One of your own. What `encode` throws rejects the call before anything is written; no value may become the same bytes
 * as another one that is to be told from it.
 */
export interface Encoding<Given, Found = Given> {
  /** Bytes, or a string that stands for its UTF-8 bytes; they must not change until the write has settled. */
  readonly encode: (value: Given) => Value
  /** Of bytes that are the caller's own. */
  readonly decode: (bytes: Buffer) => Found
}

/** What a key of several parts is made of. */
export type TupleItem =
  | null
  | boolean
  | number
  | bigint
  | Date
  | string
  | Uint8Array
  | readonly TupleItem[]

/**
 * A key of several parts, ordered by the first one, then by the second: null, false, true, numbers and bigints, dates,
 * strings as JavaScript compares them, bytes, arrays. -0 is 0, NaN lies above Infinity.
 */
export type Tuple = readonly TupleItem[]

/** What the encodings of the library take, and what they give back. */
interface NamedEncodings {
  /** As without an encoding. */
  readonly binary: Encoding<Value, Buffer>
  readonly utf8: Encoding<string>
  readonly json: Encoding<unknown>
  /** MessagePack, by the package msgpackr: also dates, bigints, maps, sets and bytes. */
  readonly msgpack: Encoding<unknown>
  /** Keys only. */
  readonly tuple: Encoding<Tuple>
}

/** Names of encodings for values. */
export type ValueEncodingName = 'binary' | 'utf8' | 'json' | 'msgpack'
/** Names of encodings for keys. Of 'json' and 'msgpack' the order is that of their bytes, which means nothing. */
export type KeyEncodingName = ValueEncodingName | 'tuple'

/** How keys and values of a view are encoded; 'binary' where nothing is said. */
export interface Encodings {
  // biome-ignore lint/suspicious/noExplicitAny: it is inferred
  readonly key?: KeyEncodingName | Encoding<any, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: it is inferred
  readonly value?: ValueEncodingName | Encoding<any, unknown>
}

/** The encodings that suit types which are said: `store.with<string, Photo>({ key: 'utf8', value: 'json' })`. */
export interface EncodingsOf<K, V> {
  readonly key: EncodingOf<K> | ([K] extends [Tuple] ? 'tuple' : never)
  readonly value: EncodingOf<V>
}

type EncodingOf<T> =
  | 'json'
  | 'msgpack'
  | ([T] extends [string] ? 'utf8' : never)
  | ([T] extends [Uint8Array] ? 'binary' : never)
  | Encoding<T>

/** The type that an encoding takes, by its name or itself. */
export type GivenTo<E> =
  EncodingNamed<E> extends { encode: (value: infer Given) => Value } ? Given : never
/** The type that it gives back. */
export type FoundBy<E> =
  EncodingNamed<E> extends { decode: (bytes: Buffer) => infer Found } ? Found : never

type EncodingNamed<E> = E extends keyof NamedEncodings ? NamedEncodings[E] : E

/** What keys of a type can begin with: text, bytes, the first parts of a tuple. */
export type Beginning<K> = K extends string
  ? string
  : K extends Uint8Array
    ? Key
    : K extends Tuple
      ? FirstParts<K>
      : never

type FirstParts<T extends Tuple> = T extends readonly [infer First, ...infer Rest extends Tuple]
  ? readonly [] | readonly [First, ...FirstParts<Rest>]
  : T
