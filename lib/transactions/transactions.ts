/**
 * The transactions of a store, and its updates.
 *
 *   begin: snapshot -> callback reads it, and its own writes -> validation -> commit queue, which asks it once more
 *     ^                                                             | conflict                          | conflict
 *     +---------------------------- a pause of random length -------+-----------------------------------+
 *
 * Nothing is locked: who commits first wins. One that only reads has seen one moment, and needs no validation. What a
 * transaction pins is bounded by its age.
 */
import { types } from 'node:util'
import { onAbort } from '../base/abort.ts'
import { ConflictError, invalidArgument, WiscError } from '../base/errors.ts'
import { randomU32 } from '../base/random.ts'
import { throwIfAborted } from '../contract/arguments.ts'
import type { TransactionStats } from '../contract/reports.ts'
import {
  checkCallback,
  isPromiseLike,
  type ResolvedAttempts,
  resolveAttempts,
  type SyncTransactionCallback,
  type TransactionCallback,
  type UpdateCallback,
} from '../contract/transactions.ts'
import type { Key } from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import { PointReads } from '../reads/point-reads.ts'
import { KnownKeys } from './known-keys.ts'
import { Nesting } from './nesting.ts'
import { SortedReads } from './sorted-reads.ts'
import { Steps } from './steps.ts'
import { StoreSyncTransaction } from './sync-transaction.ts'
import { StoreTransaction } from './transaction.ts'
import type { StoreReads } from './transaction-iterator.ts'
import { Updates } from './updates.ts'
import { Validation } from './validation.ts'

const RETRIES = 10
/** A pause is as long as some of these, random, and twice as many after each conflict. */
const PAUSE_MS = 0.5
const PAUSE_DOUBLINGS_MAX = 6

export class Transactions {
  readonly #engine: Engine
  readonly #store: StoreReads
  /** Of the newest state. */
  readonly #reads: PointReads
  readonly #standards: Record<'update' | 'transaction', ResolvedAttempts>
  readonly #nesting: Nesting = new Nesting()
  readonly #known: KnownKeys = new KnownKeys()
  readonly #updates: Updates
  /** In the order in which they began. */
  readonly #open: Set<StoreTransaction> = new Set()
  #conflicts = 0

