/**
 * Tables of plain text that fit a width: columns side by side, or, where that is too narrow, one block of lines for
 * each row. Nothing is left out in either.
 */
import { fitText, padText, textWidth } from './text-width.ts'
import { wrapWords } from './wrap.ts'

const GAP = '  '

export interface Column {
  readonly title: string
  /** Default right. */
  readonly align?: 'left' | 'right'
  /** The column may be cut down to this many columns. */
  readonly columnsMin?: number
}

/** A text, or one that is made for the columns that are left for it, as bars are. */
export type Cell = string | ((columns: number) => string)

/** What a cell without a width of its own asks for. */
const DRAWN_COLUMNS = 30
const DRAWN_COLUMNS_MIN = 8

/** @returns the lines, each with its end */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string {
  const wanted = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...rows.map((row) => cellWidth(row[index]!))),
  )
  const widths = shrink(columns, rows, wanted, width)
  if (!widths) return formatBlocks(columns, rows, width)
  const line = (cells: readonly Cell[]): string =>
    cells
      .map((cell, index) => formatCell(cell, widths[index]!, columns[index]!.align ?? 'right'))
      .join(GAP)
      .trimEnd()
  return endLines([line(columns.map(({ title }) => title)), ...rows.map(line)])
}

/** Widths whose sum fits, or undefined. What may be cut is cut from the right. */
function shrink(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  wanted: readonly number[],
  width: number,
): number[] | undefined {
  const widths = [...wanted]
  let excess = widths.reduce((sum, each) => sum + each + GAP.length, -GAP.length) - width
  for (let index = columns.length - 1; index >= 0 && excess > 0; index--) {
    const isDrawn = rows.some((row) => typeof row[index] === 'function')
    const least = columns[index]!.columnsMin ?? (isDrawn ? DRAWN_COLUMNS_MIN : undefined)
    if (least === undefined) continue
    const cut = Math.max(0, Math.min(excess, widths[index]! - least))
    widths[index]! -= cut
    excess -= cut
  }
  return excess > 0 ? undefined : widths
}

/** Names and texts below each other: `name  text`. */
export function formatFields(
  fields: readonly (readonly [name: string, cell: Cell])[],
  width: number,
): string {
  const names = Math.max(...fields.map(([name]) => textWidth(name)))
  return endLines(
    fields.map(([name, cell]) => {
      const left = Math.max(1, width - names - GAP.length)
      const text = typeof cell === 'string' ? cell : cell(Math.min(left, DRAWN_COLUMNS))
      const lines = wrapField(text, left).split('\n')
      return lines
        .map((line, at) => `${padText(at === 0 ? name : '', names, 'left')}${GAP}${line}`.trimEnd())
        .join('\n')
    }),
  )
}

/** In columns that are too few for words nothing is gained. */
function wrapField(text: string, columns: number): string {
  if (columns < DRAWN_COLUMNS_MIN || textWidth(text) <= columns) return text
  return wrapWords(text.split(' '), columns, ' ', '')
}

function formatBlocks(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string {
  return rows
    .map((row) =>
      formatFields(
        columns.map(({ title }, index) => [title, row[index]!] as const),
        width,
      ),
    )
    .join('\n')
}

function cellWidth(cell: Cell): number {
  return typeof cell === 'string' ? textWidth(cell) : DRAWN_COLUMNS
}

function formatCell(cell: Cell, width: number, align: 'left' | 'right'): string {
  const text = typeof cell === 'string' ? fitText(cell, width) : cell(width)
  return padText(text, width, align)
}

function endLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}
