/** What special measurements are given, and the figures that they make: the medians of all their readings. */
import fs from 'node:fs'
import type { EngineName } from '../engines/engine.ts'
import { renderTable } from '../harness/markdown.ts'
import { DISTURBED } from '../harness/other-load.ts'
import { median, spreadOf } from '../harness/statistics.ts'

const MIB = 1024 * 1024

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

/** The special measurements. */
export function renderSpecials(figures: readonly SpecialFigure[]): string {
  const lines = figures.map(({ name, unit, value, readings = [], otherCores }) => [
    name,
    formatSpecial(unit, value) + (otherCores === undefined ? '' : ' *'),
    readings.length > 1
      ? [spreadOf(readings).low, spreadOf(readings).high]
          .map((end) => formatSpecial(unit, end))
          .join(' to ')
      : '-',
  ])
  const table = renderTable(['measurement', 'median', 'all readings'], lines)
  const isMarked = figures.some(({ otherCores }) => otherCores !== undefined)
  return isMarked ? `${table}\n\n\\* ${DISTURBED}` : table
}

function formatSpecial(unit: string, value: number | null): string {
  if (value === null) return '-'
  if (unit === 'bytes') return `${(value / MIB).toFixed(1)} MiB`
  if (unit === 'bytes/s') return `${(value / MIB).toFixed(0)} MiB/s`
  return `${value.toFixed(value < 100 && !Number.isInteger(value) ? 2 : 0)} ${unit}`.trimEnd()
}
