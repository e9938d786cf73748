/**
 * The calls of a store that write: what they are given is checked and resolved, then handed on to the commit queue or
 * to the uploads. `Store` says what each of them promises.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { NO_BYTES } from '../base/bytes.ts'
import { invalidArgument, toWiscError } from '../base/errors.ts'
import {
  checkOperation,
  deletedRange,
  keyBytes,
  putSettings,
  valueBytes,
  writeSync,
} from '../contract/arguments.ts'
import { resolveConditions, resolveKeyCondition } from '../contract/conditions.ts'
import { touchSettings } from '../contract/expiry.ts'
import { mustBe } from '../contract/given.ts'
import type { TransactionStats } from '../contract/reports.ts'
import { resolvePutStream } from '../contract/stream-options.ts'
import { type PieceSource, pieceSource } from '../contract/stream-source.ts'
import type {
  SyncTransactionCallback,
  TransactionCallback,
  TransactionOptions,
  UpdateCallback,
  UpdateOptions,
} from '../contract/transactions.ts'
import type {
  BatchOptions,
  ConditionalWriteOptions,
  Key,
  KeyRange,
  Operation,
  PutOptions,
  PutStreamOptions,
  StreamSource,
  TouchOptions,
  UploadResult,
  Value,
  WriteOptions,
} from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import type { TracedCalls } from '../telemetry/store-telemetry.ts'
import type { StoreReads } from '../transactions/transaction-iterator.ts'
import { Transactions } from '../transactions/transactions.ts'
import { Conditions } from '../writes/conditions.ts'

export class WriteCalls {
  readonly #writable: () => Engine

  readonly #reads: StoreReads
  readonly #traced: TracedCalls
  #transactions: Transactions | undefined

  /**
   * @param writable throws WISC_NOT_OPEN or WISC_READ_ONLY if nothing can be written
   * @param reads what transactions read of the store
   */
  constructor(writable: () => Engine, reads: StoreReads, traced: TracedCalls) {
    this.#writable = writable
    this.#reads = reads
    this.#traced = traced
  }

  get transactions(): TransactionStats | undefined {
    return this.#transactions?.stats
  }

  /** The store is closed. */
  close(): void {
    this.#transactions?.close()
  }

  put(key: Key, value: Value, options: PutOptions | undefined): Promise<void> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#put(key, value, options)
    const call = { operation: 'put', key, value, options }
    return traced.later(call, this.#put, this, key, value, options)
  }

  #put(key: Key, value: Value, options: PutOptions | undefined): Promise<void> {
    try {
      const engine = this.#writable()
      const { commit } = engine
      const { sync, compresses, expiresAt } = putSettings(options, engine.options)
      const condition = options && conditionOf(engine, key, options)
      const bytes = valueBytes(value)
      const given = {
        kind: RECORD_KIND.put,
        key: keyBytes(key),
        value: bytes,
        compresses,
        expiresAt,
      }
      return commit.submit(given, sync, condition)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  delete(key: Key, options: ConditionalWriteOptions | undefined): Promise<void> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#delete(key, options)
    return traced.later({ operation: 'delete', key, options }, this.#delete, this, key, options)
  }

  #delete(key: Key, options: ConditionalWriteOptions | undefined): Promise<void> {
    try {
      const engine = this.#writable()
      const sync = writeSync(options, engine.options.sync)
      const condition = options && conditionOf(engine, key, options)
      const given = {
        kind: RECORD_KIND.delete,
        key: keyBytes(key),
        value: NO_BYTES,
        compresses: false,
      }
      return engine.commit.submit(given, sync, condition)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  deleteRange(range: KeyRange, options: WriteOptions | undefined): Promise<void> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#deleteRange(range, options)
    const call = { operation: 'deleteRange', range, options }
    return traced.later(call, this.#deleteRange, this, range, options)
  }

  #deleteRange(range: KeyRange, options: WriteOptions | undefined): Promise<void> {
    try {
      const engine = this.#writable()
      const sync = writeSync(options, engine.options.sync)
      if ((options as BatchOptions | undefined)?.if !== undefined) {
        throw invalidArgument('deleteRange takes no condition: a batch that deletes a range does')
      }
      return engine.commit.submit(deletedRange(range), sync, undefined)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  write(operations: readonly Operation[], options: BatchOptions | undefined): Promise<void> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#write(operations, options)
    const call = { operation: 'write', operations, options }
    return traced.later(call, this.#write, this, operations, options)
  }

  async #write(operations: readonly Operation[], options: BatchOptions | undefined): Promise<void> {
    const { commit, options: standard } = this.#writable()
    const sync = writeSync(options, standard.sync)
    const given = options?.if
    const conditions = given === undefined ? [] : resolveConditions(given)
    if (!Array.isArray(operations))
      throw invalidArgument(mustBe('an array', 'operations', operations))
    // Not `map`, which leaves holes in an array as they are.
    const writes = Array.from(operations, checkOperation)
    // A getter of an operation may have closed the store.
    const engine = this.#writable()
    const condition = conditions.length === 0 ? undefined : new Conditions(engine, conditions)
    // One that only syncs has its turn behind all that was called before, as any other.
    if (writes.length > 0 || condition || sync) await commit.submitBatch(writes, sync, condition)
  }

  update(key: Key, callback: UpdateCallback, options: UpdateOptions | undefined): Promise<void> {
    try {
      return this.#together().update(key, callback, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async touch(key: Key, options: TouchOptions): Promise<boolean> {
    const { sync, expiresAt } = touchSettings(options, this.#writable().options.sync)
    return this.#together().touch(key, expiresAt, sync)
  }

  async transaction<T>(
    callback: TransactionCallback<T>,
    options: TransactionOptions | undefined,
  ): Promise<T> {
    return this.#together().run(callback, options)
  }

  transactionSync<T>(
    callback: SyncTransactionCallback<T>,
    options: WriteOptions | undefined,
  ): Promise<T> {
    try {
      return this.#together().runSync(callback, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #together(): Transactions {
    const engine = this.#writable()
    this.#transactions ??= new Transactions(engine, this.#reads)
    return this.#transactions
  }

  async putStream(
    key: Key,
    source: StreamSource,
    options: PutStreamOptions | undefined,
  ): Promise<UploadResult> {
    const pieces = pieceSource(source)
    return this.#uploadOf(key, pieces, options)()
  }

  /** What is refused cancels its source, too: nobody else would close the file of a stream. */
  #uploadOf(
    key: Key,
    source: PieceSource,
    options: PutStreamOptions | undefined,
  ): () => Promise<UploadResult> {
    try {
      const engine = this.#writable()
      const resolved = resolvePutStream(options, engine.options.sync)
      const condition = options && conditionOf(engine, key, options)
      const bytes = keyBytes(key)
      return () => engine.uploads.put(bytes, source, { ...resolved, condition })
    } catch (error) {
      source.cancel(error)
      throw error
    }
  }
}

/** Of a single put or delete, if it has one. */
function conditionOf(
  engine: Engine,
  key: Key,
  options: ConditionalWriteOptions,
): Conditions | undefined {
  const condition = options.if
  if (condition === undefined) return undefined
  return new Conditions(engine, resolveKeyCondition(key, condition))
}
