/** One run of the model test: each operation on the store and on the model, and the answers compared. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import type { Random } from '#dist/lib/base/random.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { EntryIterator, Operation, Snapshot } from '#dist/lib/contract/types.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import type { FaultFileSystemOptions } from '../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { CheckedRunner } from '../../support/parts/checked-runner.ts'
import { seededRandom } from '../../support/random.ts'
import { accountingErrors } from '../../support/store/recount.ts'
import {
  endsOf,
  expiryOf,
  halvesOf,
  keyAt,
  keysIn,
  livingBytes,
  type Model,
  modelValue,
  optionsOf,
  same,
  sameList,
} from './answers.ts'
import { ModelClock } from './clock.ts'
import { collectOnce } from './collect.ts'
import { KEYS, type ModelOperation, type ModelRange, type ModelWrite } from './operations.ts'
import { prepareRange, rangeOf, transactOnce } from './transact.ts'

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
/** Tables may hold more than the newest state for their sake, or of what has expired. */
const SEES_MORE = new Set(['snapshot', 'iterator', 'scan', 'getMany', 'transaction', 'pass'])

export class ModelRun {
  readonly #directory: string
  readonly #options: Options
  readonly #random: Random
  readonly #afterKill: FaultFileSystemOptions
  #fileSystem: FileSystem
  #store!: Store
  readonly #model: Model = new Map()
  #snapshots: HeldSnapshot[] = []
  #iterators: HeldIterator[] = []
  readonly #clock: ModelClock = new ModelClock(this.#model)
  #written = 0
  /** Tables may hold older entries that a reader has kept: they are known by their number only. */
  #keptForReaders = false

  private constructor(
    directory: string,
    options: Options,
    fileSystem: FileSystem,
    random: Random,
    afterKill: FaultFileSystemOptions,
  ) {
    this.#afterKill = afterKill
    this.#directory = directory
    this.#options = options
    this.#fileSystem = fileSystem
    this.#random = random
  }

  /** Runs the operations on a new store, then checks it as it is, reopened, compacted. @returns the last file system */
  static async run(
    directory: string,
    options: Options,
    fileSystem: FileSystem,
    operations: readonly ModelOperation[],
    afterKill: FaultFileSystemOptions = {},
  ): Promise<FileSystem> {
    const random = seededRandom(operations.length)
    const run = new ModelRun(directory, options, fileSystem, random, afterKill)
    await run.#open()
    try {
      for (const operation of operations) await run.#apply(operation)
      await run.#checkAll()
      await run.#reopen()
      await run.#checkAll()
      await run.#checkCompacted()
    } finally {
      await run.#store.close()
      run.#clock.stop()
    }
    return run.#fileSystem
  }

  async #open(): Promise<void> {
    const fileSystem = this.#fileSystem
    const wrapRunner = (runner: JobRunner): JobRunner => new CheckedRunner(runner, fileSystem)
    const parts = { fileSystem, random: this.#random, wrapRunner }
    this.#store = await openStore(this.#directory, this.#options, parts)
  }

