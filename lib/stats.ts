/** Statistics: counters and sizes, taken when they are asked for. */

import type { WiscError } from './base/errors.ts'
import { joinPath } from './base/file-names.ts'
import type { Engine } from './engine.ts'
import type { ReadingEngine } from './reading-engine.ts'
import type { RecoveryReport } from './recover.ts'
import { tablesOf } from './tables.ts'

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
  /** Bytes allocated on disk for everything in the directory, BALLAST and lost/ included. */
  readonly diskBytes: number
  /** Of these, the reserve for a full disk. */
  readonly ballastBytes: number
  /** What stopped background work, or writes. */
  readonly backgroundError: WiscError | undefined
  /** Keys and values given to put, delete and write. */
  readonly userBytesWritten: number
  readonly logBytesWritten: number
  readonly tableBytesWritten: number
  /** Bytes written for BALLAST; not a part of the write amplification. */
  readonly ballastBytesWritten: number
  /** (log + tables) / user bytes; 0 if nothing was written. */
  readonly writeAmplification: number
  readonly segments: number
  readonly tables: number
  readonly levels: readonly LevelStats[]
  readonly memtableBytes: number
  readonly blockCache: { readonly hits: number; readonly misses: number; readonly bytes: number }
  /** How often a filter was asked, and how often it spared a look into the table. */
  readonly filter: { readonly checked: number; readonly useful: number }
  readonly stalls: { readonly count: number; readonly ms: number }
  readonly flushes: number
  readonly compactions: number
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
  const userBytesWritten = writer?.commit.userBytes ?? 0
  const logBytesWritten = writer?.log.bytesWritten ?? 0
  const counts = writer?.background.counts
  const tableBytesWritten = counts?.tableBytesWritten ?? 0
  const written = logBytesWritten + tableBytesWritten
  const stalls = writer?.commit.stalls
  return {
    diskBytes: diskBytes(engine),
    ballastBytes: writer?.ballast.bytes ?? 0,
    backgroundError: engine.error,
    userBytesWritten,
    logBytesWritten,
    tableBytesWritten,
    ballastBytesWritten: writer?.ballast.bytesWritten ?? 0,
    writeAmplification: userBytesWritten === 0 ? 0 : written / userBytesWritten,
    segments: version.segments.size,
    tables: tablesOf(version).length,
    levels: levelStats(engine),
    memtableBytes: engine.memtables.usedBytes,
    blockCache: { hits: cache.stats.hits, misses: cache.stats.misses, bytes: cache.stats.bytes },
    filter: engine.tables.filterStats,
    stalls: { count: stalls?.count ?? 0, ms: stalls?.ms ?? 0 },
    flushes: counts?.flushes ?? 0,
    compactions: counts?.compactions ?? 0,
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

function diskBytes({ context: { fileSystem, directory } }: ReadingEngine): number {
  const sum = (path: string): number => {
    let bytes = 0
    for (const name of fileSystem.list(path)) {
      const inner = joinPath(path, name)
      const stat = fileSystem.statPath(inner)
      bytes += stat?.kind === 'directory' ? sum(inner) : (stat?.allocated ?? 0)
    }
    return bytes
  }
  return sum(directory)
}
