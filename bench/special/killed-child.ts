/** A store that is killed while it is overwritten; then opened anew, and every value is checked. */
import { createEngine } from '../engines/create-engine.ts'
import { type EngineName, type EngineStore, fillInOrder, windowEntries } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { DataSet } from '../harness/data-set.ts'
import { turn } from '../harness/measure.ts'

/** What the parent asks for. */
export interface KilledJob {
  readonly engine: EngineName
  readonly step: 'overwrite' | 'open'
  readonly directory: string
  readonly totalBytes: number
  readonly valueBytes: number
  readonly seed: number
}

/** Of the step `open`. */
export interface KilledReport {
  /** The open and a get. */
  readonly openMs: number
}

/** The parent kills when so much of the store is overwritten. */
const OVERWRITTEN_SHARE = 0.5

takeJob<KilledJob>(async (job) => {
  const data = new DataSet(job.totalBytes, job.valueBytes, job.seed)
  if (job.step === 'overwrite') await overwrite(job, data)
  else await tellParent(await open(job, data))
})

/** Goes on until the process is killed. */
async function overwrite(job: KilledJob, data: DataSet): Promise<void> {
  const engine = await createEngine(job.engine, data)
  const store = await engine.open(job.directory)
  await fillInOrder(store, data)
  const size = windowEntries(data.valueBytes)
  const put = (place: number): unknown => {
    const index = data.order[place % data.entries]!
    return store.put(data.key(index), data.value(index, 1))
  }
  let isTold = false
  for (let from = 0; ; from += size) {
    await Promise.all(Array.from({ length: size }, (_, i) => put(from + i)))
    await turn()
    if (isTold || from < data.entries * OVERWRITTEN_SHARE) continue
    isTold = true
    await tellParent({})
  }
}

async function open(job: KilledJob, data: DataSet): Promise<KilledReport> {
  const engine = await createEngine(job.engine, data)
  const before = performance.now()
  const store = await engine.open(job.directory)
  const first = await store.get(data.key(0), 0)
  const openMs = performance.now() - before
  check(data, 0, first)
  await checkAll(data, store)
  await store.close()
  return { openMs }
}

async function checkAll(data: DataSet, store: EngineStore): Promise<void> {
  for (let index = 0; index < data.entries; index++) {
    check(data, index, await store.get(data.key(index), index))
  }
}

/** @throws Error unless it is the value that was loaded, or the one that was put over it */
function check(data: DataSet, index: number, value: Uint8Array | undefined): void {
  const isThere = [0, 1].some(
    (generation) => value !== undefined && data.value(index, generation).compare(value) === 0,
  )
  if (!isThere) throw new Error(`a value is lost index=${index} length=${value?.length}`)
}
