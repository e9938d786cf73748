/**
 * The store as its users see it: calls go to read-calls.ts and write-calls.ts, where arguments are checked, and from
 * there to lib/reads/point-reads.ts and lib/writes/commit.ts. A get goes on in lib/state/tree-reader.ts (which entry?)
 * and vlog/read/value-reader.ts (its value). Methods that return a promise reject and never throw.
 */
import { EventEmitter } from 'node:events'
import type { ReadableStream } from 'node:stream/web'
import { WiscError } from '../base/errors.ts'
import type { Lock } from '../base/files/file-system.ts'
import { lazyModule } from '../base/platform/lazy-module.ts'
import {
  abortable,
  checkCompactOptions,
  resolveCompactRange,
  takeListed,
} from '../contract/arguments.ts'
import {
  type CollectionPlan,
  type CollectionReport,
  type CollectOptions,
  resolveCollect,
} from '../contract/collection.ts'
import type { Encodings, EncodingsOf } from '../contract/encodings.ts'
import type { StoreEmitter } from '../contract/events.ts'
import type { Stats, VerifyOptions, VerifyReport } from '../contract/reports.ts'
import type {
  SyncTransactionCallback,
  TransactionCallback,
  TransactionOptions,
  UpdateCallback,
  UpdateOptions,
} from '../contract/transactions.ts'
import type { TypedStore, ViewOf } from '../contract/typed-store.ts'
import type {
  BatchOptions,
  CompactOptions,
  ConditionalWriteOptions,
  DeletedRange,
  GetStreamOptions,
  Key,
  KeyIterator,
  KeyRange,
  Listed,
  ListOptions,
  Operation,
  PutOptions,
  PutStreamOptions,
  RangeOptions,
  ReadOptions,
  SegmentInfo,
  SequencedReadOptions,
  SequencedValue,
  SignalOptions,
  Snapshot,
  SnapshotOptions,
  StoreIterator,
  StreamSource,
  TouchOptions,
  UploadResult,
  Value,
  ValueStat,
  WriteOptions,
} from '../contract/types.ts'
import { resolveEncodings } from '../encodings/resolve-encodings.ts'
import { releaseAll } from '../engine/close-engine.ts'
import type { Engine } from '../engine/engine.ts'
import { PointReads } from '../reads/point-reads.ts'
import { readAgain } from '../reads/read-again.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { segmentInfos } from '../reports/segment-infos.ts'
import { storeStats } from '../reports/stats.ts'
import { metricsText } from '../telemetry/prometheus.ts'
import { StoreTelemetry } from '../telemetry/store-telemetry.ts'
import { EncodedStore } from './encoded-store.ts'
import { leadToEngine } from './engine-of.ts'
import { handOnEvents, watchForWaiting } from './hand-on-events.ts'
import { entryIterator, keyIterator, type StreamOf, valueIterator } from './iterator.ts'
import { type GetOptions, ReadCalls } from './read-calls.ts'
import { StoreReaders } from './store-readers.ts'
import { TransactionReads } from './transaction-reads.ts'
import { listedStream, readStream } from './value-stream.ts'
import { WriteCalls } from './write-calls.ts'

const verifying = lazyModule(() => import('../reports/verify.ts'))

/** What only a store that writes has. */
interface WritingParts {
  readonly engine: Engine
  readonly lock: Lock
  readonly control?: { close(): Promise<void> }
}

/** An emitter whose type knows the events. */
const TypedEmitter: new () => StoreEmitter = EventEmitter

/**
 * One open database directory, made by {@link open}. Emits what {@link StoreEvents} describes, 'error' when background
 * work fails and someone listens; the next write carries the error in any case.
 */
