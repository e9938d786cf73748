/** Statistics: counters and sizes, taken when they are asked for. */

import type { WiscError } from '../base/errors.ts'
import type { RecoveryReport } from '../contract/types.ts'
import type { Engine } from '../engine/engine.ts'
import type { ReadingEngine } from '../reads/reading-engine.ts'
import { relocationCount } from '../tree/version/version.ts'

/** One level of the tree. */
export interface LevelStats {
  readonly runs: number
  readonly tables: number
  readonly bytes: number
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records in the value log that its entries point to. */
  readonly pointedBytes: number
}

/** Sizes in bytes, times in milliseconds; counters since the open. */
export interface Stats {
  /**
   * Keys and values of the newest entries, memtables included: exact after a full compaction, else an estimate that
   * errs low, since a write that is in no table yet may have replaced another.
   */
  readonly liveBytes: number
  /** Bytes allocated on disk for everything in the directory, BALLAST and lost/ included. */
  readonly diskBytes: number
  /** diskBytes / liveBytes; where nothing lives, as if one byte did. */
  readonly spaceAmplification: number
  /** Of the value log, below the checkpoint: bytes that no entry points to. They can be collected. */
  readonly exposedGarbageBytes: number
  /** Of these, holes: they have been given back already. */
  readonly punchedBytes: number
  /** Records that newer entries shadow: a compaction exposes them. An estimate from samples. */
  readonly hiddenGarbageBytesEstimate: number
  /** Records that only open snapshots and iterators see. An estimate. */
  readonly pinnedBytesEstimate: number
  /** Of the bytes on disk, those of BALLAST: kept for a full disk. */
  readonly ballastBytes: number
  /** What stopped background work, or writes. */
  readonly backgroundError: WiscError | undefined
  /** Keys and values given to put, delete and write. */
  readonly userBytesWritten: number
  readonly logBytesWritten: number
  readonly tableBytesWritten: number
  /** Bytes of relocations that the collector has written. */
  readonly relocatedBytesWritten: number
  /** Bytes written for BALLAST; not a part of the write amplification. */
  readonly ballastBytesWritten: number
  /** (log + tables + relocations) / user bytes; 0 if nothing was written. */
  readonly writeAmplification: number
  /** Logical segments: those that were written and live still, in files of their own or in relocations. */
  readonly segments: number
  /** Files with the survivors of collected segments. */
  readonly relocations: number
  readonly tables: number
  readonly levels: readonly LevelStats[]
  readonly memtableBytes: number
  readonly blockCache: { readonly hits: number; readonly misses: number; readonly bytes: number }
  /** How often a filter was asked, and how often it spared a look into the table. */
  readonly filter: { readonly checked: number; readonly useful: number }
  readonly stalls: { readonly count: number; readonly ms: number }
  readonly flushes: number
  readonly compactions: number
  /** Steps that it has carried out, and what they gave back. */
  readonly collector: {
    readonly steps: number
    readonly bytesFreed: number
  }
  readonly snapshots: { readonly open: number; readonly oldestSequence: number | undefined }
  readonly iterators: { readonly open: number }
  readonly openFiles: number
  readonly lastSequence: number
  readonly durableSequence: number
  readonly recovery: Readonly<RecoveryReport>
}

export function storeStats(
  engine: ReadingEngine,
  writer: Engine | undefined,
  iterators: number,
): Stats {
  const { version, cache, readers } = engine
  const relocations = relocationCount(version)
  const userBytesWritten = writer?.commit.userBytes ?? 0
  const logBytesWritten = writer?.log.bytesWritten ?? 0
  const counts = writer?.work.counts
  const tableBytesWritten = counts?.tableBytesWritten ?? 0
  const relocatedBytesWritten = writer?.collector.actor.counts.relocatedBytesWritten ?? 0
  const written = logBytesWritten + tableBytesWritten + relocatedBytesWritten
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
    ballastBytesWritten: writer?.ballast.bytesWritten ?? 0,
    writeAmplification: userBytesWritten === 0 ? 0 : written / userBytesWritten,
    segments: version.segments.size - relocations,
    relocations,
    tables: version.tables.size,
    levels: levelStats(engine),
    memtableBytes: engine.memtables.usedBytes,
    blockCache: { hits: cache.stats.hits, misses: cache.stats.misses, bytes: cache.stats.bytes },
    filter: engine.tables.filterStats,
    stalls: { count: stalls?.count ?? 0, ms: stalls?.ms ?? 0 },
    flushes: counts?.flushes ?? 0,
    compactions: counts?.compactions ?? 0,
    collector: {
      steps: writer?.collector.actor.counts.steps ?? 0,
      bytesFreed: writer?.collector.actor.counts.bytesFreed ?? 0,
    },
    snapshots: { open: readers.count - iterators, oldestSequence: readers.oldest },
    iterators: { open: iterators },
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
