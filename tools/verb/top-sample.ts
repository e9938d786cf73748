/** What `wisc top` shows of a running store: figures of one moment, and rates since the one before. Pure. */
import type { Stats } from '../../lib/index.ts'
import { formatBar } from '../terminal/bar.ts'
import { escapeText } from '../terminal/escape.ts'
import type { Output } from '../terminal/output.ts'
import { formatFields } from '../terminal/table.ts'
import { formatBytes, formatCount, formatUnits } from '../terminal/units.ts'
import { deadAndPunched } from '../verb/gc-text.ts'
import { amplification } from './gc-text.ts'

/** Each a second. */
export interface Rates {
  readonly writes: number
  readonly userBytes: number
  readonly logBytes: number
  readonly tableBytes: number
  readonly relocatedBytes: number
  readonly freedBytes: number
  readonly evictedBytes: number
  readonly stallMs: number
}

/** See tools/schema/top.json. Counters since the store was opened. */
export interface Sample {
  /** Since the sample before; null for the first one, which has no rates. */
  readonly seconds: number | null
  readonly rates: Rates | null
  readonly diskBytes: number
  readonly liveBytes: number
  /** Null if nothing lives. */
  readonly spaceAmplification: number | null
  readonly exposedGarbageBytes: number
  /** Of these, holes: given back already. */
  readonly punchedBytes: number
  readonly hiddenGarbageBytesEstimate: number
  readonly pinnedBytesEstimate: number
  readonly writeAmplification: number
  readonly userBytesWritten: number
  readonly segments: number
  readonly relocations: number
  readonly tables: number
  readonly memtableBytes: number
  readonly lastSequence: number
  readonly durableSequence: number
  readonly snapshots: number
  readonly iterators: number
  readonly oldestSequence: number | null
  readonly flushes: number
  readonly compactions: number
  readonly collector: Stats['collector']
  readonly evicted: Stats['evicted']
  readonly stalls: Stats['stalls']
  readonly blockCache: Stats['blockCache']
  readonly backgroundError: { readonly code: string; readonly message: string } | null
}

/** Statistics as they come through the socket: what JSON does not know is missing or null. */
export function toSample(
  stats: Stats,
  before: Stats | undefined,
  seconds: number | undefined,
): Sample {
  const { backgroundError } = stats
  return {
    seconds: seconds ?? null,
    rates: before && seconds ? ratesOf(stats, before, seconds) : null,
    diskBytes: stats.diskBytes,
    liveBytes: stats.liveBytes,
    spaceAmplification: stats.liveBytes > 0 ? stats.spaceAmplification : null,
    exposedGarbageBytes: stats.exposedGarbageBytes,
    punchedBytes: stats.punchedBytes,
    hiddenGarbageBytesEstimate: stats.hiddenGarbageBytesEstimate,
    pinnedBytesEstimate: stats.pinnedBytesEstimate,
    writeAmplification: stats.writeAmplification,
    userBytesWritten: stats.userBytesWritten,
    segments: stats.segments,
    relocations: stats.relocations,
    tables: stats.tables,
    memtableBytes: stats.memtableBytes,
    lastSequence: stats.lastSequence,
    durableSequence: stats.durableSequence,
    snapshots: stats.snapshots.open,
    iterators: stats.iterators.open,
    oldestSequence: stats.snapshots.oldestSequence ?? null,
    flushes: stats.flushes,
    compactions: stats.compactions,
    collector: stats.collector,
    evicted: stats.evicted,
    stalls: stats.stalls,
    blockCache: stats.blockCache,
    backgroundError: backgroundError
      ? { code: backgroundError.code, message: backgroundError.message }
      : null,
  }
}

function ratesOf(stats: Stats, before: Stats, seconds: number): Rates {
  const rate = (of: (at: Stats) => number): number =>
    Math.max(0, Math.round((of(stats) - of(before)) / seconds))
  return {
    writes: rate(({ lastSequence }) => lastSequence),
    userBytes: rate(({ userBytesWritten }) => userBytesWritten),
    logBytes: rate(({ logBytesWritten }) => logBytesWritten),
    tableBytes: rate(({ tableBytesWritten }) => tableBytesWritten),
    relocatedBytes: rate(({ relocatedBytesWritten }) => relocatedBytesWritten),
    freedBytes: rate(({ collector }) => collector.bytesFreed),
    evictedBytes: rate(({ evicted }) => evicted.bytes),
    stallMs: rate(({ stalls }) => stalls.ms),
  }
}

