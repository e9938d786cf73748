/**
 * The core workloads A to F of the Yahoo! Cloud Serving Benchmark (Cooper and others, "Benchmarking cloud serving
 * systems with YCSB", 2010): one caller, keys by Zipf's law with 0.99, the hot ones scattered; of D the newest.
 *
 *   A  half reads, half updates          D  95 % reads of the newest, 5 % inserts
 *   B  95 % reads, 5 % updates           E  95 % scans of 1 to 100 entries, 5 % inserts
 *   C  reads alone                       F  half reads, half read-modify-writes
 *
 * An update puts a new value each time (SQLite writes nothing where it finds what it is given). Behind the readings the
 * first values are put back, which later workloads know; inserted keys lie behind all others, and go.
 */
import type { EngineStore } from '../engines/engine.ts'
import { createChooser, createZipf, ZIPF_EXPONENT } from '../harness/choose-key.ts'
import { type DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import { type Outcome, repeat } from '../harness/measure.ts'
import type { Job } from './results.ts'

/** Of a hundred operations, those that are no read. */
const OTHERS: Readonly<Record<string, number>> = {
  'ycsb-a': 50,
  'ycsb-b': 5,
  'ycsb-c': 0,
  'ycsb-d': 5,
  'ycsb-e': 5,
  'ycsb-f': 50,
}
const SCAN_ENTRIES_MAX = 100

/** @param name `ycsb-a` to `ycsb-f` */
export async function runYcsb(
  name: string,
  job: Job,
  data: DataSet,
  store: EngineStore,
): Promise<Outcome> {
  const choose = createChooser('zipf', data.entries, job.seed)
  const random = new Random(job.seed + 3)
  const others = OTHERS[name]!
  let entries = 0
  let inserted = 0
  let updates = 0
  /** Of what was updated. */
  const generations = new Map<number, number>()
  const check = (index: number, value: Uint8Array | undefined): void =>
    data.check(index, value, generations.get(index) ?? 0)

  const read = async (index: number): Promise<void> => {
    entries++
    check(index, await store.get(data.key(index), index))
  }
  const update = async (index: number): Promise<void> => {
    entries++
    generations.set(index, ++updates)
    await store.put(data.key(index), data.value(index, updates))
  }
  const insert = async (): Promise<void> => {
    // There are values for as many again; a run that comes so far begins anew.
    await update(data.entries + (inserted++ % data.entries))
  }
  const scan = async (): Promise<void> => {
    const limit = Math.min(1 + random.below(SCAN_ENTRIES_MAX), data.entries)
    const from = Math.min(choose(), data.entries - limit)
    let index = from
    await store.range(from, limit, (value) => check(index++, value))
    entries += index - from
  }
  const nextRank = createZipf(data.entries, ZIPF_EXPONENT, () => random.next() / 2 ** 32)
  const readNewest = (): Promise<void> =>
    read(data.entries + Math.min(inserted, data.entries) - nextRank())

  const work = await repeat(job.seconds, async () => {
    const isRead = random.below(100) >= others
    if (name === 'ycsb-d') await (isRead ? readNewest() : insert())
    else if (name === 'ycsb-e') await (isRead ? scan() : insert())
    else {
      const index = choose()
      if (isRead || name === 'ycsb-f') await read(index)
      if (!isRead) await update(index)
    }
  })
  const undo = async (): Promise<void> => {
    for (const index of generations.keys()) {
      if (index < data.entries) await store.put(data.key(index), data.value(index, 0))
    }
    for (let i = 0; i < Math.min(inserted, data.entries); i++) {
      await store.remove(data.key(data.entries + i))
    }
  }
  return { ...work, userBytes: entries * (KEY_BYTES + data.valueBytes), undo }
}
