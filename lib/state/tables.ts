/** The open tables of a store: opened when they are first needed, a bounded number of them. */

import { CorruptionError, isMissing, WiscError } from '../base/errors.ts'
import type { BlockCache } from '../base/files/block-cache.ts'
import { joinPath, tableName } from '../base/files/file-names.ts'
import { OpenCache } from '../base/files/open-cache.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import type { FileNumber, Sequence } from '../base/ids.ts'
import type { Entry, TableMeta } from '../tree/entry.ts'
import { TableReader } from '../tree/table/table-reader.ts'
import { findTable, type Run, type Version } from '../tree/version/version.ts'

/** Every table of a version. */
export function tablesOf(version: Version): TableMeta[] {
  return version.levels.flatMap((level) => level.runs.flatMap((run) => run.tables))
}

/** @throws CorruptionError if it is missing, damaged or another one */
export function openTable(
  context: StoreDirectory,
  version: Version,
  number: FileNumber,
): TableReader {
  const meta = version.tables.get(number)?.meta
  if (!meta) throw new WiscError('WISC_INTERNAL', `table is not in the version number=${number}`)
  const { fileSystem, directory, databaseId } = context
  const name = tableName(number)
  try {
    return TableReader.open(fileSystem, joinPath(directory, name), name, meta, databaseId)
  } catch (error) {
    if (isMissing(error)) throw new CorruptionError(name, 0, 'table is missing', { cause: error })
    throw error
  }
}

/** How often a filter was asked, and how often it spared a look into the table. */
export interface FilterStats {
  checked: number
  useful: number
}

/** What the tables are of: an engine. Only tables of the current version are asked for. */
export interface TableView {
  readonly context: StoreDirectory
  readonly version: Version
  /** Where older ones are read, too: one that has the table. */
  versionWith?(table: FileNumber): Version
}

export class TableCache {
  readonly #open: OpenCache<TableReader>
  #evictions = 0
  /** Of tables that have been closed. */
  readonly #closed: FilterStats = { checked: 0, useful: 0 }

  /**
   * @param maxOpenFiles bound of the whole store: tables get half of it
   */
  constructor(view: TableView, maxOpenFiles: number) {
    const open = (number: FileNumber): TableReader =>
      openTable(view.context, view.versionWith?.(number) ?? view.version, number)
    this.#open = new OpenCache(Math.max(8, maxOpenFiles >> 1), open, (table) =>
      this.#pushOut(table),
    ).shares()
  }

  /** A table. Whoever goes on with it when others have pushed it out can: it opens itself for each read then. */
  get(number: FileNumber): TableReader {
    return this.#open.get(number)
  }

  /** Changes when a table has been pushed out: a cursor that was made before is slow from then on. */
  get evictions(): number {
    return this.#evictions
  }

  get openFiles(): number {
    return this.#open.size
  }

  get filterStats(): FilterStats {
    const sum = { ...this.#closed }
    for (const table of this.#open.values()) addFilterStats(sum, table)
    return sum
  }

  /** Closes a table that is going to be unlinked. */
  drop(number: FileNumber): void {
    this.#open.drop(number)
  }

  /** Closes those that nobody is going to ask for. */
  keepOnly(isKept: (number: FileNumber) => boolean): void {
    this.#open.keepOnly(isKept)
  }

  closeAll(): void {
    this.#open.closeAll()
  }

  #pushOut(table: TableReader): void {
    this.#evictions++
    addFilterStats(this.#closed, table)
    table.lapse()
  }
}

/** Where a key is looked up. */
export interface LookupParts {
  readonly tables: Pick<TableCache, 'get'>
  readonly cache: BlockCache
}

/** The newest entry of a key at or below a sequence, in some runs, newest first. @param hash of the key, seed 0 */
export function findInRuns(
  { tables, cache }: LookupParts,
  runs: readonly Run[],
  key: Uint8Array,
  hash: number,
  sequence: Sequence,
  found: Entry,
): boolean {
  for (const run of runs) {
    const table = findTable(run, key)
    if (table === undefined) continue
    if (tables.get(table.number).find(key, hash, sequence, found, cache)) return true
  }
  return false
}

function addFilterStats(sum: FilterStats, table: TableReader): void {
  sum.checked += table.filterChecks
  sum.useful += table.filterRejections
}
