/**
 * The figures of one or several runs in a small form: medians and how far the rounds lie apart. `publish` writes them
 * to bench/figures.json, which is checked in, and every table of the pages is made of that file.
 */
import fs from 'node:fs'
import { worstDelays } from '../harness/loop-delay.ts'
import { isDisturbed } from '../harness/other-load.ts'
import { median, spreadOf } from '../harness/statistics.ts'
import { PACED } from '../harness/workload-names.ts'
import type { SpecialFigure } from '../special/figures.ts'
import { judgeSteady } from '../steady/goals.ts'
import { type SteadySummary, summarize, withoutCollector } from '../steady/summary.ts'
import { type Row, type Series, seriesOf, writtenPerUserByte } from '../throughput/results.ts'
import { type Crossover, crossovers } from './crossover.ts'
import { enginesIn, type Report, roundsMade } from './results.ts'
import { judge } from './targets.ts'

const MIB = 1024 ** 2

/** All that the pages show. */
export interface Figures {
  /** Where the others come from, in the order in which they were given. */
  readonly runs: readonly RunFacts[]
  readonly missing: Readonly<Record<string, string>>
  readonly cells: readonly Cell[]
  readonly crossovers: readonly DatedCrossover[]
  readonly steady: readonly SteadyFigure[]
  readonly specials: readonly SpecialFigure[]
  readonly goals: readonly GoalFigure[]
}

/** A run, and where it was made. */
export interface RunFacts
  extends Pick<
    Report,
    'date' | 'machine' | 'versions' | 'command' | 'warm' | 'totalBytes' | 'rounds'
  > {
  readonly engines: readonly string[]
  /** Later rounds, for which the time did not suffice. */
  readonly leftOut: readonly string[]
}

export interface DatedCrossover extends Crossover {
  /** Of its run. */
  readonly date: string
}

/** One engine in one workload at one size of values. */
export interface Cell {
  readonly workload: string
  readonly valueBytes: number
  readonly engine: string
  /** Operations a second: the median, the lowest and the highest round. */
  readonly rate: number
  readonly low: number
  readonly high: number
  /** Bytes given to write calls for each byte of keys and values; null where nothing tells. */
  readonly written: number | null
  /** Of the processor, all threads, for an operation; null where there was none. */
  readonly cpuUs: number | null
  readonly memoryMiB: number | null
  /** How late the event loop was, in the worst round. */
  readonly loopP99Ms: number | null
  readonly loopMaxMs: number | null
  /** Of single calls, where they were taken. */
  readonly p50Us: number | null
  readonly p99Us: number | null
  readonly p999Us: number | null
  /** Of deletehalf, when nothing more came back. */
  readonly diskOverLive: number | null
  /** Rounds beside which other programs took more of the processor than they may. */
  readonly disturbed: number
}

/** A row of overwrite-steady. */
export interface SteadyFigure {
  readonly row: string
  readonly overwritesPerSecond: number
  /** Of the same load without a collector. */
  readonly ofOff: number | null
  readonly space: number | null
  readonly spaceAtRest: number
  readonly written: number | null
  readonly relocated: number | null
  readonly p99Us: number | null
  readonly p999Us: number | null
  readonly loopDelayMs: number
  readonly memoryMiB: number | null
}

/** A figure that wisc has set itself. */
export interface GoalFigure {
  readonly text: string
  readonly limit: number
  readonly atLeast: boolean
  readonly measured: number | null
  readonly met: boolean
}

/**
 * Of the runs together: of a row that several of them have measured the first one counts, of a crossover the one that
 * has it at most sizes.
 */
export function figuresOf(reports: readonly Report[]): Figures {
  const rows = firstOf(reports)
  const specials = reports.flatMap((report) => report.specials)
  const summaries = summarize(reports.flatMap((report) => report.steady))
  const steadyRows = reports.flatMap((report) => report.steadyRows)
  const goals = judge(rows, specials).filter(({ measured }) => measured !== null)
  return {
    runs: reports.map(factsOf),
    missing: Object.assign({}, ...reports.map(({ missing }) => missing)),
    cells: seriesOf(rows).map(cellOf),
    crossovers: fullestOf(reports.map(crossoversOf)),
    steady: summaries.map((summary) => steadyOf(summary, summaries)),
    specials,
    goals: [...goals, ...judgeSteady(steadyRows, summaries)],
  }
}

/** The rows of each engine, workload and size out of the first run that has them. */
function firstOf(reports: readonly Report[]): Row[] {
  const known = new Set<string>()
  return reports.flatMap(({ rows }) => {
    const nameOf = (row: Row): string => `${row.workload} ${row.valueBytes} ${row.engine}`
    const found = rows.filter((row) => !known.has(nameOf(row)))
    for (const row of found) known.add(nameOf(row))
    return found
  })
}

function crossoversOf({ rows, seed, date }: Report): DatedCrossover[] {
  return crossovers(seriesOf(rows), seed).map((found) => ({ ...found, date }))
}