  /** @param store what transactions read; refuses when it is closed */
  constructor(engine: Engine, store: StoreReads) {
    this.#engine = engine
    this.#store = store
    this.#reads = new PointReads(engine, () => engine.visibleSequence)
    this.#updates = new Updates(engine, this.#reads, this.#nesting)
    const { sync, transactions } = engine.options
    const standard = { sync, signal: undefined, maxAgeMs: transactions.maxAgeMs }
    this.#standards = {
      update: { ...standard, retries: Number.POSITIVE_INFINITY },
      transaction: { ...standard, retries: RETRIES },
    }
  }

  get stats(): TransactionStats {
    const [oldest] = this.#open
    return {
      open: this.#open.size,
      oldestSequence: oldest?.snapshot.sequence,
      oldestAgeMs: oldest && performance.now() - oldest.began,
      conflicts: this.#conflicts,
    }
  }

  /** The store is closed: what has not come to the commit queue will not. */
  close(): void {
    const error = new WiscError('WISC_NOT_OPEN', 'the store is closed')
    for (const transaction of this.#open) transaction.fail(error)
    this.#updates.fail(error)
  }

  update(key: Key, callback: UpdateCallback, options: unknown): Promise<void> {
    const settings = resolveAttempts(options, 'update', this.#standards.update)
    return this.#updates.update(key, callback, settings)
  }

  touch(key: Key, expiresAt: number, sync: boolean): Promise<boolean> {
    return this.#updates.touch(key, expiresAt, { ...this.#standards.update, sync })
  }

  async run<T>(callback: TransactionCallback<T>, options: unknown): Promise<T> {
    this.#nesting.refuse()
    checkCallback(callback)
    const settings = resolveAttempts(options, 'transaction', this.#standards.transaction)
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(settings.signal)
      const outcome = await this.#attempt(callback, settings)
      if (outcome.conflict === undefined) return outcome.result
      this.#conflicts++
      if (attempt >= settings.retries) throw outcome.conflict
      await this.#pause(attempt)
    }
  }

  runSync<T>(callback: SyncTransactionCallback<T>, options: unknown): Promise<T> {
    this.#nesting.refuse()
    checkCallback(callback)
    const { sync } = resolveAttempts(options, 'transactionSync', this.#standards.transaction)
    return this.#engine.commit.submitComposed((earlier) => {
      const transaction = new StoreSyncTransaction(this.#engine, this.#reads, this.#known, earlier)
      try {
        const result = this.#nesting.call(() => callback(transaction) as T)
        refusePromise(result)
        return { writes: transaction.isAborted ? [] : transaction.writes.list(), result }
      } finally {
        transaction.end()
      }
    }, sync)
  }

  async #attempt<T>(
    callback: TransactionCallback<T>,
    { sync, signal, maxAgeMs }: ResolvedAttempts,
  ): Promise<{ readonly result: T; readonly conflict: ConflictError | undefined }> {
    const { maxReadSetBytes } = this.#engine.options.transactions
    const transaction = new StoreTransaction(this.#store, maxReadSetBytes)
    this.#open.add(transaction)
    const age = setTimeout(() => transaction.fail(tooOld(maxAgeMs)), maxAgeMs).unref()
    const stopListening = signal && onAbort(signal, () => transaction.fail(aborted(signal)))
    try {
      const called = this.#nesting.call(() => callback(transaction))
      // Who does not come back in time is not waited for.
      const result = await Promise.race([called, transaction.failed])
      transaction.finish()
      if (transaction.isAborted) return { result, conflict: undefined }
      return { result, conflict: await this.#commit(transaction, sync) }
    } finally {
      clearTimeout(age)
      stopListening?.()
      transaction.release()
      this.#open.delete(transaction)
    }
  }

  /** @returns what was changed since it was read, if anything was: then nothing is written */
  async #commit(transaction: StoreTransaction, sync: boolean): Promise<ConflictError | undefined> {
    if (transaction.writes.size === 0) return undefined
    const { commit, tree, turn, health } = this.#engine
    // It has read what is durable: anything newer would be a conflict with that, however often it is tried.
    if (health.final) throw health.final
    const steps = new Steps(turn, () => transaction.failure !== undefined)
    const reads = await SortedReads.of(transaction.reads, steps)
    if (reads === undefined) throw transaction.failure
    const validation = new Validation(tree, transaction.snapshot.sequence, reads, steps)
    commit.watchers.add(validation)
    try {
      await validation.prepare()
      if (transaction.failure) throw transaction.failure
      if (validation.conflict) return validation.conflict
      await commit.submitBatch(transaction.writes.list(), sync, validation)
      return undefined
    } catch (error) {
      if (error instanceof ConflictError) return error
      throw error
    } finally {
      commit.watchers.delete(validation)
    }
  }

  /** At first only for the event loop to turn. */
  #pause(attempt: number): Promise<void> {
    const { context, turn } = this.#engine
    if (attempt === 0) return new Promise((resolve) => turn.later(resolve))
    const share = randomU32(context.random) / 2 ** 32
    const ms = share * PAUSE_MS * 2 ** Math.min(attempt, PAUSE_DOUBLINGS_MAX)
    return new Promise((resolve) => setTimeout(resolve, ms))
  }
}

function tooOld(maxAgeMs: number): WiscError {
  return new WiscError('WISC_STALE', `a transaction is too old: maxAgeMs=${maxAgeMs}`)
}

function aborted(signal: AbortSignal): WiscError {
  return new WiscError('WISC_ABORTED', 'the transaction was aborted', { cause: signal.reason })
}

/** What it does later would be no part of the transaction. */
function refusePromise(result: unknown): void {
  if (!isPromiseLike(result)) return
  // To wait for anything else would begin it.
  if (types.isPromise(result)) void Promise.allSettled([result])
  throw invalidArgument('the callback of transactionSync must not return a promise')
}
