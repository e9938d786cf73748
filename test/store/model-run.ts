/** One run of the model test: each operation on the store and on the model, and the answers compared. */
import type { FileSystem } from '#dist/lib/base/file-system.js'
import type { EntryIterator } from '#dist/lib/iterator.js'
import { openStore } from '#dist/lib/open-store.js'
import type { Options } from '#dist/lib/options.js'
import type { Snapshot } from '#dist/lib/snapshot.js'
import type { Store } from '#dist/lib/store.js'
import type { Operation, RangeOptions } from '#dist/lib/types.js'
import { seededRandom } from '../support/random.ts'
import { KEYS, type ModelOperation, type ModelRange } from './model-operations.ts'

/** By index into KEYS, which are in order: the model is sorted by numbers. */
type Model = Map<number, Buffer>

interface HeldSnapshot {
  readonly snapshot: Snapshot
  readonly model: Model
}

interface HeldIterator {
  readonly iterator: EntryIterator
  readonly range: ModelRange
  readonly model: Model
  /** What it must still give, were it to go on from here. */
  rest: number[]
  given: number
}

const HELD_MAX = 4

export class ModelRun {
  readonly #open: () => Promise<Store>
  #store: Store
  readonly #model: Model = new Map()
  #snapshots: HeldSnapshot[] = []
  #iterators: HeldIterator[] = []
  #written = 0

  private constructor(store: Store, open: () => Promise<Store>) {
    this.#store = store
    this.#open = open
  }

  /** Runs the operations on a new store, and checks all of it at the end and after a last reopen. */
  static async run(
    directory: string,
    options: Options,
    fileSystem: FileSystem,
    operations: readonly ModelOperation[],
  ): Promise<void> {
    const random = seededRandom(operations.length)
    const open = (): Promise<Store> => openStore(directory, options, { fileSystem, random })
    const run = new ModelRun(await open(), open)
    try {
      for (const operation of operations) await run.#apply(operation)
      await run.#checkAll()
      await run.#reopen()
      await run.#checkAll()
    } finally {
      await run.#store.close()
    }
  }

