/** `wisc stat`: the store at a glance. */
import type { LevelStats, Stats } from '../../lib/index.ts'
import { EXACT_BYTES, STORE_PATH } from '../arguments.ts'
import { formatBar } from '../bar.ts'
import { escapeText } from '../escape.ts'
import { EXIT_CODE } from '../exit-code.ts'
import type { Output } from '../output.ts'
import { formatFields, formatTable } from '../table.ts'
import { formatBytes, formatCount } from '../units.ts'
import { defineVerb, type Verb } from '../verb.ts'
import { inspectStore } from '../with-store.ts'

/** See tools/schema/stat.json. Counters since an open would all be 0 here: nobody has used this one. */
interface Figures {
  readonly path: string
  readonly diskBytes: number
  readonly segments: number
  readonly tables: number
  readonly tableBytes: number
  /** Entries of tables, tombstones among them; a key that was overwritten may have several. */
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records in the value log that entries of tables point to. */
  readonly pointedBytes: number
  /** What lies only in the log and had to be replayed. */
  readonly replayedRecords: number
  readonly memtableBytes: number
  readonly lastSequence: number
  readonly durableSequence: number
  readonly levels: readonly LevelStats[]
}

export const stat: Verb = defineVerb({
  usage: 'stat <path>',
  summary: 'Show a store at a glance: sizes, tree, log',
  details: 'Needs no lock and writes nothing; the store may be in use.',
  examples: [
    ['wisc stat photos.db', 'For people'],
    ['wisc stat photos.db --json | jq .diskBytes', 'For programs'],
  ],
  options: (command) => command.positional('path', STORE_PATH).option('bytes', EXACT_BYTES),
  run: async ({ path, bytes: exact, json }, context) => {
    const stats = await inspectStore(path, context, async (store) => store.stats())
    const figures = toFigures(path, stats)
    const { output } = context
    if (json) await output.json(figures)
    else await output.write(render(figures, exact, output))
    return EXIT_CODE.fine
  },
})

function toFigures(path: string, stats: Stats): Figures {
  const { levels } = stats
  const sum = (of: (level: LevelStats) => number): number =>
    levels.reduce((total, level) => total + of(level), 0)
  return {
    path,
    diskBytes: stats.diskBytes,
    segments: stats.segments,
    tables: stats.tables,
    tableBytes: sum(({ bytes }) => bytes),
    entries: sum(({ entries }) => entries),
    tombstones: sum(({ tombstones }) => tombstones),
    pointedBytes: sum(({ pointedBytes }) => pointedBytes),
    replayedRecords: stats.recovery.replayedRecords,
    memtableBytes: stats.memtableBytes,
    lastSequence: stats.lastSequence,
    durableSequence: stats.durableSequence,
    levels,
  }
}

function render(figures: Figures, exact: boolean, output: Output): string {
  const { columns } = output
  const size = (bytes: number): string => formatBytes(bytes, exact)
  const fields = [
    ['on disk', size(figures.diskBytes)],
    ['tables', `${formatCount(figures.tables)}, ${size(figures.tableBytes)}`],
    ['entries', formatCount(figures.entries)],
    ['tombstones', formatCount(figures.tombstones)],
    ['segments', formatCount(figures.segments)],
    ['pointed to', size(figures.pointedBytes)],
    ['only in the log', `${formatCount(figures.replayedRecords)} records`],
    ['last sequence', formatCount(figures.lastSequence)],
    ['durable up to', formatCount(figures.durableSequence)],
  ] as const
  const title = output.style('bold', escapeText(figures.path))
  const levels = renderLevels(figures.levels, size, output)
  return `${title}\n\n${formatFields(fields, columns)}${levels && `\n${levels}`}`
}

/** Levels that hold something, each with its share of the bytes of all tables. */
function renderLevels(
  levels: readonly LevelStats[],
  size: (bytes: number) => string,
  output: Output,
): string {
  const total = levels.reduce((sum, { bytes }) => sum + bytes, 0)
  const rows = levels.flatMap((level, index) =>
    level.tables === 0
      ? []
      : [
          [
            `${index}`,
            formatCount(level.runs),
            formatCount(level.tables),
            size(level.bytes),
            formatCount(level.entries),
            formatCount(level.tombstones),
            (cells: number) =>
              formatBar(
                [
                  { amount: level.bytes, sign: '#', paint: (text) => output.style('green', text) },
                  { amount: total - level.bytes, sign: '.' },
                ],
                cells,
              ),
          ],
        ],
  )
  if (rows.length === 0) return ''
  const titles = ['level', 'runs', 'tables', 'size', 'entries', 'tombstones']
  const share = { title: 'share', align: 'left' } as const
  return formatTable([...titles.map((title) => ({ title })), share], rows, output.columns)
}
