/** One engine in a process of its own: calls one at a time, or its first ones. */
import { createEngine } from '../engines/create-engine.ts'
import type { Engine, EngineName, EngineStore } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { DataSet, Random } from '../harness/data-set.ts'
import { type Latencies, percentiles, settle, turn } from '../harness/measure.ts'

/** What the parent asks for. */
export interface CallsJob {
  readonly engine: EngineName
  readonly directory: string
  /** single: a new store. put: a new one that stays; the others open that. */
  readonly step: 'single' | 'put' | 'getSync' | 'overwrite' | 'open'
  readonly entries: number
  readonly valueBytes: number
  readonly seed: number
}

export interface CallsReport {
  /** The open and the first get, behind the import. */
  readonly openMs: number
  /** The same, of the processor, all threads. */
  readonly openCpuMs: number
  /** Of each 20,000 calls. */
  readonly windowMs: readonly number[]
  /** By the name of the call. */
  readonly latenciesUs: Readonly<Record<string, Latencies>>
}

/** Of each kind of single calls. */
const SINGLE_MS = 6_000
const WINDOW = 20_000
/** Puts in flight, of the windows. */
const IN_FLIGHT = 64
/** Calls before the event loop may turn: background jobs go on as in a real program. */
const CALLS_IN_A_TURN = 1000

takeJob<CallsJob>(run)

async function run(job: CallsJob): Promise<void> {
  const data = new DataSet(job.entries * job.valueBytes, job.valueBytes, job.seed)
  const engine = await createEngine(job.engine, data)
  const cpu = process.cpuUsage()
  const before = performance.now()
  const store = await engine.open(job.directory)
  if (job.step === 'open') data.check(0, store.getSync(data.key(0), 0))
  const openMs = performance.now() - before
  const { user, system } = process.cpuUsage(cpu)
  const latenciesUs = job.step === 'single' ? await timeSingleCalls(data, engine, store) : {}
  const windowMs = await timeWindows(job, data, store)
  await store.close()
  const report: CallsReport = { openMs, openCpuMs: (user + system) / 1000, windowMs, latenciesUs }
  await tellParent(report)
}

/**
 * Puts of the later half of the entries into a store of the first one, gets and deletes of all: of each kind as many as
 * there is time for. A slower engine makes fewer of them, beside a store of the same size.
 */
async function timeSingleCalls(
  data: DataSet,
  engine: Engine,
  store: EngineStore,
): Promise<Record<string, Latencies>> {
  const half = data.entries >> 1
  const samples = new Float64Array(data.entries)
  const time = async (
    from: number,
    call: (key: Buffer, index: number) => unknown,
  ): Promise<{ readonly latencies: Latencies; readonly next: number }> => {
    await settle()
    const end = performance.now() + SINGLE_MS
    let next = from
    for (let now = 0; next < data.entries && now < end; next++) {
      const index = data.order[next]!
      const key = data.key(index)
      const before = performance.now()
      const result = call(key, index)
      if (isThenable(result)) await result
      now = performance.now()
      samples[next - from] = (now - before) * 1000
      if (next % CALLS_IN_A_TURN === 0) await turn()
    }
    return { latencies: percentiles(samples.subarray(0, next - from)), next }
  }
  const fill = (from: number, to: number): Promise<void> =>
    store.fill(engine.batchWay ?? engine.ways[0]!, {
      count: to - from,
      index: (i) => data.order[from + i]!,
      key: (index) => data.key(index),
      value: (index) => data.value(index, 0),
    })
  await fill(0, half)
  const put = await time(half, (key, index) => store.put(key, data.value(index, 0)))
  await fill(put.next, data.entries)
  const getSync = await time(0, (key, index) => data.check(index, store.getSync(key, index)))
  const remove = await time(0, (key) => store.remove(key))
  return { put: put.latencies, getSync: getSync.latencies, delete: remove.latencies }
}

function isThenable(result: unknown): boolean {
  return result instanceof Promise || typeof (result as { then?: unknown })?.then === 'function'
}

async function timeWindows(job: CallsJob, data: DataSet, store: EngineStore): Promise<number[]> {
  const windows: number[] = []
  if (job.step === 'single' || job.step === 'open') return windows
  const random = new Random(job.seed)
  const generation = job.step === 'overwrite' ? 1 : 0
  for (let from = 0; from < data.entries; from += WINDOW) {
    const before = performance.now()
    if (job.step === 'getSync') {
      for (let i = 0; i < WINDOW; i++) {
        const index = random.below(data.entries)
        data.check(index, store.getSync(data.key(index), index))
        if (i % CALLS_IN_A_TURN === 0) await turn()
      }
    } else await putWindow(data, store, from, generation)
    windows.push(performance.now() - before)
  }
  return windows
}

async function putWindow(
  data: DataSet,
  store: EngineStore,
  from: number,
  generation: number,
): Promise<void> {
  const to = Math.min(from + WINDOW, data.entries)
  let next = from
  const write = async (): Promise<void> => {
    while (next < to) {
      const index = data.order[next++]!
      await store.put(data.key(index), data.value(index, generation))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, write))
}
