/** The figures of special measurements, and their table. */
import { renderTable } from '../harness/markdown.ts'

const MIB = 1024 * 1024

/** The figure of a special measurement. */
export interface SpecialFigure {
  readonly name: string
  readonly unit: string
  readonly value: number | null
}

/** The special measurements. */
export function renderSpecials(figures: readonly SpecialFigure[]): string {
  const lines = figures.map(({ name, unit, value }) => [name, formatSpecial(unit, value)])
  return renderTable(['measurement', 'value'], lines)
}

function formatSpecial(unit: string, value: number | null): string {
  if (value === null) return '-'
  if (unit === 'bytes') return `${(value / MIB).toFixed(1)} MiB`
  if (unit === 'bytes/s') return `${(value / MIB).toFixed(0)} MiB/s`
  return `${value.toFixed(value < 100 && !Number.isInteger(value) ? 2 : 0)} ${unit}`.trimEnd()
}
