/**
 * A view of a store with encodings. It turns keys and values into bytes, hands on to the store, and turns bytes back;
 * everything is encoded before the store hears of it. Methods that return a promise reject and never throw.
 */
import { invalidArgument, toWiscError } from '../base/errors.ts'
import type { ResolvedScan } from '../contract/arguments.ts'
import { plainObject, refuseUnknown } from '../contract/checks.ts'
import { mustBe } from '../contract/given.ts'
import type {
  TypedBatchOptions,
  TypedCondition,
  TypedIterator,
  TypedKeyRange,
  TypedOperation,
  TypedPutOptions,
  TypedRange,
  TypedSequencedValue,
  TypedStore,
  TypedWriteOptions,
} from '../contract/typed-store.ts'
import type {
  BatchOptions,
  Condition,
  ConditionalWriteOptions,
  DeletedRange,
  DeleteRangeOperation,
  Key,
  KeyCondition,
  Operation,
  RangeOptions,
  SequencedReadOptions,
  SignalOptions,
  SnapshotOptions,
  TouchOptions,
  Value,
  ValueStat,
  WriteOptions,
} from '../contract/types.ts'
import type { ResolvedEncodings } from '../encodings/resolve-encodings.ts'
import { BatchIterator, type IteratorParts } from './iterator.ts'

/** The store that a view is of: the same methods, for bytes. */
type BytesStore = Omit<TypedStore<Key, Value, Buffer, Buffer>, 'operation' | 'condition'>

type Iteration = (range: RangeOptions | undefined) => [IteratorParts, ResolvedScan]

const ENDS = ['gt', 'gte', 'lt', 'lte'] as const

export class EncodedStore implements TypedStore<unknown, unknown> {
  readonly #store: BytesStore
  readonly #iteration: Iteration
  readonly #encodings: ResolvedEncodings

  /** @param iteration checks a range of bytes and gives what an iterator over it is made of */
  constructor(store: BytesStore, iteration: Iteration, encodings: ResolvedEncodings) {
    this.#store = store
    this.#iteration = iteration
    this.#encodings = encodings
  }

