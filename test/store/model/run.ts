/** One run of the model test: each operation on the store and on the model, and the answers compared. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import type { Random } from '#dist/lib/base/random.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Operation } from '#dist/lib/contract/types.js'
import type { Engine } from '#dist/lib/engine/engine.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import type { FaultFileSystemOptions } from '../../support/files/fault-calls.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { CheckedRunner } from '../../support/parts/checked-runner.ts'
import { seededRandom } from '../../support/random.ts'
import { accountingErrors } from '../../support/store/recount.ts'
import { beforeNextStream } from '../../support/store/upload-order.ts'
import {
  endsOf,
  expiryOf,
  halvesOf,
  keyAt,
  keysIn,
  livingBytes,
  type Model,
  type ModelState,
  modelValue,
  optionsOf,
  same,
  sameList,
} from './answers.ts'
import { ModelClock } from './clock.ts'
import { collectOnce } from './collect.ts'
import { ModelFollower } from './follower.ts'
import { KEYS, type ModelOperation, type ModelRange, type ModelWrite } from './operations.ts'
import { ModelReaders } from './readers.ts'
import { expectCode, refuse } from './refused.ts'
import { prepareRange, rangeOf, transactOnce } from './transact.ts'

/** Tables may hold more than the newest state for their sake, or of what has expired. */
const SEES_MORE = new Set([
  'snapshot',
  'iterator',
  'scan',
  'getMany',
  'transaction',
  'refused',
  'pass',
])

/** What a run may have beside its store. */
export interface Beside {
  readonly afterKill?: FaultFileSystemOptions
  /** Its options, if there is one. Only a file system in memory can have it. */
  readonly follower?: Options | undefined
}

export class ModelRun {
  readonly #directory: string
  readonly #options: Options
  readonly #random: Random
  readonly #beside: Beside
  #fileSystem: FileSystem
  #store!: Store
  readonly #model: Model = new Map()
  readonly #readers: ModelReaders = new ModelReaders(this.#model)
  readonly #clock: ModelClock = new ModelClock(this.#model)
  #written = 0
  /** Tables may hold older entries that a reader has kept: they are known by their number only. */
  #keptForReaders = false
  #follower: ModelFollower | undefined
  /** Behind each batch, where there is a follower. */
  readonly #history: ModelState[] = []

  private constructor(
    directory: string,
    options: Options,
    fileSystem: FileSystem,
    random: Random,
    beside: Beside,
  ) {
    this.#beside = beside
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
    beside: Beside = {},
  ): Promise<FileSystem> {
    const random = seededRandom(operations.length)
    const run = new ModelRun(directory, options, fileSystem, random, beside)
    run.#store = await run.#openStore()
    try {
      await run.#openFollower()
      for (const operation of operations) await run.#apply(operation)
      await run.#checkAll()
      await run.#reopen()
      await run.#checkAll()
      await run.#checkCompacted()
      await run.#follower?.end()
    } finally {
      await run.#follower?.close()
      await run.#store.close()
      run.#clock.stop()
    }
    return run.#fileSystem
  }

