/** The words of the public face: keys, values, operations, and the options of calls. */
import type { ReadableStream } from 'node:stream/web'

/** Bytes, or a string that stands for its UTF-8 bytes. 0 to 65536 bytes; ordered as unsigned bytes. */
export type Key = Uint8Array | string
/** Bytes, or a string that stands for its UTF-8 bytes. */
export type Value = Uint8Array | string

/**
 * A view of the store at one moment. What it can see is kept, so close it: garbage that it pins is not reclaimed. One
 * that becomes garbage without being closed is closed then, and a 'warning' tells of it.
 * Made by `Store.snapshot`.
 */
export interface Snapshot {
  /** Writes up to this sequence are visible. */
  readonly sequence: number
  /** Gives up the view; a second call does nothing. */
  close(): void
  [Symbol.dispose](): void
}

export interface WriteOptions {
  /** Resolve only when the write is durable. */
  readonly sync?: boolean
}

/**
 * What must hold of a key when the turn of a write has come, behind all that were called before: exactly one of these.
 * If it does not, the write fails with WISC_CONFLICT, and nothing of it is there.
 */
export type KeyCondition = OneOf<KeyConditions<Value>>

/** What can be asked of a key. */
export interface KeyConditions<V> {
  /** It has no value. */
  readonly absent: true
  /** It has one. */
  readonly present: true
  /** Its value was written with this sequence, which `get` (with `withSequence`) and `stat` tell. */
  readonly sequence: number
  /** It has a value of these bytes. */
  readonly value: V
}

/** Exactly one of the properties of a type. */
export type OneOf<T> = {
  [K in keyof T]: Pick<T, K> & { readonly [Other in Exclude<keyof T, K>]?: undefined }
}[keyof T]

/** At least one of the properties of a type, all of which may be missing. */
export type SomeOf<T> = { [K in keyof T]-?: T & Required<Pick<T, K>> }[keyof T]

/** One condition of a batch. */
export type Condition = KeyCondition & { readonly key: Key }

/** Options of a single put or delete. */
export interface ConditionalWriteOptions extends WriteOptions {
  readonly if?: KeyCondition
}

/** The two ways to say when a value expires. */
export interface Expiry {
  /** In milliseconds since 1970; in the future. */
  readonly expiresAt: number | Date
  /** In milliseconds from now. */
  readonly ttl: number
}

/** When a value expires: one of both ways, or neither, for never. */
export type ExpiryOptions =
  | (Partial<Pick<Expiry, 'expiresAt'>> & { readonly ttl?: undefined })
  | (Partial<Pick<Expiry, 'ttl'>> & { readonly expiresAt?: undefined })

/** Options of `touch`, which needs one of both. */
export type TouchOptions = WriteOptions & OneOf<Expiry>

/** What may be said of a single value. */
export type ValueOptions = ExpiryOptions & {
  /** Codec of this value; that of the store. */
  readonly compression?: 'none' | 'zstd'
}

/** Options of a single put. */
export type PutOptions = ConditionalWriteOptions & ValueOptions

/** Options of a batch. */
export interface BatchOptions extends WriteOptions {
  /** All of them must hold; each is of another key, written by the batch or not. */
  readonly if?: readonly Condition[]
}

export interface SnapshotOptions {
  /** Read the store as it was then. */
  readonly snapshot?: Snapshot
}

/**
 * Options of `get` and `getSync`. With `offset` or `length` a part of the value is read: what the part does not need
 * is neither read nor verified.
 */
export interface ReadOptions extends SnapshotOptions {
  /** Where the part begins, in bytes; 0. Behind the end of the value the part is empty. */
  readonly offset?: number
  /** The most bytes of the part, which ends with the value; all that follow. */
  readonly length?: number
}

/** Options of a get that tells the sequence, too. */
export interface SequencedReadOptions extends ReadOptions {
  readonly withSequence: true
}

/** A value, and the sequence with which it was written: what a condition may ask for. */
export interface SequencedValue {
  readonly value: Buffer
  readonly sequence: number
}

/**
 * Where a stream comes from. Of a file handle, what lies between its position and its end; it stays open.
 * Node's streams are async iterables of bytes, unless they have an encoding.
 */
export type StreamSource =
  | AsyncIterable<Uint8Array>
  | ReadableStream<Uint8Array>
  | WebStream
  | Blob
  | ReadableHandle

/** A web stream as any library declares it: that of browsers is another type than Node's. */
export interface WebStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
    cancel(reason?: unknown): Promise<void>
    releaseLock(): void
  }
}

/** A file handle of `node:fs/promises`. */
export interface ReadableHandle {
  readonly fd: number
  read(
    target: Uint8Array,
    offset: number,
    length: number,
    position: null,
  ): Promise<{ readonly bytesRead: number }>
}

/** A stream is stored as it comes: there is no `compression`. */
export type PutStreamOptions = ConditionalWriteOptions &
  ExpiryOptions &
  SignalOptions & {
    /** What the source has, in bytes: with any more or less the call fails. */
    readonly size?: number
  }

export interface GetStreamOptions extends ReadOptions, SignalOptions {}

/** What was stored, in bytes. */
export interface UploadResult {
  readonly size: number
  /** As `stat` says it. */
  readonly storedSize: number
}