  put(key: unknown, value: unknown, options?: TypedPutOptions<unknown>): Promise<void> {
    try {
      return this.#store.put(this.#key(key), this.#value(value), this.#writeOptions(options))
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  touch(key: unknown, options: TouchOptions): Promise<boolean> {
    try {
      return this.#store.touch(this.#key(key), options)
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  delete(key: unknown, options?: TypedWriteOptions<unknown>): Promise<void> {
    try {
      return this.#store.delete(this.#key(key), this.#writeOptions(options))
    } catch (error) {
      return Promise.reject(toWiscError(error))
    }
  }

  async deleteRange(range: TypedKeyRange<unknown>, options?: WriteOptions): Promise<void> {
    await this.#store.deleteRange(this.#range(range) as DeletedRange, options)
  }

  async write(
    operations: readonly TypedOperation<unknown, unknown>[],
    options?: TypedBatchOptions<unknown, unknown>,
  ): Promise<void> {
    if (!Array.isArray(operations)) {
      throw invalidArgument(mustBe('an array', 'operations', operations))
    }
    const encoded = Array.from(operations, (operation, i) =>
      this.#operation(operation, `operations[${i}]`),
    )
    await this.#store.write(encoded, this.#batchOptions(options))
  }

  operation(operation: TypedOperation<unknown, unknown>): Operation {
    return this.#operation(operation, 'operation')
  }

  /** What else is wrong with it, the store says. */
  #operation(operation: unknown, name: string): Operation {
    const given = { ...plainObject(operation, name) }
    if (given['type'] === 'deleteRange') return this.#range(given, name) as DeleteRangeOperation
    given['key'] = this.#key(given['key'], `${name}.key`)
    if (given['type'] === 'put') given['value'] = this.#value(given['value'], `${name}.value`)
    return given as unknown as Operation
  }

  condition(condition: TypedCondition<unknown, unknown>): Condition {
    return this.#condition(condition, 'condition')
  }

  #condition(condition: unknown, name: string): Condition {
    const given = { ...plainObject(condition, name) }
    given['key'] = this.#key(given['key'], `${name}.key`)
    return this.#keyCondition(given, name) as Condition
  }

  #keyCondition(condition: unknown, name: string): KeyCondition {
    const given = { ...plainObject(condition, name) }
    if (given['value'] !== undefined) given['value'] = this.#value(given['value'], `${name}.value`)
    // Whether it is one condition, the store checks.
    return given as unknown as KeyCondition
  }

  #writeOptions(
    options: TypedWriteOptions<unknown> | undefined,
  ): ConditionalWriteOptions | undefined {
    if (options?.if === undefined) return options as ConditionalWriteOptions | undefined
    return { ...options, if: this.#keyCondition(options.if, 'if') }
  }

  #batchOptions(
    options: TypedBatchOptions<unknown, unknown> | undefined,
  ): BatchOptions | undefined {
    if (!Array.isArray(options?.if)) return options as BatchOptions | undefined
    return {
      ...options,
      if: Array.from(options.if, (condition, i) => this.#condition(condition, `if[${i}]`)),
    }
  }

  get(
    key: unknown,
    options: SnapshotOptions & { readonly withSequence: true },
  ): Promise<TypedSequencedValue<unknown> | undefined>
  get(key: unknown, options?: SnapshotOptions): Promise<unknown>
  async get(
    key: unknown,
    options?: SnapshotOptions & { readonly withSequence?: boolean },
  ): Promise<unknown> {
    const given = readOptions(options, ['snapshot', 'withSequence'])
    const found = await this.#store.get(this.#key(key), given as SequencedReadOptions)
    if (found === undefined || Buffer.isBuffer(found)) return this.#found(found)
    return { ...found, value: this.#found(found.value) }
  }

  getSync(key: unknown, options?: SnapshotOptions): unknown {
    return this.#found(this.#store.getSync(this.#key(key), readOptions(options)))
  }

  async getMany(
    keys: readonly unknown[],
    options?: SnapshotOptions & SignalOptions,
  ): Promise<unknown[]> {
    if (!Array.isArray(keys)) throw invalidArgument(mustBe('an array', 'keys', keys))
    const encoded = Array.from(keys, (key, i) => this.#key(key, `keys[${i}]`))
    const found = await this.#store.getMany(encoded, readOptions(options, ['snapshot', 'signal']))
    return found.map((bytes) => this.#found(bytes))
  }

  async has(key: unknown, options?: SnapshotOptions): Promise<boolean> {
    return this.hasSync(key, options)
  }

  hasSync(key: unknown, options?: SnapshotOptions): boolean {
    return this.#store.hasSync(this.#key(key), readOptions(options))
  }

  async stat(key: unknown, options?: SnapshotOptions): Promise<ValueStat | undefined> {
    return this.#store.stat(this.#key(key), readOptions(options))
  }

  entries(range?: TypedRange<unknown>): TypedIterator<[unknown, unknown], unknown> {
    const { key, value } = this.#encodings
    return this.#iterate(range, true, (keyFound, valueFound) => [
      key.decode(keyFound),
      value.decode(valueFound),
    ])
  }

  keys(range?: TypedRange<unknown>): TypedIterator<unknown, unknown> {
    const { key } = this.#encodings
    return this.#iterate(range, false, (found) => key.decode(found))
  }

  values(range?: TypedRange<unknown>): TypedIterator<unknown, unknown> {
    const { value } = this.#encodings
    return this.#iterate(range, true, (_key, found) => value.decode(found))
  }

  #iterate<T>(
    range: TypedRange<unknown> | undefined,
    values: boolean,
    item: (key: Buffer, value: Buffer) => T,
  ): TypedIterator<T, unknown> {
    const shape = { values, item, target: (key: unknown) => this.#key(key) }
    return new BatchIterator(...this.#iteration(this.#range(range)), shape)
  }

  /** The same range with keys as bytes. What else is wrong with it, the store says. */
  #range(range: object | undefined, name = 'range'): RangeOptions | undefined {
    if (range === undefined) return undefined
    const encoded: Record<string, unknown> = { ...plainObject(range, name) }
    for (const name of ENDS) {
      if (encoded[name] !== undefined) encoded[name] = this.#key(encoded[name], name)
    }
    const { prefix } = encoded
    if (prefix === undefined) return encoded
    if (!this.#encodings.key.hasBeginnings) {
      throw invalidArgument("a prefix takes keys that are 'binary', 'utf8' or 'tuple'")
    }
    return { ...encoded, prefix: this.#key(prefix, 'prefix') }
  }

  #key(key: unknown, name = 'key'): Key {
    return this.#encodings.key.encode(key, name)
  }

  #value(value: unknown, name = 'value'): Value {
    return this.#encodings.value.encode(value, name)
  }

  #found(bytes: Buffer | undefined): unknown {
    return bytes === undefined ? undefined : this.#encodings.value.decode(bytes)
  }
}

/** A part of a value, and what else concerns bytes, is asked of the store itself. */
function readOptions<T extends object>(
  options: T | undefined,
  names: readonly string[] = ['snapshot'],
): T | undefined {
  if (options !== undefined) refuseUnknown(plainObject(options, 'read options'), names, 'read')
  return options
}
