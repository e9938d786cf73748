/** The input of a compaction; a run of it is read forward, with at most one of its tables open. */

import { joinPath, tableName } from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import type { DatabaseDirectory } from '../../base/files/store-directory.ts'
import { keepUntilNext } from '../../base/kept.ts'
import type { EntryCursor, TableMeta } from '../entry.ts'
import type { KeySpan } from '../key-span.ts'
import { type FragmentList, mergeFragments } from '../ranges/range-fragments.ts'
import { RunCursor } from '../table/run-cursor.ts'
import { TableReader } from '../table/table-reader.ts'
import type { RunTarget } from './run-writer.ts'

export interface CompactionInput extends RunTarget {
  /** Runs, newest first; the tables of a run in key order. */
  readonly inputs: readonly (readonly TableMeta[])[]
  /** Key ranges of all older tables outside the inputs, in order of their first keys. */
  readonly olderRanges: readonly KeySpan[]
  /** Sequences at which someone may still read, ascending. */
  readonly readableSequences: readonly number[]
  /** Entries with a lower sequence were evicted. */
  readonly evictedBelow: number
  /** What expires at this moment or before has done so for every reader. */
  readonly expiredBy: number
}

/** The range tombstones of tables, which are opened one after the other. @throws CorruptionError, IoError */
export function fragmentsOf(
  tables: readonly TableMeta[],
  { directory, databaseId }: DatabaseDirectory,
  fileSystem: FileSystem,
): FragmentList {
  const lists: FragmentList[] = []
  for (const meta of tables) {
    if (meta.fragments === 0) continue
    const name = tableName(meta.number)
    const table = TableReader.open(fileSystem, joinPath(directory, name), name, meta, databaseId)
    lists.push(table.ranges)
    table.close()
  }
  return mergeFragments(lists)
}

export class InputRun {
  readonly cursor: EntryCursor
  #open: TableReader | undefined

  /**
   * `tables` in key order; they must stay until the run is closed (a pinned version).
   * @param began is told which of them the cursor has come to
   */
  constructor(
    tables: readonly TableMeta[],
    place: DatabaseDirectory,
    fileSystem: FileSystem,
    began?: (table: TableMeta) => void,
  ) {
    this.cursor = new RunCursor(tables, (meta) => {
      this.close()
      began?.(meta)
      const name = tableName(meta.number)
      const path = joinPath(place.directory, name)
      this.#open = TableReader.open(fileSystem, path, name, meta, place.databaseId)
      const cursor = this.#open.cursor()
      keepUntilNext('table of a compaction', { table: this.#open, cursor })
      return cursor
    })
  }

  close(): void {
    this.#open?.close()
    this.#open = undefined
  }
}