export type PutOperation = ValueOptions & {
  readonly type: 'put'
  readonly key: Key
  readonly value: Value
}

export interface DeleteOperation {
  readonly type: 'delete'
  readonly key: Key
}

/** Deletes all keys of a range that have been written before, in the batch or earlier. */
export type DeleteRangeOperation = DeletedRange & { readonly type: 'deleteRange' }

/** One part of a batch. */
export type Operation = PutOperation | DeleteOperation | DeleteRangeOperation

/** The keys that satisfy all that is given: a prefix goes together with ends, as to go on behind a key. */
export interface KeyRange {
  /** Keys that begin with these bytes. */
  readonly prefix?: Key
  readonly gt?: Key
  readonly gte?: Key
  readonly lt?: Key
  readonly lte?: Key
}

/** A range that is deleted says something: all keys are `{ gte: '' }`. */
export type DeletedRange = SomeOf<KeyRange>

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

/** What a listing gives of each value. */
export interface Listed {
  readonly buffer: Buffer
  /** Size and place: the value is not read. */
  readonly stat: ValueStat
  /** What nobody reads holds nothing. Begin it while the iterator is open; then read it to its end, or cancel it. */
  readonly stream: ReadableStream<Uint8Array>
}

export interface ListOptions<As extends keyof Listed = 'buffer'> extends RangeOptions {
  readonly values?: As
}

/**
 * An iterator over entries, keys or values; closes itself at its end, when its signal fires, and when a read fails
 * inside of `for await`; behind the last one of its limit it pins nothing. One that becomes garbage without being
 * closed is closed then, and a 'warning' tells of it.
 */
export interface StoreIterator<T, K = Key> extends AsyncIterableIterator<T> {
  /** The next one. Calls wait for each other. */
  next(): Promise<IteratorResult<T, undefined>>
  /** The next ones, at most `count` of them; fewer only near the end or before a failure, none behind the end. */
  nextMany(count: number): Promise<T[]>
  /** The next ones, at most `count`, and no more than `highWaterMarkBytes` lets it read ahead; none behind the end. */
  nextSome(count: number): Promise<T[]>
  /** Goes on at this key, or the next one in the iterator's direction. Never leaves the range. */
  seek(key: K): void
  /** Gives up what it pins; a second call does nothing. */
  close(): Promise<void>
  return(): Promise<IteratorResult<T, undefined>>
  [Symbol.asyncIterator](): StoreIterator<T, K>
  [Symbol.asyncDispose](): Promise<void>
}

export type EntryIterator = StoreIterator<[Buffer, Buffer]>
export type KeyIterator = StoreIterator<Buffer>
export type ValueIterator = StoreIterator<Buffer>

/** Where a value lies, without reading it. */
export interface ValueStat {
  /** Bytes of the value. */
  readonly size: number
  /** Bytes as it is stored: without a codec `size` and, above 64 KiB, the table of its chunks; of a stream `size`. */
  readonly storedSize: number
  readonly codec: 'none' | 'zstd'
  /** Kept in the tree; then segment and offset are undefined. */
  readonly inline: boolean
  /** The segment that its pointer names, and the offset of its record in there when it was written. */
  readonly segment: number | undefined
  readonly offset: number | undefined
  readonly sequence: number
  /** When it expires, in milliseconds since 1970. */
  readonly expiresAt: number | undefined
}

/** A file of the value log. Sizes in bytes. */
export interface SegmentInfo {
  /** Number of the file. */
  readonly id: number
  readonly file: string
  /** A relocation holds what survived of collected segments, a stream one value. */
  readonly kind: 'segment' | 'relocation' | 'stream'
  /** open: it is written, or waits to be sealed. */
  readonly state: 'open' | 'sealed'
  /** Numbers of the logical segments that it holds: itself, or those that were moved into it. */
  readonly segments: readonly number[]
  /** Its length. */
  readonly totalBytes: number
  /** Whole records that entries point to; what lies above the checkpoint counts as referenced. */
  readonly referencedBytes: number
  readonly referencedRecords: number
  /** totalBytes - referencedBytes. */
  readonly exposedGarbageBytes: number
  /** Allocated by the file system. */
  readonly diskBytes: number
  /** By which diskBytes is below the blocks of totalBytes: holes. */
  readonly punchedBytes: number
  /** Why it cannot be collected now, if so. */
  readonly blocked: 'unsealed' | 'unflushed' | 'corrupt' | undefined
}

export interface SignalOptions {
  readonly signal?: AbortSignal
}

export interface CompactOptions extends SignalOptions {
  /** Told a few times a second how much is merged. */
  readonly onProgress?: (progress: CompactProgress) => void
}

export interface CompactProgress {
  /** 0 to 1. */
  readonly share: number
}

/** What an open found and did; a part of the statistics. Times in milliseconds. */
export interface RecoveryReport {
  /** The store had been closed in order. */
  clean: boolean
  surveyMs: number
  /** Valid but unproved bytes of log that were copied to a new segment. */
  tailBytesCopied: number
  tailCopyMs: number
  /** Bytes behind the end of the log: no complete frame, never acknowledged as durable. */
  tornBytes: number
  /** Of these, bytes that were too many to be set aside in lost/. */
  tornBytesNotKept: number
  replayedRecords: number
  replayMs: number
}
