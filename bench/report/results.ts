/**
 * The file of a run: what `--json` writes, and what `report` and `compare` read.
 */
import fs from 'node:fs'
import { ENGINE_NAMES, type EngineName } from '../engines/engine.ts'
import type { GrowResults } from '../grow/results.ts'
import type { FinishedStep } from '../harness/steps.ts'
import type { SpecialFigure } from '../special/figures.ts'
import type { SteadyRun } from '../steady/results.ts'
import type { Row } from '../throughput/results.ts'

/** All of a run. */
export interface Report {
  readonly date: string
  readonly machine: string
  /** Of the engines' packages, as `lmdb 3.5.0`. */
  readonly versions: readonly string[]
  /** What was typed. */
  readonly command: string
  readonly warm: boolean
  readonly totalBytes: number
  readonly rounds: number
  readonly seed: number
  /** Why engines that were asked for are not in it, or not at a size; why steps have failed. */
  readonly missing: Readonly<Record<string, string>>
  /** The steps that are done: a run that was interrupted has not all of them. */
  readonly steps: readonly FinishedStep[]
  /** Later rounds of a part, for which the time did not suffice; older results have none. */
  readonly leftOut?: readonly string[]
  readonly rows: readonly Row[]
  readonly specials: readonly SpecialFigure[]
  /** Of overwrite-steady: bytes of values in its stores, and how often they were overwritten. */
  readonly steadyBytes: number
  readonly steadyFactor: number
  /** The rows that were asked for. */
  readonly steadyRows: readonly string[]
  readonly steady: readonly SteadyRun[]
  readonly grow: GrowResults
}

/** Those that a report tells of, in the order of their list. */
export function enginesIn({ rows, steady }: Report): EngineName[] {
  const named = new Set([
    ...rows.map(({ engine }) => engine),
    ...steady.map(({ engine }) => engine ?? 'wisc'),
  ])
  return ENGINE_NAMES.filter((name) => named.has(name))
}

/** Those that were made: of some parts fewer, where the time did not suffice. */
export function roundsMade({ rows, steady, rounds }: Report): number {
  const made = [...rows, ...steady].map(({ round }) => round)
  return made.length === 0 ? rounds : Math.max(...made)
}

/** Of how many rounds, as text. */
export function roundsText(rounds: number): string {
  return rounds === 1 ? 'one round' : `${rounds} rounds`
}

/** @throws Error for what no run wrote */
export function readReport(file: string): Report {
  const report = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<Report>
  if (!Array.isArray(report.rows) || typeof report.date !== 'string') {
    throw new Error(`not the results of a benchmark: ${file}`)
  }
  return { ...(report as Report), rows: report.rows.map(takeUpRow) }
}

/** Of before 2026-12: of the delays of the event loop it has the longest alone, as `longestPauseMs`. */
function takeUpRow(row: Row & { readonly longestPauseMs?: number }): Row {
  const { longestPauseMs, ...rest } = row
  return longestPauseMs === undefined ? row : { ...rest, loopDelayMs: { max: longestPauseMs } }
}
