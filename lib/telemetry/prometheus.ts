/**
 * Metrics as Prometheus reads them: its text format, version 0.0.4. Names go by its conventions: base units, counters
 * end with `_total`. What can be computed from others is left to whoever asks.
 */
import type { ResolvedOptions } from '../contract/options.ts'
import type { LevelStats, Stats } from '../contract/reports.ts'
import type { Histogram } from './histogram.ts'
import type { StoreTelemetry } from './store-telemetry.ts'

/** One number, or one for each value of a label. */
type Samples = number | { readonly label: string; readonly of: Readonly<Record<string, number>> }

type Measure = (stats: Stats) => Samples

const ofLevels =
  (field: keyof LevelStats): Measure =>
  ({ levels }) => ({
    label: 'level',
    of: Object.fromEntries(levels.map((level, number) => [number, level[field]])),
  })

/** Name, help, and what it is now: counters are those that end with `_total`, all others gauges. */
const FAMILIES: readonly (readonly [name: string, help: string, measure: Measure])[] = [
  ['live_bytes', 'Keys and values of the newest entries. Errs low.', (s) => s.liveBytes],
  ['disk_bytes', 'Allocated on disk for all that the directory holds.', (s) => s.diskBytes],
  [
    'exposed_garbage_bytes',
    'Of the value log: what no entry points to, and can be collected.',
    (s) => s.exposedGarbageBytes,
  ],
  ['punched_bytes', 'Of the exposed garbage: holes.', (s) => s.punchedBytes],
  [
    'hidden_garbage_bytes',
    'Records that newer entries shadow. An estimate.',
    (s) => s.hiddenGarbageBytesEstimate,
  ],
  [
    'pinned_bytes',
    'Records that only open snapshots, iterators and streams see. An estimate.',
    (s) => s.pinnedBytesEstimate,
  ],
  ['ballast_bytes', 'Kept on disk for a full disk.', (s) => s.ballastBytes],
  [
    'background_error',
    '1 if background work or writes have stopped.',
    (s) => (s.backgroundError === undefined ? 0 : 1),
  ],
  [
    'user_written_bytes_total',
    'Keys and values that were put or deleted.',
    (s) => s.userBytesWritten,
  ],
  [
    'written_bytes_total',
    'Written to files.',
    (s) => ({
      label: 'to',
      of: {
        log: s.logBytesWritten,
        tables: s.tableBytesWritten,
        relocations: s.relocatedBytesWritten,
        streams: s.streamBytesWritten,
        ballast: s.ballastBytesWritten,
      },
    }),
  ],
  ['segments', 'Segments of the value log that live.', (s) => s.segments],
  ['relocations', 'Files with survivors of collected segments.', (s) => s.relocations],
  ['streams', 'Files with one value each.', (s) => s.streams],
  ['level_runs', 'Runs of a level of the tree.', ofLevels('runs')],
  ['level_tables', 'Tables of a level of the tree.', ofLevels('tables')],
  ['level_bytes', 'Bytes of the tables of a level.', ofLevels('bytes')],
  ['level_entries', 'Entries of a level, tombstones included.', ofLevels('entries')],
  ['level_tombstones', 'Tombstones of a level.', ofLevels('tombstones')],
  ['level_pointed_bytes', 'Records that entries of a level point to.', ofLevels('pointedBytes')],
  ['memtable_bytes', 'Used in memtables.', (s) => s.memtableBytes],
  ['block_cache_bytes', 'Blocks of tables that are cached.', (s) => s.blockCache.bytes],
  ['block_cache_hits_total', 'Blocks that were found in the cache.', (s) => s.blockCache.hits],
  ['block_cache_misses_total', 'Blocks that were read.', (s) => s.blockCache.misses],
  ['value_cache_bytes', 'Values that are cached.', (s) => s.valueCache.bytes],
  ['value_cache_hits_total', 'Values that were found in the cache.', (s) => s.valueCache.hits],
  ['value_cache_misses_total', 'Values that were read.', (s) => s.valueCache.misses],
  ['filter_checks_total', 'How often a filter was asked.', (s) => s.filter.checked],
  ['filter_useful_total', 'How often it spared a look into a table.', (s) => s.filter.useful],
  ['stalls_total', 'How often writers began to wait for background work.', (s) => s.stalls.count],
  ['stall_seconds_total', 'How long they have waited.', (s) => s.stalls.ms / 1000],
  ['collector_steps_total', 'Steps of collections.', (s) => s.collector.steps],
  ['collector_freed_bytes_total', 'What they gave back.', (s) => s.collector.bytesFreed],
  [
    'evicted_segments_total',
    'Files of values that a cache has evicted.',
    (s) => s.evicted.segments,
  ],
  ['evicted_streams_total', 'Streams that a cache has evicted.', (s) => s.evicted.streams],
  ['evicted_bytes_total', 'On disk, of all that was evicted.', (s) => s.evicted.bytes],
  ['open_snapshots', 'Snapshots that are not closed.', (s) => s.snapshots.open],
  ['open_iterators', 'Iterators and streams that are not closed.', (s) => s.iterators.open],
  ['open_transactions', 'Transactions that have not ended.', (s) => s.transactions.open],
  [
    'oldest_transaction_age_seconds',
    'Age of the oldest open transaction; 0 without any.',
    (s) => (s.transactions.oldestAgeMs ?? 0) / 1000,
  ],
  [
    'transaction_conflicts_total',
    'How often a transaction could not commit.',
    (s) => s.transactions.conflicts,
  ],
  ['open_files', 'Files of tables and values that are open.', (s) => s.openFiles],
  ['last_sequence', 'Sequence of the last write.', (s) => s.lastSequence],
  ['durable_sequence', 'Up to which writes are durable.', (s) => s.durableSequence],
]

