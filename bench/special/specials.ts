/**
 * Measurements beside the throughput of loads and reads: how much a load writes, how long opening takes, a queue,
 * streams.
 *
 * Each step runs in a process of its own, and the best of the repetitions counts.
 */
import fs from 'node:fs'
import path from 'node:path'
import { runChild } from '../harness/children.ts'
import type { WorkloadResult } from '../harness/measure.ts'
import { median } from '../harness/statistics.ts'
import { type Job, writtenPerUserByte } from '../throughput/results.ts'
import { fillCache } from './cache.ts'
import { storeDocuments } from './documents.ts'
import { letExpire } from './expiring.ts'
import type { SpecialFigure } from './figures.ts'
import { followWriters } from './follow.ts'
import type { OpenJob, OpenReport } from './open-child.ts'
import type { QueueJob, QueueReport } from './queue-child.ts'
import { deleteRanges } from './range-delete.ts'
import { callForTheFirstTime, callOneAtATime } from './single-calls.ts'
import type { StreamJob, StreamReport } from './stream-child.ts'
import { timeCommand } from './time-command.ts'
import { writeTogether } from './together.ts'

/** Names that `--special` takes. */
export const SPECIALS = [
  'load-1GiB',
  'open-clean',
  'open-crash',
  'queue',
  'streams',
  'single',
  'first',
  'together',
  'documents',
  'range-delete',
  'expire-steady',
  'cache',
  'follow',
] as const

const WORKLOAD_CHILD = new URL('../throughput/child.js', import.meta.url)
const OPEN_CHILD = new URL('./open-child.js', import.meta.url)
const QUEUE_CHILD = new URL('./queue-child.js', import.meta.url)
const STREAM_CHILD = new URL('./stream-child.js', import.meta.url)
const MIB = 1024 * 1024
const LOAD_BYTES = 1024 * MIB
const LOAD_VALUE_BYTES = 4096
const CLEAN_KEYS = 1_000_000
const CLEAN_VALUE_BYTES = 1024
/** Starts of the command vary by a third. */
const COMMAND_RUNS = 15
const CRASH_VALUE_BYTES = 4096
const CRASH_LOG_BYTES = 300 * MIB
/** One peer at a time, interleaved. */
const QUEUE_ENGINES = ['wisc', 'classic-level'] as const
const QUEUE_STEPS = 50_000
const QUEUE_VALUE_BYTES = 100
/** Bytes of the value, and what the figures are. */
const STREAM_STEPS: readonly (Pick<StreamJob, 'step' | 'bytes'> & { readonly unit: string })[] = [
  { step: 'rates', bytes: 256 * MIB, unit: 'bytes/s' },
  { step: 'memory', bytes: 4096 * MIB, unit: 'bytes' },
  { step: 'parts', bytes: 1024 * MIB, unit: 'us' },
  { step: 'writers', bytes: 1024 * MIB, unit: 'puts/s' },
]
/** So that no memtable is flushed before the kill: a quarter of this lies above {@link CRASH_LOG_BYTES}. */
const CRASH_UNFLUSHED_BYTES_MAX = 2048 * MIB

