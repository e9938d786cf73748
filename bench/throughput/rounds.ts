/**
 * The workloads of all engines, interleaved: size, then round, then engine, each in a process of its own.
 *
 * The way to fill an engine that won the first round is used in the later ones. What was disturbed by other load is
 * measured once more; what is disturbed then, too, stays and is marked.
 */
import fs from 'node:fs'
import path from 'node:path'
import type { EngineName } from '../engines/engine.ts'
import { formatBytes } from '../harness/byte-sizes.ts'
import { runChild } from '../harness/children.ts'
import { formatRate } from '../harness/markdown.ts'
import type { WorkloadResult } from '../harness/measure.ts'
import { isDisturbed } from '../harness/other-load.ts'
import type { Step, Steps } from '../harness/steps.ts'
import { LOADS } from '../harness/workload-names.ts'
import { bestRow, type Job, type Row, rate } from './results.ts'

const CHILD = new URL('./child.js', import.meta.url)
const TRIES = 2

/** What is to be measured, and where. */
export interface RoundsPlan {
  readonly sizes: readonly number[]
  readonly engines: readonly EngineName[]
  readonly workloads: readonly string[]
  readonly totalBytes: number
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

type Extent = Pick<RoundsPlan, 'sizes' | 'rounds' | 'engines' | 'workloads'>

/** In the order in which {@link runRounds} takes them. */
export function roundSteps(plan: Extent): Step[] {
  return placesOf(plan).map((place) => {
    const kind = `${place.engine} at ${formatBytes(place.valueBytes)}`
    return { kind, name: stepName(place) }
  })
}

function stepName({ engine, valueBytes, round }: Place): string {
  return `${engine} at ${formatBytes(valueBytes)}, round ${round}`
}

function placesOf({ sizes, rounds, engines, workloads }: Extent): Place[] {
  if (workloads.length === 0) return []
  return sizes.flatMap((valueBytes) =>
    Array.from({ length: rounds }, (_, i) =>
      engines.map((engine) => ({ valueBytes, round: i + 1, engine })),
    ).flat(),
  )
}

/** Runs every engine and adds what it measured to `rows`. */
export async function runRounds(plan: RoundsPlan, steps: Steps, rows: Row[]): Promise<void> {
  for (const place of placesOf(plan)) {
    await steps.take(stepName(place), async () => {
      for (let tries = 1; ; tries++) {
        const found = await measurePlace(plan, place, rows)
        const disturbed = found.filter(({ otherCores }) => isDisturbed(otherCores))
        if (disturbed.length === 0 || tries === TRIES) {
          rows.push(...found)
          return
        }
        const names = new Set(disturbed.map(({ workload }) => workload))
        console.error(`disturbed by other load, once more: ${[...names].join(', ')}`)
      }
    })
  }
}

async function measurePlace(
  plan: RoundsPlan,
  place: Place,
  earlier: readonly Row[],
): Promise<Row[]> {
  const { engine, valueBytes } = place
  const { totalBytes, workloads, seconds, seed } = plan
  const directory = path.join(plan.directory, engine)
  const ways = bestWays(earlier, engine, valueBytes)
  const job: Job = { engine, valueBytes, totalBytes, workloads, ways, seconds, directory, seed }
  const rows: Row[] = []
  await plan.prepare()
  try {
    await runChild<WorkloadResult>(CHILD, job, (result) => {
      rows.push({ ...result, ...place })
      logResult(place, result)
    })
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
  return rows
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
