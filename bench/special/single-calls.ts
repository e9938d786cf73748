/**
 * Calls one at a time, on one engine after the other: the first ones of a process, and those of a million entries.
 */
import path from 'node:path'
import type { EngineName } from '../engines/engine.ts'
import { askChild } from '../harness/children.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
import type { CallsJob, CallsReport } from './single-calls-child.ts'

const CHILD = new URL('./single-calls-child.js', import.meta.url)
const ENGINES: readonly EngineName[] = ['wisc', 'classic-level', 'lmdb-nosync']

const SMALL_ENTRIES = 1_000_000
const SMALL_VALUE_BYTES = 100
const FIRST_VALUE_BYTES = 4096
const WINDOW = 20_000
/** What the first calls are held against: so many windows of as many. */
const WINDOWS = 6
/** Of an engine in a round. */
const OPENS = 5

/** In a store of half a million entries of 100 bytes and more: p50, p99 and the longest of put, getSync and delete. */
export async function callOneAtATime(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const engine of ENGINES) {
    await beginAnew(context)
    const job: CallsJob = {
      engine,
      directory: path.join(context.directory, engine),
      seed: context.seed,
      step: 'single',
      entries: SMALL_ENTRIES,
      valueBytes: SMALL_VALUE_BYTES,
    }
    const { latenciesUs } = await askChild<CallsReport>(CHILD, job)
    for (const [call, latencies] of Object.entries(latenciesUs)) {
      for (const part of ['p50', 'p99', 'max'] as const) {
        readings.push({
          name: `single ${engine} ${call} ${part}`,
          unit: 'us',
          value: latencies[part],
        })
      }
    }
  }
  return readings
}

/**
 * Of a process that has just begun: the open of a store and the first get, behind the import; and how long its first
 * 20,000 puts, getSyncs and overwrites take, beside the best of the windows behind.
 */
export async function callForTheFirstTime(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  const add = (name: string, value: number): void => {
    readings.push({ name, unit: 'ms', value })
  }
  await beginAnew(context)
  for (const engine of ENGINES) {
    const base = { engine, directory: path.join(context.directory, engine), seed: context.seed }
    const job = { ...base, entries: WINDOWS * WINDOW, valueBytes: FIRST_VALUE_BYTES }
    const run = async (step: CallsJob['step']): Promise<CallsReport> => {
      await context.prepare()
      return askChild<CallsReport>(CHILD, { ...job, step })
    }
    const windows = async (step: 'put' | 'getSync' | 'overwrite'): Promise<void> => {
      const { windowMs } = await run(step)
      const name = `first ${engine} ${step}, 20,000`
      add(name, windowMs[0]!)
      add(`${name} warm`, Math.min(...windowMs.slice(1)))
    }
    await windows('put')
    for (let open = 0; open < OPENS; open++) {
      const { openMs, openCpuMs } = await run('open')
      add(`first ${engine} open and get`, openMs)
      add(`first ${engine} open and get, processor`, openCpuMs)
    }
    await windows('getSync')
    await windows('overwrite')
  }
  return readings
}
