/** Transactions and updates: what callers give and get. */
import { invalidArgument } from '../base/errors.ts'
import { boolean, checkSignal, integer, plainObject, refuseUnknown } from './checks.ts'
import { mustBe } from './given.ts'
import { TIMER_MS_MAX } from './options.ts'
import type {
  DeletedRange,
  EntryIterator,
  ExpiryOptions,
  Key,
  KeyIterator,
  KeyRange,
  RangeOptions,
  Value,
  ValueIterator,
  WriteOptions,
} from './types.ts'

/** Makes the new value of the old one, where there is one; undefined removes the key. */
export type UpdateCallback = (
  value: Buffer | undefined,
) => Value | undefined | PromiseLike<Value | undefined>

export type TransactionCallback<T> = (tx: Transaction) => T | PromiseLike<T>

/** What it returns is no promise: what an asynchronous function does later would be no part of the transaction. */
export type SyncTransactionCallback<T> = (
  tx: SyncTransaction,
) => T extends PromiseLike<unknown> ? never : T

/** Options of `update`. */
export interface UpdateOptions extends WriteOptions {
  /**
   * How often the callback is called again when another write was faster, before WISC_CONFLICT tells of it. Default: of
   * an update until it fits, of a transaction 10 times.
   */
  readonly retries?: number
  readonly signal?: AbortSignal
}

/** Options of `transaction`. */
export interface TransactionOptions extends UpdateOptions {
  /** The longest that the callback may take, in milliseconds. Default: that of the store. */
  readonly maxAgeMs?: number
}

/** What the ranges of a transaction take: it has its own signal, and is a snapshot itself. */
export type TransactionRange = Omit<RangeOptions, 'snapshot' | 'signal'>

/**
 * What the callback of `transaction` reads and writes with. Reads see the store as it was when the callback was called,
 * and the transaction's own writes before them. What was read must be unchanged when it commits, ranges too: up to the
 * last key that an iterator has given, or to their end. With the end of the callback it ends.
 */
export interface Transaction {
  get(key: Key): Promise<Buffer | undefined>
  getMany(keys: readonly Key[]): Promise<(Buffer | undefined)[]>
  has(key: Key): Promise<boolean>
  entries(range?: TransactionRange): EntryIterator
  keys(range?: TransactionRange): KeyIterator
  values(range?: TransactionRange): ValueIterator
  /** Written when the transaction commits; key and value may be used again at once. */
  put(key: Key, value: Value, options?: ExpiryOptions): void
  delete(key: Key): void
  deleteRange(range: DeletedRange): void
  /** Nothing of it will be written; `transaction` resolves with what its callback returns. */
  abort(): void
}

/** What the ranges of a synchronous transaction take. */
export type SyncTransactionRange = KeyRange & Pick<RangeOptions, 'reverse' | 'limit'>

/** The same, for a callback that runs in one go in its turn: reads see everything that was written before. */
export interface SyncTransaction {
  get(key: Key): Buffer | undefined
  has(key: Key): boolean
  entries(range?: SyncTransactionRange): IterableIterator<[Buffer, Buffer]>
  keys(range?: SyncTransactionRange): IterableIterator<Buffer>
  values(range?: SyncTransactionRange): IterableIterator<Buffer>
  put(key: Key, value: Value, options?: ExpiryOptions): void
  delete(key: Key): void
  deleteRange(range: DeletedRange): void
  abort(): void
}

export interface ResolvedAttempts {
  readonly sync: boolean
  readonly retries: number
  readonly signal: AbortSignal | undefined
  readonly maxAgeMs: number
}

/** The options that each call has. */
const ATTEMPT_NAMES = {
  update: ['sync', 'retries', 'signal'],
  transaction: ['sync', 'retries', 'signal', 'maxAgeMs'],
  transactionSync: ['sync'],
} as const

export function resolveAttempts(
  options: unknown,
  call: keyof typeof ATTEMPT_NAMES,
  standard: ResolvedAttempts,
): ResolvedAttempts {
  if (options === undefined) return standard
  const given = plainObject(options, 'options')
  refuseUnknown(given, ATTEMPT_NAMES[call], call)
  const { retries, maxAgeMs } = given
  return {
    sync: boolean('sync', given['sync'], standard.sync),
    retries:
      retries === undefined || retries === Number.POSITIVE_INFINITY
        ? (retries ?? standard.retries)
        : integer('retries', retries, 0, Number.MAX_SAFE_INTEGER),
    signal: checkSignal(given['signal']),
    maxAgeMs:
      maxAgeMs === undefined ? standard.maxAgeMs : integer('maxAgeMs', maxAgeMs, 1, TIMER_MS_MAX),
  }
}

/** What is read and deleted in a transaction takes no options: each would be lost without a word. */
export function refuseOptions(options: unknown): void {
  if (options === undefined) return
  refuseUnknown(plainObject(options, 'options'), [], 'a call of a transaction')
}

export function checkCallback<F>(callback: F): F {
  if (typeof callback === 'function') return callback
  throw invalidArgument(mustBe('a function', 'callback', callback))
}

/** Not `instanceof`: one of another realm is one, too, and so is a query that is sent when somebody awaits it. */
export function isPromiseLike<T>(given: T | PromiseLike<T>): given is PromiseLike<T> {
  return typeof (given as { then?: unknown } | null | undefined)?.then === 'function'
}
