/**
 * A follower beside the store of a model run: whatever the writer does between any two calls of the follower, what that
 * shows is a state which the writer has had, whole batches in their order (I2), never an earlier one than before.
 */
import { IoError } from '#dist/lib/base/errors.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import type { FollowingEngine } from '#dist/lib/follow/following-engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import type { DiskImage } from '../../support/files/disk-model.ts'
import type { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem, recordHistory } from '../../support/files/history-file-system.ts'
import { type ModelState, same } from './answers.ts'
import { KEYS, type ModelFollow } from './operations.ts'
import { expectCode } from './refused.ts'

/** Of each key, the value. */
type Found = readonly (Buffer | undefined)[]

const SNAPSHOTS_MAX = 3

export class ModelFollower {
  readonly #states: DiskImage[]
  readonly #disk: HistoryFileSystem
  #fileSystem: FaultFileSystem
  #store!: Store
  /** Of the writer. */
  readonly #history: readonly ModelState[]
  /** The first state of the history that may be the one that is shown. */
  #shown = 0
  readonly #snapshots: { readonly snapshot: Snapshot; readonly found: Found }[] = []
  /** States of the disk that go by at once. */
  #due = 0
  #pace: ModelFollow['pace'] = 0
  #calls = 0
  /** The call that the system refuses. */
  #refused: number | undefined

  private constructor(fileSystem: FaultFileSystem, history: readonly ModelState[]) {
    this.#history = history
    this.#fileSystem = fileSystem
    this.#states = [fileSystem.visibleImage()]
    recordHistory(fileSystem, this.#states)
    this.#disk = new HistoryFileSystem(this.#states, (path) => this.#enter(path))
  }

  /** @param history of a store that is open; it grows */
  static async open(
    fileSystem: FaultFileSystem,
    options: Options,
    history: readonly ModelState[],
  ): Promise<ModelFollower> {
    const follower = new ModelFollower(fileSystem, history)
    const following = { ...options, readOnly: true, follow: true }
    follower.#store = await openStore(DIRECTORY, following, { fileSystem: follower.#disk })
    return follower
  }

  /** The writer was killed, and goes on here. */
  writerGoesOn(fileSystem: FaultFileSystem): void {
    this.#states.push(this.#fileSystem.visibleImage())
    this.#fileSystem = fileSystem
    recordHistory(fileSystem, this.#states)
  }

  get #engine(): FollowingEngine {
    return engineOf(this.#store) as FollowingEngine
  }

  /** Called before each call of the follower. @returns how many states of the disk go by */
  #enter(path: string): number {
    this.#calls++
    if (this.#calls === this.#refused) throw new IoError('read', path, 'EIO')
    const due = this.#due + this.#passing(path)
    this.#due = 0
    return due
  }

  #passing(path: string): number {
    const pace = this.#pace
    if (pace === 'behind the manifest') {
      if (!path.endsWith('.vlog')) return 0
      this.#pace = 0
      return this.#disk.left
    }
    return pace > 0 && this.#calls % pace === 0 ? 1 : 0
  }

  async act({ share, pace, refused, way }: ModelFollow): Promise<void> {
    this.#states.push(this.#fileSystem.visibleImage())
    this.#due = Math.floor(this.#disk.left * share)
    this.#pace = pace
    this.#refused = refused === undefined ? undefined : this.#calls + 1 + refused
    try {
      await this.#read(way)
    } catch (error) {
      const { code } = error as { code?: unknown }
      const isRefused =
        code === 'WISC_IO' && this.#calls >= (this.#refused ?? Number.POSITIVE_INFINITY)
      // What is bound to a view alone.
      const isStale = code === 'WISC_STALE' && (way === 'entries' || way === 'read snapshots')
      if (!isRefused && !isStale) throw new Error(`follower, ${way}: ${error}`, { cause: error })
    } finally {
      this.#pace = 0
      this.#refused = undefined
    }
    // Whatever the look has met.
    if (way === 'look') this.#lookStill()
  }

  #read(way: ModelFollow['way']): Promise<void> | void {
    const store = this.#store
    switch (way) {
      case 'look':
        // What it has reached while the disk went on, which may be a part of what there is by now.
        this.#engine.moveOn()
        this.#pace = 0
        return store.getMany(KEYS).then((found) => this.#hold(found, way))
      case 'gets':
        return this.#readOneByOne()
      case 'getMany':
        return store.getMany(KEYS).then((found) => this.#hold(found, way))
      case 'entries':
        return this.#scan(store).then((found) => this.#hold(found, way))
      case 'take snapshot':
        return this.#takeSnapshot()
      case 'read snapshots':
        return this.#readSnapshots()
      case 'stats':
        return void store.stats()
      case 'verify':
        return store.verify().then(({ damage }) => {
          if (damage.length > 0) throw damage[0]!
        })
      case 'write':
        return expectCode('WISC_READ_ONLY', 'a write', () => store.put('x', 'x'))
    }
  }

  async #readOneByOne(): Promise<void> {
    for (const [key, bytes] of KEYS.entries()) {
      const value = key % 2 === 0 ? await this.#store.get(bytes) : this.#store.getSync(bytes)
      this.#shown = this.#stateOf((state) => hasValue(state, key, value), `get of key ${key}`)
      if (key % 8 === 0) this.#engine.moveOn()
    }
  }

  /** The follower goes on meanwhile, the iterator does not. */
  async #scan(store: Store, snapshot?: Snapshot): Promise<Found> {
    const found: (Buffer | undefined)[] = KEYS.map(() => undefined)
    const range = { highWaterMarkBytes: 2000, ...(snapshot && { snapshot }) }
    let count = 0
    for await (const [key, value] of store.entries(range)) {
      found[KEYS.findIndex((one) => one.equals(key))] = value
      if (++count % 5 === 0) this.#engine.moveOn()
    }
    return found
  }

