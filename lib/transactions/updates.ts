/**
 * Updates: a key is read, its new value computed, and put if nobody has written the key since; else all of that anew.
 *
 * Those of one key take turns, so that of many callers each is called once and none waits for luck; only other writes
 * can be faster. A turn ends when the value is visible: the next one need not wait until it is durable.
 */
import { RECORD_KIND } from '../../vlog/record.ts'
import { onAbort } from '../base/abort.ts'
import { copyBytes, keyString, NO_BYTES } from '../base/bytes.ts'
import { ConflictError, WiscError } from '../base/errors.ts'
import { keyBytes, throwIfAborted, valueBytes } from '../contract/arguments.ts'
import {
  checkCallback,
  type ResolvedAttempts,
  type UpdateCallback,
} from '../contract/transactions.ts'
import type { Key, SequencedValue, Value } from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import type { PointReads } from '../reads/point-reads.ts'
import { Conditions } from '../writes/conditions.ts'
import type { Nesting } from './nesting.ts'

export class Updates {
  readonly #engine: Engine
  readonly #reads: PointReads
  readonly #nesting: Nesting
  #failure: WiscError | undefined
  /** Of each key, the end of the last turn that was asked for. */
  readonly #turns: Map<string, Promise<void>> = new Map()

  constructor(engine: Engine, reads: PointReads, nesting: Nesting) {
    this.#engine = engine
    this.#reads = reads
    this.#nesting = nesting
  }

  /** The store is closed: what has not come to the commit queue will not. */
  fail(error: WiscError): void {
    this.#failure = error
  }

  async update(given: Key, callback: UpdateCallback, settings: ResolvedAttempts): Promise<void> {
    this.#nesting.refuse()
    const key = copyBytes(keyBytes(given))
    checkCallback(callback)
    throwIfAborted(settings.signal)
    const text = keyString(key)
    const before = this.#turns.get(text)
    let end!: () => void
    const turn = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#turns.set(text, turn)
    try {
      if (before) await orAborted(before, settings.signal)
      await this.#tryUntilItFits(key, callback, settings)
    } finally {
      // Who gives up while it waits leaves the others in their order.
      if (before) void before.then(end)
      else end()
      if (this.#turns.get(text) === turn) void turn.then(() => this.#forget(text, turn))
    }
    if (settings.sync) await this.#engine.log.sync()
  }

  #forget(key: string, turn: Promise<void>): void {
    if (this.#turns.get(key) === turn) this.#turns.delete(key)
  }

  async #tryUntilItFits(
    key: Uint8Array,
    callback: UpdateCallback,
    { retries, signal, maxAgeMs }: ResolvedAttempts,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      if (this.#failure) throw this.#failure
      const options = { withSequence: true, rest: {} }
      const found = (await this.#reads.getSequenced(key, options)) as SequencedValue | undefined
      const called = this.#nesting.call(() => callback(found?.value))
      const value = called instanceof Promise ? await inTime(called, signal, maxAgeMs) : called
      throwIfAborted(signal)
      if (this.#failure) throw this.#failure
      try {
        return await this.#put(key, value, found)
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt >= retries) throw error
      }
    }
  }

  #put(
    key: Uint8Array,
    value: Value | undefined,
    found: SequencedValue | undefined,
  ): Promise<void> | undefined {
    if (value === undefined && found === undefined) return undefined
    const condition = new Conditions(this.#engine, [
      {
        key,
        wants: found ? 'sequence' : 'absent',
        sequence: found ? found.sequence : 0,
        value: NO_BYTES,
      },
    ])
    const { commit } = this.#engine
    return value === undefined
      ? commit.submit(RECORD_KIND.delete, key, NO_BYTES, false, condition)
      : commit.submit(RECORD_KIND.put, key, valueBytes(value), false, condition)
  }
}

/** Waits for something, but no longer than the signal allows. */
function orAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return waited
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () =>
      reject(new WiscError('WISC_ABORTED', 'the update was aborted', { cause: signal.reason })),
    )
    void waited.then(resolve, reject).finally(stop)
  })
}

/** Those behind a callback that never comes back must not wait for ever. */
function inTime<T>(
  called: Promise<T>,
  signal: AbortSignal | undefined,
  maxAgeMs: number,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new WiscError('WISC_STALE', `an update is too old: maxAgeMs=${maxAgeMs}`))
    }, maxAgeMs).unref()
  })
  return Promise.race([orAborted(called, signal), late]).finally(() => clearTimeout(timer))
}