export class Store extends TypedEmitter {
  readonly #engine: ReadingEngine
  /** Undefined if the store only reads. */
  readonly #writer: Engine | undefined
  readonly #lock: Lock | undefined
  readonly #control: WritingParts['control']
  readonly #telemetry: StoreTelemetry
  readonly #points: PointReads
  readonly #reads: ReadCalls
  readonly #writes: WriteCalls
  readonly #readers: StoreReaders
  readonly #streamOf: StreamOf = (key, listing) =>
    listedStream(this.#points, this.#readers, key, listing)
  #closing: Promise<void> | undefined

  /** @internal Use {@link open}. */
  constructor(engine: ReadingEngine, writing?: WritingParts) {
    super()
    this.#engine = engine
    this.#telemetry = new StoreTelemetry(engine.context.directory, engine.events)
    this.#readers = new StoreReaders(engine, () => this.#checkOpen())
    this.#points = new PointReads(engine, (options) => this.#readers.sequence(options))
    this.#reads = new ReadCalls(this.#points, this.#telemetry.gets)
    const reads = new TransactionReads(this.#points, this.#readers)
    this.#writes = new WriteCalls(() => this.#writable(), reads, this.#telemetry.puts)
    this.#writer = writing?.engine
    this.#lock = writing?.lock
    this.#control = writing?.control
    leadToEngine(this, () => {
      this.#checkOpen()
      return engine
    })
    handOnEvents(engine.events, this)
    watchForWaiting(this, (isAwaited) => engine.waitForNews?.(isAwaited))
  }

  /**
   * Stores a value. Resolves when it is written; with `sync`, when it is durable. Key, and a value of up to 64 KiB, may
   * be used again at once; a larger value must not change until then. @throws WISC_INVALID_ARGUMENT, WISC_CONFLICT,
   *   WISC_DISK_FULL, WISC_IO, WISC_SYNC_FAILED, WISC_READ_ONLY, WISC_NOT_OPEN, WISC_CODEC_UNAVAILABLE, and what has
   *   stopped background work
   */
  put(key: Key, value: Value, options?: PutOptions): Promise<void> {
    return this.#writes.put(key, value, options)
  }

  /** Removes a key; one that is not there is no error. @throws as {@link put} */
  delete(key: Key, options?: ConditionalWriteOptions): Promise<void> {
    return this.#writes.delete(key, options)
  }

  /** Removes all keys of a range at once: one record, and no key is looked up. @throws as {@link put} */
  deleteRange(range: DeletedRange, options?: WriteOptions): Promise<void> {
    return this.#writes.deleteRange(range, options)
  }

  /**
   * Stores what a source has, piece by piece, as one value that is seen at the end. A call that fails leaves nothing,
   * and cancels the source. @throws what the source throws; WISC_ABORTED, and as {@link put}
   */
  putStream(key: Key, source: StreamSource, options?: PutStreamOptions): Promise<UploadResult> {
    return this.#writes.putStream(key, source, options)
  }

  /** Does all operations or none; the last one on a key counts. Readers never see a part. @throws as {@link put} */
  write(operations: readonly Operation[], options?: BatchOptions): Promise<void> {
    return this.#writes.write(operations, options)
  }

  /** Puts a value again, to expire at another moment. False if there is none; streams are refused. */
  touch(key: Key, options: TouchOptions): Promise<boolean> {
    return this.#writes.touch(key, options)
  }

  /** Puts what the callback makes of a value; undefined removes it. Called again when somebody else was faster. */
  update(key: Key, callback: UpdateCallback, options?: UpdateOptions): Promise<void> {
    return this.#writes.update(key, callback, options)
  }

  /**
   * Reads and writes as if nobody else did: where that cannot be the callback is called again. @returns what it does
   * @throws WISC_CONFLICT after `retries`, WISC_STALE after `maxAgeMs`, as {@link put}, and what the callback throws
   */
  transaction<T>(callback: TransactionCallback<T>, options?: TransactionOptions): Promise<T> {
    return this.#writes.transaction(callback, options)
  }

  /** The same in one go: the callback runs once, in its turn behind all earlier writes, and must return no promise. */
  transactionSync<T>(callback: SyncTransactionCallback<T>, options?: WriteOptions): Promise<T> {
    return this.#writes.transactionSync(callback, options)
  }

  /**
   * The value of a key, or the part of it that is asked for, or undefined; with `withSequence` the sequence of its
   * write, too. The value is the caller's; a small one shares its memory (at most 32 KiB) with others.
   * @throws CorruptionError, IoError, WISC_CODEC_UNAVAILABLE; WISC_STALE for a snapshot of a read-only store whose
   *   files are gone
   */
  get(key: Key, options: SequencedReadOptions): Promise<SequencedValue | undefined>
  get(key: Key, options?: ReadOptions): Promise<Buffer | undefined>
  get(key: Key, options?: GetOptions): Promise<Buffer | SequencedValue | undefined> {
    return this.#reads.get(key, options)
  }

  /** The same, read on the calling thread. */
  getSync(key: Key, options?: ReadOptions): Buffer | undefined {
    return this.#reads.getSync(key, options)
  }

  /** The values of several keys, all as of the same moment, in the order of the keys. @throws as {@link get} */
  getMany(
    keys: readonly Key[],
    options?: SnapshotOptions & SignalOptions,
  ): Promise<(Buffer | undefined)[]> {
    return this.#reads.getMany(keys, options)
  }

  /** True if the key has a value. Never reads the value. @throws as {@link get} */
  async has(key: Key, options?: SnapshotOptions): Promise<boolean> {
    return this.hasSync(key, options)
  }

  /** The same, at once: what is asked of the tree needs no thread. */
  hasSync(key: Key, options?: SnapshotOptions): boolean {
    return this.#reads.has(key, options)
  }

  /** Size and place of a value, without reading it; undefined if the key has none. */
  async stat(key: Key, options?: SnapshotOptions): Promise<ValueStat | undefined> {
    return this.#reads.stat(key, options)
  }

  /**
   * The value that the key has now, as a stream of bytes, whatever becomes of it; or undefined. Read it to its end, or
   * cancel it: until then it keeps what it can see, as an iterator does. @throws as {@link get}, as does the stream
   */
  async getStream(
    key: Key,
    options?: GetStreamOptions,
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    return readStream(this.#points, this.#readers, key, options)
  }

  /** Iterates over keys and values, in key order, as they are now (or were for the snapshot). */
  entries<As extends keyof Listed = 'buffer'>(
    range?: ListOptions<As>,
  ): StoreIterator<[Buffer, Listed[As]]> {
    const { listed, range: keys } = takeListed(range)
    return entryIterator(...this.#readers.iteration(keys), listed as As, this.#streamOf)
  }

  /** Iterates over keys; values are never read. */
  keys(range?: RangeOptions): KeyIterator {
    return keyIterator(...this.#readers.iteration(range))
  }

  /** Iterates over values, or what `values` says of each. */
  values<As extends keyof Listed = 'buffer'>(range?: ListOptions<As>): StoreIterator<Listed[As]> {
    const { listed, range: keys } = takeListed(range)
    return valueIterator(...this.#readers.iteration(keys), listed as As, this.#streamOf)
  }

  /** The same store with keys and values of types instead of bytes. @throws WISC_CODEC_UNAVAILABLE */
  with<const E extends Encodings>(encodings: E): ViewOf<E>
  with<K, V>(encodings: EncodingsOf<K, V>): TypedStore<K, V>
  with(encodings: Encodings): unknown {
    return new EncodedStore(
      this,
      (range) => this.#readers.iteration(range),
      resolveEncodings(encodings),
    )
  }

  /** The store as it is now. Close it when it is no longer needed. */
  snapshot(): Snapshot {
    return this.#readers.snapshot()
  }

  /** Resolves when every write that has been acknowledged is durable. */
  async sync(): Promise<void> {
    const { commit, log } = this.#writable()
    await commit.drain()
    await log.sync()
  }

  /** Resolves when all memtables are in tables. @throws what keeps them from it, such as WISC_DISK_FULL */
  async flush(): Promise<void> {
    await this.#writable().flush()
  }

  /** Flushes, then merges all of a range: what was deleted or overwritten stays only where a reader sees it. */
  async compact(range?: KeyRange, options: CompactOptions = {}): Promise<void> {
    const engine = this.#writable()
    const resolved = [resolveCompactRange(range), checkCompactOptions(options)] as const
    await abortable(engine.compact(...resolved), options.signal)
  }

  /** What a collection would do, and why not more. Changes nothing; exact on a quiet store. Plain JSON. */
  async planCollection(options: CollectOptions = {}): Promise<CollectionPlan> {
    this.#checkOpen()
    const { targetSpaceAmplification } = this.#engine.options.collector
    const resolved = resolveCollect(options, targetSpaceAmplification, false, this.#engine.version)
    return abortable(this.#engine.planCollection(resolved), resolved.signal)
  }

  /**
   * Reclaims space: what `plan` says, or what it takes to come to the target, also while the collector is paused.
   * @throws WISC_STALE if the files of the plan have changed since; WISC_ABORTED, what was done stays done
   */
  async collect(
    options: CollectOptions & { readonly plan?: CollectionPlan } = {},
  ): Promise<CollectionReport> {
    const engine = this.#writable()
    const { targetSpaceAmplification } = engine.options.collector
    const resolved = resolveCollect(options, targetSpaceAmplification, true, engine.version)
    return abortable(engine.collect(resolved), resolved.signal)
  }

  /** The collector does nothing by itself until {@link resumeCollector}; a step under way is taken back. */
  pauseCollector(): void {
    this.#writable().collector.pause()
  }

  /** The collector goes on by itself. */
  resumeCollector(): void {
    this.#writable().collector.resume()
  }

  /** The files of the value log, in the order of their numbers. */
  segments(): SegmentInfo[] {
    return this.#measured(() => segmentInfos(this.#engine))
  }

  /** Checks every block, record header and pointer, and (unless `deep` is false) every value. Writes nothing. */
  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    this.#checkOpen()
    const { verifyStore } = await verifying()
    return verifyStore(this.#engine, options, () => this.#checkOpen())
  }

  /** Counters and sizes as of now. */
  stats(): Stats {
    const open = [this.#readers.iterators, this.#writes.transactions] as const
    return this.#measured(() => storeStats(this.#engine, this.#writer, ...open))
  }

  /**
   * The same as text for Prometheus, with histograms of how long background work has taken, and calls, from the first
   * time on that this is asked for.
   */
  metrics(): string {
    const stats = this.stats()
    this.#telemetry.timeCalls()
    return metricsText(stats, this.#writer?.options, this.#telemetry)
  }

  #measured<T>(measure: () => T): T {
    this.#checkOpen()
    try {
      return measure()
    } catch (error) {
      return readAgain(this.#engine, this.#engine.viewNumber, error, measure)
    }
  }

  /**
   * Waits for writes under way, flushes and syncs: everything acknowledged is durable then. Idempotent.
   * @throws what kept it from that, such as a failed sync; everything is released all the same
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const unheard = this.#control?.close()
    // Its failure is told when all is done.
    void Promise.allSettled([unheard])
    this.#writes.close()
    this.#readers.close()
    await releaseAll([() => this.#engine.close(), () => unheard, () => this.#lock?.release()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#closing) throw new WiscError('WISC_NOT_OPEN', 'the store is closed')
  }

  #writable(): Engine {
    this.#checkOpen()
    if (!this.#writer) throw new WiscError('WISC_READ_ONLY', 'the store is open for reading only')
    return this.#writer
  }
}
