/**
 * Workloads that read a loaded store from the disk: it is opened anew, with none of its files in the page cache.
 *
 * The raw floor reads the same values from the same kind of places with 16 reads in flight: what the disk itself gives.
 */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Engine, EngineStore } from '../engines/engine.ts'
import { type DataSet, KEY_BYTES, Random } from '../harness/data-set.ts'
import { repeat, timed, type Work } from '../harness/measure.ts'
import type { Job } from './results.ts'

const run = promisify(execFile)

const IN_FLIGHT = 16
const REOPENINGS = 10
const RANGE_ENTRIES = 100
/** A run ends when such a share of the entries was read: more and more would be in the page cache by then. */
const READ_SHARE_MAX = 1 / 4

/** Runs one of them over the closed store in `directory`. */
export async function readCold(
  name: string,
  job: Job,
  data: DataSet,
  engine: Engine,
  directory: string,
): Promise<Work> {
  await dropFromPageCache(directory)
  const store = await engine.open(directory)
  const isRaw = job.engine === 'raw'
  const random = new Random(job.seed + 2)
  const work =
    name === 'cold-get-16' || name === 'cold-get-1'
      ? await getMany(job.seconds, data, store, random, name === 'cold-get-1' ? 1 : IN_FLIGHT)
      : name === 'cold-ranges'
        ? await readRanges(job.seconds, data, store, random, isRaw)
        : await scanAll(data, store, isRaw)
  await store.close()
  return { ...work, userBytes: work.operations * (KEY_BYTES + data.valueBytes) }
}

type Rate = Pick<Work, 'operations' | 'seconds'>

async function getMany(
  seconds: number,
  data: DataSet,
  store: EngineStore,
  random: Random,
  inFlight: number,
): Promise<Rate> {
  let operations = 0
  const enough = (): boolean => operations >= data.entries * READ_SHARE_MAX
  const read = async (): Promise<void> => {
    await repeat(
      seconds,
      async () => {
        const index = random.below(data.entries)
        data.check(index, await store.get(data.key(index), index))
        operations++
      },
      1,
      enough,
    )
  }
  const took = await timed(() => Promise.all(Array.from({ length: inFlight }, read)))
  return { operations, seconds: took }
}

async function readRanges(
  seconds: number,
  data: DataSet,
  store: EngineStore,
  random: Random,
  isRaw: boolean,
): Promise<Rate> {
  const limit = Math.min(RANGE_ENTRIES, data.entries)
  let entries = 0
  return repeat(
    seconds,
    async () => {
      const from = random.below(data.entries - limit + 1)
      entries += limit
      if (isRaw) return getInOrder(data, store, from, limit)
      let index = from
      await store.range(from, limit, (value) => data.check(index++, value))
      if (index !== from + limit) throw new Error(`the range is short from=${from} end=${index}`)
    },
    1,
    () => entries >= data.entries * READ_SHARE_MAX,
  )
}

async function scanAll(data: DataSet, store: EngineStore, isRaw: boolean): Promise<Rate> {
  let index = 0
  const seconds = await timed(() =>
    isRaw
      ? getInOrder(data, store, 0, data.entries)
      : store.scan((value) => data.check(index++, value)),
  )
  if (!isRaw && index !== data.entries) throw new Error(`the scan missed entries found=${index}`)
  return { operations: data.entries, seconds }
}

/** Values in the order of their keys, which lie anywhere in the file. */
async function getInOrder(
  data: DataSet,
  store: EngineStore,
  from: number,
  count: number,
): Promise<void> {
  let next = from
  const read = async (): Promise<void> => {
    while (next < from + count) {
      const index = next++
      data.check(index, await store.get(data.key(index), index))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, read))
}

/** Opens a closed store and gets one value, so often; an operation is both. */
export async function reopen(
  isCold: boolean,
  data: DataSet,
  engine: Engine,
  directory: string,
): Promise<Work> {
  let seconds = 0
  for (let i = 0; i < REOPENINGS; i++) {
    if (isCold) await dropFromPageCache(directory)
    const index = Math.floor((data.entries * i) / REOPENINGS)
    const start = performance.now()
    const store = await engine.open(directory)
    data.check(index, await store.get(data.key(index), index))
    seconds += (performance.now() - start) / 1000
    await store.close()
  }
  return { operations: REOPENINGS, seconds, userBytes: 0 }
}

/**
 * Without the rights of a superuser: by the tool that asks for it file by file. The event loop turns meanwhile: its
 * pauses are those of the engine.
 */
async function dropFromPageCache(directory: string): Promise<void> {
  await run('sync', [])
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    await run('dd', [`if=${file}`, 'iflag=nocache', 'count=0'])
  }
}
