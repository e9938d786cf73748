/**
 * What the tables of a version refer to: derived from their own counters, never kept beside the truth (I9).
 *
 * The sums follow the version: what a new table refers to is added, what a table that has gone referred to is
 * taken off. Memory holds the references of each table, 24 bytes for each segment that it points to.
 */
import { tablesOf } from '../state/tables.ts'
import type { SegmentReference } from '../tree/entry.ts'
import { tableWeight } from '../tree/entry-weight.ts'
import type { TableReader } from '../tree/table/table-reader.ts'
import type { Version } from '../tree/version/version.ts'

/** Records of one logical segment that entries of tables point to; bytes of whole records. */
export interface SegmentUse {
  records: number
  bytes: number
}

/** Sums over all tables of a version. */
export interface TreeTotals {
  tables: number
  tableBytes: number
  /** Entries that are no tombstones. */
  puts: number
  /** Of all puts. */
  keyBytes: number
  valueBytes: number
  /** Bytes of the records that entries point to. */
  pointedBytes: number
  /** What puts and tombstones take of the tables, in proportion to each other (entry-weight.ts). */
  putWeight: number
  tombstoneWeight: number
}

interface KnownTable {
  readonly largestSequence: number
  readonly references: readonly SegmentReference[]
  readonly totals: TreeTotals
}

export class References {
  readonly #open: (number: number) => TableReader
  /** Those that the sums are for: the same object as long as no table changes. */
  #levels: Version['levels'] | undefined
  #tables: Map<number, KnownTable> = new Map()
  readonly #use: Map<number, SegmentUse> = new Map()
  readonly #totals: TreeTotals = emptyTotals()

  /** @param open an open table of the current version */
  constructor(open: (number: number) => TableReader) {
    this.#open = open
  }

  get totals(): Readonly<TreeTotals> {
    return this.#totals
  }

  /** Records of a logical segment that entries of tables point to; undefined if there are none. */
  of(segment: number): Readonly<SegmentUse> | undefined {
    return this.#use.get(segment)
  }

  /**
   * Brings the sums to the current version.
   * @param most tables to open, which takes some 20 us each
   * @returns false if there are more: then the sums are of no version, and the next call goes on
   * @throws CorruptionError, IoError if a table cannot be opened
   */
  update(version: Version, most: number = Number.POSITIVE_INFINITY): boolean {
    if (version.levels === this.#levels) return true
    const gone = new Map(this.#tables)
    let left = most
    for (const { number } of tablesOf(version)) {
      if (gone.delete(number)) continue
      if (left-- === 0) return false
      this.#add(number)
    }
    for (const [number, table] of gone) {
      this.#tables.delete(number)
      this.#apply(table, -1)
    }
    this.#levels = version.levels
    return true
  }

  /**
   * Of `tombstoneWeight`, what a compaction of the whole tree drops.
   * @param oldestReader the oldest sequence that a snapshot or iterator reads at: a younger tombstone stays
   */
  droppableTombstoneWeight(oldestReader: number | undefined): number {
    if (oldestReader === undefined) return this.#totals.tombstoneWeight
    let weight = 0
    for (const { largestSequence, totals } of this.#tables.values()) {
      if (largestSequence <= oldestReader) weight += totals.tombstoneWeight
    }
    return weight
  }

  /** The tables that point into any of these segments. */
  tablesPointingTo(segments: ReadonlySet<number>): ReadonlySet<number> {
    const found = new Set<number>()
    for (const [number, { references }] of this.#tables) {
      if (references.some(({ segment }) => segments.has(segment))) found.add(number)
    }
    return found
  }

  #add(number: number): void {
    const reader = this.#open(number)
    const { meta, properties, references } = reader
    const weight = tableWeight(meta, properties, references)
    const totals = {
      tables: 1,
      tableBytes: meta.bytes,
      puts: meta.entries - meta.tombstones,
      keyBytes: properties.keyBytes,
      valueBytes: properties.valueBytes,
      pointedBytes: meta.pointedBytes,
      putWeight: weight.puts,
      tombstoneWeight: weight.tombstones,
    }
    const table = { largestSequence: meta.largestSequence, references, totals }
    this.#tables.set(number, table)
    this.#apply(table, 1)
  }

  #apply({ references, totals }: KnownTable, sign: 1 | -1): void {
    for (const name of Object.keys(totals) as (keyof TreeTotals)[]) {
      this.#totals[name] += sign * totals[name]
    }
    for (const { segment, records, bytes } of references) {
      let use = this.#use.get(segment)
      if (use === undefined) {
        use = { records: 0, bytes: 0 }
        this.#use.set(segment, use)
      }
      use.records += sign * records
      use.bytes += sign * bytes
      if (use.records === 0) this.#use.delete(segment)
    }
  }
}

function emptyTotals(): TreeTotals {
  return {
    tables: 0,
    tableBytes: 0,
    puts: 0,
    keyBytes: 0,
    valueBytes: 0,
    pointedBytes: 0,
    putWeight: 0,
    tombstoneWeight: 0,
  }
}
