/**
 * The workloads of all engines, interleaved: round, then size, then engine, each in a process of its own.
 *
 * The way to fill an engine that won the first round is used in the later ones. Workloads that other load disturbed are
 * measured once more, on a store of their own; what is disturbed then, too, stays and is marked.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { EngineName } from '../engines/engine.ts'
import { ENTRIES_MAX } from '../engines/settings.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { runChild } from '../harness/children.ts'
import { formatRate } from '../harness/markdown.ts'
import type { WorkloadResult } from '../harness/measure.ts'
import { isDisturbed } from '../harness/other-load.ts'
import { type Step, type Steps, secondsSince } from '../harness/steps.ts'
import { LOADS } from '../harness/workload-names.ts'
import { bestRow, type Job, type Row, rate } from './results.ts'

const CHILD = new URL('./child.js', import.meta.url)
/** No workload takes so long, be the engine ever so slow. */
const SILENT_MS_MAX = 10 * 60_000

/** What is to be measured, and where. */
export interface RoundsPlan {
  readonly sizes: readonly number[]
  readonly engines: readonly EngineName[]
  /** At a size of values; none: nothing is measured there. */
  readonly workloadsAt: (valueBytes: number) => readonly string[]
  readonly totalBytes: number
  /** ... but no more values than this. */
  readonly entriesMax: number
  readonly rounds: number
  readonly seconds: number
  readonly seed: number
  readonly directory: string
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

interface Place {
  readonly valueBytes: number
  readonly round: number
  readonly engine: EngineName
}

type Places = Pick<RoundsPlan, 'sizes' | 'engines' | 'workloadsAt' | 'totalBytes' | 'entriesMax'>

/** In the order in which {@link runRound} takes them. */
export function roundSteps(plan: Places, round: number): Step[] {
  return placesOf(plan, round).map((place) => {
    const group = formatBytes(place.valueBytes)
    return { kind: `${place.engine} at ${group}`, name: stepName(place), round, group }
  })
}

function stepName({ engine, valueBytes, round }: Place): string {
  return `${engine} at ${formatBytes(valueBytes)}, round ${round}`
}

function placesOf(plan: Places, round: number): Place[] {
  return plan.sizes
    .filter((valueBytes) => plan.workloadsAt(valueBytes).length > 0)
    .flatMap((valueBytes) =>
      plan.engines
        .filter((engine) => tooMany(plan, valueBytes, engine) === undefined)
        .map((engine) => ({ valueBytes, round, engine })),
    )
}

/** @returns why, by `cacache at 256 B` and the like */
export function leftOutForTheirNumber(plan: Places): Record<string, string> {
  const sizes = plan.sizes.filter((valueBytes) => plan.workloadsAt(valueBytes).length > 0)
  const found = sizes.flatMap((valueBytes) =>
    plan.engines.flatMap((engine): [string, string][] => {
      const why = tooMany(plan, valueBytes, engine)
      return why === undefined ? [] : [[`${engine} at ${formatBytes(valueBytes)}`, why]]
    }),
  )
  return Object.fromEntries(found)
}

/** Bytes of the values in a store. */
function bytesAt({ totalBytes, entriesMax }: Places, valueBytes: number): number {
  return Math.min(totalBytes, entriesMax * valueBytes)
}

function tooMany(plan: Places, valueBytes: number, engine: EngineName): string | undefined {
  const entries = Math.floor(bytesAt(plan, valueBytes) / valueBytes)
  const most = ENTRIES_MAX[engine] ?? Infinity
  return entries > most
    ? `${entries} values, and each is a file: they would take minutes (${most} at most)`
    : undefined
}

/** Runs every engine once and adds what it measured to `rows`. */
export async function runRound(
  plan: RoundsPlan,
  round: number,
  steps: Steps,
  rows: Row[],
): Promise<void> {
  for (const place of placesOf(plan, round)) {
    await steps.take(stepName(place), async () => {
      const startedAt = performance.now()
      const found: Row[] = []
      try {
        await measurePlace(plan, place, rows, found)
        const disturbed = found.filter(({ otherCores }) => isDisturbed(otherCores))
        // With as long as all of them took it is certainly enough for some.
        if (disturbed.length === 0 || !steps.canRepeat(secondsSince(startedAt))) return
        const names = [...new Set(disturbed.map(({ workload }) => workload))]
        console.error(`disturbed by other load, once more: ${names.join(', ')}`)
        await measureAgain(plan, place, rows, found, names)
      } finally {
        // What was measured before a failure is worth something.
        replaceRows(rows, place, found)
      }
    })
  }
}

/** @param found of the workloads of these names, rows of the second time take the place of those of the first one */
async function measureAgain(
  plan: RoundsPlan,
  place: Place,
  rows: readonly Row[],
  found: Row[],
  names: readonly string[],
): Promise<void> {
  const again: Row[] = []
  // Which way was faster counts only if nothing disturbed it.
  const undisturbed = found.filter(({ workload }) => !names.includes(workload))
  await measurePlace({ ...plan, workloadsAt: () => names }, place, [...rows, ...undisturbed], again)
  const others = found.filter(({ workload }) => !again.some((row) => row.workload === workload))
  found.splice(0, found.length, ...others, ...again)
}

/** Those of a step that failed in an interrupted run go. */
function replaceRows(rows: Row[], place: Place, found: readonly Row[]): void {
  const isOf = (row: Row): boolean =>
    row.engine === place.engine && row.valueBytes === place.valueBytes && row.round === place.round
  const others = rows.filter((row) => !isOf(row))
  rows.splice(0, rows.length, ...others, ...found)
}

/** @param found takes what was measured, also if it fails */
async function measurePlace(
  plan: RoundsPlan,
  place: Place,
  earlier: readonly Row[],
  found: Row[],
): Promise<void> {
  const { engine, valueBytes } = place
  const { seconds, seed } = plan
  const totalBytes = bytesAt(plan, valueBytes)
  const workloads = plan.workloadsAt(valueBytes)
  const directory = path.join(plan.directory, engine)
  const ways = bestWays(earlier, engine, valueBytes)
  const job: Job = { engine, valueBytes, totalBytes, workloads, ways, seconds, directory, seed }
  const note = (result: WorkloadResult): void => {
    found.push({ ...result, ...place })
    logResult(place, result)
  }
  await plan.prepare()
  try {
    await runChild<WorkloadResult>(CHILD, job, note, SILENT_MS_MAX)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** The ways that won so far. */
function bestWays(
  rows: readonly Row[],
  engine: EngineName,
  valueBytes: number,
): Readonly<Record<string, string>> {
  const ways: Record<string, string> = {}
  for (const workload of LOADS) {
    const way = bestRow(rows, engine, valueBytes, workload)?.way
    if (way !== undefined) ways[workload] = way
  }
  return ways
}

function logResult({ engine, valueBytes, round }: Place, result: WorkloadResult): void {
  const way = result.way === undefined ? '' : ` (${result.way})`
  console.error(
    `round ${round}  ${formatBytes(valueBytes).padStart(7)}  ${engine.padEnd(13)}  ` +
      `${`${result.workload}${way}`.padEnd(26)} ${formatRate(rate(result)).padStart(8)}/s`,
  )
}
