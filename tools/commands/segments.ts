/** `wisc segments`: the files of the value log, a row each. */
import { type SegmentRow, segmentRows } from '../../lib/inspect/collection/segment-report.ts'
import { type AgedRow, formatAge, withAges } from '../terminal/ages.ts'
import { formatBar } from '../terminal/bar.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { type Column, formatTable } from '../terminal/table.ts'
import { formatBytes, formatUnits } from '../terminal/units.ts'
import { formatLegend } from '../terminal/wrap.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { deadAndPunched, renderEvictions } from '../verb/gc-text.ts'
import { openReaders } from '../verb/owner.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'

/** What rows are sorted by, the largest first; files by their numbers. */
const ORDERS = {
  file: ({ number }: SegmentRow) => -number,
  size: ({ totalBytes }: SegmentRow) => totalBytes,
  disk: ({ diskBytes }: SegmentRow) => diskBytes,
  live: (row: SegmentRow) => liveBytes(row),
  dead: (row: SegmentRow) => deadAndPunched(row).dead,
  hidden: ({ hiddenBytes }: SegmentRow) => hiddenBytes ?? 0,
  age: ({ ageSeconds }: AgedRow) => ageSeconds ?? 0,
} as const

const FILTERS = {
  candidates: ({ action }: SegmentRow) => action !== null,
  kept: ({ action }: SegmentRow) => action === null,
  open: ({ state }: SegmentRow) => state === 'open',
  sealed: ({ state, kind }: SegmentRow) => state === 'sealed' && kind === 'segment',
  relocations: ({ kind }: SegmentRow) => kind === 'relocation',
  punched: ({ punchedBytes }: SegmentRow) => punchedBytes > 0,
} as const

const COLUMNS: readonly Column[] = [
  { title: 'file', align: 'left' },
  { title: 'state', align: 'left' },
  { title: 'size' },
  { title: 'live' },
  { title: 'age' },
  { title: 'plan', align: 'left', columnsMin: 14 },
  { title: 'content', align: 'left' },
]

