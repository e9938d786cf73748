/**
 * A store on the fault-injecting file system whose jobs a test can stop, with garbage of a known kind, and the model
 * that says what it must hold.
 */
import { expect, onTestFinished } from 'vitest'
import type { CollectionReport } from '#dist/lib/contract/collection.js'
import type { Options } from '#dist/lib/contract/options.js'
import type { Snapshot } from '#dist/lib/contract/types.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { checkNoOrphans, DIRECTORY } from '../crash/recover-image.ts'
import { FaultFileSystem } from '../files/fault-file-system.ts'
import { CheckedRunner } from '../parts/checked-runner.ts'
import { PausedRunner } from '../parts/paused-runner.ts'
import { seededRandom } from '../random.ts'

const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 16384,
  memtableBytes: 65536,
  blockCacheBytes: 65536,
  valueThreshold: 256,
  tree: { sizeRatio: 4, tableBytes: 8192, blockBytes: 512 },
  collector: { enabled: false },
}

/** The keys and values that a store must hold. */
export type Model = ReadonlyMap<string, Buffer>

export class CollectedStore {
  readonly fileSystem: FaultFileSystem
  readonly options: Options
  readonly model: Map<string, Buffer> = new Map()
  #store: Store | undefined
  #runner: PausedRunner | undefined
  #written = 0

  private constructor(fileSystem: FaultFileSystem, options: Options) {
    this.fileSystem = fileSystem
    this.options = { ...OPTIONS, ...options }
  }

  static async open(
    options: Options = {},
    fileSystem: FaultFileSystem = new FaultFileSystem(),
  ): Promise<CollectedStore> {
    const opened = new CollectedStore(fileSystem, options)
    await opened.reopen()
    onTestFinished(async () => {
      await Promise.allSettled([opened.store.close()])
    })
    return opened
  }

  get store(): Store {
    return this.#store!
  }

  get runner(): PausedRunner {
    return this.#runner!
  }

  /** Opens the store; close it first. @param changed options that are others this time */
  async reopen(changed: Options = {}): Promise<void> {
    const { fileSystem } = this
    this.#store = await openStore(
      DIRECTORY,
      { ...this.options, ...changed },
      {
        fileSystem,
        random: seededRandom(1),
        wrapRunner: (runner) => {
          this.#runner = new PausedRunner(runner)
          return new CheckedRunner(this.#runner, fileSystem)
        },
      },
    )
  }

  async put(key: string, length: number): Promise<void> {
    const value = Buffer.alloc(length, `${key}:${this.#written++};`)
    await this.store.put(key, value)
    this.model.set(key, value)
  }

  async delete(key: string): Promise<void> {
    await this.store.delete(key)
    this.model.delete(key)
  }

  /** Garbage between small values that live, in several segments: it takes a rewrite. */
  async fillForRewrite(): Promise<void> {
    for (let i = 0; i < 48; i++) await this.put(keyOf(i), 900)
    for (let i = 0; i < 48; i += 2) await this.put(keyOf(i), 900)
    await this.store.compact()
  }

  /** Large dead values between as large living ones: punches pay. Wants segments of 256 KiB. */
  async fillForPunch(): Promise<void> {
    for (let i = 0; i < 12; i++) await this.put(keyOf(i), 20_000)
    for (let i = 0; i < 12; i += 2) await this.put(keyOf(i), 20_000)
    await this.store.compact()
  }

  /** What must be there now; changes later do not change it. */
  copyModel(): Model {
    return new Map(this.model)
  }

  /** Everything is there, nothing else is, and no damage is found. */
  async check(model: Model = this.model, snapshot?: Snapshot): Promise<void> {
    const options = { ...(snapshot && { snapshot }) }
    const found: string[] = []
    // An expectation for each key would take longer than all that is read.
    const wrong: string[] = []
    for await (const [key, value] of this.store.entries(options)) {
      const name = key.toString()
      found.push(name)
      if (model.get(name)?.equals(value) !== true) wrong.push(`value of ${name}`)
    }
    expect(found).toEqual([...model.keys()].sort())
    for (const [key, value] of model)
      if (this.store.getSync(key, options)?.equals(value) !== true) wrong.push(`get of ${key}`)
    expect(wrong).toEqual([])
    const { damage, pointers, records } = await this.store.verify()
    expect(damage).toEqual([])
    // Each pointer leads to a record of its own, or to a stream.
    expect(records + this.store.stats().streams).toBeGreaterThanOrEqual(pointers)
  }

  /** Checks, closes, looks for orphans and broken rules of order, opens again and checks. */
  async finish(): Promise<void> {
    await this.check()
    await this.closeAndReopen()
    await this.check()
    await this.store.close()
    this.checkClosed()
  }

  async closeAndReopen(): Promise<void> {
    await this.store.close()
    this.checkClosed()
    await this.reopen()
  }

  checkClosed(): void {
    checkNoOrphans(this.fileSystem)
    expect(this.fileSystem.violations).toEqual([])
    expect(this.fileSystem.openFiles).toBe(0)
  }
}

export function keyOf(index: number): string {
  return `key${String(index).padStart(3, '0')}`
}

const REWRITES: Options = { collector: { enabled: false, punchHoles: false } }
export const PUNCHES: Options = { segmentBytes: 262144 }

/** A store with garbage that the jobs of this kind are for. */
export async function filled(kind: string, options: Options = {}): Promise<CollectedStore> {
  const isPunch = kind === 'mark' || kind === 'punch'
  const opened = await CollectedStore.open({ ...(isPunch ? PUNCHES : REWRITES), ...options })
  if (isPunch) await opened.fillForPunch()
  else await opened.fillForRewrite()
  return opened
}

export function collectAll({ store }: CollectedStore): Promise<CollectionReport> {
  return store.collect({ targetSpaceAmplification: 1.01 })
}

export function actions({ steps }: CollectionReport): string[] {
  return steps.map(({ action }) => action)
}

/** Of the values that such a store is filled with. */
export function lengthOf(kind: string): number {
  return kind === 'mark' || kind === 'punch' ? 20_000 : 900
}

export async function changeAll(opened: CollectedStore, length: number): Promise<void> {
  for (const key of [...opened.model.keys()]) await opened.put(key, length)
}
