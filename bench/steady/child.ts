/**
 * One run of `overwrite-steady`: loads a store, overwrites random keys, lets it come to rest, checks every value.
 */
import {
  type CollectorPreference,
  type Options,
  open,
  type Store,
  WiscError,
} from '../../lib/index.ts'
import { fillInOrder, windowEntries } from '../engines/engine.ts'
import { createChooser } from '../harness/choose-key.ts'
import { DataSet, KEY_BYTES } from '../harness/data-set.ts'
import { clearDebts, pause, turn } from '../harness/measure.ts'
import { Peaks, readWrittenBytes } from '../harness/peaks.ts'
import { readDiskUsage } from './disk-usage.ts'
import { Overwriter } from './overwriter.ts'
import { ReadingTaker } from './reading-taker.ts'
import type { SettledFigures, SteadyJob, SteadyResult, StoreWrites } from './results.ts'
import { latenciesOf, spaceAmplification, spaceMaxima } from './samples.ts'

/** The default of the option, given all the same: the samples take two of these off. */
const SEGMENT_BYTES = 64 * 1024 * 1024
/** At rest: for so long nothing was written or freed. */
const REST_MS = 2000
const REST_LOOK_MS = 250
const REST_MS_MAX = 180_000
/** The harness itself writes a few bytes (wake-ups of the event loop). */
const REST_WRITTEN_BYTES_MAX = 16_384
/** Keys that are checked before the event loop turns. */
const CHECKS_PER_TURN = 1000

interface CollectorSettings {
  readonly enabled: boolean
  readonly targetSpaceAmplification?: number
  readonly prefer?: CollectorPreference
}

// Without its parent a child has nobody to report to.
process.on('disconnect', () => process.exit())
process.on('message', (message) => {
  // The parent sends nothing else.
  run(message as SteadyJob).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})

async function run(job: SteadyJob): Promise<SteadyResult> {
  const { directory } = job
  const data = new DataSet(job.totalBytes, job.load.valueBytes, job.seed)
  const store = await openStore(job)
  await fillInOrder(store, data)
  await store.flush()
  await rest(directory)

  const choose = createChooser(job.load.distribution, data.entries, job.seed)
  const asked = Math.ceil(job.factor * data.entries)
  const liveBytes = data.entries * (KEY_BYTES + data.valueBytes)
  const overwriter = new Overwriter((key, value) => store.put(key, value), data, choose, asked)
  clearDebts()
  const before = store.stats()
  const peaks = new Peaks()
  const taker = new ReadingTaker(store, directory, SEGMENT_BYTES, liveBytes, overwriter)
  const start = performance.now()
  await overwriter.run(windowEntries(data.valueBytes))
  const seconds = (performance.now() - start) / 1000
  const { samples, loopDelayMs, longestReadingMs } = taker.finish()
  const readings = peaks.finish()
  const after = store.stats()

  const restStart = performance.now()
  const atRest = await rest(directory)
  const usage = readDiskUsage(directory)
  const figures = { ...store.stats() }
  const settled: SettledFigures = {
    atRest,
    seconds: (performance.now() - restStart) / 1000,
    spaceAmplification: spaceAmplification(usage.diskBytes, SEGMENT_BYTES, liveBytes),
    ballastBytes: usage.ballastBytes,
    writes: writesBetween(before, figures),
    figures,
  }
  await checkValues(store, data, overwriter)
  await store.close()

  const { acknowledged, latenciesMs } = overwriter
  return {
    asked,
    acknowledged,
    rejected: Object.fromEntries(overwriter.rejected),
    seconds,
    userBytes: acknowledged * (KEY_BYTES + data.valueBytes),
    liveBytes,
    space: spaceMaxima(samples, data.entries),
    writes: writesBetween(before, after),
    latenciesUs: latenciesOf(latenciesMs),
    steadyLatenciesUs: latenciesOf(latenciesMs.subarray(data.entries)),
    loopDelayMs,
    longestReadingMs,
    stalls: {
      count: after.stalls.count - before.stalls.count,
      ms: after.stalls.ms - before.stalls.ms,
    },
    peaks: readings,
    settled,
    samples,
  }
}

async function openStore(job: SteadyJob): Promise<Store> {
  const collector: CollectorSettings =
    job.target === undefined
      ? { enabled: false }
      : {
          enabled: true,
          targetSpaceAmplification: job.target,
          // What it is called is the store's to judge.
          ...(job.prefer && { prefer: job.prefer as CollectorPreference }),
        }
  const options: Options & { readonly collector?: CollectorSettings } = {
    segmentBytes: SEGMENT_BYTES,
    collector,
  }
  try {
    return await open(job.directory, options)
  } catch (error) {
    // A version without a collector refuses the option; what is asked for is what it does anyway.
    const refused = error instanceof WiscError && error.code === 'WISC_INVALID_ARGUMENT'
    if (!refused || collector.enabled) throw error
    return open(job.directory, { segmentBytes: SEGMENT_BYTES })
  }
}

/** Waits until nothing is written and nothing is freed any more. @returns false if that never came */
async function rest(directory: string): Promise<boolean> {
  const deadline = performance.now() + REST_MS_MAX
  let quietSince = performance.now()
  let written = readWrittenBytes() ?? 0
  let { diskBytes } = readDiskUsage(directory)
  while (performance.now() < deadline) {
    await pause(REST_LOOK_MS)
    const writtenNow = readWrittenBytes() ?? 0
    const diskBytesNow = readDiskUsage(directory).diskBytes
    const moved = writtenNow - written > REST_WRITTEN_BYTES_MAX || diskBytesNow !== diskBytes
    if (moved) quietSince = performance.now()
    else if (performance.now() - quietSince >= REST_MS) return true
    written = writtenNow
    diskBytes = diskBytesNow
  }
  return false
}

/** The counters as the store names them; what a version does not have is 0. */
function writesBetween(before: object, after: object): StoreWrites {
  const counter = (stats: object, name: string): number => {
    const value: unknown = Reflect.get(stats, name)
    return typeof value === 'number' ? value : 0
  }
  const between = (name: string): number => counter(after, name) - counter(before, name)
  return {
    logBytes: between('logBytesWritten'),
    tableBytes: between('tableBytesWritten'),
    relocatedBytes: between('relocatedBytesWritten'),
    ballastBytes: between('ballastBytesWritten'),
  }
}

/** Every key must have the value that was put last. @throws Error at the first that has not */
async function checkValues(store: Store, data: DataSet, overwriter: Overwriter): Promise<void> {
  for (let index = 0; index < data.entries; index++) {
    const expected = overwriter.expectedValue(index)
    if (expected !== undefined && !store.getSync(data.key(index))?.equals(expected)) {
      throw new Error(`the store returned a wrong value index=${index}`)
    }
    if (index % CHECKS_PER_TURN === 0) await turn()
  }
}
