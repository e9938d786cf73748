/**
 * `overwrite-steady`: how much space and writing a store needs that is overwritten for ever, and what its
 * collector costs.
 *
 * Rounds, loads, targets and peers are interleaved: in each round, for each load, one run without a collector and
 * one for each target and peer right behind it, each in a process and a store of its own.
 */
import fs from 'node:fs'
import path from 'node:path'
import { askChild } from '../harness/children.ts'
import { formatRate } from '../harness/markdown.ts'
import { measureUndisturbed } from '../harness/other-load.ts'
import type { Step, Steps } from '../harness/steps.ts'
import {
  overwritesPerSecond,
  type SteadyJob,
  type SteadyResult,
  type SteadyRun,
} from './results.ts'
import { groupByLoad, nameRow, type SteadyRow } from './rows.ts'

const CHILD = new URL('./child.js', import.meta.url)

/** What is to be measured, and where. */
export interface SteadyPlan {
  readonly rows: readonly SteadyRow[]
  readonly totalBytes: number
  readonly factor: number
  readonly prefer: string | undefined
  readonly seed: number
  readonly directory: string
  /** The same for rows in a file system of their own. */
  readonly loopDirectory: string | undefined
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** In the order in which {@link runSteady} takes them. */
export function steadySteps(rows: readonly SteadyRow[], round: number): Step[] {
  return groupByLoad(rows).flatMap(({ load, rows: alike }) => {
    const group = nameRow({ ...load, target: undefined })
    return alike.map((row) => ({
      name: stepName(nameRow(row), round),
      kind: nameRow(row),
      round,
      group,
    }))
  })
}

function stepName(row: string, round: number): string {
  return `${row}, round ${round}`
}

/** Runs every row once and adds what it measured to `runs`. */
export async function runSteady(
  plan: SteadyPlan,
  round: number,
  steps: Steps,
  runs: SteadyRun[],
): Promise<void> {
  const rows = groupByLoad(plan.rows).flatMap((group) => group.rows)
  for (const each of rows) {
    const row = nameRow(each)
    await steps.take(stepName(row, round), async () => {
      const { found, otherCores } = await measureUndisturbed(
        row,
        () => measureRow(plan, each),
        (seconds) => steps.canRepeat(seconds),
      )
      const { target, engine, ...load } = each
      const of = { row, load, engine: engine ?? null, target: target ?? null, round }
      const run: SteadyRun = { ...found, ...of, otherCores }
      runs.push(run)
      const rate = formatRate(overwritesPerSecond(run))
      console.error(`round ${round}  ${row.padEnd(23)} ${rate.padStart(8)}/s`)
    })
  }
}

async function measureRow(plan: SteadyPlan, row: SteadyRow): Promise<SteadyResult> {
  const { target, engine, ...load } = row
  const place = load.loop ? plan.loopDirectory : plan.directory
  if (place === undefined) throw new Error(`there is no ${load.loop} for ${nameRow(row)}`)
  const directory = path.join(place, 'steady')
  const { totalBytes, factor, seed, prefer } = plan
  const job: SteadyJob = {
    load,
    totalBytes,
    factor,
    directory,
    seed,
    ...(engine === undefined ? {} : { engine }),
    ...(target === undefined ? {} : { target }),
    ...(prefer === undefined ? {} : { prefer }),
  }
  await plan.prepare()
  try {
    return await askChild<SteadyResult>(CHILD, job)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}
