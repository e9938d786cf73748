/**
 * One run of `overwrite-steady`: loads a store, overwrites random keys, lets it come to rest, checks every value.
 */
import type { CollectorPreference, Options } from '../../lib/index.ts'
import { createEngine } from '../engines/create-engine.ts'
import { type Engine, type EngineStore, fillInOrder, windowEntries } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { createChooser } from '../harness/choose-key.ts'
import { DataSet, KEY_BYTES } from '../harness/data-set.ts'
import { readDiskUsage } from '../harness/disk-usage.ts'
import { clearDebts, pause } from '../harness/measure.ts'
import { Peaks, readWrittenBytes } from '../harness/peaks.ts'
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
/** Keys that are read at once while the values are checked. */
const CHECKS_AT_ONCE = 16

type Figures = Readonly<Record<string, unknown>>

takeJob<SteadyJob>(async (job) => tellParent(await run(job)))

async function run(job: SteadyJob): Promise<SteadyResult> {
  const { directory } = job
  const data = new DataSet(job.totalBytes, job.load.valueBytes, job.seed)
  const engine = await chooseEngine(job, data)
  const store = await engine.open(directory)
  await fillInOrder(store, data)
  await store.flush()
  await rest(directory)

  const choose = createChooser(job.load.distribution, data.entries, job.seed)
  const asked = Math.ceil(job.factor * data.entries)
  const liveBytes = data.entries * (KEY_BYTES + data.valueBytes)
  const overwriter = new Overwriter((key, value) => store.put(key, value), data, choose, asked)
  clearDebts()
  const before = store.figures()
  const writtenBefore = readWrittenBytes()
  const peaks = new Peaks()
  const taker = new ReadingTaker(store, directory, SEGMENT_BYTES, liveBytes, overwriter)
  const start = performance.now()
  await overwriter.run(windowEntries(data.valueBytes))
  const seconds = (performance.now() - start) / 1000
  // The last sample is no pause of the store's.
  const { loopDelayMs, ...readings } = peaks.finish()
  const { samples, longestReadingMs } = taker.finish()
  const after = store.figures()
  const writesBetween = job.engine ? () => null : writesOf

  const restStart = performance.now()
  const atRest = await rest(directory)
  const usage = readDiskUsage(directory)
  const figures = store.figures()
  const written = readWrittenBytes()
  const settled: SettledFigures = {
    atRest,
    seconds: (performance.now() - restStart) / 1000,
    spaceAmplification: spaceAmplification(usage.diskBytes, SEGMENT_BYTES, liveBytes),
    ballastBytes: usage.ballastBytes,
    writes: writesBetween(before, figures),
    writtenBytes: written === null || writtenBefore === null ? null : written - writtenBefore,
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
    stalls: job.engine ? null : stallsBetween(before, after),
    peaks: readings,
    settled,
    samples,
  }
}

async function chooseEngine(job: SteadyJob, data: DataSet): Promise<Engine> {
  const { engine, target, prefer } = job
  if (engine) return createEngine(engine, data, target)
  const collector: Options['collector'] =
    target === undefined
      ? { enabled: false }
      : {
          enabled: true,
          targetSpaceAmplification: target,
          // What it is called is the store's to judge.
          ...(prefer && { prefer: prefer as CollectorPreference }),
        }
  const { createWisc } = await import('../engines/wisc.ts')
  return createWisc(data, { segmentBytes: SEGMENT_BYTES, collector })
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

/** The counters of wisc, as `stats` names them. */
function writesOf(before: Figures, after: Figures): StoreWrites {
  const between = (name: string): number => Number(after[name]) - Number(before[name])
  return {
    logBytes: between('logBytesWritten'),
    tableBytes: between('tableBytesWritten'),
    relocatedBytes: between('relocatedBytesWritten'),
    ballastBytes: between('ballastBytesWritten'),
  }
}

function stallsBetween(before: Figures, after: Figures): NonNullable<SteadyResult['stalls']> {
  const stallsOf = (figures: Figures) => figures['stalls'] as NonNullable<SteadyResult['stalls']>
  const [first, last] = [stallsOf(before), stallsOf(after)]
  return { count: last.count - first.count, ms: last.ms - first.ms }
}

/** Every key must have the value that was put last. @throws Error at the first that has not */
async function checkValues(
  store: EngineStore,
  data: DataSet,
  overwriter: Overwriter,
): Promise<void> {
  let next = 0
  const check = async (): Promise<void> => {
    while (next < data.entries) {
      const index = next++
      const expected = overwriter.expectedValue(index)
      if (expected === undefined) continue
      const found = await store.get(data.key(index), index)
      if (found === undefined || expected.compare(found) !== 0) {
        throw new Error(`the store returned a wrong value index=${index}`)
      }
    }
  }
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, check))
}
