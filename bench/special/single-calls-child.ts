/** One engine in a process of its own: calls one at a time, or its first ones. */
import { createEngine } from '../engines/create-engine.ts'
import type { EngineName, EngineStore } from '../engines/engine.ts'
import { takeJob, tellParent } from '../harness/children.ts'
import { DataSet, Random } from '../harness/data-set.ts'
import { type Latencies, percentiles, turn } from '../harness/measure.ts'

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
  const latenciesUs = job.step === 'single' ? await timeSingleCalls(data, store) : {}
  const windowMs = await timeWindows(job, data, store)
  await store.close()
  const report: CallsReport = { openMs, openCpuMs: (user + system) / 1000, windowMs, latenciesUs }
  await tellParent(report)
}

async function timeSingleCalls(
  data: DataSet,
  store: EngineStore,
): Promise<Record<string, Latencies>> {
  const { entries, order } = data
  const samples = new Float64Array(entries)
  const all = async (call: (key: Buffer, index: number) => unknown): Promise<Latencies> => {
    for (let i = 0; i < entries; i++) {
      const index = order[i]!
      const key = data.key(index)
      const before = performance.now()
      const result = call(key, index)
      if (isThenable(result)) await result
      samples[i] = (performance.now() - before) * 1000
      if (i % CALLS_IN_A_TURN === 0) await turn()
    }
    return percentiles(samples)
  }
  const put = await all((key, index) => store.put(key, data.value(index, 0)))
  const getSync = await all((key, index) => data.check(index, store.getSync(key, index)))
  const remove = await all((key) => store.remove(key))
  return { put, getSync, delete: remove }
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
