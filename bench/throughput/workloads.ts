/**
 * The workloads, in the order in which a child runs them.
 *
 * fillrandom loads the store that the reads and the overwrite use; fillseq and fillsync have stores of
 * their own. Loads count from the opening to the end of the close for memory and written bytes, and from
 * the first put to the last acknowledgement for time.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { Engine, Source } from '../engines/engine.ts'
import { type DataSet, KEY_BYTES } from '../harness/data-set.ts'
import { DiskWatch } from '../harness/disk-usage.ts'
import {
  measure,
  repeat,
  repeatAtOnce,
  settle,
  timed,
  type Work,
  type WorkloadResult,
} from '../harness/measure.ts'
import { COLD_READS, type LOADS, READS, SYNCED } from '../harness/workload-names.ts'
import { readCold, reopen } from './cold-reads.ts'
import { deleteHalf } from './deletes.ts'
import { pace } from './paced.ts'
import { Reads, scanGeneration } from './reads.ts'
import type { Job } from './results.ts'

/** Others that need the store that fillrandom leaves. */
const ON_LOADED = [
  'reopen',
  'cold-reopen',
  'overwrite',
  'scan-overwritten',
  'paced-put',
  'deletehalf',
]

/** What a fill is warmed up with, at most. */
const WARM_ENTRIES_MAX = 20_000
const WARM_BYTES_MAX = 64 * 1024 * 1024

/** Everything one child does. */
export async function runWorkloads(
  job: Job,
  data: DataSet,
  engine: Engine,
  note: (result: WorkloadResult) => void,
): Promise<void> {
  const wanted = (name: string): boolean =>
    job.workloads.includes(name) && !engine.leavesOut.includes(name)
  const waysOf = (name: (typeof LOADS)[number]): readonly string[] => {
    const way = job.ways[name]
    if (way !== undefined) return [way]
    const ways = name === 'overwrite' ? (engine.overwriteWays ?? engine.ways) : engine.ways
    return wanted(name) ? ways : ways.slice(0, 1)
  }
  fs.mkdirSync(job.directory, { recursive: true })
  const loaded = path.join(job.directory, 'loaded')
  const other = path.join(job.directory, 'other')

  const isLoaded = [...READS, ...COLD_READS, ...ON_LOADED].some(wanted)
  if (wanted('fillrandom') || isLoaded) {
    for (const way of waysOf('fillrandom')) {
      remove(loaded)
      const source = sourceOf(data, true, 0)
      if (wanted('fillrandom')) await warmUp(engine, other, way, source)
      const result = await measure('fillrandom', job.directory, () =>
        load(engine, loaded, way, source),
      )
      if (wanted('fillrandom')) note(result)
    }
  }
  if (READS.some(wanted)) {
    const store = await engine.open(loaded)
    await settle()
    const reads = new Reads(job, data, store)
    for (const name of READS) {
      if (!wanted(name)) continue
      await reads.warmUp(name)
      note(await measure(name, job.directory, () => reads.run(name)))
    }
    await store.close()
  }
  for (const name of COLD_READS) {
    if (wanted(name))
      note(await measure(name, job.directory, () => readCold(name, job, data, engine, loaded)))
  }
  for (const name of ['reopen', 'cold-reopen']) {
    const isCold = name === 'cold-reopen'
    if (!wanted(name)) continue
    note(await measure(name, job.directory, () => reopen(isCold, data, engine, loaded)))
  }
  let generation = 0
  if (wanted('overwrite') || wanted('scan-overwritten')) {
    for (const way of waysOf('overwrite')) {
      // Never the values that are there already.
      generation = 1 - generation
      const source = sourceOf(data, true, generation)
      const result = await measure('overwrite', job.directory, () =>
        load(engine, loaded, way, source),
      )
      if (wanted('overwrite')) note(result)
    }
  }
  if (['scan-overwritten', 'paced-put', 'deletehalf'].some(wanted)) {
    const store = await engine.open(loaded)
    await settle()
    if (wanted('scan-overwritten')) {
      const scan = (): Promise<Work> => scanGeneration(data, store, generation)
      note(await measure('scan-overwritten', job.directory, scan))
    }
    if (wanted('paced-put')) {
      // New values each time: SQLite writes nothing where it finds what it is given.
      let next = generation
      const put = (index: number): unknown => store.put(data.key(index), data.value(index, ++next))
      note(await measure('paced-put', job.directory, () => pace(job, data, put)))
    }
    if (wanted('deletehalf')) {
      const deletes = (): Promise<Work> => deleteHalf(data, store, loaded)
      note(await measure('deletehalf', job.directory, deletes))
    }
    await store.close()
  }
  remove(loaded)
  if (wanted('fillseq')) {
    for (const way of waysOf('fillseq')) {
      const source = sourceOf(data, false, 0)
      if (!wanted('fillrandom')) await warmUp(engine, other, way, source)
      note(await measure('fillseq', job.directory, () => load(engine, other, way, source)))
      remove(other)
    }
  }
  if (wanted('fillbatch') && engine.batchWay !== undefined) {
    const way = engine.batchWay
    const source = sourceOf(data, true, 0)
    await warmUp(engine, other, way, source)
    note(await measure('fillbatch', job.directory, () => load(engine, other, way, source)))
    remove(other)
  }
  for (const name of [...Object.keys(SYNCED), 'fillsync-main']) {
    if (!wanted(name) || (name === 'fillsync-main' && job.engine !== 'raw')) continue
    note(await measure(name, job.directory, () => fillSync(job, data, engine, other, name)))
    remove(other)
  }
}

