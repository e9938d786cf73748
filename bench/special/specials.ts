/**
 * Measurements beside the throughput of loads and reads: how much a load writes, how long opening takes, a queue,
 * streams, a directory tree.
 *
 * Each step runs in a process of its own. One call is one round: the medians of all rounds count.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { askChild, runChild } from '../harness/children.ts'
import type { WorkloadResult } from '../harness/measure.ts'
import { median } from '../harness/statistics.ts'
import { type Job, writtenPerUserByte } from '../throughput/results.ts'
import { fillCache, letExpire } from './bounded.ts'
import { storeDocuments } from './documents.ts'
import { openKilled, storeTree } from './every-engine.ts'
import { beginAnew, type SpecialContext, type SpecialReading } from './figures.ts'
import { followWriters } from './follow.ts'
import type { OpenJob, OpenReport } from './open-child.ts'
import type { QueueJob, QueueReport } from './queue-child.ts'
import { deleteRanges } from './range-delete.ts'
import { callForTheFirstTime, callOneAtATime } from './single-calls.ts'
import type { StreamJob, StreamReport } from './stream-child.ts'
import { writeTogether } from './together.ts'

const WORKLOAD_CHILD = new URL('../throughput/child.js', import.meta.url)
const OPEN_CHILD = new URL('./open-child.js', import.meta.url)
const QUEUE_CHILD = new URL('./queue-child.js', import.meta.url)
const STREAM_CHILD = new URL('./stream-child.js', import.meta.url)
const COMMAND = fileURLToPath(new URL('../../bin/wisc.js', import.meta.url))
const MIB = 1024 * 1024
const LOAD_BYTES = 1024 * MIB
const LOAD_VALUE_BYTES = 4096
const CLEAN_KEYS = 1_000_000
const CLEAN_VALUE_BYTES = 1024
/** Of the store that was closed; opens of the killed one need a store each. */
const CLEAN_OPENS = 3
/** Starts of the command vary by a third. */
const COMMAND_RUNS = 15
const CRASH_VALUE_BYTES = 4096
const CRASH_LOG_BYTES = 300 * MIB
/** One peer at a time, interleaved. */
const QUEUE_ENGINES = ['wisc', 'classic-level'] as const
/** What classic-level takes grows with the square of them: 5 minutes for 50,000. */
const QUEUE_STEPS = 20_000
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

interface Special {
  /** What is measured: the page of the benchmark lists it. */
  readonly text: string
  readonly run: (context: SpecialContext) => Promise<SpecialReading[]>
}

/** By the names that `--special` takes. */
const ALL: Readonly<Record<string, Special>> = {
  'load-1GiB': {
    text: '1 GiB in values of 4 KiB: bytes given to write calls for each byte',
    run: loadOneGiB,
  },
  'open-clean': {
    text: 'opening a cleanly closed store of a million keys with values of 1 KiB, and `wisc stat` on it',
    run: openClean,
  },
  'open-crash': {
    text: 'opening behind kill -9 with 300 MiB of log of which no memtable was flushed, the page cache warm',
    run: openCrash,
  },
  'reopen-killed': {
    text: 'every engine: an open and a get behind kill -9 in the midst of overwrites',
    run: openKilled,
  },
  first: {
    text: 'a process that has just begun: the open, the first get, its first 20,000 calls',
    run: callForTheFirstTime,
  },
  single: {
    text:
      'six seconds each of single puts, getSyncs and deletes in a store of half a million to a million entries of ' +
      '100 bytes: p50, p99 and the longest, beside classic-level and lmdb',
    run: callOneAtATime,
  },
  queue: {
    text: 'a queue: 20,000 times the last entry is put, the first one read and deleted; beside classic-level',
    run: takeFromQueues,
  },
  together: {
    text: 'updates of one key by 64 callers, jobs that 8 workers claim by a transaction; beside lmdb',
    run: writeTogether,
  },
  documents: {
    text: '20,000 JSON documents of 4 KiB, compressed and not, beside classic-level and lmdb',
    run: storeDocuments,
  },
  tree: {
    text: 'every engine: 10,000 files of mixed sizes under their paths, loaded, read at random, read all',
    run: storeTree,
  },
  streams: {
    text:
      'values of 256 MiB and 4 GiB as streams, beside a loop that copies a file: rates, memory, parts of them, ' +
      'writers beside an upload',
    run: measureStreams,
  },
  'range-delete': {
    text:
      'half of a store of `--range-bytes` deleted by one range, filled in key order and in random order: until it ' +
      "has 1.3 times what lives and a segment; a million keys of 100 bytes beside classic-level's `clear`",
    run: deleteRanges,
  },
  'expire-steady': {
    text: 'values that all expire after 30 s, under a constant load for two minutes',
    run: letExpire,
  },
  cache: {
    text: "a cache of 256 MiB asked for 262,144 keys of 4 KiB by Zipf's law, beside simulated ones",
    run: fillCache,
  },
  follow: {
    text: 'how far a follower is behind its writer, and what that costs both',
    run: followWriters,
  },
}

/** Names that `--special` takes. */
export const SPECIALS: readonly string[] = Object.keys(ALL)

/** Two more, with flags and tables of their own. */
export const STEADY = 'overwrite-steady'
/** It takes tens of gigabytes, and runs only if it is asked for by name. */
export const GROW = 'grow'

