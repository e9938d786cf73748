/**
 * The common part of flushes and compactions: the parameters of their jobs, and the edit that publishes their tables.
 */
import type { EventEmitter } from 'node:events'
import type { DeadRecords } from '../base/dead-records.ts'
import type { WiscError } from '../base/errors.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { TableJob } from '../jobs/messages.ts'
import type { JobRunner } from '../jobs/runner.ts'
import type { ReadableSequences } from '../state/readable-sequences.ts'
import type { RelocationClaims } from '../state/relocation-claims.ts'
import type { TreeReader } from '../state/tree-reader.ts'
import type { PointedRecords } from '../tree/compaction/fold.ts'
import type { TableMeta } from '../tree/entry.ts'
import type { Version } from '../tree/version/version.ts'
import type { VersionEdit } from '../tree/version/version-edit.ts'
import type { VersionSet } from '../tree/version/version-set.ts'

/** Who knows what has failed, as far as background work goes. */
export interface WorkHealth {
  /** Why no flush and no compaction begins now. */
  readonly stopped: WiscError | undefined
  /** An edit is durable: what had failed before has passed. */
  workDone(): void
  /**
   * A job or its edit has failed.
   * @param roomBytes of a compaction: what the disk had when it began. If that was too little, only compactions wait
   */
  workFailed(error: WiscError, roomBytes?: number): void
  /** A flush or a compaction has ended, well or not. */
  workEnded(): void
}

/** What the tables of a version point to: derived above, and asked here which pointers are to be folded. */
export interface TableReferences extends PointedRecords {
  /** Takes about so many microseconds. @returns false if there is more to do: then the sums are of no version yet */
  update(version: Version, budget: { work: number }): boolean
}

/** Who keeps in mind which records have died. */
export interface DeadRecordsKeeper {
  /** Requires: the edit after which nothing names them is durable, and its version the current one. */
  add(dead: DeadRecords): void
}

export interface TreeWorkParts {
  readonly context: {
    readonly directory: string
    readonly databaseId: Uint8Array
    readonly options: ResolvedOptions
    readonly events: EventEmitter
    readonly runner: JobRunner
  }
  readonly versions: VersionSet
  readonly readers: ReadableSequences
  readonly tree: Pick<TreeReader, 'tableRanges'>
  readonly space: { readonly references: TableReferences; readonly dead: DeadRecordsKeeper }
  readonly claims: RelocationClaims
  readonly health: WorkHealth
}

/** What every job that makes tables is given. */
export type TableJobParts = Omit<
  TableJob,
  'kind' | 'memtable' | 'inputs' | 'olderRanges' | 'folds' | 'evictedBelow'
>

export interface TreeWorkCounts {
  flushes: number
  compactions: number
  tableBytesWritten: number
  /** Pointers that compactions have changed into the present places of their records. */
  foldedPointers: number
}

export class TreeWork {
  readonly parts: TreeWorkParts
  readonly counts: TreeWorkCounts = {
    flushes: 0,
    compactions: 0,
    tableBytesWritten: 0,
    foldedPointers: 0,
  }

  constructor(parts: TreeWorkParts) {
    this.parts = parts
  }

  /**
   * Makes tables by a job, and an edit of them: until that is in force, no reader begins at a moment before that by
   * which the job has judged what has expired.
   * @param make is given what every such job is given
   */
  async makeTables(make: (base: TableJobParts) => Promise<void>): Promise<void> {
    const { expiredBy, end } = this.parts.readers.judge()
    try {
      await make(this.#jobBase(expiredBy))
    } finally {
      end()
    }
  }

  #jobBase(expiredBy: number): TableJobParts {
    const { context, versions, readers } = this.parts
    const { directory, databaseId, options } = context
    return {
      directory,
      databaseId,
      fileNumbers: versions.fileNumbers.memory,
      readableSequences: readers.list(),
      expiredBy,
      tableOptions: options.tree,
    }
  }

  /**
   * Makes an edit durable. If it is refused, its new tables go as soon as no crash can bring it back.
   * @param dead what nothing names any more when it is durable: told then, not before (I12)
   */
  async publish(edit: VersionEdit, dead: DeadRecords): Promise<void> {
    const { versions, health, space } = this.parts
    try {
      await versions.apply(edit)
    } catch (error) {
      const kept = new Set(edit.removedTables)
      for (const { meta } of edit.addedTables ?? []) {
        // A table that was only to be moved is still in its old place.
        if (!kept.has(meta.number)) versions.discard({ kind: 'table', number: meta.number })
      }
      throw error
    }
    space.dead.add(dead)
    health.workDone()
  }
}

export function sumTableBytes(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, table) => sum + table.bytes, 0)
}
