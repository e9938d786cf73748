/** `wisc stat`: the store at a glance. */
import { type LevelStats, type Stats, WiscError } from '../../lib/index.ts'
import { type QuickForecast, quickForecast } from '../../lib/inspect/collection/segment-report.ts'
import { type CodecSample, sampleCodecs } from '../../lib/inspect/collection/value-sample.ts'
import type { OwnerFacts } from '../../lib/inspect/owner/control-client.ts'
import { formatBar } from '../terminal/bar.ts'
import { escapeText } from '../terminal/escape.ts'
import { EXIT_CODE } from '../terminal/exit-code.ts'
import type { Output } from '../terminal/output.ts'
import { formatFields, formatTable } from '../terminal/table.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { EXACT_BYTES, STORE_PATH } from '../verb/arguments.ts'
import { amplification, deadAndPunched } from '../verb/gc-text.ts'
import { findOwner, type Owner, patienceMs, sayUnknown } from '../verb/owner.ts'
import { defineVerb, type Verb, type VerbContext } from '../verb/verb.ts'
import { inspectAgain } from '../verb/with-store.ts'

/** See tools/schema/stat.json. */
interface Figures {
  readonly path: string
  readonly diskBytes: number
  /** Of these, the ballast. */
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
  /** Null if the process that has the store open does not answer. */
  readonly pinnedBytesEstimate: number | null
  /** Of the owner, or, without one that answers, what gc comes to by itself. */
  readonly targetSpaceAmplification: number
  /** Of the value log, by counters and samples alone. */
  readonly gcFreesBytesEstimate: number
  /** Null while a process has it open. */
  readonly wasClosedCleanly: boolean | null
  readonly segments: number
  readonly relocations: number
  readonly streams: number
  readonly tables: number
  readonly tableBytes: number
  /** Entries of tables, tombstones among them; a key that was overwritten may have several. */
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records in the value log that entries of tables point to. */
  readonly pointedBytes: number
  /** Of the values that these point to, by samples: how many are compressed, and what that saves. */
  readonly compressedShareEstimate: number
  readonly compressionSavesBytesEstimate: number
  /** What lies only in the log and had to be replayed. */
  readonly replayedRecords: number
  readonly memtableBytes: number
  /** What a cache has evicted has lower sequences; 0: nothing was. */
  readonly evictedBelow: number
  readonly lastSequence: number
  readonly durableSequence: number
  readonly levels: readonly LevelStats[]
  /** The process that has the store open; null if there is none. */
  readonly owner: OwnerFigures | null
}

/** What does not answer leaves null. */
type OwnerFigures = OwnerIdentity & {
  readonly [Name in keyof AnsweredFigures]: AnsweredFigures[Name] | null
}

interface OwnerIdentity {
  /** Null if LOCK does not say it. */
  readonly pid: number | null
  readonly command: string | null
  /** Why it does not answer; null if it does. */
  readonly silence: string | null
}

/** Counters since its open. */
interface AnsweredFigures {
  readonly collectorState: OwnerFacts['collector']
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
    'On disk is everything in the directory, with the ballast (what a full disk gives up). Dead bytes can be ' +
    'collected, hidden ones after a compaction, pinned ones when the snapshots and iterators that see them are ' +
    'closed; punched ones are holes, already given back. What gc would free is an estimate from counters: gc ' +
    '--dry-run counts. Of a store that a process has open, that one tells what it pins and does. Needs no lock and ' +
    'writes nothing; the store may be in use. What is known of one value tells wisc get --stat.',
  examples: [
    ['wisc stat photos.db', 'For people'],
    ['wisc stat photos.db --json | jq .diskBytes', 'For programs'],
    [
      'wisc get photos.db cat.jpg --stat',
      'Of one value: its size, its place, its sequence, when it expires',
    ],
  ],
  options: (command) => command.positional('path', STORE_PATH).option('bytes', EXACT_BYTES),
  run: async ({ path, bytes: exact, json }, context) => {
    const owner = await findOwner(path, context)
    const answer = owner && (await askFigures(owner, context))
    if (owner && !answer) sayUnknown(owner, context)
    const owners = answer && {
      target: answer.facts.targetSpaceAmplification,
      hiddenGarbageBytes: answer.stats.hiddenGarbageBytesEstimate,
    }
    const found = await inspectAgain(path, context, async (store): Promise<Found> => {
      const forecast = quickForecast(store, owners)
      return { stats: store.stats(), forecast, codecs: await sampleCodecs(store) }
    })
    const figures = toFigures(path, found, owner, answer)
    const { output } = context
    if (json) await output.json(figures)
    else await output.write(render(figures, exact, output))
    return EXIT_CODE.fine
  },
})

