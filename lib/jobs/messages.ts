/**
 * Jobs and their results, as they cross to a worker: plain data, immutable inputs in, new files out.
 *
 * A job never touches the manifest: the main thread turns its result into one version edit. It opens by name
 * what it reads. The numbers of its output files are given to it; those that it does not use stay unused for ever.
 */
import type { BuiltTable, TableMeta, TableOptions } from '../tree/entry.ts'
import type { FrozenMemtable } from '../tree/memtable.ts'

interface JobBase {
  readonly directory: string
  readonly databaseId: Uint8Array
  /** Numbers for new files, ascending; more than can be needed. */
  readonly fileNumbers: readonly number[]
  /** Sequences at which someone may still read, ascending; the last one is the newest visible when the job was made. */
  readonly readableSequences: readonly number[]
  readonly tableOptions: TableOptions
}

/** Writes one frozen memtable as one run of tables. Drops no tombstone. */
export interface FlushJob extends JobBase {
  readonly kind: 'flush'
  readonly memtable: FrozenMemtable
}

/** Merges runs into one run. */
export interface CompactionJob extends JobBase {
  readonly kind: 'compaction'
  /** Input runs, newest first; the tables of a run in key order. */
  readonly inputs: readonly (readonly TableMeta[])[]
  /** Key ranges (both ends inclusive), in order of their first keys, of all older tables outside the inputs. */
  readonly olderRanges: readonly {
    readonly smallestKey: Uint8Array
    readonly largestKey: Uint8Array
  }[]
}

export type Job = FlushJob | CompactionJob

export interface JobResult {
  /** The run that was written, in key order; all files are synced, the directory is not. */
  readonly tables: readonly BuiltTable[]
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly entriesIn: number
  readonly entriesOut: number
}