export const segments: Verb = defineVerb({
  usage: 'segments <path>',
  summary: 'List the files of the value log, and what a collection would do with each',
  details:
    'In the column "plan" stands what the collector would do to come to its target (DROP, PUNCH, REWRITE), or why ' +
    'it leaves the file alone; from counters alone it is a guess. Age is the time since the file was last written, ' +
    'or punched. With --exact the tree is walked and the plan is exact, for the tree as it is (gc compacts it ' +
    'first); hidden bytes (which a compaction would expose) and pinned ones (which a snapshot or iterator of the ' +
    'process that has the store open still sees) are told from live ones; if that process does not answer, it is ' +
    'unknown which of the two they are. With --json a line a file. Needs no lock and writes nothing; the store may ' +
    'be in use.',
  examples: [
    ['wisc segments photos.db', 'At a glance, from counters alone'],
    ['wisc segments photos.db --exact --sort dead', 'After a walk, most garbage first'],
    ['wisc segments photos.db --filter candidates --json', 'What would be collected'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .option('exact', { type: 'boolean', default: false, describe: 'Walk the tree' })
      .option('sort', {
        choices: Object.keys(ORDERS) as (keyof typeof ORDERS)[],
        default: 'file' as const,
        describe: 'The order of the rows, largest first',
      })
      .option('filter', {
        choices: Object.keys(FILTERS) as (keyof typeof FILTERS)[],
        describe: 'These files only',
      })
      .option('bytes', EXACT_BYTES),
  run: async ({ path, exact, sort, filter, bytes, json }, context) => {
    const { output, progress, signal } = context
    if (exact) progress.note('walking the tree')
    const { all, evictedBelow } = await inspectAgain(path, context, async (store) => {
      const open = exact ? await openReaders(path, context) : []
      const readers = open?.map(({ sequence }) => sequence)
      const rows = await segmentRows(store, { isExact: exact, readers, signal })
      return { all: withAges(path, rows), evictedBelow: store.stats().evicted.belowSequence }
    })
    const order = ORDERS[sort]
    const rows = all
      .filter(filter ? FILTERS[filter] : () => true)
      .sort((left, right) => order(right) - order(left))
    if (json) for (const row of rows) await output.json(row)
    else {
      const evictions = renderEvictions(evictedBelow, output.columns)
      await output.write(`${render(rows, exact, bytes, output)}${evictions && `\n${evictions}`}`)
    }
    return EXIT_CODE.fine
  },
})

/** Those of referenced bytes that are known to be neither hidden nor pinned. */
function liveBytes({ referencedBytes, hiddenBytes, pinnedBytes }: SegmentRow): number {
  return Math.max(0, referencedBytes - (hiddenBytes ?? 0) - (pinnedBytes ?? 0))
}

/** A bar of what is in a file. */
export function contentBar(row: SegmentRow, cells: number, output: Output): string {
  const { hiddenBytes, pinnedBytes } = row
  const { dead, punched } = deadAndPunched(row)
  const parts = [
    {
      amount: liveBytes(row),
      sign: '#',
      paint: (text: string) => output.style('green', text),
    },
    { amount: pinnedBytes ?? 0, sign: 'p', paint: (text: string) => output.style('cyan', text) },
    { amount: hiddenBytes ?? 0, sign: 'h', paint: (text: string) => output.style('yellow', text) },
    {
      amount: dead,
      sign: '.',
      paint: (text: string) => output.style('red', text),
    },
    { amount: punched, sign: '_' },
  ]
  return formatBar(parts, cells)
}

/** What the signs of {@link contentBar} mean. */
export function contentLegend(isExact: boolean, columns: number): string {
  const walked = isExact ? ['p pinned', 'h hidden'] : []
  const live = isExact ? '# live' : '# live, pinned or hidden (see --exact)'
  return formatLegend([live, ...walked, '. dead', '_ punched'], columns)
}

function render(
  rows: readonly AgedRow[],
  isExact: boolean,
  bytes: boolean,
  output: Output,
): string {
  if (rows.length === 0) return 'no files\n'
  const size = (amount: number): string => formatBytes(amount, bytes)
  const cells = rows.map((row) => [
    row.file,
    row.kind === 'segment' ? row.state : row.kind,
    size(row.totalBytes),
    percent(liveBytes(row), row.totalBytes),
    formatAge(row),
    planOf(row),
    (columns: number) => contentBar(row, columns, output),
  ])
  const sum = (of: (row: AgedRow) => number): number =>
    rows.reduce((total, row) => total + of(row), 0)
  const totals = [
    formatUnits(rows.length, 'file'),
    `${size(sum(({ diskBytes }) => diskBytes))} on disk`,
    `${size(sum((row) => deadAndPunched(row).dead))} dead`,
    `${size(sum((row) => deadAndPunched(row).punched))} punched`,
    ...(isExact ? [`${size(sum(({ hiddenBytes }) => hiddenBytes ?? 0))} hidden`] : []),
    ...(isExact ? [`${pinnedOf(rows, size)} pinned`] : []),
  ]
  const { columns } = output
  return (
    `${formatTable(COLUMNS, cells, columns)}\n` +
    contentLegend(isExact, columns) +
    formatLegend(totals, columns)
  )
}

/** Unknown if that of any file is. */
function pinnedOf(rows: readonly AgedRow[], size: (amount: number) => string): string {
  let sum = 0
  for (const { pinnedBytes } of rows) {
    if (pinnedBytes === null) return 'unknown'
    sum += pinnedBytes
  }
  return size(sum)
}

/** What would be done, in capitals, or why nothing. */
function planOf({ action, reason }: SegmentRow): string {
  return action?.toUpperCase() ?? reason ?? ''
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${Math.round((part / whole) * 100)}%`
}