type Bound = (options: ResolvedOptions) => number | undefined

/** What the options hold the store to, so that alerts need no constants of their own. All are gauges. */
const BOUNDS: readonly (readonly [name: string, help: string, bound: Bound])[] = [
  [
    'space_amplification_target',
    'Bytes on disk for each live byte that the collector keeps to, above two segments.',
    ({ collector, cache }) =>
      collector.enabled && !cache ? collector.targetSpaceAmplification : undefined,
  ],
  ['segment_size_bytes', 'Size of a segment of the value log.', (o) => o.segmentBytes],
  ['disk_max_bytes', 'maxBytesOnDisk, where it is set.', (o) => o.collector.maxBytesOnDisk],
  ['cache_max_bytes', 'maxBytes of a cache.', (o) => o.cache?.maxBytes],
]

/**
 * The text of {@link FAMILIES}, of the bounds and of the histograms that there are.
 * @param options undefined if the store only reads: its own options say nothing of the writer's
 */
export function metricsText(
  stats: Stats,
  options: ResolvedOptions | undefined,
  { puts, gets, work }: StoreTelemetry,
): string {
  const lines = FAMILIES.flatMap(([name, help, measure]) => [
    ...head(name, name.endsWith('_total') ? 'counter' : 'gauge', help),
    ...sampleLines(name, measure(stats)),
  ])
  lines.push(
    ...(options ? boundLines(options) : []),
    ...histogramLines('put', 'Calls that write, until they settle.', puts.times),
    ...histogramLines('get', 'Calls that read single keys, until they settle.', gets.times),
    ...histogramLines('flush', 'Flushes of memtables.', work.flush),
    ...histogramLines('compaction', 'Compactions of tables.', work.compaction),
    ...histogramLines('collection', 'Steps of collections.', work.collection),
    ...histogramLines('stall', 'What writers waited for background work in a row.', work.stall),
  )
  return `${lines.join('\n')}\n`
}

function boundLines(options: ResolvedOptions): string[] {
  return BOUNDS.flatMap(([name, help, boundOf]) => {
    const bound = boundOf(options)
    return bound === undefined ? [] : [...head(name, 'gauge', help), ...sampleLines(name, bound)]
  })
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP wisc_${name} ${help}`, `# TYPE wisc_${name} ${type}`]
}

function sampleLines(name: string, samples: Samples): string[] {
  if (typeof samples === 'number') return [`wisc_${name} ${samples}`]
  const { label, of } = samples
  return Object.entries(of).map(([value, number]) => `wisc_${name}{${label}="${value}"} ${number}`)
}

function histogramLines(of: string, help: string, histogram: Histogram | undefined): string[] {
  if (histogram === undefined) return []
  const name = `${of}_duration_seconds`
  const counts = histogram.cumulative()
  const bounds = [...histogram.bounds, '+Inf']
  return [
    ...head(name, 'histogram', help),
    ...bounds.map((bound, i) => `wisc_${name}_bucket{le="${bound}"} ${counts[i]}`),
    `wisc_${name}_sum ${histogram.sumSeconds}`,
    `wisc_${name}_count ${counts.at(-1)}`,
  ]
}
