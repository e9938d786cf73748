/**
 * The comparison on the project's front page: one size of values, the loads that tell most, every peer.
 */
import { formatBytes } from '../harness/byte-sizes.ts'
import { renderTable } from '../harness/markdown.ts'
import { type Cell, type Figures, sizesOf } from './figures.ts'
import { roundsText } from './results.ts'
import { wrap } from './sections.ts'
import { type Standing, standingsOf } from './standings.ts'

const SIZE = 4096
const COLUMNS: readonly (readonly [workload: string, title: string])[] = [
  ['fillrandom', 'random puts'],
  ['overwrite', 'overwrites'],
  ['fillsync-64', 'durable puts, 64 callers'],
  ['readrandom', 'awaited `get`'],
  ['readrandom-sync', '`getSync`'],
  ['scan', 'entries of a scan'],
]
/** Who stands in it, in this order, as readers know them. */
const ROWS: readonly (readonly [engine: string, title: string])[] = [
  ['wisc', 'wisc'],
  ['lmdb-nosync', 'lmdb, `noSync`'],
  ['lmdb', 'lmdb'],
  ['classic-level', 'classic-level'],
  ['rocksdb', 'RocksDB (rocksdb-native)'],
  ['rocksdb-blob', 'RocksDB, blob files'],
  ['rocksdb-nxt', 'RocksDB (@nxtedition/rocksdb)'],
  ['sqlite', 'better-sqlite3'],
  ['files', 'plain files'],
  ['cacache', 'cacache'],
]
const COLUMNS_MAX = 118

/** By the names of the parts. */
export function frontPage(figures: Figures): Record<string, string> {
  return { comparison: comparison(figures) }
}

function comparison({ runs, cells }: Figures): string {
  const sizes = sizesOf(cells)
  const size = sizes.includes(SIZE) ? SIZE : sizes.at(-1)
  const of = cells.filter(({ valueBytes }) => valueBytes === size)
  const [run] = runs
  if (size === undefined || run === undefined) return 'Not measured yet.'
  const isMeasured = ([engine]: (typeof ROWS)[number]): boolean =>
    of.some((cell) => cell.engine === engine)
  const lines = ROWS.filter(isMeasured).map(([engine, title]) => {
    const own = of.filter((cell) => cell.engine === engine)
    const written = own.find(({ workload }) => workload === 'fillrandom')?.written
    return [
      title,
      ...COLUMNS.map(([workload]) => rateOf(own, workload)),
      written?.toFixed(2) ?? '-',
    ]
  })
  const absent = ROWS.filter((row) => !isMeasured(row)).map(([, title]) => title)
  const head = [
    `${formatBytes(size)} values, thousands a second`,
    ...COLUMNS.map(([, title]) => title),
  ]
  const circumstances =
    `${run.date.slice(0, 10)}, ${formatBytes(run.totalBytes)} of values in the page cache, ` +
    `${run.rounds === 1 ? '' : 'medians of '}${roundsText(run.rounds)}, ` +
    `${run.machine}. ` +
    `${absent.length === 0 ? '' : `Not measured at this size: ${absent.join(', ')}. `}` +
    `${places(standingsOf(of))} Rates do not travel, ratios do a little: measure your own load. ` +
    '[bench/README.md](bench/README.md) has the command, all sizes and loads, and what was missed.'
  return `${renderTable([...head, 'written for each byte of a fill'], lines)}\n\n${wrap(circumstances, COLUMNS_MAX)}`
}

/** `-`: the engine has no such call. */
function rateOf(own: readonly Cell[], workload: string): string {
  const rate = own.find((cell) => cell.workload === workload)?.rate
  if (rate === undefined) return '-'
  return (rate / 1000).toFixed(rate < 1e5 ? 1 : 0)
}

/** In how many rows wisc is ahead, and who is ahead of it in the others of the table. */
function places(standings: readonly Standing[]): string {
  const ahead = standings.filter(({ ratio }) => ratio >= 1).length
  const behind = COLUMNS.flatMap(([workload, title]) => {
    const found = standings.find((each) => each.workload === workload)
    if (!found || found.ratio >= 1) return []
    return [`${title} (${found.peer}: ${(1 / found.ratio).toFixed(1)} times as fast)`]
  })
  const all = `Of all ${standings.length} loads of this size wisc is the fastest of these in ${ahead}`
  return behind.length === 0 ? `${all}.` : `${all}; of this table not in ${behind.join(', ')}.`
}