/** What was read from the files. */
interface Found {
  readonly stats: Stats
  readonly forecast: QuickForecast
  readonly codecs: CodecSample
}

/** What the owner says. */
interface Answer {
  readonly stats: Stats
  readonly facts: OwnerFacts
}

async function askFigures({ client }: Owner, { signal }: VerbContext): Promise<Answer | undefined> {
  if (!client) return undefined
  const soon = { signal, patienceMs: patienceMs() }
  try {
    const facts = await client.ask('owner', soon)
    return { facts, stats: await client.ask('stats', soon) }
  } catch (error) {
    if (signal.aborted) throw error
    // It has just closed the store, or has been stopped meanwhile.
    if (error instanceof WiscError) return undefined
    throw error
  } finally {
    client.close()
  }
}

function toFigures(
  path: string,
  { stats, forecast, codecs }: Found,
  owner: Owner | undefined,
  answer: Answer | undefined,
): Figures {
  const { levels } = stats
  const sum = (of: (level: LevelStats) => number): number =>
    levels.reduce((total, level) => total + of(level), 0)
  const pointedBytes = sum(({ pointedBytes }) => pointedBytes)
  return {
    path,
    diskBytes: stats.diskBytes,
    ballastBytes: stats.ballastBytes,
    liveBytes: stats.liveBytes,
    spaceAmplification: stats.liveBytes > 0 ? stats.spaceAmplification : null,
    targetSpaceAmplification: forecast.target,
    gcFreesBytesEstimate: forecast.bytesFreed,
    exposedGarbageBytes: stats.exposedGarbageBytes,
    punchedBytes: stats.punchedBytes,
    hiddenGarbageBytesEstimate: (answer?.stats ?? stats).hiddenGarbageBytesEstimate,
    pinnedBytesEstimate: owner && !answer ? null : (answer?.stats ?? stats).pinnedBytesEstimate,
    segments: stats.segments,
    relocations: stats.relocations,
    streams: stats.streams,
    tables: stats.tables,
    tableBytes: sum(({ bytes }) => bytes),
    entries: sum(({ entries }) => entries),
    tombstones: sum(({ tombstones }) => tombstones),
    pointedBytes,
    compressedShareEstimate: codecs.values === 0 ? 0 : codecs.compressed / codecs.values,
    compressionSavesBytesEstimate: savedBytes(pointedBytes, codecs),
    replayedRecords: stats.recovery.replayedRecords,
    memtableBytes: stats.memtableBytes,
    evictedBelow: stats.evicted.belowSequence,
    lastSequence: stats.lastSequence,
    durableSequence: stats.durableSequence,
    levels,
    wasClosedCleanly: owner ? null : stats.recovery.clean,
    owner: owner ? toOwnerFigures(owner, answer) : null,
  }
}

function savedBytes(pointedBytes: number, { rawBytes, storedBytes }: CodecSample): number {
  if (storedBytes === 0) return 0
  return Math.max(0, Math.round(pointedBytes * (rawBytes / storedBytes - 1)))
}

const UNANSWERED = {
  collectorState: null,
  writeAmplification: null,
  snapshots: null,
  iterators: null,
  oldestSequence: null,
  stalls: null,
  collector: null,
  relocatedBytesWritten: null,
} as const satisfies Record<keyof AnsweredFigures, null>

function toOwnerFigures(owner: Owner, answer: Answer | undefined): OwnerFigures {
  const { pid = null, command = null } = owner
  const silence = owner.silence ?? (answer ? null : 'it does not answer')
  return { pid, command, silence, ...(answer ? toAnsweredFigures(answer) : UNANSWERED) }
}