  #openStore(): Promise<Store> {
    const fileSystem = this.#fileSystem
    const wrapRunner = (runner: JobRunner): JobRunner => new CheckedRunner(runner, fileSystem)
    const parts = { fileSystem, random: this.#random, wrapRunner }
    return openStore(this.#directory, this.#options, parts)
  }

  async #openFollower(): Promise<void> {
    const { follower } = this.#beside
    if (!follower || !(this.#fileSystem instanceof FaultFileSystem)) return
    this.#history.push(this.#clock.state())
    this.#follower = await ModelFollower.open(this.#fileSystem, follower, this.#history)
  }

  /** A batch is whole. */
  #note(): void {
    if (this.#beside.follower) this.#history.push(this.#clock.state())
  }

  async #apply(operation: ModelOperation): Promise<void> {
    const store = this.#store
    this.#keptForReaders ||= SEES_MORE.has(operation.kind)
    switch (operation.kind) {
      case 'write': {
        const operations = operation.writes.map((write) => this.#prepare(write))
        this.#note()
        await store.write(operations, operation.sync ? { sync: true } : {})
        return
      }
      case 'putStream':
        return this.#putStream(operation)
      case 'transaction':
        return transactOnce(operation, store, {
          model: this.#model,
          prepare: (write) => this.#prepare(write),
          note: () => this.#note(),
        })
      case 'refused':
        return this.#refuse(operation)
      case 'follow':
        return this.#follower?.act(operation)
      case 'deleteRun': {
        const { first, count } = operation
        const keys = KEYS.map((_, key) => key).slice(first, first + count)
        const deletes = keys.map((key) => this.#prepare({ key, length: undefined }))
        this.#note()
        await store.write(deletes)
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
        return this.#readers.takeSnapshot(store)
      case 'readSnapshot':
        return this.#readers.readSnapshot(store, operation.which, operation.key, operation.range)
      case 'closeSnapshot':
        return this.#readers.closeSnapshot(operation.which)
      case 'iterator':
        return this.#readers.openIterator(store, operation.range)
      case 'step':
        return this.#readers.step(operation.which, operation.count, operation.many)
      case 'seek':
        return this.#readers.seek(operation.which, operation.key)
      case 'closeIterator':
        return this.#readers.closeIterator(operation.which)
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
        await this.#clock.touch(store, operation.key, operation.ttl)
        return this.#note()
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
    this.#note()
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
    const { key, length, ttl, sync, fails, beside } = operation
    const value = modelValue(++this.#written, length)
    let isPut = false
    const put = (): void => {
      isPut = true
      this.#put(key, value, ttl)
      this.#note()
    }
    const writes: Promise<void>[] = []
    const forget = beforeNextStream(this.#store, () => {
      for (const write of beside) writes.push(this.#write(write))
      put()
    })
    const failure = fails ? new Error('of the source') : undefined
    const options = { sync, size: length, ...(ttl !== undefined && { ttl }) }
    const putting = this.#store.putStream(keyAt(key), halvesOf(value, failure), options)
    const thrown = await putting.then(() => undefined).catch((error: unknown) => error)
    if (thrown !== failure) throw thrown
    await Promise.all(writes)
    forget()
    // What is short was put in its turn.
    if (!fails && !isPut) put()
  }

  /** What is refused takes no sequence, and changes nothing for those that come before and behind it. */
  async #refuse(operation: ModelOperation & { readonly kind: 'refused' }): Promise<void> {
    const { way, key, length, writes } = operation
    const store = this.#store
    const { commit } = engineOf(store) as Engine
    const { nextSequence } = commit
    const half = writes.length >> 1
    const all = writes.slice(0, half).map((write) => this.#write(write))
    const isThere = this.#model.has(key)
    const value = modelValue(++this.#written, length)
    all.push(refuse(way, { store, key: keyAt(key), value, isThere }))
    all.push(...writes.slice(half).map((write) => this.#write(write)))
    await Promise.all(all)
    const taken = commit.nextSequence - nextSequence
    if (taken !== writes.length) throw new Error(`${way}: ${taken} sequences, not ${writes.length}`)
    same(store.getSync(keyAt(key)), this.#model.get(key), `get behind ${way}`)
  }

  #prepare({ key, length, ttl, to }: ModelWrite): Operation {
    if (to !== undefined) return prepareRange(this.#model, key, to)
    if (length === undefined) {
      this.#clock.written(key, undefined)
      this.#model.delete(key)
      return { type: 'delete', key: keyAt(key) }
    }
    const value = modelValue(++this.#written, length)
    this.#put(key, value, ttl)
    return { type: 'put', key: keyAt(key), value, ...(ttl !== undefined && { ttl }) }
  }

  #put(key: number, value: Buffer, ttl: number | undefined): void {
    this.#clock.written(key, ttl)
    this.#model.set(key, value)
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

  async #reopen(): Promise<void> {
    await expectCode('WISC_LOCKED', 'a second open', () => this.#openStore())
    const closed = this.#store
    await this.#readers.closeAll()
    await closed.close()
    await expectCode('WISC_NOT_OPEN', 'a put of a closed store', () => closed.put('x', 'x'))
    this.#store = await this.#openStore()
  }

  /** Ends the process as kill -9 does: what it has written is there. Only a file system in memory can. */
  async #kill(): Promise<void> {
    if (!(this.#fileSystem instanceof FaultFileSystem)) return this.#reopen()
    const killed = this.#fileSystem
    if (killed.violations.length > 0) throw new Error(killed.violations.slice(0, 3).join('; '))
    const left = killed.kill(this.#beside.afterKill)
    this.#fileSystem = left
    this.#readers.forget()
    this.#follower?.writerGoesOn(left)
    this.#store = await this.#openStore()
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
