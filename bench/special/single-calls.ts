/**
 * Calls one at a time, on one engine after the other: the first ones of a process, and two million small entries.
 */
import path from 'node:path'
import type { EngineName } from '../engines/engine.ts'
import { runChild } from '../harness/children.ts'
import type { SpecialFigure } from './figures.ts'
import type { CallsJob, CallsReport } from './single-calls-child.ts'

const CHILD = new URL('./single-calls-child.js', import.meta.url)
const ENGINES: readonly EngineName[] = ['wisc', 'classic-level', 'lmdb-nosync']

const SMALL_ENTRIES = 2_000_000
const SMALL_VALUE_BYTES = 100
const FIRST_VALUE_BYTES = 4096
/** What the first calls are held against: so many windows of as many. */
const WINDOWS = 6

/** What this needs to know of the run. */
export interface CallsContext {
  readonly repetitions: number
  readonly seed: number
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** Two million entries of 100 bytes: p50 and p99 of put, getSync and delete. The lowest of all repetitions. */
export async function callOneAtATime(
  { repetitions, seed, prepare }: CallsContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures = new Map<string, SpecialFigure>()
  for (let i = 0; i < repetitions; i++) {
    for (const engine of ENGINES) {
      clear()
      const base = { engine, directory: path.join(directory, engine), seed }
      const job: CallsJob = {
        ...base,
        step: 'single',
        entries: SMALL_ENTRIES,
        valueBytes: SMALL_VALUE_BYTES,
      }
      await prepare()
      const { latenciesUs } = await run(job)
      for (const [call, latencies] of Object.entries(latenciesUs)) {
        for (const part of ['p50', 'p99'] as const) {
          keepLowest(figures, `single ${engine} ${call} ${part}`, 'us', latencies[part])
        }
      }
    }
  }
  return [...figures.values()]
}

/**
 * Of a process that has just begun: the open of a store and the first get, behind the import; and how long its first
 * 20,000 puts, getSyncs and overwrites take, beside the best of the windows behind.
 */
export async function callForTheFirstTime(
  { repetitions, seed, prepare }: CallsContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures = new Map<string, SpecialFigure>()
  for (let i = 0; i < repetitions; i++) {
    clear()
    for (const engine of ENGINES) {
      const base = { engine, directory: path.join(directory, engine), seed }
      const entries = WINDOWS * 20_000
      const job = { ...base, entries, valueBytes: FIRST_VALUE_BYTES }
      const windows = async (step: 'put' | 'getSync' | 'overwrite'): Promise<void> => {
        await prepare()
        const { windowMs } = await run({ ...job, step })
        const name = `first ${engine} ${step}, 20,000`
        keepLowest(figures, name, 'ms', windowMs[0]!)
        keepLowest(figures, `${name} warm`, 'ms', Math.min(...windowMs.slice(1)))
      }
      await windows('put')
      for (let open = 0; open < OPENS; open++) {
        await prepare()
        const { openMs, openCpuMs } = await run({ ...job, step: 'open' })
        keepLowest(figures, `first ${engine} open and get`, 'ms', openMs)
        keepLowest(figures, `first ${engine} open and get, processor`, 'ms', openCpuMs)
      }
      await windows('getSync')
      await windows('overwrite')
    }
  }
  return [...figures.values()]
}

/** Of an engine in a round. */
const OPENS = 5

function keepLowest(
  figures: Map<string, SpecialFigure>,
  name: string,
  unit: string,
  value: number,
): void {
  const before = figures.get(name)?.value ?? Infinity
  figures.set(name, { name, unit, value: Math.min(before, value) })
}

async function run(job: CallsJob): Promise<CallsReport> {
  let found: CallsReport | undefined
  await runChild<CallsReport>(CHILD, job, (report) => {
    found = report
  })
  if (found === undefined) throw new Error(`the child reported nothing step=${job.step}`)
  return found
}
