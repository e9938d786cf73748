/** A run as the input of a job: read once, forward, with at most one of its tables open. */

import { joinPath, tableName } from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import type { DatabaseDirectory } from '../../base/files/store-directory.ts'
import { keepUntilNext } from '../../base/kept.ts'
import type { EntryCursor, TableMeta } from '../entry.ts'
import { RunCursor } from '../table/run-cursor.ts'
import { TableReader } from '../table/table-reader.ts'

export class InputRun {
  readonly cursor: EntryCursor
  #open: TableReader | undefined

  /** `tables` in key order; they must stay until the run is closed (a pinned version). */
  constructor(tables: readonly TableMeta[], place: DatabaseDirectory, fileSystem: FileSystem) {
    this.cursor = new RunCursor(tables, (meta) => {
      this.close()
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
