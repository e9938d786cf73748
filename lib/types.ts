/** The words of the public face: keys, values, operations, and the options of calls. */
import type { Snapshot } from './snapshot.ts'

/** Bytes, or a string that stands for its UTF-8 bytes. 0 to 65536 bytes; ordered as unsigned bytes. */
export type Key = Uint8Array | string
/** Bytes, or a string that stands for its UTF-8 bytes. */
export type Value = Uint8Array | string

export interface WriteOptions {
  /** Resolve only when the write is durable. */
  readonly sync?: boolean
}

export interface ReadOptions {
  /** Read the store as it was then. */
  readonly snapshot?: Snapshot
}

export interface PutOperation {
  readonly type: 'put'
  readonly key: Key
  readonly value: Value
}

export interface DeleteOperation {
  readonly type: 'delete'
  readonly key: Key
}

/** One part of a batch. */
export type Operation = PutOperation | DeleteOperation

export interface KeyRange {
  readonly gt?: Key
  readonly gte?: Key
  readonly lt?: Key
  readonly lte?: Key
}

export interface RangeOptions extends KeyRange {
  /** From the last key to the first. */
  readonly reverse?: boolean
  /** At most so many entries. */
  readonly limit?: number
  readonly snapshot?: Snapshot
  readonly signal?: AbortSignal
  /** Bound of the values that are read ahead, in bytes; one value is always read. Default 1 MiB. */
  readonly highWaterMarkBytes?: number
}

export interface SignalOptions {
  readonly signal?: AbortSignal
}
