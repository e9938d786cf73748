/**
 * One workload on one store: gives batches to the store and to the oracle, and writes what was acknowledged
 * into the log of the file system, so that every crash state knows what must survive it.
 */
import { WiscError } from '#dist/lib/base/errors.js'
import type { CollectedStep, CollectOptions } from '#dist/lib/contract/collection.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import type { JobRunner } from '#dist/lib/jobs/runner.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import type { DiskImage } from '../files/disk-model.ts'
import type { FaultFileSystem } from '../files/fault-file-system.ts'
import { CheckedRunner } from '../parts/checked-runner.ts'
import { seededRandom } from '../random.ts'
import { settled } from '../store/settled.ts'
import { type CrashStateOptions, crashStatesNow } from './crash-states.ts'
import { holdAgainst, type Knowledge, Oracle, type OracleWrite, requirePosition } from './oracle.ts'
import { DIRECTORY, KnownImages, observe, recoverImage } from './recover-image.ts'
import { type BatchWay, writeBatch } from './write-batch.ts'

export interface SessionOptions {
  readonly options: Options
  readonly seed: number
  /** Typed errors of the store are noted and the workload goes on. */
  readonly tolerant?: boolean
  /** Called with the file system of the next process and that of the killed one. */
  readonly onKill?: (next: FaultFileSystem, killed: FaultFileSystem) => void
}

export interface SessionUpload {
  readonly sync?: boolean
  /** As of a put of the oracle. */
  readonly ttl?: number
  readonly between?: () => Promise<void>
  readonly fails?: boolean
}

/** What collectors have done; `again` counts the relocations that were rewritten. */
export interface Collected {
  drop: number
  forget: number
  punch: number
  rewrite: number
  again: number
}

interface Doubt {
  readonly rule: string
  readonly knowledge: Knowledge
  readonly images: readonly DiskImage[]
}

export class Session {
  fileSystem: FaultFileSystem
  readonly oracle: Oracle = new Oracle()
  /** Errors of the store in a tolerant session, in order. */
  readonly errors: WiscError[] = []
  readonly collected: Collected = { drop: 0, forget: 0, punch: 0, rewrite: 0, again: 0 }
  readonly #options: SessionOptions
  #store: Store | undefined
  #opens = 0
  /** Changes that may be wrong: the disk as a power cut may have left it then. */
  readonly #doubts: Doubt[] = []
  /** Open snapshots, and how many batches each one sees. */
  #snapshots: { readonly snapshot: Snapshot; readonly position: number }[] = []

  private constructor(fileSystem: FaultFileSystem, options: SessionOptions) {
    this.fileSystem = fileSystem
    this.#options = options
    this.#watchDoubts()
  }

  /** In a tolerant session, where manifests begin at any time beside jobs, states tell whether that loses anything. */
  #watchDoubts(): void {
    if (!this.#options.tolerant) return
    const { fileSystem, oracle } = this
    const subsets = { seed: this.#options.seed, subsets: 1, tornOfNew: 0, tornOfOld: 0 }
    fileSystem.onDoubt = (rule) => {
      const images = [...crashStatesNow(fileSystem.model, subsets)].map((state) => state.image())
      this.#doubts.push({ rule, knowledge: oracle.knowledge(), images })
    }
  }

  async #settleDoubts(): Promise<void> {
    const { options, seed } = this.#options
    for (const { rule, knowledge, images } of this.#doubts.splice(0)) {
      for (const image of images) {
        try {
          const { positions } = await recoverImage(image, this.oracle, options, seed, {
            verify: true,
          })
          holdAgainst(positions, knowledge, false)
        } catch (error) {
          throw new Error(`${rule}: ${(error as Error).message}`, { cause: error })
        }
      }
    }
  }

  static async open(fileSystem: FaultFileSystem, options: SessionOptions): Promise<Session> {
    const session = new Session(fileSystem, options)
    await session.#attempt(() => session.#open())
    return session
  }

  /** The open store, or undefined after an open that failed. */
  get store(): Store | undefined {
    return this.#store
  }

  async #open(): Promise<void> {
    const random = seededRandom(this.#options.seed + this.#opens++)
    const { fileSystem } = this
    // A failed sync ends a store, not the process: an open starts anew.
    fileSystem.syncFailed = false
    const wrapRunner = (runner: JobRunner): JobRunner => this.#watched(runner)
    const parts = { fileSystem, random, wrapRunner }
    this.#store = await openStore(DIRECTORY, this.#options.options, parts)
    this.#store.on('collection', ({ action }: CollectedStep) => this.collected[action]++)
    this.oracle.opened()
    this.#mark()
  }

