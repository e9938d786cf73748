/**
 * The calls of a store that read single keys: what they are given is checked, and handed on to the point reads. `Store`
 * says what each of them promises. Data plane.
 */
import { toWiscError } from '../base/errors.ts'
import { keyBytes, keyList, takeSignal } from '../contract/arguments.ts'
import type {
  Key,
  ReadOptions,
  SequencedValue,
  SignalOptions,
  SnapshotOptions,
  ValueStat,
} from '../contract/types.ts'
import type { PointReads } from '../reads/point-reads.ts'
import type { TracedCalls } from '../telemetry/store-telemetry.ts'

/** Of a get: they may ask for the sequence, too. */
export type GetOptions = ReadOptions & { readonly withSequence?: boolean }
type GetManyOptions = SnapshotOptions & SignalOptions

export class ReadCalls {
  readonly #reads: PointReads
  readonly #traced: TracedCalls

  constructor(reads: PointReads, traced: TracedCalls) {
    this.#reads = reads
    this.#traced = traced
  }

  get(key: Key, options: GetOptions | undefined): Promise<Buffer | SequencedValue | undefined> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#get(key, options)
    return traced.later({ operation: 'get', key, options }, this.#get, this, key, options)
  }

  #get(key: Key, options: GetOptions | undefined): Promise<Buffer | SequencedValue | undefined> {
    try {
      return this.#reads.getSoon(keyBytes(key), options)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  getSync(key: Key, options: ReadOptions | undefined): Buffer | undefined {
    const traced = this.#traced
    if (!traced.isWatched) return this.#getSync(key, options)
    return traced.now({ operation: 'getSync', key, options }, this.#getSync, this, key, options)
  }

  #getSync(key: Key, options: ReadOptions | undefined): Buffer | undefined {
    try {
      return this.#reads.get(keyBytes(key), options, false) as Buffer | undefined
    } catch (error) {
      throw toWiscError(error)
    }
  }

  getMany(
    keys: readonly Key[],
    options: GetManyOptions | undefined,
  ): Promise<(Buffer | undefined)[]> {
    const traced = this.#traced
    if (!traced.isWatched) return this.#getMany(keys, options)
    return traced.later({ operation: 'getMany', keys, options }, this.#getMany, this, keys, options)
  }

  async #getMany(
    keys: readonly Key[],
    options: GetManyOptions | undefined,
  ): Promise<(Buffer | undefined)[]> {
    const bytes = keyList(keys)
    const { signal, rest } = takeSignal(options)
    return this.#reads.getMany(bytes, rest, signal)
  }

  has(key: Key, options: SnapshotOptions | undefined): boolean {
    return this.#reads.has(keyBytes(key), options)
  }

  stat(key: Key, options: SnapshotOptions | undefined): ValueStat | undefined {
    return this.#reads.stat(keyBytes(key), options)
  }
}