function sourceOf(data: DataSet, random: boolean, generation: number): Source {
  const { order } = data
  return {
    count: data.entries,
    index: random ? (i) => order[i]! : (i) => i,
    key: (index) => data.key(index),
    value: (index) => data.value(index, generation),
  }
}

/** The first of the same puts into a store that is thrown away: what the runtime compiles is not the engine's. */
async function warmUp(
  engine: Engine,
  directory: string,
  way: string,
  source: Source,
): Promise<void> {
  const entryBytes = KEY_BYTES + source.value(0).length
  const count = Math.min(source.count, WARM_ENTRIES_MAX, Math.ceil(WARM_BYTES_MAX / entryBytes))
  await load(engine, directory, way, { ...source, count })
  remove(directory)
}

async function load(engine: Engine, directory: string, way: string, source: Source): Promise<Work> {
  const before = performance.now()
  const store = await engine.open(directory)
  const openMs = performance.now() - before
  const disk = new DiskWatch(directory)
  const seconds = await timed(() => store.fill(way, source))
  const figures = store.figures()
  const closeMs = (await timed(() => store.close())) * 1000
  const userBytes = source.count * (KEY_BYTES + source.value(0).length)
  const done = { operations: source.count, seconds, userBytes, way, openMs, closeMs }
  return {
    ...done,
    figures,
    ...engine.apart(directory, figures),
    ...disk.finish(),
    ...stalls(figures),
  }
}

/** Of an engine that counts them. */
function stalls(figures: Readonly<Record<string, unknown>>): Pick<Work, 'stallMs'> {
  const counted = figures['stalls'] as { readonly ms: number } | undefined
  return counted === undefined ? {} : { stallMs: counted.ms }
}

async function fillSync(
  job: Job,
  data: DataSet,
  engine: Engine,
  directory: string,
  name: string,
): Promise<Work> {
  const store = await engine.open(directory)
  const writers = SYNCED[name as keyof typeof SYNCED] ?? 1
  const { order } = data
  let next = 0
  // Ends after the time, or with the data set.
  const enough = (): boolean => next >= data.entries
  const put = async (): Promise<void> => {
    const index = order[next++]!
    await store.putDurable(data.key(index), data.value(index, 0))
  }
  let work: Pick<Work, 'operations' | 'seconds'>
  if (name === 'fillsync-main') {
    const { isRawStore } = await import('../engines/raw.ts')
    if (!isRawStore(store)) throw new Error('only the raw floor syncs on the main thread')
    const append = async (): Promise<void> => {
      store.append(data.value(next++, 0))
      store.syncNow()
    }
    work = await repeat(job.seconds, append, 1, enough)
  } else {
    work = await repeatAtOnce(writers, job.seconds, put, 1, enough)
  }
  const figures = store.figures()
  const closeMs = (await timed(() => store.close())) * 1000
  const userBytes = work.operations * (KEY_BYTES + data.valueBytes)
  return { ...work, userBytes, closeMs, figures, ...engine.apart(directory, figures) }
}

function remove(directory: string): void {
  fs.rmSync(directory, { recursive: true, force: true })
}