/** What each measures, by its name. */
export const SPECIAL_TEXT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(ALL).map(([name, { text }]) => [name, text])),
  [STEADY]: '[overwriting for ever](#overwrite-steady)',
  [GROW]:
    '[a store that grows](#grow): only if it is asked for by name, for it takes one and a half times `--grow-bytes` ' +
    'of disk, and an hour',
}

/** Those that ask each of the engines. */
export const OF_EVERY_ENGINE: readonly string[] = ['tree', 'reopen-killed']

/** Runs one round of a measurement. */
export async function runSpecial(name: string, context: SpecialContext): Promise<SpecialReading[]> {
  return ALL[name]!.run(context)
}

async function loadOneGiB(context: SpecialContext): Promise<SpecialReading[]> {
  const { directory, seed } = context
  const job: Job = {
    engine: 'wisc',
    valueBytes: LOAD_VALUE_BYTES,
    totalBytes: LOAD_BYTES,
    workloads: ['fillrandom'],
    ways: { fillrandom: 'writers' },
    seconds: 1,
    directory,
    seed,
  }
  await beginAnew(context)
  const found = await askChild<WorkloadResult>(WORKLOAD_CHILD, job)
  return [
    { name: 'load-1GiB written', unit: 'bytes/user byte', value: writtenPerUserByte(found) },
    { name: 'load-1GiB ballast', unit: 'bytes', value: found.ballastBytes ?? null },
    { name: 'load-1GiB collector', unit: 'bytes', value: found.relocatedBytes ?? null },
    { name: 'load-1GiB memory peak', unit: 'bytes', value: found.memoryPeakBytes },
    { name: 'load-1GiB rate', unit: 'puts/s', value: found.operations / found.seconds },
  ]
}

async function openClean(context: SpecialContext): Promise<SpecialReading[]> {
  const { directory, seed } = context
  const job: OpenJob = {
    step: 'fill',
    directory,
    entries: CLEAN_KEYS,
    valueBytes: CLEAN_VALUE_BYTES,
    seed,
    options: {},
  }
  await beginAnew(context)
  await askChild<OpenReport>(OPEN_CHILD, job)
  const readings: SpecialReading[] = []
  for (let i = 0; i < CLEAN_OPENS; i++) {
    await context.prepare()
    const report = await askChild<OpenReport>(OPEN_CHILD, { ...job, step: 'open' })
    readings.push(...openReadings('open-clean', report))
  }
  await context.prepare()
  const statMs = median(Array.from({ length: COMMAND_RUNS }, () => timeStat(directory)))
  return [...readings, { name: 'open-clean wisc stat', unit: 'ms', value: statMs }]
}

/** Milliseconds from the start of the command to its end. */
function timeStat(directory: string): number {
  const before = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, 'stat', directory])
  const ms = performance.now() - before
  if (status !== 0) throw new Error(`wisc stat failed: ${stderr}`)
  return ms
}

async function takeFromQueues(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const engine of QUEUE_ENGINES) {
    await beginAnew(context)
    const job: QueueJob = {
      engine,
      directory: context.directory,
      steps: QUEUE_STEPS,
      valueBytes: QUEUE_VALUE_BYTES,
    }
    const { seconds, lastTenthSeconds } = await askChild<QueueReport>(QUEUE_CHILD, job)
    readings.push(
      { name: `queue ${engine}, all steps`, unit: 's', value: seconds },
      { name: `queue ${engine}, the last tenth of them`, unit: 's', value: lastTenthSeconds },
    )
  }
  return readings
}

async function measureStreams(context: SpecialContext): Promise<SpecialReading[]> {
  const readings: SpecialReading[] = []
  for (const { step, bytes, unit } of STREAM_STEPS) {
    await beginAnew(context)
    const job: StreamJob = { step, directory: context.directory, bytes }
    const report = await askChild<StreamReport>(STREAM_CHILD, job)
    for (const [name, value] of Object.entries(report))
      readings.push({ name: `streams, ${step}: ${name}`, unit, value })
  }
  return readings
}

async function openCrash(context: SpecialContext): Promise<SpecialReading[]> {
  const job: OpenJob = {
    step: 'fill-and-wait',
    directory: context.directory,
    entries: Math.ceil(CRASH_LOG_BYTES / CRASH_VALUE_BYTES),
    valueBytes: CRASH_VALUE_BYTES,
    seed: context.seed,
    options: { maxUnflushedLogBytes: CRASH_UNFLUSHED_BYTES_MAX },
  }
  await beginAnew(context)
  await runChild(OPEN_CHILD, job, (_message, child) => child.kill('SIGKILL'))
  const report = await askChild<OpenReport>(OPEN_CHILD, { ...job, step: 'open' })
  return openReadings('open-crash', report)
}

function openReadings(name: string, report: OpenReport): SpecialReading[] {
  const readings: SpecialReading[] = [
    { name: `${name} open`, unit: 'ms', value: report.openMs },
    { name: `${name} first get`, unit: 'ms', value: report.firstGetMs },
    { name: `${name} memory peak`, unit: 'bytes', value: report.memoryPeakBytes },
  ]
  for (const [field, value] of Object.entries(report.recovery)) {
    if (typeof value === 'number') {
      readings.push({ name: `${name} recovery ${field}`, unit: unitOf(field), value })
    }
  }
  return readings
}

function unitOf(field: string): string {
  if (field.endsWith('Ms')) return 'ms'
  return field.toLowerCase().includes('bytes') ? 'bytes' : ''
}
