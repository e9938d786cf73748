/**
 * Updates: a key is read, its new value computed, and put if nobody has written the key since; else all of that anew.
 *
 *   callback comes back at once:   called in its turn in the commit queue, with what the key has there: it always fits
 *   it returns a promise:          read -> called -> awaited -> put, if the key is as it was; else from the beginning
 *
 * Those of one key that wait for a promise take turns, so that of many callers each is called once and none waits for
 * luck; only other writes can be faster. Updates of the key that come meanwhile join them. A turn ends when the value
 * is visible: the next one need not wait until it is durable.
 */
import { types } from 'node:util'
import { RECORD_KIND } from '../../vlog/record.ts'
import { onAbort } from '../base/abort.ts'
import { copyBytes, keyString, NO_BYTES } from '../base/bytes.ts'
import { ConflictError, invalidArgument, WiscError } from '../base/errors.ts'
import { type Given, keyBytes, throwIfAborted, valueBytes } from '../contract/arguments.ts'
import type { ResolvedCondition } from '../contract/conditions.ts'
import {
  checkCallback,
  isPromiseLike,
  type ResolvedAttempts,
  type UpdateCallback,
} from '../contract/transactions.ts'
import type { Key, SequencedValue, Value } from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import type { PointReads } from '../reads/point-reads.ts'
import { Entry, KIND } from '../tree/entry.ts'
import { fileOf } from '../tree/version/version.ts'
import type { LastWrites } from '../writes/batch.ts'
import { Conditions } from '../writes/conditions.ts'
import { TAKEN_VALUE_BYTES_MAX } from '../writes/write.ts'
import { isPut } from '../writes/writes-by-key.ts'
import type { Nesting } from './nesting.ts'

interface Asked {
  readonly key: Uint8Array
  /** As a string. */
  readonly text: string
  readonly callback: UpdateCallback
  readonly settings: ResolvedAttempts
  /** Of what is put: milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
}

/** What a callback was called with ... */
interface Seen {
  readonly value: Buffer | undefined
  /** ... and what must hold for what it makes of that. */
  readonly condition: ResolvedCondition
}

/** A callback that was called and is waited for. */
interface Attempt {
  readonly seen: Seen
  readonly called: PromiseLike<Value | undefined>
}

const NO_WRITES: readonly Given[] = []

export class Updates {
  readonly #engine: Engine
  readonly #reads: PointReads
  readonly #nesting: Nesting
  readonly #found: Entry = new Entry()
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

  update(given: Key, callback: UpdateCallback, settings: ResolvedAttempts): Promise<void> {
    this.#nesting.refuse()
    const key = copyBytes(keyBytes(given))
    checkCallback(callback)
    throwIfAborted(settings.signal)
    return this.#ask({ key, text: keyString(key), callback, settings, expiresAt: 0 })
  }

  /**
   * Puts the value of a key again, unchanged, to expire at a moment.
   * @returns false if it has none @throws WISC_INVALID_ARGUMENT for a stream
   */
  async touch(given: Key, expiresAt: number, settings: ResolvedAttempts): Promise<boolean> {
    this.#nesting.refuse()
    const key = copyBytes(keyBytes(given))
    let isThere = false
    const callback = (value: Buffer | undefined): Buffer | undefined => {
      isThere = value !== undefined
      return value
    }
    await this.#ask({ key, text: keyString(key), callback, settings, expiresAt })
    return isThere
  }

  #ask(asked: Asked): Promise<void> {
    const { callback } = asked
    const isLater = types.isAsyncFunction(callback) || this.#turns.has(asked.text)
    return isLater ? this.#updateLater(asked, undefined) : this.#updateAtOnce(asked)
  }

