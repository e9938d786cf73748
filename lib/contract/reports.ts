/** Reports of a store: its statistics, and the findings of a verification. */
import type { WiscError } from '../base/errors.ts'
import type { EvictedFiles } from './events.ts'
import type { RecoveryReport } from './types.ts'

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
  /**
   * Records that newer entries shadow: a compaction exposes them. An estimate from samples, but for streams: the 1,024
   * largest are looked up one by one.
   */
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
  /** Bytes of the files of streams. */
  readonly streamBytesWritten: number
  /** Bytes written for BALLAST; not a part of the write amplification. */
  readonly ballastBytesWritten: number
  /** (log + tables + relocations + streams) / user bytes; 0 if nothing was written. */
  readonly writeAmplification: number
  /** Logical segments: those that were written and live still, in files of their own or in relocations. */
  readonly segments: number
  /** Files with the survivors of collected segments. */
  readonly relocations: number
  /** Files with one value each, by putStream; not among the segments. */
  readonly streams: number
  readonly tables: number
  readonly levels: readonly LevelStats[]
  readonly memtableBytes: number
  readonly blockCache: { readonly hits: number; readonly misses: number; readonly bytes: number }
  /** Of separated values; all 0 without `valueCacheBytes`. */
  readonly valueCache: { readonly hits: number; readonly misses: number; readonly bytes: number }
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
  /** What a cache has evicted: files since the open, and below which sequence everything is gone (0: nothing is). */
  readonly evicted: EvictedFiles & { readonly belowSequence: number }
  readonly snapshots: { readonly open: number; readonly oldestSequence: number | undefined }
  readonly iterators: { readonly open: number }
  readonly transactions: TransactionStats
  readonly openFiles: number
  readonly lastSequence: number
  readonly durableSequence: number
  readonly recovery: Readonly<RecoveryReport>
}

/** Transactions that are open; their snapshots are not among `snapshots`. */
export interface TransactionStats {
  readonly open: number
  /** What the oldest one reads at, and keeps readable. */
  readonly oldestSequence: number | undefined
  readonly oldestAgeMs: number | undefined
  /** How often one could not commit, since the store was opened. */
  readonly conflicts: number
}

export interface VerifyOptions {
  /** Also read every value that an entry points to. Default true. */
  readonly deep?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}

export interface VerifyProgress {
  readonly tablesDone: number
  readonly tables: number
  readonly segmentsDone: number
  readonly segments: number
}

export interface VerifyReport {
  readonly ok: boolean
  readonly tables: number
  readonly entries: number
  /** Entries that point into the value log, each followed. */
  readonly pointers: number
  /** Files of the value log. */
  readonly segments: number
  readonly records: number
  /** Bytes of values that were read through pointers of tables and proved; 0 unless deep. */
  readonly valueBytes: number
  /** All damage that was found, in the order in which it was found; each place and reason once. */
  readonly damage: readonly WiscError[]
  /** For each of these, how many entries of tables cannot be followed because of it. */
  readonly affectedEntries: readonly number[]
}
