/** `wisc compact`: merges tables to the bottom of the tree. */
import type { Stats, Store } from '../../lib/index.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import { formatTable } from '../terminal/table.ts'
import { formatBytes, formatCount } from '../terminal/units.ts'
import { EXACT_BYTES, HEX, keyRange, RANGE, STORE_PATH, WAIT, waiting } from '../verb/arguments.ts'
import { defineVerb, type Verb } from '../verb/verb.ts'
import { changeStore } from '../verb/with-store.ts'

/** What a compaction changes. */
interface TreeFigures {
  readonly tables: number
  readonly tableBytes: number
  readonly entries: number
  readonly tombstones: number
  readonly diskBytes: number
}

export const compact: Verb = defineVerb({
  usage: 'compact <path>',
  summary: 'Merge tables to the bottom of the tree',
  details:
    'Overwritten entries and tombstones are gone then. Without a range, of all keys. ' +
    'Needs the lock of the store. Ctrl-C stops between two steps; what is merged by then stays.',
  examples: [
    ['wisc compact photos.db', 'All keys'],
    ['wisc compact photos.db --prefix album/', 'The keys that begin with album/'],
  ],
  options: (command) =>
    command
      .positional('path', STORE_PATH)
      .options(RANGE)
      .option('hex', HEX)
      .option('bytes', EXACT_BYTES)
      .option('wait', WAIT),
  run: async ({ path, hex, bytes: exact, wait, json, ...words }, context) => {
    const { output, progress, signal } = context
    const range = keyRange(words, hex)
    const report = await changeStore(path, waiting(wait, context), context, async (store) => {
      const before = treeFigures(store)
      progress.note('compact')
      await store.compact(range, {
        signal,
        onProgress: ({ share }) => progress.note(`compact: ${Math.floor(share * 100)} %`),
      })
      return { before, after: treeFigures(store) }
    })
    if (json) await output.json(report)
    else await output.write(render(report.before, report.after, exact, output.columns))
    return EXIT_CODE.fine
  },
})

function treeFigures(store: Store): TreeFigures {
  const { tables, levels, diskBytes } = store.stats()
  const sum = (of: (level: Stats['levels'][number]) => number): number =>
    levels.reduce((total, level) => total + of(level), 0)
  return {
    tables,
    tableBytes: sum(({ bytes }) => bytes),
    entries: sum(({ entries }) => entries),
    tombstones: sum(({ tombstones }) => tombstones),
    diskBytes,
  }
}

function render(before: TreeFigures, after: TreeFigures, exact: boolean, columns: number): string {
  const row = (name: string, of: (figures: TreeFigures) => string): string[] => [
    name,
    of(before),
    of(after),
  ]
  const rows = [
    row('tables', ({ tables }) => formatCount(tables)),
    row('table bytes', ({ tableBytes }) => formatBytes(tableBytes, exact)),
    row('entries', ({ entries }) => formatCount(entries)),
    row('tombstones', ({ tombstones }) => formatCount(tombstones)),
    row('on disk', ({ diskBytes }) => formatBytes(diskBytes, exact)),
  ]
  const titles = [{ title: '', align: 'left' }, { title: 'before' }, { title: 'after' }] as const
  return formatTable(titles, rows, columns)
}