  #takeSnapshot(): void {
    if (this.#snapshots.length === SNAPSHOTS_MAX) this.#snapshots.shift()!.snapshot.close()
    const found = this.#lookStill()
    this.#snapshots.push({ snapshot: this.#store.snapshot(), found })
  }

  async #readSnapshots(): Promise<void> {
    const store = this.#store
    for (const { snapshot, found } of this.#snapshots) {
      const values = await store.getMany(KEYS, { snapshot })
      const scanned = await this.#scan(store, snapshot)
      for (const [key, value] of found.entries()) {
        same(values[key], value, `getMany at a snapshot of a follower, key ${key}`)
        same(scanned[key], value, `entries at a snapshot of a follower, key ${key}`)
      }
    }
  }

  /** Looks while the disk stands still: then nothing that a get needs is gone, and all of them see one state. */
  #lookStill(): Found {
    this.#pace = 0
    this.#engine.moveOn()
    const found = KEYS.map((key) => this.#store.getSync(key))
    this.#hold(found, 'look')
    return found
  }

  /** @throws Error unless it is a state of the history, and none from before what was shown last */
  #hold(found: Found, what: string): void {
    this.#shown = this.#stateOf(
      (state) => found.every((value, key) => hasValue(state, key, value)),
      what,
    )
  }

  #stateOf(isMeant: (state: ModelState) => boolean, what: string): number {
    const { length } = this.#history
    for (let at = this.#shown; at < length; at++) if (isMeant(this.#history[at]!)) return at
    const isEarlier = this.#history.slice(0, this.#shown).some(isMeant)
    throw new Error(
      `I2: follower, ${what}: ${isEarlier ? 'an earlier state than before' : 'no state of the writer'}, ` +
        `behind ${this.#shown} of ${length}`,
    )
  }

  /** Shows all that was written, holds nothing any more, and ends. */
  async end(): Promise<void> {
    await this.act({ kind: 'follow', share: 1, pace: 0, refused: undefined, way: 'look' })
    const last = this.#history.length - 1
    for (const [key, value] of this.#lookStill().entries())
      if (!hasValue(this.#history[last]!, key, value))
        throw new Error(`follower: key ${key} is not as the writer has left it`)
    for (const { snapshot } of this.#snapshots) snapshot.close()
    const { viewCount, readers } = this.#engine
    if (viewCount !== 1 || readers.count !== 0)
      throw new Error(`follower: ${viewCount} views, ${readers.count} readers at its end`)
    await this.close()
    if (this.#disk.openFiles !== 0)
      throw new Error(`follower: ${this.#disk.openFiles} files left open`)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

function hasValue(state: ModelState, key: number, value: Buffer | undefined): boolean {
  const there = state.get(key)
  const isThere = there && (there.expiresAt ?? Number.POSITIVE_INFINITY) > Date.now()
  if (!isThere) return value === undefined
  return value !== undefined && there.value.equals(value)
}
