/** `wisc stat`: the store at a glance. */
import type { LevelStats, Stats } from '../../lib/index.ts'
import { EXACT_BYTES, STORE_PATH } from '../arguments.ts'
import { formatBar } from '../bar.ts'
import { escapeText } from '../escape.ts'
import { EXIT_CODE } from '../exit-code.ts'
import { deadAndPunched } from '../garbage.ts'
import { inspectAgain } from '../inspect-again.ts'
import type { Output } from '../output.ts'
import { askOwner } from '../owner.ts'
import { formatFields, formatTable } from '../table.ts'
import { formatBytes, formatCount, formatUnits } from '../units.ts'
import { defineVerb, type Verb } from '../verb.ts'
import { amplification } from './gc-text.ts'

/** See tools/schema/stat.json. */
interface Figures {
  readonly path: string
  readonly diskBytes: number
  /** Of these, the reserve for a full disk. */
  readonly ballastBytes: number
  /** Exact after a full compaction, else an estimate. */
  readonly liveBytes: number
  /** diskBytes / liveBytes; null if nothing lives. */
  readonly spaceAmplification: number | null
  /** Holes included. */
  readonly exposedGarbageBytes: number
  /** Of these, holes: they have been given back. */
  readonly punchedBytes: number
  /** By the estimate of the process that has the store open, if it answers. */
  readonly hiddenGarbageBytesEstimate: number
  readonly pinnedBytesEstimate: number
  readonly segments: number
  readonly relocations: number
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
  /** What only the process that has the store open knows; null if none answers. Counters since its open. */
  readonly owner: OwnerFigures | null
}

interface OwnerFigures {
  readonly writeAmplification: number
  readonly snapshots: number
  readonly iterators: number
  readonly oldestSequence: number | null
  readonly stalls: Stats['stalls']
  readonly collector: Stats['collector']
  /** Bytes of relocations that it has written. */
  readonly relocatedBytesWritten: number
}

export const stat: Verb = defineVerb({
  usage: 'stat <path>',
  summary: 'Show a store at a glance: sizes, garbage, tree, log',
  details:
    'On disk is everything in the directory, with the reserve for a full disk. Dead bytes can be collected, hidden ' +
    'ones after a compaction, pinned ones when the snapshots and iterators that see them are closed; punched ones ' +
    'are holes, already given back. Needs no lock and writes nothing; the store may be in use.',
  examples: [
    ['wisc stat photos.db', 'For people'],
    ['wisc stat photos.db --json | jq .diskBytes', 'For programs'],
  ],
  options: (command) => command.positional('path', STORE_PATH).option('bytes', EXACT_BYTES),
  run: async ({ path, bytes: exact, json }, context) => {
    const found = await inspectAgain(path, context, async (store) => store.stats())
    const ofOwner = await askOwner(path, (owner) => owner.ask('stats'))
    const figures = toFigures(path, found, ofOwner)
    const { output } = context
    if (json) await output.json(figures)
    else await output.write(render(figures, exact, output))
    return EXIT_CODE.fine
  },
})

function toFigures(path: string, stats: Stats, ofOwner: Stats | undefined): Figures {
  const { levels } = stats
  const sum = (of: (level: LevelStats) => number): number =>
    levels.reduce((total, level) => total + of(level), 0)
  return {
    path,
    diskBytes: stats.diskBytes,
    ballastBytes: stats.ballastBytes,
    liveBytes: stats.liveBytes,
    spaceAmplification: Number.isFinite(stats.spaceAmplification) ? stats.spaceAmplification : null,
    exposedGarbageBytes: stats.exposedGarbageBytes,
    punchedBytes: stats.punchedBytes,
    hiddenGarbageBytesEstimate: (ofOwner ?? stats).hiddenGarbageBytesEstimate,
    pinnedBytesEstimate: (ofOwner ?? stats).pinnedBytesEstimate,
    segments: stats.segments,
    relocations: stats.relocations,
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
    owner: ofOwner ? toOwnerFigures(ofOwner) : null,
  }
}

function toOwnerFigures(stats: Stats): OwnerFigures {
  const { writeAmplification, snapshots, iterators, stalls, collector } = stats
  return {
    writeAmplification,
    snapshots: snapshots.open,
    iterators: iterators.open,
    oldestSequence: snapshots.oldestSequence ?? null,
    stalls,
    collector,
    relocatedBytesWritten: stats.relocatedBytesWritten,
  }
}

function render(figures: Figures, exact: boolean, output: Output): string {
  const { columns } = output
  const size = (bytes: number): string => formatBytes(bytes, exact)
  const fields = [
    ['on disk', size(figures.diskBytes)],
    ['reserve', size(figures.ballastBytes)],
    ['live', size(figures.liveBytes)],
    ['space amp', amplification(figures.spaceAmplification)],
    ['dead', size(deadAndPunched(figures).dead)],
    ['punched', size(figures.punchedBytes)],
    ['hidden', `about ${size(figures.hiddenGarbageBytesEstimate)}`],
    ['pinned', figures.owner ? `about ${size(figures.pinnedBytesEstimate)}` : '-'],
    ['tables', `${formatCount(figures.tables)}, ${size(figures.tableBytes)}`],
    ['entries', formatCount(figures.entries)],
    ['tombstones', formatCount(figures.tombstones)],
    ['segments', formatCount(figures.segments)],
    ['relocations', formatCount(figures.relocations)],
    ['pointed to', size(figures.pointedBytes)],
    ['only in the log', `${formatCount(figures.replayedRecords)} records`],
    ['last sequence', formatCount(figures.lastSequence)],
    ['durable up to', formatCount(figures.durableSequence)],
    ...(figures.owner ? ownerFields(figures.owner, figures.lastSequence, size) : []),
  ] as const
  const title = output.style('bold', escapeText(figures.path))
  const levels = renderLevels(figures.levels, size, output)
  return `${title}\n\n${formatFields(fields, columns)}${levels && `\n${levels}`}`
}

/** Since the process that answers has opened the store. */
function ownerFields(
  { writeAmplification, collector, stalls, relocatedBytesWritten, ...readers }: OwnerFigures,
  lastSequence: number,
  size: (bytes: number) => string,
): [string, string][] {
  const { snapshots, iterators, oldestSequence } = readers
  const { steps, bytesFreed } = collector
  const oldest = Math.max(0, lastSequence - (oldestSequence ?? lastSequence))
  return [
    ['snapshots', formatCount(snapshots)],
    ['iterators', formatCount(iterators)],
    ...(oldestSequence === null
      ? []
      : [['oldest', `${formatUnits(oldest, 'write')} ago`] as [string, string]]),
    ['write amp', writeAmplification.toFixed(2)],
    ['collected', `${size(bytesFreed)} in ${formatUnits(steps, 'step')}`],
    ['moved', size(relocatedBytesWritten)],
    ['stalls', `${formatCount(stalls.count)}, ${(stalls.ms / 1000).toFixed(1)} s`],
  ]
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