/** What the measurements need to know of the run. */
export interface SpecialContext {
  readonly directory: string
  readonly repetitions: number
  readonly seed: number
  /** Of values in the store of range-delete. */
  readonly rangeBytes: number
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** Runs one measurement. */
export async function runSpecial(name: string, context: SpecialContext): Promise<SpecialFigure[]> {
  const directory = path.join(context.directory, 'special')
  const clear = (): void => fs.rmSync(directory, { recursive: true, force: true })
  clear()
  const run = RUNS[name]
  if (run === undefined) throw new Error(`unknown special measurement name=${name}`)
  const figures = await run(context, directory, clear)
  clear()
  return figures
}

const RUNS: Readonly<
  Record<
    string,
    (context: SpecialContext, directory: string, clear: () => void) => Promise<SpecialFigure[]>
  >
> = {
  'load-1GiB': loadOneGiB,
  'open-clean': openClean,
  'open-crash': openCrash,
  queue: takeFromQueues,
  streams: measureStreams,
  single: callOneAtATime,
  first: callForTheFirstTime,
  together: writeTogether,
  documents: storeDocuments,
  'range-delete': deleteRanges,
  'expire-steady': letExpire,
  cache: fillCache,
  follow: followWriters,
}

async function loadOneGiB(context: SpecialContext, directory: string): Promise<SpecialFigure[]> {
  const job: Job = {
    engine: 'wisc',
    valueBytes: LOAD_VALUE_BYTES,
    totalBytes: LOAD_BYTES,
    workloads: ['fillrandom'],
    ways: { fillrandom: 'writers' },
    seconds: 1,
    directory,
    seed: context.seed,
  }
  let found: WorkloadResult | undefined
  await context.prepare()
  await runChild<WorkloadResult>(WORKLOAD_CHILD, job, (result) => {
    found = result
  })
  if (found === undefined) throw new Error('the load reported nothing')
  return [
    { name: 'load-1GiB written', unit: 'bytes/user byte', value: writtenPerUserByte(found) },
    { name: 'load-1GiB ballast', unit: 'bytes', value: found.ballastBytes ?? null },
    { name: 'load-1GiB collector', unit: 'bytes', value: found.relocatedBytes ?? null },
    { name: 'load-1GiB memory peak', unit: 'bytes', value: found.memoryPeakBytes },
    { name: 'load-1GiB rate', unit: 'puts/s', value: found.operations / found.seconds },
  ]
}

async function openClean(context: SpecialContext, directory: string): Promise<SpecialFigure[]> {
  const job: OpenJob = {
    step: 'fill',
    directory,
    entries: CLEAN_KEYS,
    valueBytes: CLEAN_VALUE_BYTES,
    seed: context.seed,
    options: {},
  }
  await runOpenChild(job)
  const reports: OpenReport[] = []
  for (let i = 0; i < context.repetitions; i++) {
    await context.prepare()
    reports.push(await runOpenChild({ ...job, step: 'open' }))
  }
  await context.prepare()
  const statMs = median(timeCommand(['stat', directory], COMMAND_RUNS))
  return [
    ...openFigures('open-clean', reports),
    { name: 'open-clean wisc stat, median', unit: 'ms', value: statMs },
  ]
}

async function takeFromQueues(
  context: SpecialContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const best = new Map<string, QueueReport>()
  for (let i = 0; i < context.repetitions; i++) {
    for (const engine of QUEUE_ENGINES) {
      clear()
      const job: QueueJob = {
        engine,
        directory,
        steps: QUEUE_STEPS,
        valueBytes: QUEUE_VALUE_BYTES,
      }
      await context.prepare()
      await runChild<QueueReport>(QUEUE_CHILD, job, (report) => {
        const before = best.get(engine)
        if (before === undefined || report.seconds < before.seconds) best.set(engine, report)
      })
    }
  }
  return [...best].flatMap(([engine, { seconds, lastTenthSeconds }]) => [
    { name: `queue ${engine}, 50,000 steps`, unit: 's', value: seconds },
    { name: `queue ${engine}, the last tenth of them`, unit: 's', value: lastTenthSeconds },
  ])
}

async function measureStreams(
  { repetitions, prepare }: SpecialContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const figures: SpecialFigure[] = []
  const rounds = repetitions
  for (const { step, bytes, unit } of STREAM_STEPS) {
    clear()
    await prepare()
    await runChild<StreamReport>(STREAM_CHILD, { step, directory, bytes, rounds }, (report) => {
      for (const [name, value] of Object.entries(report))
        figures.push({ name: `streams, ${step}: ${name}`, unit, value })
    })
  }
  return figures
}

async function openCrash(
  context: SpecialContext,
  directory: string,
  clear: () => void,
): Promise<SpecialFigure[]> {
  const job: OpenJob = {
    step: 'fill-and-wait',
    directory,
    entries: Math.ceil(CRASH_LOG_BYTES / CRASH_VALUE_BYTES),
    valueBytes: CRASH_VALUE_BYTES,
    seed: context.seed,
    options: { maxUnflushedLogBytes: CRASH_UNFLUSHED_BYTES_MAX },
  }
  const reports: OpenReport[] = []
  for (let i = 0; i < context.repetitions; i++) {
    clear()
    await context.prepare()
    await runOpenChild(job)
    reports.push(await runOpenChild({ ...job, step: 'open' }))
  }
  return openFigures('open-crash', reports)
}

function openFigures(name: string, reports: readonly OpenReport[]): SpecialFigure[] {
  const best = reports.reduce((left, right) => (left.openMs <= right.openMs ? left : right))
  const figures: SpecialFigure[] = [
    { name: `${name} open`, unit: 'ms', value: best.openMs },
    { name: `${name} first get`, unit: 'ms', value: best.firstGetMs },
    { name: `${name} memory peak`, unit: 'bytes', value: best.memoryPeakBytes },
  ]
  for (const [field, value] of Object.entries(best.recovery)) {
    if (typeof value === 'number') {
      figures.push({ name: `${name} recovery ${field}`, unit: unitOf(field), value })
    }
  }
  return figures
}

function unitOf(field: string): string {
  if (field.endsWith('Ms')) return 'ms'
  return field.toLowerCase().includes('bytes') ? 'bytes' : ''
}

/** A child that waits after its last message is killed as a crash would do it. */
async function runOpenChild(job: OpenJob): Promise<OpenReport> {
  let found: OpenReport | undefined
  await runChild<OpenReport>(OPEN_CHILD, job, (report, child) => {
    found = report
    if (job.step === 'fill-and-wait') child.kill('SIGKILL')
  })
  if (found === undefined) throw new Error(`the child reported nothing step=${job.step}`)
  return found
}