  async #apply(operation: ModelOperation): Promise<void> {
    const store = this.#store
    switch (operation.kind) {
      case 'write': {
        const operations = operation.writes.map((write) => this.#prepare(write))
        await store.write(operations, operation.sync ? { sync: true } : {})
        return
      }
      case 'concurrent':
        await Promise.all(
          operation.writes.map((write) => {
            const prepared = this.#prepare(write)
            if (prepared.type === 'put') return store.put(prepared.key, prepared.value)
            return store.delete(prepared.key)
          }),
        )
        return
      case 'get':
        same(await store.get(keyAt(operation.key)), this.#model.get(operation.key), 'get')
        return
      case 'getSync':
        same(store.getSync(keyAt(operation.key)), this.#model.get(operation.key), 'getSync')
        return
      case 'has': {
        const expected = this.#model.has(operation.key)
        const found = [await store.has(keyAt(operation.key)), store.hasSync(keyAt(operation.key))]
        if (found[0] !== expected || found[1] !== expected) throw new Error(`has gives ${found}`)
        return
      }
      case 'getMany': {
        const found = await store.getMany(operation.keys.map(keyAt))
        for (const [at, key] of operation.keys.entries()) {
          same(found[at], this.#model.get(key), 'getMany')
        }
        return
      }
      case 'scan':
        await this.#scan(operation.what, operation.range)
        return
      case 'snapshot':
        if (this.#snapshots.length < HELD_MAX) {
          this.#snapshots.push({ snapshot: store.snapshot(), model: new Map(this.#model) })
        }
        return
      case 'readSnapshot':
        await this.#readSnapshot(operation.which, operation.key, operation.range)
        return
      case 'closeSnapshot':
        this.#snapshots.splice(operation.which, 1)[0]?.snapshot.close()
        return
      case 'iterator':
        this.#openIterator(operation.range)
        return
      case 'step':
        await this.#step(operation.which, operation.count, operation.many)
        return
      case 'seek':
        this.#seek(operation.which, operation.key)
        return
      case 'closeIterator':
        await this.#iterators.splice(operation.which, 1)[0]?.iterator.close()
        return
      case 'sync':
        return store.sync()
      case 'flush':
        return store.flush()
      case 'compact': {
        const {
          limit: _,
          reverse: __,
          ...range
        } = operation.range ? optionsOf(operation.range) : {}
        return store.compact(range)
      }
      case 'reopen':
        return this.#reopen()
      case 'verify':
        await store.verify()
    }
  }

  #prepare({ key, length }: { key: number; length: number | undefined }): Operation {
    if (length === undefined) {
      this.#model.delete(key)
      return { type: 'delete', key: keyAt(key) }
    }
    const value = Buffer.alloc(length)
    for (let i = 0, word = ++this.#written; i < length; i++) {
      value[i] = word
      word = Math.imul(word, 1103515245) + 12345
      word ^= word >>> 9
    }
    this.#model.set(key, value)
    return { type: 'put', key: keyAt(key), value }
  }

  async #scan(what: 'entries' | 'keys' | 'values', range: ModelRange): Promise<void> {
    const expected = keysIn(this.#model, range)
    const keys: (Buffer | undefined)[] = []
    const values: (Buffer | undefined)[] = []
    if (what === 'entries') {
      for await (const [key, value] of this.#store.entries(optionsOf(range))) {
        keys.push(key)
        values.push(value)
      }
    } else if (what === 'keys') {
      for await (const key of this.#store.keys(optionsOf(range))) keys.push(key)
    } else {
      for await (const value of this.#store.values(optionsOf(range))) values.push(value)
    }
    if (what !== 'values') sameList(keys, expected.map(keyAt), what)
    if (what !== 'keys')
      sameList(
        values,
        expected.map((key) => this.#model.get(key)!),
        what,
      )
  }

  async #readSnapshot(which: number, key: number, range: ModelRange): Promise<void> {
    const held = this.#snapshots[which]
    if (!held) return
    const { snapshot, model } = held
    same(await this.#store.get(keyAt(key), { snapshot }), model.get(key), 'get of a snapshot')
    same(this.#store.getSync(keyAt(key), { snapshot }), model.get(key), 'getSync of a snapshot')
    const found: Buffer[] = []
    for await (const [one, value] of this.#store.entries({ ...optionsOf(range), snapshot })) {
      found.push(one, value)
    }
    const expected = keysIn(model, range).flatMap((one) => [keyAt(one), model.get(one)!])
    sameList(found, expected, 'entries of a snapshot')
  }

  #openIterator(range: ModelRange): void {
    if (this.#iterators.length >= HELD_MAX) return
    const model = new Map(this.#model)
    const iterator = this.#store.entries(optionsOf(range))
    this.#iterators.push({
      iterator,
      range,
      model,
      rest: keysIn(model, { ...range, limit: undefined }),
      given: 0,
    })
  }

  async #step(which: number, count: number, many: boolean): Promise<void> {
    const held = this.#iterators[which]
    if (!held) return
    const left = (held.range.limit ?? Number.POSITIVE_INFINITY) - held.given
    const expected = held.rest.slice(0, Math.min(count, left))
    const found: [Buffer, Buffer][] = []
    let ended = false
    while (found.length < count && !ended) {
      if (many) {
        const entries = await held.iterator.nextMany(count - found.length)
        found.push(...entries)
        ended = entries.length === 0
      } else {
        const result = await held.iterator.next()
        ended = result.done === true
        if (!result.done) found.push(result.value)
      }
    }
    held.given += found.length
    held.rest = held.rest.slice(found.length)
    sameList(
      found.flat(),
      expected.flatMap((key) => [keyAt(key), held.model.get(key)!]),
      'iterator',
    )
    // An iterator closes itself at its end: a seek does not bring it back.
    if (ended) this.#iterators.splice(which, 1)
  }

  #seek(which: number, key: number): void {
    const held = this.#iterators[which]
    if (!held) return
    held.iterator.seek(keyAt(key))
    const all = keysIn(held.model, { ...held.range, limit: undefined })
    held.rest = all.filter((one) => (held.range.reverse ? one <= key : one >= key))
  }

  async #reopen(): Promise<void> {
    for (const { iterator } of this.#iterators) await iterator.close()
    for (const { snapshot } of this.#snapshots) snapshot.close()
    this.#iterators = []
    this.#snapshots = []
    await this.#store.close()
    this.#store = await this.#open()
  }

  async #checkAll(): Promise<void> {
    const everything = {
      lower: undefined,
      upper: undefined,
      lowerOpen: false,
      upperOpen: false,
      limit: undefined,
    }
    await this.#scan('entries', { ...everything, reverse: false })
    await this.#scan('entries', { ...everything, reverse: true })
    for (const [index, key] of KEYS.entries()) {
      same(this.#store.getSync(key), this.#model.get(index), 'getSync')
    }
  }
}

function keyAt(index: number): Buffer {
  return KEYS[index]!
}

function optionsOf(range: ModelRange): RangeOptions {
  const { lower, lowerOpen, upper, upperOpen, reverse, limit } = range
  return {
    ...(lower === undefined ? {} : { [lowerOpen ? 'gt' : 'gte']: keyAt(lower) }),
    ...(upper === undefined ? {} : { [upperOpen ? 'lt' : 'lte']: keyAt(upper) }),
    ...(limit === undefined ? {} : { limit }),
    reverse,
  }
}

/** The keys of a range, in its direction. */
function keysIn(model: Model, range: ModelRange): number[] {
  const { lower, lowerOpen, upper, upperOpen, reverse, limit } = range
  const keys = [...model.keys()]
    .filter((key) => lower === undefined || (lowerOpen ? key > lower : key >= lower))
    .filter((key) => upper === undefined || (upperOpen ? key < upper : key <= upper))
    .sort((left, right) => (reverse ? right - left : left - right))
  return limit === undefined ? keys : keys.slice(0, limit)
}

function same(found: Buffer | undefined, expected: Buffer | undefined, what: string): void {
  const equal = found === undefined ? expected === undefined : expected?.equals(found)
  if (!equal) throw new Error(`${what} gives ${show(found)}, not ${show(expected)}`)
}

function sameList(
  found: readonly (Buffer | undefined)[],
  expected: readonly Buffer[],
  what: string,
): void {
  if (found.length !== expected.length) {
    throw new Error(
      `${what} gives ${found.length} items, not ${expected.length}: ${found.map(show)}`,
    )
  }
  for (const [at, one] of expected.entries()) same(found[at], one, `${what}, item ${at}`)
}

function show(bytes: Buffer | undefined): string {
  if (bytes === undefined) return 'nothing'
  return `${bytes.length} bytes ${bytes.subarray(0, 8).toString('hex')}`
}