  #updateAtOnce(asked: Asked): Promise<void> {
    const { callback, settings } = asked
    return this.#engine.commit.submitComposed((earlier) => {
      throwIfAborted(settings.signal)
      const seen = this.#see(asked, earlier)
      const called = seen && this.#nesting.call(() => callback(seen.value))
      if (seen && !isPromiseLike(called))
        return { writes: writesOf(asked, called, seen), result: undefined }
      const attempt = seen && { seen: kept(seen), called: called as Attempt['called'] }
      const later = this.#updateLater(asked, attempt)
      // Its caller hears of it when the group is written.
      void Promise.allSettled([later])
      return { writes: NO_WRITES, result: later }
    }, settings.sync)
  }

  /** @returns undefined if others come first, or if the value is better read by a thread */
  #see(asked: Asked, earlier: LastWrites): Seen | undefined {
    const { key, text } = asked
    if (this.#turns.has(text)) return undefined
    const write = earlier.get(text)
    if (write !== undefined) {
      if (!isPut(write)) return { value: undefined, condition: wanted(key, 'absent') }
      if (write.rawLength > TAKEN_VALUE_BYTES_MAX) return undefined
      // It has no sequence yet.
      const condition = wanted(key, 'value', 0, write.value)
      return { value: Buffer.from(write.value), condition }
    }
    const found = this.#found
    const isThere = this.#engine.tree.find(key, this.#engine.visibleSequence, found)
    if (!isThere) return { value: undefined, condition: wanted(key, 'absent') }
    this.#refuseStream(found, asked)
    const condition = wanted(key, 'sequence', found.sequence)
    if (found.kind === KIND.inline) {
      const { valueBytes: bytes, valueStart, valueEnd } = found
      return { value: Buffer.from(bytes.subarray(valueStart, valueEnd)), condition }
    }
    if (found.length > TAKEN_VALUE_BYTES_MAX) return undefined
    return { value: this.#engine.values.read(found), condition }
  }

  /** @throws WISC_INVALID_ARGUMENT if an entry to be touched is one: its file cannot be written again by a record */
  #refuseStream({ kind, segment }: Entry, { expiresAt }: Asked): void {
    if (expiresAt === 0 || kind !== KIND.pointer) return
    if (fileOf(this.#engine.version, segment)?.role === 'stream')
      throw invalidArgument('touch takes no stream: put it again by putStream')
  }

  /** In its turn among those of its key. */
  async #updateLater(asked: Asked, attempt: Attempt | undefined): Promise<void> {
    const { text, settings } = asked
    const before = this.#turns.get(text)
    let end!: () => void
    const turn = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#turns.set(text, turn)
    try {
      if (before) await orAborted(before, settings.signal)
      await this.#tryUntilItFits(asked, attempt)
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

  /** @param first a callback that was called in the commit queue already */
  async #tryUntilItFits(asked: Asked, first: Attempt | undefined): Promise<void> {
    const { key, callback } = asked
    const { retries, signal, maxAgeMs } = asked.settings
    for (let attempt = 0; ; attempt++) {
      if (this.#failure) throw this.#failure
      const isFirst = attempt === 0 && first !== undefined
      const seen = isFirst ? first.seen : await this.#read(asked)
      const called = isFirst ? first.called : this.#nesting.call(() => callback(seen.value))
      const value = isPromiseLike(called) ? await inTime(called, signal, maxAgeMs) : called
      throwIfAborted(signal)
      if (this.#failure) throw this.#failure
      try {
        return await this.#put(asked, value, seen)
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
        if (attempt >= retries)
          throw new ConflictError(key, `another write was faster, retries=${retries}`)
      }
    }
  }

  async #read(asked: Asked): Promise<Seen> {
    const { key } = asked
    const { tree, visibleSequence } = this.#engine
    // Before it is read: it may be longer than memory.
    if (asked.expiresAt > 0 && tree.find(key, visibleSequence, this.#found))
      this.#refuseStream(this.#found, asked)
    const options = { withSequence: true, rest: {} }
    const found = (await this.#reads.getSequenced(key, options)) as SequencedValue | undefined
    return found === undefined
      ? { value: undefined, condition: wanted(key, 'absent') }
      : { value: found.value, condition: wanted(key, 'sequence', found.sequence) }
  }

  async #put(asked: Asked, value: Value | undefined, seen: Seen): Promise<void> {
    const writes = writesOf(asked, value, seen)
    if (writes.length === 0) return
    const condition = new Conditions(this.#engine, [seen.condition])
    await this.#engine.commit.submitBatch(writes, false, condition)
  }
}

function wanted(
  key: Uint8Array,
  wants: ResolvedCondition['wants'],
  sequence: number = 0,
  value: Uint8Array = NO_BYTES,
): ResolvedCondition {
  return { key, wants, sequence, value }
}

/** The memory of the group is used again. */
function kept({ value, condition }: Seen): Seen {
  return { value, condition: { ...condition, value: copyBytes(condition.value) } }
}

function writesOf(
  { key, expiresAt }: Pick<Asked, 'key' | 'expiresAt'>,
  value: Value | undefined,
  { condition }: Seen,
): readonly Given[] {
  if (value !== undefined)
    return [{ kind: RECORD_KIND.put, key, value: valueBytes(value), expiresAt }]
  return condition.wants === 'absent'
    ? NO_WRITES
    : [{ kind: RECORD_KIND.delete, key, value: NO_BYTES }]
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
  called: PromiseLike<T>,
  signal: AbortSignal | undefined,
  maxAgeMs: number,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new WiscError('WISC_STALE', `an update is too old: maxAgeMs=${maxAgeMs}`))
    }, maxAgeMs).unref()
  })
  return Promise.race([orAborted(Promise.resolve(called), signal), late]).finally(() =>
    clearTimeout(timer),
  )
}
