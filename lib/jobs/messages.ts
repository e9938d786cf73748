/**
 * Jobs and their results, as they cross to a worker: plain data, immutable inputs in, new files out.
 *
 * A job never touches the manifest: the main thread turns its result into one version edit. It opens by name
 * what it reads. Numbers for tables it takes from the store's own counter, in shared memory, one when a table begins.
 */

import type { HoleMarks } from '../../vlog/collect/hole-marks.ts'
import type { KeptHeads } from '../../vlog/collect/kept-heads.ts'
import type { MarkResult } from '../../vlog/collect/mark.ts'
import type { PunchResult } from '../../vlog/collect/punch.ts'
import type { RewriteResult } from '../../vlog/collect/rewrite.ts'
import type { VictimFile } from '../../vlog/collect/victim.ts'
import type { PackedChunks } from '../../vlog/value-codec.ts'
import type { SegmentDead } from '../base/dead-records.ts'
import type { GroundMarks } from '../base/files/ground.ts'
import type { DatabaseDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, Sequence } from '../base/ids.ts'
import type { Reference } from '../base/segment-records.ts'
import type { FoldTarget } from '../tree/compaction/fold.ts'
import type { RunResult } from '../tree/compaction/retained-run.ts'
import type { ShadowWalkResult } from '../tree/compaction/shadow-walk.ts'
import type { TableMeta, TableOptions } from '../tree/entry.ts'
import type { KeySpan } from '../tree/key-span.ts'
import type { FrozenMemtable } from '../tree/memtable/memtable.ts'

interface JobBase extends DatabaseDirectory {
  /** What the job's directory must still be before it makes, punches or removes anything (lib/base/files/ground.ts). */
  readonly ground?: GroundMarks
  /** Of the files that it makes in a worker; the usual one if there is none. Set by the runner. */
  readonly fileMode?: number | undefined
  /** The memory of a JobProgress (job-progress.ts). Set by the runner. */
  readonly progress?: SharedArrayBuffer
}

interface TableJobBase extends JobBase {
  /** The memory of the store's FileNumbers (lib/base/files/file-numbers.ts). */
  readonly fileNumbers: SharedArrayBuffer
  /** Sequences at which someone may still read, ascending; the last one is the newest visible when the job was made. */
  readonly readableSequences: readonly Sequence[]
  /** What expires at this moment or before has done so for every reader. */
  readonly expiredBy: number
  readonly tableOptions: TableOptions
}

/** Writes one frozen memtable as one run of tables. Drops no tombstone. */
export interface FlushJob extends TableJobBase {
  readonly kind: 'flush'
  readonly memtable: FrozenMemtable
}

/** Merges runs into one run. */
export interface CompactionJob extends TableJobBase {
  readonly kind: 'compaction'
  /** Entries with a lower sequence were evicted. */
  readonly evictedBelow: Sequence
  /** Input runs, newest first; the tables of a run in key order. */
  readonly inputs: readonly (readonly TableMeta[])[]
  /** Key ranges (both ends inclusive), in order of their first keys, of all older tables outside the inputs. */
  readonly olderRanges: readonly KeySpan[]
  /** Relocations whose places take the place of old addresses (tree/compaction/fold.ts). */
  readonly folds: readonly FoldTarget[]
}

/** Finds what lives in files of the value log, and the holes that could be punched. Writes nothing. */
export interface MarkJob extends JobBase {
  readonly kind: 'mark'
  readonly files: readonly VictimFile[]
  /** Those of one pinned version that may point into the files. */
  readonly tables: readonly TableMeta[]
  /** A smaller hole is not worth a call. */
  readonly minimumHoleBytes: number
}

/** Copies what lives in files of the value log to one new relocation file. */
export interface RewriteJob extends JobBase {
  readonly kind: 'rewrite'
  readonly files: readonly VictimFile[]
  /** Those of one pinned version that may point into the files. */
  readonly tables: readonly TableMeta[]
  /** What they point to, segment by segment. */
  readonly references: readonly Reference[]
  /** Records of the files that are known to be dead; there may be more. */
  readonly dead: readonly SegmentDead[]
  /** The number of the new file. */
  readonly fileNumber: FileNumber
}

/** Marks a file of the value log, and deallocates the blocks of its dead values. */
export interface PunchJob extends JobBase {
  readonly kind: 'punch'
  readonly file: VictimFile
  /** Those of one pinned version that may point into the file. */
  readonly tables: readonly TableMeta[]
  /** A smaller hole is not worth a call. */
  readonly minimumHoleBytes: number
  /** It ends once it has made so many. */
  readonly holesMax: number
  /** Those that the file has, as far as they are known. */
  readonly known: HoleMarks | undefined
  /** The heads of its records, if they are known. */
  readonly heads: KeptHeads | undefined
}

/** Counts the bytes of records that only shadowed entries point to. Writes nothing. */
export interface WalkJob extends JobBase {
  readonly kind: 'walk'
  /** All runs, newest first; the tables of a run in key order. */
  readonly runs: readonly (readonly TableMeta[])[]
  /** Sequences at which someone may still read, ascending. */
  readonly readableSequences: readonly Sequence[]
  /** Entries with a lower sequence were evicted. */
  readonly evictedBelow: Sequence
  /** What expires at this moment or before has done so for every reader. */
  readonly expiredBy: number
}

/** Compresses chunks of values that wait to be written. Reads and writes no file. */
export interface CompressJob extends JobBase {
  readonly kind: 'compress'
  readonly chunks: PackedChunks
  readonly level: number
}

export type TableJob = FlushJob | CompactionJob
export type Job = TableJob | MarkJob | RewriteJob | PunchJob | WalkJob | CompressJob

/** What a flush or a compaction has made. */
export type TableJobResult = Omit<RunResult, 'foldedPointers'>

export interface CompactionJobResult extends RunResult {
  /** Of the relocations of `folds`, those that could not be read: pointers to what they hold are as they were. */
  readonly unreadable: readonly FileNumber[]
}

interface ResultByKind {
  readonly flush: TableJobResult
  readonly compaction: CompactionJobResult
  readonly mark: MarkResult
  readonly rewrite: RewriteResult
  readonly punch: PunchResult
  readonly walk: ShadowWalkResult
  readonly compress: PackedChunks
}

/** What a job of this type makes. */
export type ResultOf<J extends Job> = ResultByKind[J['kind']]
export type JobResult = ResultOf<Job>

/** Who goes first: what writers wait for and flushes, then compactions, then the collector's jobs. */
export const PRIORITY: Readonly<Record<Job['kind'], number>> = {
  compress: 0,
  flush: 0,
  compaction: 1,
  mark: 2,
  rewrite: 2,
  punch: 2,
  walk: 2,
}
