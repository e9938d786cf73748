/** A cache that is asked for keys by Zipf's law, and filled with what it has not, beside simulated ones. */
import { createHistogram } from 'node:perf_hooks'
import { open } from '../../lib/index.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { createZipf } from '../harness/choose-key.ts'
import { Random, shuffled } from '../harness/data-set.ts'

/** What the parent asks for. */
export interface CacheJob {
  readonly directory: string
  readonly maxBytes: number
  readonly valueBytes: number
  readonly keys: number
  /** Gets; each that finds nothing is followed by a put. */
  readonly operations: number
  /** Of Zipf's law. */
  readonly exponent: number
  readonly seed: number
}

export interface CacheReport {
  /** Of all gets behind the first fifth. */
  readonly hits: number
  readonly lruHits: number
  readonly fifoHits: number
  readonly puts: number
  readonly lruPuts: number
  /** Log and tables, for each byte of keys and values. */
  readonly writeAmplification: number
  /** The most that `stats` has seen. */
  readonly diskBytes: number
  readonly putP50Us: number
  readonly putP999Us: number
  readonly putMaxUs: number
  readonly stalledMs: number
  readonly rate: number
}

takeJob<CacheJob>(run)

const WARM_SHARE = 1 / 5
const OPERATIONS_PER_LOOK = 500

/** Keeps so many keys, as a cache whose entries take no more than their bytes. */
class Simulated {
  readonly #keysMax: number
  readonly #renews: boolean
  readonly #keys: Set<number> = new Set()
  hits = 0
  puts = 0

  /** @param renews what is used goes last: LRU instead of FIFO */
  constructor(keysMax: number, renews: boolean) {
    this.#keysMax = keysMax
    this.#renews = renews
  }

  use(key: number, counts: boolean): void {
    const isHit = this.#keys.has(key)
    if (isHit && counts) this.hits++
    if (isHit && !this.#renews) return
    if (isHit) this.#keys.delete(key)
    else this.puts++
    this.#keys.add(key)
    if (this.#keys.size > this.#keysMax) this.#keys.delete(this.#keys.values().next().value!)
  }
}

async function run(job: CacheJob): Promise<void> {
  const { maxBytes, valueBytes, keys, operations, exponent, seed } = job
  const store = await open(job.directory, { cache: { maxBytes } })
  const random = new Random(seed)
  const keyOfRank = shuffled(keys, random)
  const nextRank = createZipf(keys, exponent, () => random.next() / 2 ** 32)
  const keysMax = Math.floor(maxBytes / (valueBytes + 16))
  const lru = new Simulated(keysMax, true)
  const fifo = new Simulated(keysMax, false)
  const value = Buffer.alloc(valueBytes)
  const puts = createHistogram()
  let [hits, counted, diskBytes] = [0, 0, 0]
  const began = performance.now()
  for (let i = 0; i < operations; i++) {
    const number = keyOfRank[nextRank() - 1]!
    const counts = i >= operations * WARM_SHARE
    if (counts) counted++
    lru.use(number, counts)
    fifo.use(number, counts)
    const key = String(number).padStart(16, '0')
    if ((await store.get(key)) !== undefined) {
      if (counts) hits++
    } else {
      value.writeUInt32LE(number)
      const before = process.hrtime.bigint()
      await store.put(key, value)
      puts.record(process.hrtime.bigint() - before || 1n)
    }
    if (i % OPERATIONS_PER_LOOK === 0) diskBytes = Math.max(diskBytes, store.stats().diskBytes)
  }
  const seconds = (performance.now() - began) / 1000
  const { writeAmplification, stalls } = store.stats()
  await store.close()
  const report: CacheReport = {
    hits: hits / counted,
    lruHits: lru.hits / counted,
    fifoHits: fifo.hits / counted,
    puts: puts.count,
    lruPuts: lru.puts,
    writeAmplification,
    diskBytes,
    putP50Us: puts.percentile(50) / 1000,
    putP999Us: puts.percentile(99.9) / 1000,
    putMaxUs: puts.max / 1000,
    stalledMs: stalls.ms,
    rate: operations / seconds,
  }
  await tellParent(report)
}