/** The picture for a terminal, line by line. */
export function renderScreen(path: string, sample: Sample, output: Output): string[] {
  const { columns } = output
  const size = (bytes: number): string => formatBytes(bytes, false)
  const { rates } = sample
  const perSecond = (of: (rates: Rates) => number): string => (rates ? `${size(of(rates))}/s` : '-')
  const oldest = sample.oldestSequence
  const fields = [
    [
      'writes',
      rates ? `${formatCount(rates.writes)}/s, ${perSecond(({ userBytes }) => userBytes)}` : '-',
    ],
    ['to the log', perSecond(({ logBytes }) => logBytes)],
    ['to tables', perSecond(({ tableBytes }) => tableBytes)],
    ['to relocations', perSecond(({ relocatedBytes }) => relocatedBytes)],
    ['given back', perSecond(({ freedBytes }) => freedBytes)],
    ['', ''],
    ['on disk', `${size(sample.diskBytes)}, ${amplification(sample.spaceAmplification)} x live`],
    ['content', (columns: number) => diskBar(sample, columns, output)],
    ['live', `# ${size(sample.liveBytes)}`],
    ['dead', `. ${size(deadAndPunched(sample).dead)}`],
    ['hidden', `h ${size(sample.hiddenGarbageBytesEstimate)}`],
    ['pinned', `p ${size(sample.pinnedBytesEstimate)}`],
    ['written', `${sample.writeAmplification.toFixed(2)} x what users wrote`],
    ['', ''],
    ['files', filesText(sample)],
    ['memtables', size(sample.memtableBytes)],
    [
      'flushes',
      `${formatCount(sample.flushes)}, ${formatUnits(sample.compactions, 'compaction step')}`,
    ],
    [
      'collector',
      `${formatUnits(sample.collector.steps, 'step')}, ${size(sample.collector.bytesFreed)} freed`,
    ],
    ...(isEvicting(sample) ? [['evicted', evictedText(sample)] as const] : []),
    ['stalls', stallText(sample, output)],
    [
      'readers',
      `${sample.snapshots} snapshots, ${sample.iterators} iterators` +
        (oldest === null
          ? ''
          : `, oldest ${formatUnits(sample.lastSequence - oldest, 'write')} ago`),
    ],
    ['block cache', cacheText(sample)],
    ...(sample.backgroundError ? [['error', errorText(sample, output)] as const] : []),
  ] as const
  const title = `${output.style('bold', escapeText(path))}  (q ends)`
  return [title, '', ...formatFields(fields, columns).split('\n').slice(0, -1)]
}

function diskBar(sample: Sample, cells: number, output: Output): string {
  const style = (name: 'green' | 'red' | 'yellow' | 'cyan') => (text: string) =>
    output.style(name, text)
  return formatBar(
    [
      { amount: sample.liveBytes, sign: '#', paint: style('green') },
      { amount: sample.pinnedBytesEstimate, sign: 'p', paint: style('cyan') },
      { amount: sample.hiddenGarbageBytesEstimate, sign: 'h', paint: style('yellow') },
      { amount: deadAndPunched(sample).dead, sign: '.', paint: style('red') },
    ],
    cells,
  )
}

function filesText({ segments, relocations, tables }: Sample): string {
  return [
    formatUnits(segments, 'segment'),
    formatUnits(relocations, 'relocation'),
    formatUnits(tables, 'table'),
  ].join(', ')
}

/** It is a cache that has been full. */
function isEvicting({ evicted }: Sample): boolean {
  return evicted.belowSequence > 0
}

function evictedText({ evicted: { segments, streams, bytes }, rates }: Sample): string {
  const files = `${formatUnits(segments, 'segment')}, ${formatUnits(streams, 'stream')}`
  const rate = rates ? `, ${formatBytes(rates.evictedBytes, false)}/s` : ''
  return `${files}, ${formatBytes(bytes, false)}${rate}`
}

function stallText({ stalls, rates }: Sample, output: Output): string {
  const text = `${formatCount(stalls.count)}, ${(stalls.ms / 1000).toFixed(1)} s in all`
  return rates && rates.stallMs > 0
    ? `${text}, ${output.style('red', `now ${rates.stallMs} ms/s`)}`
    : text
}

function cacheText({ blockCache: { hits, misses, bytes } }: Sample): string {
  const asked = hits + misses
  const share = asked === 0 ? '' : `, ${((hits / asked) * 100).toFixed(1)}% hits`
  return formatBytes(bytes, false) + share
}

function errorText({ backgroundError }: Sample, output: Output): string {
  return output.style('red', escapeText(`${backgroundError!.message} (${backgroundError!.code})`))
}

/** The same in one line, for logs. */
export function renderLine(sample: Sample): string {
  const { rates } = sample
  const size = (bytes: number): string => formatBytes(bytes, false)
  const parts = [
    ...(rates
      ? [
          `writes ${formatCount(rates.writes)}/s`,
          `user ${size(rates.userBytes)}/s`,
          `log ${size(rates.logBytes)}/s`,
          `tables ${size(rates.tableBytes)}/s`,
          `relocations ${size(rates.relocatedBytes)}/s`,
          `freed ${size(rates.freedBytes)}/s`,
          ...(isEvicting(sample) ? [`evicted ${size(rates.evictedBytes)}/s`] : []),
          `stalled ${rates.stallMs} ms/s`,
        ]
      : []),
    `disk ${size(sample.diskBytes)}`,
    `amplification ${amplification(sample.spaceAmplification)}`,
    `dead ${size(deadAndPunched(sample).dead)}`,
    `segments ${formatCount(sample.segments)}`,
    ...(sample.backgroundError ? [`error ${escapeText(sample.backgroundError.code)}`] : []),
  ]
  return `${parts.join('  ')}\n`
}
