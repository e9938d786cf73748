/** What special measurements are given, and the figures that they make: the medians of all their readings. */
import fs from 'node:fs'
import type { EngineName } from '../engines/engine.ts'
import { renderTable } from '../harness/markdown.ts'
import { DISTURBED } from '../harness/other-load.ts'
import { median, spreadOf } from '../harness/statistics.ts'

const MIB = 1024 * 1024
const MARK = ' *'

/** How names are made of a table, a line and a column. */
const SHAPES: readonly RegExp[] = [
  /^(?<table>tree|reopen-killed|first|single) (?<line>\S+) (?<column>.+)$/,
  /^(?<table>together) (?<column>\S+) (?<line>[^ ,]+)(?:, (?<more>.+))?$/,
  /^(?<table>queue) (?<line>[^ ,]+), (?<column>.+)$/,
  /^(?<line>(?<table>documents|noise) [^,]+), (?<column>.+)$/,
  /^(?<table>follow), (?<line>[^:]+): (?<column>.+)$/,
  /^(?<table>range-delete) (?<line>[^:]+): (?<column>.+)$/,
]
/** Values that do not compress stand below the documents. */
const IN_TABLE: Readonly<Record<string, string>> = { noise: 'documents' }

/** What the measurements need to know of the run. */
export interface SpecialContext {
  /** Of their stores; nothing else is in it. */
  readonly directory: string
  readonly seed: number
  /** Those of the measurements that ask every engine. */
  readonly engines: readonly EngineName[]
  /** Of values in the store of range-delete. */
  readonly rangeBytes: number
  /** Called before each process that is measured. */
  readonly prepare: () => Promise<void>
}

/** Before a process that makes a store: nothing is left of the one before. */
export async function beginAnew({ directory, prepare }: SpecialContext): Promise<void> {
  fs.rmSync(directory, { recursive: true, force: true })
  await prepare()
}

/** One reading of a figure. */
export interface SpecialReading {
  readonly name: string
  readonly unit: string
  /** Null where the platform does not tell. */
  readonly value: number | null
}

/** All readings of a figure. */
export interface SpecialFigure extends SpecialReading {
  /** The median; null if no round could tell. */
  readonly value: number | null
  /** Round by round; results of before 2026-12 have the best alone, as `value`. */
  readonly readings?: readonly number[]
  /** Cores that others used while it was measured for the last time, if that was more than may be. */
  readonly otherCores?: number
}

/** Adds the readings of a round to what the rounds before have found. */
export function addReadings(
  figures: SpecialFigure[],
  found: readonly SpecialReading[],
  otherCores: number | null,
): void {
  for (const { name, unit, value } of found) {
    const at = figures.findIndex((figure) => figure.name === name)
    const readings = [...(figures[at]?.readings ?? []), ...(value === null ? [] : [value])]
    const middle = readings.length === 0 ? null : median(readings)
    const disturbed = otherCores === null ? {} : { otherCores }
    const figure = { ...figures[at], name, unit, value: middle, readings, ...disturbed }
    figures.splice(at < 0 ? figures.length : at, 1, figure)
  }
}

interface Placed {
  readonly figure: SpecialFigure
  readonly table: string
  readonly line: string
  readonly column: string
}

/**
 * As Markdown: those that ask several engines, or of several loads, have a table each, a line for each of these; all
 * others share one.
 */
export function renderSpecials(figures: readonly SpecialFigure[]): string {
  const placed = figures.flatMap((figure) => place(figure) ?? [])
  const tables = [...new Set(placed.map(({ table }) => table))]
  const others = figures.filter((figure) => place(figure) === null)
  const parts = [
    ...tables.map((name) => renderPlaced(placed.filter(({ table }) => table === name))),
    others.length === 0 ? '' : renderOthers(others),
    figures.some(({ otherCores }) => otherCores !== undefined) ? `\\* ${DISTURBED}` : '',
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function place(figure: SpecialFigure): Placed | null {
  for (const shape of SHAPES) {
    const found = shape.exec(figure.name)?.groups
    if (!found) continue
    const { table = '', line = '', column = '', more } = found
    return {
      figure,
      table: IN_TABLE[table] ?? table,
      line,
      column: more === undefined ? column : `${column}, ${more}`,
    }
  }
  return null
}

/** Of one table. */
function renderPlaced(placed: readonly Placed[]): string {
  const titles = new Map(placed.map(({ column, figure }) => [column, titleOf(column, figure)]))
  const lines = [...new Set(placed.map(({ line }) => line))].map((line) => [
    line,
    ...[...titles.keys()].map((column) => {
      const found = placed.find((each) => each.line === line && each.column === column)
      return found ? showMedian(found.figure) : '-'
    }),
  ])
  return renderTable([placed[0]!.table, ...titles.values()], lines)
}

function titleOf(column: string, { unit }: SpecialFigure): string {
  return unit === '' ? column : `${column}, ${scaleOf(unit).name}`
}

/** The median, and how far the farthest reading lies from it. */
function showMedian({ unit, value, readings = [], otherCores }: SpecialFigure): string {
  if (value === null) return '-'
  const { low, high } = spreadOf([value, ...readings])
  const share = value === 0 ? 0 : Math.round((100 * Math.max(high - value, value - low)) / value)
  const spread = share === 0 ? '' : ` ±${share} %`
  return `${showValue(unit, value)}${spread}${otherCores === undefined ? '' : MARK}`
}

function renderOthers(figures: readonly SpecialFigure[]): string {
  const lines = figures.map(({ name, unit, value, readings = [], otherCores }) => [
    name,
    showWithUnit(unit, value) + (otherCores === undefined ? '' : MARK),
    readings.length > 1
      ? [spreadOf(readings).low, spreadOf(readings).high]
          .map((end) => showWithUnit(unit, end))
          .join(' to ')
      : '-',
  ])
  return renderTable(['measurement', 'median', 'all readings'], lines)
}

function showWithUnit(unit: string, value: number | null): string {
  return value === null ? '-' : `${showValue(unit, value)} ${scaleOf(unit).name}`.trimEnd()
}

function showValue(unit: string, value: number): string {
  const { by, digits } = scaleOf(unit)
  const scaled = value / by
  return scaled.toFixed(digits ?? (scaled < 100 && !Number.isInteger(scaled) ? 2 : 0))
}

function scaleOf(unit: string): {
  readonly by: number
  readonly digits?: number
  readonly name: string
} {
  if (unit === 'bytes') return { by: MIB, digits: 1, name: 'MiB' }
  return unit === 'bytes/s' ? { by: MIB, digits: 0, name: 'MiB/s' } : { by: 1, name: unit }
}