function fullestOf(ofRuns: readonly (readonly DatedCrossover[])[]): DatedCrossover[] {
  const fullest = new Map<string, DatedCrossover>()
  for (const found of ofRuns.flat()) {
    const other = fullest.get(found.workload)
    if (!other || found.points.length > other.points.length) fullest.set(found.workload, found)
  }
  return [...fullest.values()]
}

/** Without what only tells of one machine: where its files were, and the build of its kernel. */
function factsOf(report: Report): RunFacts {
  const { date, machine, versions, command, warm, totalBytes } = report
  return {
    date,
    machine: machine.replace(/\b(Linux \d+\.\d+)\S*?(?=,|$)/, '$1'),
    versions,
    command: command.replaceAll(/ --(?:json|report|resume|dir)[ =]\S+/g, ''),
    warm,
    totalBytes,
    rounds: roundsMade(report),
    engines: enginesIn(report),
    leftOut: report.leftOut ?? [],
  }
}

function cellOf({ workload, valueBytes, engine, rows, rates }: Series): Cell {
  const { median: rate, low, high } = spreadOf(rates)
  const taken = rows.flatMap(({ latenciesUs }) => latenciesUs ?? [])
  const loop = worstDelays(rows.map(({ loopDelayMs }) => loopDelayMs))
  return {
    workload,
    valueBytes,
    engine,
    rate,
    low,
    high,
    written: middle(rows.map(writtenPerUserByte)),
    cpuUs: middle(rows.map(processorUs)),
    memoryMiB: highest(
      rows.map(({ memoryPeakBytes }) => memoryPeakBytes),
      MIB,
    ),
    loopP99Ms: loop.p99 ?? null,
    loopMaxMs: loop.max,
    p50Us: middle(taken.map(({ p50 }) => p50)),
    p99Us: middle(taken.map(({ p99 }) => p99)),
    p999Us: middle(taken.map(({ p999 }) => p999)),
    diskOverLive: middle(rows.map(({ diskOverLive }) => diskOverLive ?? null)),
    disturbed: rows.filter(({ otherCores }) => isDisturbed(otherCores)).length,
  }
}

/** At a pace the harness itself waits for the next call, with a busy loop. */
function processorUs({ workload, cpuSeconds, operations }: Series['rows'][number]): number | null {
  if (PACED.includes(workload)) return null
  const us = (1e6 * cpuSeconds) / operations
  return Number.isFinite(us) ? us : null
}

function steadyOf(summary: SteadySummary, all: readonly SteadySummary[]): SteadyFigure {
  const off = withoutCollector(all, summary.load)
  const { row, overwritesPerSecond, steadyLatenciesUs, latenciesUs, memoryPeakBytes } = summary
  return {
    row,
    overwritesPerSecond,
    ofOff: off ? overwritesPerSecond / off.overwritesPerSecond : null,
    space: summary.spaceSteady,
    spaceAtRest: summary.spaceSettled,
    written: summary.written,
    relocated: summary.relocated,
    p99Us: (steadyLatenciesUs ?? latenciesUs)?.p99 ?? null,
    p999Us: (steadyLatenciesUs ?? latenciesUs)?.p999 ?? null,
    loopDelayMs: summary.loopDelayMs.max,
    memoryMiB: memoryPeakBytes === null ? null : memoryPeakBytes / MIB,
  }
}

function middle(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : median(known)
}

function highest(values: readonly (number | null)[], unit: number): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : Math.max(...known) / unit
}

/** The sizes of values that were measured, ascending. */
export function sizesOf(cells: readonly Cell[]): number[] {
  const sizes = new Set(cells.map(({ valueBytes }) => valueBytes))
  return [...sizes].toSorted((left, right) => left - right)
}

const LISTS = ['runs', 'cells', 'crossovers', 'steady', 'specials', 'goals'] as const

/** Lists have an element a line, numbers four digits: what changed between two runs can be read as a difference. */
export function showFigures(figures: Figures): string {
  const line = (value: unknown): string => JSON.stringify(value, fourDigits)
  const lists = LISTS.map((name) => {
    const elements: readonly unknown[] = figures[name]
    return `"${name}": [${elements.map((element) => `\n  ${line(element)}`).join(',')}\n]`
  })
  return `{\n"missing": ${line(figures.missing)},\n${lists.join(',\n')}\n}\n`
}

function fourDigits(_name: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isInteger(value)) return value
  return Number(value.toPrecision(4))
}

/** @throws Error for what {@link showFigures} has not made */
export function readFigures(file: string): Figures {
  const figures = JSON.parse(fs.readFileSync(file, 'utf8')) as Partial<Figures>
  if (!LISTS.every((name) => Array.isArray(figures[name]))) {
    throw new Error(`not the figures of a benchmark: ${file}`)
  }
  return figures as Figures
}