function toAnsweredFigures({ stats, facts }: Answer): AnsweredFigures {
  const { writeAmplification, snapshots, iterators, stalls, collector } = stats
  return {
    collectorState: facts.collector,
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
    ['ballast', size(figures.ballastBytes)],
    ['live', size(figures.liveBytes)],
    ['space amp', amplification(figures.spaceAmplification)],
    ['dead', size(deadAndPunched(figures).dead)],
    ['punched', size(figures.punchedBytes)],
    ['hidden', `about ${size(figures.hiddenGarbageBytesEstimate)}`],
    ['pinned', pinnedText(figures, size)],
    ['target', amplification(figures.targetSpaceAmplification)],
    ['gc would free', `about ${size(figures.gcFreesBytesEstimate)}`],
    ['tables', `${formatCount(figures.tables)}, ${size(figures.tableBytes)}`],
    ['entries', formatCount(figures.entries)],
    ['tombstones', formatCount(figures.tombstones)],
    ['segments', formatCount(figures.segments)],
    ['relocations', formatCount(figures.relocations)],
    ['streams', formatCount(figures.streams)],
    ['pointed to', size(figures.pointedBytes)],
    ...compressionFields(figures, size),
    ['only in the log', `${formatCount(figures.replayedRecords)} records`],
    ...(figures.evictedBelow > 0
      ? [['evicted below', formatCount(figures.evictedBelow)] as const]
      : []),
    ['last sequence', formatCount(figures.lastSequence)],
    ['durable up to', formatCount(figures.durableSequence)],
    ...(figures.owner
      ? ownerFields(figures.owner, figures.lastSequence, size)
      : [['last close', figures.wasClosedCleanly ? 'in order' : 'none: a crash'] as const]),
  ] as const
  const title = output.style('bold', escapeText(figures.path))
  const levels = renderLevels(figures.levels, size, output)
  return `${title}\n\n${formatFields(fields, columns)}${levels && `\n${levels}`}`
}

/** Nothing of a store in which nothing is compressed. */
function compressionFields(
  { compressedShareEstimate, compressionSavesBytesEstimate }: Figures,
  size: (bytes: number) => string,
): [string, string][] {
  if (compressedShareEstimate === 0) return []
  return [
    ['compressed', `about ${(100 * compressedShareEstimate).toFixed(0)}% of the values`],
    ['that saves', `about ${size(compressionSavesBytesEstimate)}`],
  ]
}

function pinnedText(
  { owner, pinnedBytesEstimate }: Figures,
  size: (bytes: number) => string,
): string {
  if (pinnedBytesEstimate === null) return 'unknown'
  return owner ? `about ${size(pinnedBytesEstimate)}` : 'none'
}

/** Since the process that has the store open has opened it. */
function ownerFields(
  owner: OwnerFigures,
  lastSequence: number,
  size: (bytes: number) => string,
): [string, string][] {
  const { pid, command, collectorState, snapshots, iterators, oldestSequence } = owner
  const { writeAmplification, collector, relocatedBytesWritten, stalls } = owner
  const oldest = Math.max(0, lastSequence - (oldestSequence ?? lastSequence))
  const fields: [string, string | undefined][] = [
    ['open in pid', `${pid ?? 'unknown'}`],
    ['command', shown(command, escapeText)],
    ['collector', collectorState ?? 'unknown'],
    ['snapshots', shown(snapshots, formatCount)],
    ['iterators', shown(iterators, formatCount)],
    ['oldest', shown(oldestSequence, () => `${formatUnits(oldest, 'write')} ago`)],
    ['write amp', shown(writeAmplification, (ratio) => ratio.toFixed(2))],
    [
      'collected',
      shown(
        collector,
        ({ bytesFreed, steps }) => `${size(bytesFreed)} in ${formatUnits(steps, 'step')}`,
      ),
    ],
    ['moved', shown(relocatedBytesWritten, size)],
    [
      'stalls',
      shown(stalls, ({ count, ms }) => `${formatCount(count)}, ${(ms / 1000).toFixed(1)} s`),
    ],
  ]
  return fields.flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))
}

function shown<T>(value: T | null, show: (value: T) => string): string | undefined {
  return value === null ? undefined : show(value)
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
