/** Statistics: counters and sizes, taken when they are asked for. */

import type { LevelStats, Stats, TransactionStats } from '../contract/reports.ts'
import type { Engine } from '../engine/engine.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { relocationCount } from '../tree/version/version.ts'

/** Of a store that only reads. */
const NO_TRANSACTIONS: TransactionStats = {
  open: 0,
  oldestSequence: undefined,
  oldestAgeMs: undefined,
  conflicts: 0,
}

export function storeStats(
  engine: ReadingEngine,
  writer: Engine | undefined,
  iterators: number,
  transactions: TransactionStats = NO_TRANSACTIONS,
): Stats {
  const { version, cache, readers } = engine
  const relocations = relocationCount(version)
  const userBytesWritten = writer?.commit.userBytes ?? 0
  const logBytesWritten = writer?.log.bytesWritten ?? 0
  const counts = writer?.work.counts
  const tableBytesWritten = counts?.tableBytesWritten ?? 0
  const relocatedBytesWritten = writer?.collector.actor.counts.relocatedBytesWritten ?? 0
  const streamBytesWritten = writer?.uploads.bytesWritten ?? 0
  const written = logBytesWritten + tableBytesWritten + relocatedBytesWritten + streamBytesWritten
  const space = engine.space.measure()
  const stalls = writer?.admission.stalls
  return {
    liveBytes: space.liveBytes,
    diskBytes: space.diskBytes,
    spaceAmplification: space.diskBytes / Math.max(1, space.liveBytes),
    exposedGarbageBytes: space.exposedGarbageBytes,
    punchedBytes: space.punchedBytes,
    hiddenGarbageBytesEstimate: space.hiddenGarbageBytes,
    pinnedBytesEstimate: space.pinnedBytes,
    ballastBytes: writer?.ballast.bytes ?? engine.space.usage.ballastBytes,
    backgroundError: engine.error,
    userBytesWritten,
    logBytesWritten,
    tableBytesWritten,
    relocatedBytesWritten,
    streamBytesWritten,
    ballastBytesWritten: writer?.ballast.bytesWritten ?? 0,
    writeAmplification: userBytesWritten === 0 ? 0 : written / userBytesWritten,
    segments: version.segments.size - relocations - version.streams,
    relocations,
    streams: version.streams,
    tables: version.tables.size,
    levels: levelStats(engine),
    memtableBytes: engine.memtables.usedBytes,
    blockCache: { hits: cache.stats.hits, misses: cache.stats.misses, bytes: cache.stats.bytes },
    valueCache: engine.valueCache?.stats ?? { hits: 0, misses: 0, bytes: 0 },
    filter: engine.tables.filterStats,
    stalls: { count: stalls?.count ?? 0, ms: stalls?.ms ?? 0 },
    flushes: counts?.flushes ?? 0,
    compactions: counts?.compactions ?? 0,
    collector: {
      steps: writer?.collector.actor.counts.steps ?? 0,
      bytesFreed: writer?.collector.actor.counts.bytesFreed ?? 0,
    },
    evicted: {
      segments: 0,
      streams: 0,
      bytes: 0,
      ...writer?.collector.actor.counts.evicted,
      belowSequence: version.evictedBelow,
    },
    snapshots: {
      open: readers.count - iterators - transactions.open,
      oldestSequence: readers.oldest,
    },
    iterators: { open: iterators },
    transactions,
    openFiles: engine.tables.openFiles + engine.values.openFiles,
    lastSequence: engine.visibleSequence,
    durableSequence: engine.durableSequence,
    recovery: { ...engine.recovery },
  }
}

function levelStats(engine: ReadingEngine): LevelStats[] {
  return engine.version.levels.map(({ runs }) => {
    const tables = runs.flatMap((run) => run.tables)
    const sum = (of: (table: (typeof tables)[number]) => number): number =>
      tables.reduce((total, table) => total + of(table), 0)
    return {
      runs: runs.length,
      tables: tables.length,
      bytes: sum((table) => table.bytes),
      entries: sum((table) => table.entries),
      tombstones: sum((table) => table.tombstones),
      pointedBytes: sum((table) => table.pointedBytes),
    }
  })
}
