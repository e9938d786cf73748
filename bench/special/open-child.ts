/**
 * One step of the measurements of opening: fill a store and close it, fill it and wait to be killed, or open it.
 */
import { type Options, open, type Stats, type Store } from '../../lib/index.ts'
import { fillInOrder } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { DataSet } from '../harness/data-set.ts'
import { Peaks } from '../harness/peaks.ts'

/** What the parent asks for. */
export interface OpenJob {
  readonly step: 'fill' | 'fill-and-wait' | 'open'
  readonly directory: string
  readonly entries: number
  readonly valueBytes: number
  readonly seed: number
  readonly options: Options
}

/** What came out; the times are of the step `open` alone. */
export interface OpenReport {
  readonly openMs: number
  readonly firstGetMs: number
  readonly memoryPeakBytes: number | null
  /** What the store says about its recovery. */
  readonly recovery: Stats['recovery']
}

takeJob<OpenJob>(run)

async function run(job: OpenJob): Promise<void> {
  const data = new DataSet(job.entries * job.valueBytes, job.valueBytes, job.seed)
  const peaks = new Peaks()
  const before = performance.now()
  const store = await open(job.directory, job.options)
  const openMs = performance.now() - before
  const firstGetMs = job.step === 'open' ? await timeFirstGet(store, data) : 0
  if (job.step !== 'open') await fillInOrder(store, data)
  const { memoryPeakBytes } = peaks.finish()
  const { recovery } = store.stats()
  // Killed here, or when the parent has the message: whatever is acknowledged is in the log, nothing is flushed.
  if (job.step !== 'fill-and-wait') await store.close()
  const report: OpenReport = { openMs, firstGetMs, memoryPeakBytes, recovery }
  await tellParent(report)
  if (job.step === 'fill-and-wait') await new Promise(() => undefined)
}

async function timeFirstGet(store: Store, data: DataSet): Promise<number> {
  const index = data.order[0]!
  const before = performance.now()
  const value = await store.get(data.key(index))
  const ms = performance.now() - before
  data.check(index, value)
  return ms
}