  async #apply(operation: ModelOperation): Promise<void> {
    const store = this.#store
    this.#keptForReaders ||= SEES_MORE.has(operation.kind)
    switch (operation.kind) {
      case 'write': {
        const operations = operation.writes.map((write) => this.#prepare(write))
        await store.write(operations, operation.sync ? { sync: true } : {})
        return
      }
      case 'putStream':
        return this.#putStream(operation)
      case 'transaction':
        return transactOnce(operation, store, this.#model, (write) => this.#prepare(write))
      case 'deleteRun': {
        const { first, count } = operation
        const keys = KEYS.map((_, key) => key).slice(first, first + count)
        await store.write(keys.map((key) => this.#prepare({ key, length: undefined })))
        return
      }
      case 'concurrent':
        await Promise.all(operation.writes.map((write) => this.#write(write)))
        return
      case 'get':
        same(await store.get(keyAt(operation.key)), this.#model.get(operation.key), 'get')
        return
      case 'getSync':
        return same(store.getSync(keyAt(operation.key)), this.#model.get(operation.key), 'getSync')
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
        return this.#scan(operation.what, operation.range)
      case 'snapshot':
        if (this.#snapshots.length < HELD_MAX) {
          this.#snapshots.push({ snapshot: store.snapshot(), model: new Map(this.#model) })
        }
        return
      case 'readSnapshot':
        return this.#readSnapshot(operation.which, operation.key, operation.range)
      case 'closeSnapshot':
        this.#snapshots.splice(operation.which, 1)[0]?.snapshot.close()
        return
      case 'iterator':
        return this.#openIterator(operation.range)
      case 'step':
        return this.#step(operation.which, operation.count, operation.many)
      case 'seek':
        return this.#seek(operation.which, operation.key)
      case 'closeIterator':
        await this.#iterators.splice(operation.which, 1)[0]?.iterator.close()
        return
      case 'sync':
        return store.sync()
      case 'flush':
        return store.flush()
      case 'compact':
        return store.compact(operation.range && endsOf(operation.range))
      case 'collect':
        return collectOnce(operation, store, {
          write: (write) => this.#write(write),
          expected: (key) => this.#model.get(key),
        })
      case 'touch':
        return this.#clock.touch(store, operation.key, operation.ttl)
      case 'pass':
        return this.#clock.pass(operation.ms)
      case 'turns':
        for (let i = 0; i < operation.count; i++) await nextTurn()
        return
      case 'pauseCollector':
        return store.pauseCollector()
      case 'resumeCollector':
        return store.resumeCollector()
      case 'accounting':
        return this.#checkAccounting()
      case 'reopen':
        return this.#reopen()
      case 'kill':
        return this.#kill()
      case 'verify':
        return this.#verify()
    }
  }

  async #write(write: ModelWrite): Promise<void> {
    const prepared = this.#prepare(write)
    if (prepared.type === 'put')
      await this.#store.put(prepared.key, prepared.value, expiryOf(prepared))
    else if (prepared.type === 'delete') await this.#store.delete(prepared.key)
    else await this.#store.deleteRange(rangeOf(prepared))
  }

  async #verify(): Promise<void> {
    const { damage } = await this.#store.verify()
    if (damage.length > 0) throw damage[0]!
  }

  /** I9. Edits under way make the figures differ for a moment. */
  async #checkAccounting(): Promise<void> {
    await this.#store.flush()
    let errors: string[] = []
    for (let i = 0; i < 200; i++) {
      errors = accountingErrors(this.#store, this.#fileSystem, this.#directory)
      const { liveBytes } = this.#store.stats()
      const most = await livingBytes(this.#store, this.#model)
      if (liveBytes > most && !this.#keptForReaders) errors.push(`${liveBytes} live of ${most}`)
      if (errors.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, i < 100 ? 0 : 5))
    }
    throw new Error(`I9: ${errors.slice(0, 3).join('; ')}`)
  }

  /** When no reader is left and all is compacted, everything is exact, and collects to what lives. */
  async #checkCompacted(): Promise<void> {
    const store = this.#store
    await store.compact()
    this.#keptForReaders = false
    const { liveBytes } = store.stats()
    const expected = await livingBytes(this.#store, this.#model)
    if (liveBytes !== expected) throw new Error(`${liveBytes} live bytes, not ${expected}`)
    await this.#checkAccounting()
    await store.collect({ targetSpaceAmplification: 1 })
    await this.#checkAll()
    await this.#verify()
    await this.#checkAccounting()
  }

  async #putStream(operation: ModelOperation & { readonly kind: 'putStream' }): Promise<void> {
    const { key, length, ttl, sync, fails } = operation
    const expiry = ttl === undefined ? {} : { ttl }
    const before = this.#model.get(key)
    const remaining = this.#clock.remaining(key)
    const { value } = this.#prepare({ key, length, ttl }) as Operation & { readonly value: Buffer }
    const failure = new Error('of the source')
    const source = halvesOf(value, fails ? failure : undefined)
    const options = { sync, size: length, ...expiry }
    const putting = this.#store.putStream(keyAt(key), source, options)
    const thrown = await putting.then(() => undefined).catch((error: unknown) => error)
    if (thrown !== (fails ? failure : undefined)) throw thrown
    if (!fails) return
    if (before === undefined) this.#model.delete(key)
    else this.#model.set(key, before)
    this.#clock.written(key, remaining)
  }

  #prepare({ key, length, ttl, to }: ModelWrite): Operation {
    if (to !== undefined) return prepareRange(this.#model, key, to)
    this.#clock.written(key, length === undefined ? undefined : ttl)
    if (length === undefined) {
      this.#model.delete(key)
      return { type: 'delete', key: keyAt(key) }
    }
    const value = modelValue(++this.#written, length)
    this.#model.set(key, value)
    return { type: 'put', key: keyAt(key), value, ...(ttl !== undefined && { ttl }) }
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
    await this.#open()
  }

  /** Ends the process as kill -9 does: what it has written is there. Only a file system in memory can. */
  async #kill(): Promise<void> {
    if (!(this.#fileSystem instanceof FaultFileSystem)) return this.#reopen()
    const killed = this.#fileSystem
    if (killed.violations.length > 0) throw new Error(killed.violations.slice(0, 3).join('; '))
    this.#fileSystem = killed.kill(this.#afterKill)
    this.#iterators = []
    this.#snapshots = []
    await this.#open()
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
