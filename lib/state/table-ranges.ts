/**
 * The range tombstones of the tables of a version, in memory: a list for each run that has some, of which each table is
 * a chunk. A table's are read when they are first needed, and kept while the version has it. Few as a rule, and mostly
 * none: they end at the bottom of the tree.
 */
import type { FileNumber } from '../base/ids.ts'
import type { TableMeta } from '../tree/entry.ts'
import { RangeChunk, RangeList } from '../tree/ranges/range-list.ts'
import type { Version } from '../tree/version/version.ts'
import type { TableCache } from './tables.ts'

export class TableRanges {
  readonly #tables: Pick<TableCache, 'get'>
  #chunks: Map<FileNumber, RangeChunk> = new Map()
  #ranged: Version['ranged'] = []
  #lists: readonly RangeList[] = []

  constructor(tables: Pick<TableCache, 'get'>) {
    this.#tables = tables
  }

  /**
   * Of the current version; the same lists as long as it has the same.
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError if a table cannot be opened
   */
  of({ ranged, levels }: Pick<Version, 'ranged' | 'levels'>): readonly RangeList[] {
    // Tables that were moved to another run are still those of one run.
    if (ranged === this.#ranged) return this.#lists
    const chunks = new Map<FileNumber, RangeChunk>()
    const lists: RangeList[] = []
    for (const { runs } of ranged.length > 0 ? levels : []) {
      for (const { tables } of runs) {
        const own = tables.filter(({ fragments }) => fragments > 0)
        for (const table of own) chunks.set(table.number, this.chunkOf(table))
        if (own.length > 0) lists.push(new RangeList(own.map(({ number }) => chunks.get(number)!)))
      }
    }
    this.#lists = lists
    this.#chunks = chunks
    this.#ranged = ranged
    return lists
  }

  /** Of a table of the current version that has some. @throws as `of` does */
  chunkOf({ number }: Pick<TableMeta, 'number'>): RangeChunk {
    return this.#chunks.get(number) ?? new RangeChunk(this.#tables.get(number).ranges)
  }
}