  /** Counts the jobs that rewrite a relocation. */
  #watched(unchecked: JobRunner): JobRunner {
    const runner = new CheckedRunner(unchecked, this.fileSystem)
    return {
      run: (job, options) => {
        const isAgain =
          job.kind === 'rewrite' && job.files.some(({ kind }) => kind === 'relocation')
        if (isAgain) this.collected.again++
        return runner.run(job, options)
      },
      shareArena: (id, buffer) => runner.shareArena(id, buffer),
      forgetArena: (id) => runner.forgetArena(id),
      close: () => runner.close(),
    }
  }

  #mark(): void {
    this.fileSystem.mark(this.oracle.knowledge())
  }

  /** Runs a step; in a tolerant session a typed error is noted. @returns whether it succeeded */
  async #attempt(step: () => Promise<void>): Promise<boolean> {
    try {
      await step()
      await this.#settleDoubts()
      return true
    } catch (error) {
      if (this.#doubts.length > 0) await this.#settleDoubts()
      if (!this.#options.tolerant || !(error instanceof WiscError)) throw error
      if (error.code === 'WISC_INTERNAL') throw error
      this.errors.push(error)
      return false
    }
  }

  async write(
    writes: readonly OracleWrite[],
    sync: boolean = false,
    way: BatchWay = 'write',
  ): Promise<void> {
    const store = this.#store
    if (!store) return
    const poisoned = this.fileSystem.syncFailed
    const { batch, operations } = this.oracle.submit(writes)
    this.#mark()
    try {
      await writeBatch(store, operations, sync, way)
      this.oracle.acknowledge(batch, sync)
      this.#mark()
    } catch (error) {
      // A failed sync leaves the outcome open; any other failure means that the group left no trace.
      const unknown = error instanceof WiscError && error.code === 'WISC_SYNC_FAILED'
      if (!unknown) this.oracle.exclude(batch)
      await this.#attempt(() => Promise.reject(error))
      if (unknown) return
    }
    if (poisoned)
      throw new Error('I1: a write after a failed sync was not refused with WISC_SYNC_FAILED')
  }

  /**
   * Uploads a stream. Its place in the commit order is behind all that `between` does, which is called between two
   * pieces. @param fails the source fails behind its first piece
   */
  async putStream(key: string, length: number, upload: SessionUpload = {}): Promise<void> {
    const store = this.#store
    if (!store) return
    const { sync = false, ttl, between, fails = false } = upload
    const { oracle } = this
    const { id, value } = oracle.reserve(key, length)
    const expiry = ttl === undefined ? {} : { ttl }
    const poisoned = this.fileSystem.syncFailed
    let batch: number | undefined
    const source = async function* (mark: () => void): AsyncGenerator<Uint8Array, void> {
      const half = length >> 1
      yield value.subarray(0, half)
      await between?.()
      if (fails) throw new WiscError('WISC_ABORTED', 'for the test')
      yield value.subarray(half)
      batch = oracle.submitReserved(id, expiry)
      mark()
    }
    try {
      await store.putStream(
        Buffer.from(key, 'latin1'),
        source(() => this.#mark()),
        { sync, ...expiry },
      )
      oracle.acknowledge(batch!, sync)
      this.#mark()
    } catch (error) {
      const unknown = error instanceof WiscError && error.code === 'WISC_SYNC_FAILED'
      if (!unknown && batch !== undefined) oracle.exclude(batch)
      if (fails && error instanceof WiscError && error.code === 'WISC_ABORTED') return
      await this.#attempt(() => Promise.reject(error))
      if (unknown) return
    }
    if (poisoned)
      throw new Error('I1: a stream after a failed sync was not refused with WISC_SYNC_FAILED')
  }

  put(key: string, length: number, sync: boolean = false): Promise<void> {
    return this.write([{ type: 'put', key, length }], sync)
  }

  delete(key: string, sync: boolean = false): Promise<void> {
    return this.write([{ type: 'delete', key }], sync)
  }

  /** A step after which everything that was acknowledged before it must be durable. */
  async #durably(step: (store: Store) => Promise<void>): Promise<boolean> {
    const store = this.#store
    if (!store) return false
    const { acknowledged } = this.oracle
    return this.#attempt(async () => {
      await step(store)
      this.oracle.require(acknowledged)
      this.#mark()
    })
  }

  async sync(): Promise<void> {
    await this.#durably((store) => store.sync())
  }

  async flush(): Promise<void> {
    await this.#durably((store) => store.flush())
  }

  async compact(): Promise<void> {
    const store = this.#store
    if (store) await this.#attempt(() => store.compact())
  }

  /** Reclaims space, and says whether anything was left undone. */
  async collect(options: CollectOptions = {}): Promise<void> {
    const store = this.#store
    if (!store) return
    await this.#attempt(async () => {
      const { failed } = await store.collect({ targetSpaceAmplification: 1, ...options })
      if (failed[0]) throw failed[0].error
    })
  }

  /** Waits until the store does nothing any more by itself. */
  settle(): Promise<void> {
    return settled(this.fileSystem)
  }

  /** Holds the store as it is now; to be called while nothing is being written. */
  snapshot(): void {
    if (!this.#store || this.fileSystem.syncFailed) return
    const { issued } = this.oracle
    this.#snapshots.push({ snapshot: this.#store.snapshot(), position: issued })
  }

  /** Looks whether each snapshot still sees what it saw, and closes them. */
  async releaseSnapshots(): Promise<void> {
    const store = this.#store
    if (!store) return
    for (const { snapshot, position } of this.#snapshots.splice(0)) {
      await this.#attempt(async () => {
        const found = await observe(store, this.oracle, snapshot)
        requirePosition(this.oracle.positionsOf(found), position, position, 'in a snapshot')
      })
      snapshot.close()
    }
  }

  async close(): Promise<void> {
    this.#snapshots = []
    await this.#durably((store) => store.close())
    this.#store = undefined
  }

  /** Closes and opens again. */
  async reopen(): Promise<void> {
    await this.close()
    await this.#openAgain()
  }

  /** Ends the process as kill -9 does, and opens again on what the page cache holds. */
  async kill(): Promise<void> {
    const killed = this.fileSystem
    this.#snapshots = []
    this.fileSystem = killed.kill({ seed: this.#options.seed })
    this.#watchDoubts()
    this.#options.onKill?.(this.fileSystem, killed)
    this.#store = undefined
    await this.#openAgain()
  }

  /** All that was acknowledged must be there: neither a kill nor a failed close loses the page cache. */
  async #openAgain(): Promise<void> {
    if (!(await this.#attempt(() => this.#open()))) return
    const { faults } = this.fileSystem
    this.fileSystem.faults = undefined
    const { acknowledged, issued } = this.oracle
    const found = await observe(this.#store!, this.oracle)
    this.fileSystem.faults = faults
    const positions = this.oracle.positionsOf(found)
    requirePosition(positions, acknowledged, issued, 'after opening again')
    // What an open serves is durable, whatever it was before (the unproved tail has been copied and synced).
    this.oracle.settle(found, positions)
    this.#mark()
  }

  /** The store must hold what was acknowledged; after a failed sync, at least what was durable. */
  async check(): Promise<void> {
    const store = this.#store
    if (!store) return
    const { acknowledged, required, issued } = this.oracle.knowledge()
    await this.#attempt(async () => {
      const positions = this.oracle.positionsOf(await observe(store, this.oracle))
      const from = this.fileSystem.syncFailed ? required : acknowledged
      requirePosition(positions, from, issued, 'in the open store')
    })
  }

  /**
   * Cuts the power now, in every way, and opens a store on what is left.
   * @param known of this workload
   * @returns how many states
   */
  async powerCuts(
    subsets: CrashStateOptions,
    known: KnownImages = new KnownImages(),
  ): Promise<number> {
    const { options, seed } = this.#options
    const { oracle } = this
    const { opened } = known
    const seen = new Set<string>()
    const knowledge = oracle.knowledge()
    for (const { hash, choice, image } of crashStatesNow(this.fileSystem.model, subsets)) {
      if (seen.has(hash)) continue
      seen.add(hash)
      try {
        if (!opened.has(hash)) {
          const { entries } = await recoverImage(image(), oracle, options, seed, { known })
          opened.set(hash, entries)
        }
        const entries = opened.get(hash)
        holdAgainst(entries && oracle.positionsOf(entries), knowledge, false)
      } catch (error) {
        throw new Error(`${choice}: ${(error as Error).message}`, { cause: error })
      }
    }
    return seen.size
  }
}
