/**
 * The frame around every workload: equal starting conditions, readings, loops that run for a time.
 */
import { spawnSync } from 'node:child_process'
import { readDeviceWrites } from './device-writes.ts'
import { OtherLoad } from './other-load.ts'
import { type PeakReadings, Peaks, readWrittenBytes } from './peaks.ts'

/**
 * How long a loop of calls runs before it lets the event loop turn, be they answered at once: background jobs go on as
 * in a real program, and the readings beside are taken.
 */
const TURN_MS = 10
/** The clock is asked once in so many calls. */
const CALLS_AT_A_TIME = 16
const LATENCY_CALLS = 20_000
const LATENCY_MS_MAX = 500
const QUIET_MS = 300
const SETTLE_MS_MAX = 20_000

/** Latencies of single calls, microseconds. */
export interface Latencies {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** What a workload did. */
export interface Work {
  readonly operations: number
  /** From the first call to the last answer; opening and closing are apart. */
  readonly seconds: number
  /** Bytes of keys and values that were put or came back. */
  readonly userBytes: number
  readonly way?: string
  readonly latenciesUs?: Latencies
  readonly openMs?: number
  /** Of deletehalf: until its store gave nothing back any more, and bytes on disk over live ones then. */
  readonly spaceBackMs?: number
  readonly diskOverLive?: number
  readonly closeMs?: number
  /** Of the closed store, allocated; and the most that was seen. */
  readonly diskBytes?: number
  readonly diskBytesMax?: number
  /** Puts that the store made wait: for how long in sum, by its own count. */
  readonly stallMs?: number
  readonly ballastBytes?: number
  readonly relocatedBytes?: number
  /** The engine's own counters at the end. */
  readonly figures?: Readonly<Record<string, unknown>>
}

/** What a workload did, and what is left to do behind the readings. */
export interface Outcome extends Work {
  /** One call of its kind, whose latencies are taken then. */
  readonly single?: () => unknown
  /** Puts back what it has changed. */
  readonly undo?: () => Promise<void>
}

/** One measured workload of a child. */
export interface WorkloadResult extends Work, PeakReadings {
  readonly workload: string
  /** Of the processor, all threads of the process: of what `run` did. */
  readonly cpuSeconds: number
  /** Bytes that the disk was given until everything was on it. */
  readonly deviceBytes: number | null
  /** Cores that other programs, or the host, used meanwhile. */
  readonly otherCores: number | null
}

/** Runs one workload on a store below `directory` and takes the readings beside it. */
export async function measure(
  workload: string,
  directory: string,
  run: () => Promise<Outcome>,
): Promise<WorkloadResult> {
  clearDebts()
  const deviceBefore = readDeviceWrites(directory)
  const other = new OtherLoad()
  const before = process.cpuUsage()
  const peaks = new Peaks()
  const { single, undo, ...work } = await run()
  const readings = peaks.finish()
  const { user, system } = process.cpuUsage(before)
  // Apart from the rate, in which the clock would count, and from the processor's time.
  const latencies = single && { latenciesUs: await sampleLatencies(work.seconds, single) }
  const otherCores = other.cores()
  writeBack()
  const deviceAfter = readDeviceWrites(directory)
  const deviceBytes =
    deviceBefore === null || deviceAfter === null ? null : deviceAfter - deviceBefore
  await undo?.()
  const cpuSeconds = (user + system) / 1e6
  return { workload, ...work, ...latencies, ...readings, cpuSeconds, deviceBytes, otherCores }
}

/** Collects garbage and writes dirty pages back: what came earlier is not paid for during what is measured. */
export function clearDebts(): void {
  globalThis.gc?.()
  writeBack()
}

function writeBack(): void {
  if (process.platform !== 'win32') spawnSync('sync', { stdio: 'ignore' })
}

/** Waits until the process has written nothing for a while: an engine's background work is done. */
export async function settle(): Promise<void> {
  const deadline = performance.now() + SETTLE_MS_MAX
  let written = readWrittenBytes()
  let quietSince = performance.now()
  while (written !== null && performance.now() < deadline) {
    await pause(QUIET_MS / 10)
    const now = readWrittenBytes()
    // The harness itself writes a few bytes (wake-ups of the event loop).
    if (now !== null && now - written > 4096) quietSince = performance.now()
    else if (performance.now() - quietSince >= QUIET_MS) return
    written = now
  }
}

/** Calls `call` one after the other for a time, without awaiting. @returns operations and seconds */
export async function repeatSync(
  seconds: number,
  call: () => void,
): Promise<Pick<Work, 'operations' | 'seconds'>> {
  let operations = 0
  const start = performance.now()
  const turns = new Turns()
  let now = start
  while (now - start < seconds * 1000) {
    for (let i = 0; i < CALLS_AT_A_TIME; i++) call()
    operations += CALLS_AT_A_TIME
    now = performance.now()
    if (turns.isDue(now)) await turns.take()
  }
  return { operations, seconds: (now - start) / 1000 }
}

/** Awaits one call after the other for a time, or until there were `enough`. */
export async function repeat(
  seconds: number,
  call: () => Promise<unknown>,
  callsAtATime: number = CALLS_AT_A_TIME,
  enough: () => boolean = () => false,
): Promise<Pick<Work, 'operations' | 'seconds'>> {
  let operations = 0
  const start = performance.now()
  const turns = new Turns()
  let now = start
  while (now - start < seconds * 1000 && !enough()) {
    for (let i = 0; i < callsAtATime; i++) await call()
    operations += callsAtATime
    now = performance.now()
    if (turns.isDue(now)) await turns.take()
  }
  return { operations, seconds: (now - start) / 1000 }
}

/** So many callers, each of whom awaits a call before the next; for a time, or until there were `enough`. */
export async function repeatAtOnce(
  callers: number,
  seconds: number,
  call: () => Promise<unknown>,
  callsAtATime?: number,
  enough?: () => boolean,
): Promise<Pick<Work, 'operations' | 'seconds'>> {
  const start = performance.now()
  const runs = await Promise.all(
    Array.from({ length: callers }, () => repeat(seconds, call, callsAtATime, enough)),
  )
  const operations = runs.reduce((sum, run) => sum + run.operations, 0)
  return { operations, seconds: (performance.now() - start) / 1000 }
}

async function sampleLatencies(seconds: number, call: () => unknown): Promise<Latencies> {
  const samples = new Float64Array(LATENCY_CALLS)
  let count = 0
  const deadline = performance.now() + Math.min(LATENCY_MS_MAX, seconds * 1000)
  while (count < LATENCY_CALLS) {
    const before = performance.now()
    const result = call()
    if (result instanceof Promise) await result
    const after = performance.now()
    samples[count++] = (after - before) * 1000
    if (after > deadline) break
  }
  return percentiles(samples.subarray(0, count))
}

/** Of samples, which are sorted in place. */
export function percentiles(samples: Float64Array): Latencies {
  samples.sort()
  const count = samples.length
  const at = (share: number): number => samples[Math.min(count - 1, Math.floor(count * share))]!
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }
}

/** Seconds that `run` took. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return (performance.now() - start) / 1000
}

/** Turns of the event loop beside a loop of calls: one in so many milliseconds. */
export class Turns {
  #dueAt: number = performance.now() + TURN_MS

  isDue(now: number = performance.now()): boolean {
    return now >= this.#dueAt
  }

  async take(): Promise<void> {
    await turn()
    this.#dueAt = performance.now() + TURN_MS
  }
}

/** Lets the event loop turn once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Waits so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
