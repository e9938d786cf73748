/**
 * `overwrite-steady`: how much space and writing a store needs that is overwritten for ever, and what its
 * collector costs.
 *
 * Loads, rounds, targets and peers are interleaved: for each load, for each round, one run without a collector and
 * one for each target and peer right behind it, each in a process and a store of its own.
 */
import fs from 'node:fs'
import path from 'node:path'
import { runChild } from '../harness/children.ts'
import { formatRate } from '../harness/markdown.ts'
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
  readonly rounds: number
  readonly seed: number
  readonly directory: string
  /** The same for rows in a file system of their own. */
  readonly loopDirectory: string | undefined
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** In the order in which {@link runSteady} takes them. */
export function steadySteps(rows: readonly SteadyRow[], rounds: number): Step[] {
  return groupByLoad(rows).flatMap((group) =>
    Array.from({ length: rounds }, (_, i) =>
      group.rows.map((row) => ({ name: stepName(nameRow(row), i + 1), kind: nameRow(row) })),
    ).flat(),
  )
}

function stepName(row: string, round: number): string {
  return `${row}, round ${round}`
}

/** Runs every row and adds what it measured to `runs`. */
export async function runSteady(plan: SteadyPlan, steps: Steps, runs: SteadyRun[]): Promise<void> {
  for (const { load, rows } of groupByLoad(plan.rows)) {
    for (let round = 1; round <= plan.rounds; round++) {
      for (const each of rows) {
        const { target, engine } = each
        const row = nameRow(each)
        const place = load.loop ? plan.loopDirectory : plan.directory
        if (place === undefined) throw new Error(`there is no ${load.loop} for ${row}`)
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
        await steps.take(stepName(row, round), async () => {
          await plan.prepare()
          await runChild<SteadyResult>(CHILD, job, (result) => {
            const of = { row, load, engine: engine ?? null, target: target ?? null, round }
            const run: SteadyRun = { ...result, ...of }
            runs.push(run)
            const rate = formatRate(overwritesPerSecond(run))
            console.error(`round ${round}  ${row.padEnd(23)} ${rate.padStart(8)}/s`)
          })
        })
        fs.rmSync(directory, { recursive: true, force: true })
      }
    }
  }
}
