/**
 * The workloads that read a loaded store. Every value that comes back is checked.
 */

import type { EngineStore } from '../engines/engine.ts'
import { createChooser } from '../harness/choose-key.ts'
import { type DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import { repeat, repeatSync, sampleLatencies, timed, type Work } from '../harness/measure.ts'
import type { Job } from './results.ts'

const RANGE_ENTRIES = 100
/** Full scans are repeated until they took this long. */
const SCAN_SECONDS_MIN = 0.5

/** The read workloads over one open store. */
export class Reads {
  readonly #job: Job
  readonly #data: DataSet
  readonly #store: EngineStore
  readonly #random: Random

  constructor(job: Job, data: DataSet, store: EngineStore) {
    this.#job = job
    this.#data = data
    this.#store = store
    this.#random = new Random(job.seed + 1)
  }

  async run(name: string): Promise<Work> {
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
      default:
        return this.#ycsbB()
    }
  }

  async #readRandom(): Promise<Work> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const read = async (): Promise<void> => {
      const index = random.below(data.entries)
      data.check(index, await store.get(data.key(index), index))
    }
    const work = await repeat(this.#job.seconds, read)
    const latenciesUs = await sampleLatencies(read)
    return { ...work, userBytes: work.operations * this.#entryBytes, latenciesUs }
  }

  async #readRandomSync(): Promise<Work> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const read = (): void => {
      const index = random.below(data.entries)
      data.check(index, store.getSync(data.key(index), index))
    }
    const work = await repeatSync(this.#job.seconds, read)
    const latenciesUs = await sampleLatencies(read)
    return { ...work, userBytes: work.operations * this.#entryBytes, latenciesUs }
  }

  async #readMissing(): Promise<Work> {
    const data = this.#data
    const store = this.#store
    const random = this.#random
    const work = await repeatSync(this.#job.seconds, () => {
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
    while (seconds < SCAN_SECONDS_MIN) {
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
      this.#job.seconds,
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

  /** 95 % reads, 5 % puts, keys by Zipf's law. What is put is what is there: later checks know it. */
  async #ycsbB(): Promise<Work> {
    const data = this.#data
    const store = this.#store
    const choose = createChooser('zipf', data.entries, this.#job.seed)
    const random = this.#random
    const work = await repeat(this.#job.seconds, async () => {
      const index = choose()
      const key = data.key(index)
      if (random.below(20) === 0) await store.put(key, data.value(index, 0))
      else data.check(index, await store.get(key, index))
    })
    return { ...work, userBytes: work.operations * this.#entryBytes }
  }

  get #entryBytes(): number {
    return KEY_BYTES + this.#data.valueBytes
  }
}
