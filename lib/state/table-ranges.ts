/**
 * The range tombstones of the tables of a version, as one list in memory: made when they are first needed, and anew
 * when other tables have some. Few as a rule, and mostly none: they end at the bottom of the tree.
 */
import type { FileNumber } from '../base/ids.ts'
import { type FragmentList, mergeFragments, NO_FRAGMENTS } from '../tree/ranges/range-fragments.ts'
import type { Version } from '../tree/version/version.ts'
import type { TableCache } from './tables.ts'

export class TableRanges {
  readonly #tables: Pick<TableCache, 'get'>
  #known: Map<FileNumber, FragmentList> = new Map()
  #ranged: Version['ranged'] = []
  #merged: FragmentList = NO_FRAGMENTS

  constructor(tables: Pick<TableCache, 'get'>) {
    this.#tables = tables
  }

  /**
   * Of the current version; the same list as long as it has the same.
   * @throws CorruptionError, WISC_FORMAT_VERSION, IoError if a table cannot be opened
   */
  of({ ranged }: Pick<Version, 'ranged'>): FragmentList {
    if (ranged === this.#ranged) return this.#merged
    const known = new Map<FileNumber, FragmentList>()
    for (const { number } of ranged)
      known.set(number, this.#known.get(number) ?? this.#tables.get(number).ranges)
    this.#merged = mergeFragments([...known.values()])
    this.#known = known
    this.#ranged = ranged
    return this.#merged
  }
}
