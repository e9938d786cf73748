/** `wisc map`: where in a file of the value log live and dead records lie. */
import {
  type MapCell,
  type SegmentMap,
  segmentMap,
} from '../../lib/inspect/collection/segment-map.ts'
import { parseSegment } from '../terminal/amounts.ts'
import { EXIT_CODE, UsageError } from '../terminal/exit-code.ts'
import type { Output, Style } from '../terminal/output.ts'
import { formatTable } from '../terminal/table.ts'
import { formatBytes, formatCount } from '../terminal/units.ts'
import { formatLegend } from '../terminal/wrap.ts'
import { countOf, EXACT_BYTES, SEGMENT, STORE_PATH } from '../verb/arguments.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'

/** Of a strip, unless --cells says otherwise. */
const LINES = 8
const CELLS_MAX = 1_000_000
const JSON_CELLS = 256

/** By the share of what lives, from none to all. */
const SHADES: readonly { readonly sign: string; readonly says: string; readonly style: Style }[] = [
  { sign: '.', says: 'dead', style: 'red' },
  { sign: '-', says: 'a third lives', style: 'yellow' },
  { sign: '=', says: 'two thirds', style: 'yellow' },
  { sign: '+', says: 'most', style: 'green' },
  { sign: '#', says: 'all lives', style: 'green' },
]
const RECENT = '~'

export const map: Verb = defineVerb({
  usage: 'map <path> <segment>',
  summary: 'Show where in a file of the value log live and dead records lie',
  details:
    'A record lives if an entry of a table points to it; what is in no table yet is recent. The heads of all records ' +
    'of the file are read, no values. A segment that was moved is shown in the relocation that holds it. ' +
    'Needs no lock and writes nothing; the store may be in use.',
  examples: [
    ['wisc map photos.db 2', 'The file 000002.vlog'],
    ['wisc map photos.db 000002.vlog --json --cells 1000', 'In a thousand parts, for programs'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .positional('segment', SEGMENT)
      .option('cells', {
        type: 'number',
        requiresArg: true,
        describe: 'Parts of the file; by default what fits',
      })
      .option('bytes', EXACT_BYTES),
  run: async ({ path, segment, cells, bytes, json }, context) => {
    const { output, progress, signal } = context
    const number = parseSegment(segment)
    const width = stripWidth(output)
    const count = cells === undefined ? (json ? JSON_CELLS : width * LINES) : cellCount(cells)
    progress.note('walking the file')
    const found = await inspectAgain(path, context, (store) =>
      segmentMap(store, number, count, signal),
    )
    if (json) await output.json(found)
    else await output.write(render(found, width, bytes, output))
    return EXIT_CODE.fine
  },
})

function cellCount(cells: number): number {
  const count = countOf(cells, '--cells')
  if (count === 0 || count > CELLS_MAX) {
    throw new UsageError(`--cells must be 1 to ${formatCount(CELLS_MAX)}`)
  }
  return count
}

/** Before each line stands its offset, at most `1023.9 MiB`. */
const OFFSET_COLUMNS = 10

function stripWidth({ columns }: Output): number {
  return Math.max(10, columns - OFFSET_COLUMNS - 2)
}

function render(found: SegmentMap, width: number, bytes: boolean, output: Output): string {
  const { columns } = output
  const size = (amount: number): string => formatBytes(amount, bytes)
  const title = [found.file, found.kind, size(found.totalBytes), `${size(found.diskBytes)} on disk`]
  const rows = (['live', 'dead', 'recent'] as const).map((state) => [
    state,
    formatCount(found.records[state]),
    size(found.bytes[state]),
  ])
  const table = formatTable(
    [{ title: '', align: 'left' }, { title: 'records' }, { title: 'bytes' }],
    rows,
    columns,
  )
  const legend = [...SHADES.map(({ sign, says }) => `${sign} ${says}`), `${RECENT} recent`]
  const scale = `each sign ${size(found.cellBytes)}`
  return (
    formatLegend(title, columns) +
    `\n${strip(found, width, output)}\n` +
    `${formatLegend([...legend, scale], columns)}\n${table}`
  )
}

function strip({ cells, cellBytes }: SegmentMap, width: number, output: Output): string {
  let text = ''
  for (let from = 0; from < cells.length; from += width) {
    const signs = cells.slice(from, from + width).map((cell) => shade(cell, output))
    const offset = formatBytes(from * cellBytes, false).padStart(OFFSET_COLUMNS)
    text += `${offset}  ${signs.join('')}\n`
  }
  return text
}

function shade({ live, dead, recent }: MapCell, output: Output): string {
  if (recent > live + dead) return output.style('cyan', RECENT)
  if (live + dead === 0) return ' '
  const share = live / (live + dead)
  const index = share === 0 ? 0 : share === 1 ? SHADES.length - 1 : 1 + Math.floor(share * 3)
  const { sign, style } = SHADES[Math.min(index, SHADES.length - 1)]!
  return output.style(style, sign)
}
