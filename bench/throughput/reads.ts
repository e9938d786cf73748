/**
 * The workloads that read a loaded store. Every value that comes back is checked.
 */

import type { EngineStore } from '../engines/engine.ts'
import { type DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import {
  type Outcome,
  repeat,
  repeatAtOnce,
  repeatSync,
  timed,
  type Work,
} from '../harness/measure.ts'
import { pace } from './paced.ts'
import type { Job } from './results.ts'
import { runYcsb } from './ycsb.ts'

const RANGE_ENTRIES = 100
const PART_BYTES = 4096
const MANY_KEYS = 100
/** Full scans are repeated for no longer than this. */
const SCAN_SECONDS_MAX = 0.5
/** Of the time of a workload, but no longer than that: the runtime has compiled what it will by then. */
const WARM_SHARE = 2
const WARM_SECONDS_MAX = 1

/** The read workloads over one open store. */
export class Reads {
  readonly #job: Job
  readonly #data: DataSet
  readonly #store: EngineStore
  readonly #random: Random
  #seconds: number

  constructor(job: Job, data: DataSet, store: EngineStore) {
    this.#job = job
    this.#data = data
    this.#store = store
    this.#random = new Random(job.seed + 1)
    this.#seconds = job.seconds
  }

  /** The same calls, uncounted: the time that the runtime takes to compile them is not the engine's. */
  async warmUp(name: string): Promise<void> {
    const seconds = Math.min(WARM_SECONDS_MAX, WARM_SHARE * this.#job.seconds)
    const { undo } = await this.#run(name, { ...this.#job, seconds })
    await undo?.()
  }

  run(name: string): Promise<Outcome> {
    return this.#run(name, this.#job)
  }

  async #run(name: string, job: Job): Promise<Outcome> {
    this.#seconds = job.seconds
    switch (name) {
      case 'readrandom':
        return this.#readRandom()
      case 'readrandom-sync':
        return this.#readRandomSync()
      case 'readmissing':
        return this.#readMissing()
      case 'scan':
        return this.#scan(true)
      case 'scan-keys':
        return this.#scan(false)
      case 'ranges':
        return this.#ranges()
      case 'readrandom-16':
        return this.#readAtOnce(16)
      case 'readpart':
        return this.#readPart()
      case 'getmany':
        return this.#getMany()
      case 'paced-get':
        return pace(job, this.#data, (index) => this.#getAndCheck(index))
      default:
        return runYcsb(name, job, this.#data, this.#store)
    }
  }

  async #readRandom(): Promise<Outcome> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const read = async (): Promise<void> => {
      const index = random.below(data.entries)
      data.check(index, await store.get(data.key(index), index))
    }
    const work = await repeat(this.#seconds, read)
    return { ...work, userBytes: work.operations * this.#entryBytes, single: read }
  }

  async #readRandomSync(): Promise<Outcome> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const read = (): void => {
      const index = random.below(data.entries)
      data.check(index, store.getSync(data.key(index), index))
    }
    const work = await repeatSync(this.#seconds, read)
    return { ...work, userBytes: work.operations * this.#entryBytes, single: read }
  }

  async #readMissing(): Promise<Work> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const work = await repeatSync(this.#seconds, () => {
      const index = random.below(data.entries)
      if (store.getSync(data.missingKey(index), index) !== undefined) {
        throw new Error(`the engine found a key that was never written index=${index}`)
      }
    })
    return { ...work, userBytes: 0 }
  }

  async #scan(withValues: boolean): Promise<Work> {
    const data = this.#data
    let entries = 0
    let index = 0
    // The floor reads in the order of its file.
    const placed = this.#job.engine === 'raw'
    const visitValue = (value: Uint8Array): void => {
      data.check(placed ? data.order[index]! : index, value)
      index++
    }
    const visitKey = (key: Uint8Array): void => {
      if (key.length !== KEY_BYTES) throw new Error(`a wrong key length=${key.length}`)
      index++
    }
    let seconds = 0
    const enough = Math.min(SCAN_SECONDS_MAX, this.#seconds)
    while (seconds < enough) {
      index = 0
      seconds += await timed(() =>
        withValues ? this.#store.scan(visitValue) : this.#store.scanKeys(visitKey),
      )
      if (index !== data.entries) throw new Error(`the scan missed entries found=${index}`)
      entries += index
    }
    const bytes = withValues ? this.#entryBytes : KEY_BYTES
    return { operations: entries, seconds, userBytes: entries * bytes }
  }

  async #ranges(): Promise<Work> {
    const data = this.#data
    const limit = Math.min(RANGE_ENTRIES, data.entries)
    let expected = 0
    const visit = (value: Uint8Array): void => data.check(expected++, value)
    const work = await repeat(
      this.#seconds,
      async () => {
        const index = this.#random.below(data.entries - limit + 1)
        expected = index
        await this.#store.range(index, limit, visit)
        if (expected !== index + limit) {
          throw new Error(`the range is short from=${index} found=${expected - index}`)
        }
      },
      1,
    )
    return { ...work, userBytes: work.operations * limit * this.#entryBytes }
  }

  /** So many readers, each of which awaits its get before the next. */
  async #readAtOnce(readers: number): Promise<Work> {
    const work = await repeatAtOnce(readers, this.#seconds, () =>
      this.#getAndCheck(this.#random.below(this.#data.entries)),
    )
    return { ...work, userBytes: work.operations * this.#entryBytes }
  }

  /** 4 KiB, or a whole value that is shorter, out of the middle. */
  async #readPart(): Promise<Outcome> {
    const data = this.#data
    const length = Math.min(PART_BYTES, data.valueBytes)
    const offset = Math.floor((data.valueBytes - length) / 2)
    const read = async (): Promise<void> => {
      const index = this.#random.below(data.entries)
      const part = await this.#getPart(index, offset, length)
      data.checkPart(index, part, offset, length)
    }
    const work = await repeat(this.#seconds, read)
    return { ...work, userBytes: work.operations * length, single: read }
  }

  /** The whole value and a cut where the engine knows no parts. */
  async #getPart(index: number, offset: number, length: number): Promise<Uint8Array | undefined> {
    const key = this.#data.key(index)
    if (this.#store.getPart) return this.#store.getPart(key, index, offset, length)
    return (await this.#store.get(key, index))?.subarray(offset, offset + length)
  }

  async #getAndCheck(index: number): Promise<void> {
    this.#data.check(index, await this.#store.get(this.#data.key(index), index))
  }

  /** An operation is one of its keys. */
  async #getMany(): Promise<Work> {
    const data = this.#data
    const work = await repeat(
      this.#seconds,
      async () => {
        const indexes = Array.from({ length: MANY_KEYS }, () => this.#random.below(data.entries))
        const keys = indexes.map((index) => data.key(index))
        const values = await this.#store.getMany(keys, indexes)
        for (const [i, index] of indexes.entries()) data.check(index, values[i])
      },
      1,
    )
    const operations = work.operations * MANY_KEYS
    return { operations, seconds: work.seconds, userBytes: operations * this.#entryBytes }
  }

  get #entryBytes(): number {
    return KEY_BYTES + this.#data.valueBytes
  }
}

/** One scan of a store whose values were overwritten by those of this generation. */
export async function scanGeneration(
  data: DataSet,
  store: EngineStore,
  generation: number,
): Promise<Work> {
  let index = 0
  const seconds = await timed(() => store.scan((value) => data.check(index++, value, generation)))
  if (index !== data.entries) throw new Error(`the scan missed entries found=${index}`)
  return { operations: index, seconds, userBytes: index * (KEY_BYTES + data.valueBytes) }
}
