/**
 * References of the tables of a version to the value log: derived from their own counters, never kept beside the truth
 * (I9).
 *
 * The sums follow the version: what a new table refers to is added, what a table that has gone referred to is
 * taken off. Memory holds the references of each table, 28 bytes for each segment that it points to, and 37 or less of
 * its sums.
 */

import { wallTime } from '../base/clock.ts'
import type { FileNumber, SegmentNumber, Sequence } from '../base/ids.ts'
import { NumberMap } from '../base/number-map.ts'
import { type RecordSum, ReferenceList, type ReferenceSum } from '../base/segment-records.ts'
import { tableWeight } from '../tree/entry-weight.ts'
import { type ExpirySum, expiredBy, nextExpiry } from '../tree/expiry-sums.ts'
import type { TableReader } from '../tree/table/table-reader.ts'
import { EMPTY_VERSION, type Version } from '../tree/version/version.ts'
import { SegmentSums } from './segment-sums.ts'

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
  readonly smallestSequence: Sequence
  readonly largestSequence: Sequence
  readonly expiries: readonly Readonly<ExpirySum>[]
  readonly references: ReferenceList
  readonly totals: TreeTotals
}

/** What has expired by a moment. */
export interface Expired {
  readonly moment: number
  /** Bytes of records that entries point to. */
  readonly recordBytes: number
  /** Of keys and values, inline ones too. */
  readonly valueBytes: number
  /** What the entries take of tables, by their number. */
  readonly weight: number
  /** The moment at which there is more of it; Infinity if never. */
  readonly next: number
  /** Of records, what follows within EXPIRY_SOON_MS; 0 where a reader has kept that moment for longer. */
  readonly soonBytes: number
}

/** What expires so soon is not worth a copy. */
const EXPIRY_SOON_MS = 4000

/** What is older than some sequence. Bytes, as of {@link Expired} ... */
export interface Older {
  readonly recordBytes: number
  readonly valueBytes: number
  readonly weight: number
  /** ... and of the tables. */
  readonly tableBytes: number
}

/** Of a table's entries, taken to be spread evenly over the sequences that it spans. */
function olderShare(
  { smallestSequence, largestSequence }: Pick<KnownTable, 'smallestSequence' | 'largestSequence'>,
  sequence: Sequence,
): number {
  const span = largestSequence - smallestSequence + 1
  return Math.min(1, Math.max(0, (sequence - smallestSequence) / span))
}

/** What one turn of the event loop may cost, in microseconds by estimate. */
export interface WorkBudget {
  work: number
}

export function unbounded(): WorkBudget {
  return { work: Number.POSITIVE_INFINITY }
}

/** What bringing the sums to a version costs: a table is opened, a reference decoded and added. */
const TABLE_WORK = 20
const REFERENCE_WORK = 0.4

export class References {
  readonly #open: (number: FileNumber) => TableReader
  /** The version that the sums are for, and from which they are brought to the next. */
  #version: Version = EMPTY_VERSION
  readonly #tables: Map<FileNumber, KnownTable> = new Map()
  readonly #sums: SegmentSums = new SegmentSums()
  readonly #totals: TreeTotals = emptyTotals()
  /** Those of them in which something expires. */
  readonly #expiring: Map<FileNumber, KnownTable> = new Map()
  /** Tables that calls have added which did not come to their end. */
  readonly #early: Set<FileNumber> = new Set()
  /** The table that is being added to the sums, or taken off; those before `from` are. */
  #applying: { table: KnownTable; sign: 1 | -1; from: number } | undefined

  /** @param open an open table of the current version */
  constructor(open: (number: FileNumber) => TableReader) {
    this.#open = open
  }

  get totals(): Readonly<TreeTotals> {
    return this.#totals
  }

  /** Records of a logical segment that entries of tables point to; undefined if there are none. */
  of(segment: SegmentNumber): Readonly<ReferenceSum> | undefined {
    return this.#sums.of(segment)
  }

  /** Adds what entries point to in a segment to a sum. @returns false if that is nothing */
  addTo(sum: RecordSum, segment: SegmentNumber): boolean {
    return this.#sums.addTo(sum, segment)
  }

  /** Takes one of the segments to which other entries point than when it was last taken; undefined if there is none. */
  takeChanged(): SegmentNumber | undefined {
    return this.#sums.takeChanged()
  }

  /** Somebody is going to ask for all segments anyway. */
  forgetChanged(): void {
    this.#sums.forgetChanged()
  }

  /** What a table refers to; nothing if it has not been read yet. */
  referencesOf(table: FileNumber): ReferenceList {
    return this.#tables.get(table)?.references ?? ReferenceList.EMPTY
  }

  /**
   * Brings the sums to the current version.
   * @param budget how much it may cost, less what it did cost; at least one table is opened
   * @returns false if there is more: then the sums are of no version, and the next call goes on
   * @throws CorruptionError, IoError if a table cannot be opened
   */
  update(version: Version, budget: WorkBudget = unbounded()): boolean {
    if (!this.#apply(budget)) return false
    if (version.levels === this.#version.levels) return true
    const come: FileNumber[] = []
    const gone: FileNumber[] = []
    NumberMap.diff(this.#version.tables, version.tables, (number, _before, table) => {
      if (table === undefined) gone.push(number)
      else if (!this.#tables.has(number)) come.push(number)
    })
    // What a call before has added of a version that was superseded meanwhile.
    for (const number of this.#early) if (!version.tables.has(number)) gone.push(number)
    for (const number of come) {
      if (budget.work <= 0) return false
      const table = this.#read(number)
      budget.work -= TABLE_WORK + REFERENCE_WORK * table.references.length
      this.#tables.set(number, table)
      if (table.expiries.length > 0) this.#expiring.set(number, table)
      this.#early.add(number)
      this.#applying = { table, sign: 1, from: 0 }
      if (!this.#apply(budget)) return false
    }
    for (const number of gone) {
      const table = this.#tables.get(number)
      if (table === undefined) continue
      if (budget.work <= 0) return false
      this.#tables.delete(number)
      this.#expiring.delete(number)
      this.#early.delete(number)
      this.#applying = { table, sign: -1, from: 0 }
      if (!this.#apply(budget)) return false
    }
    this.#early.clear()
    this.#version = version
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

  /** What of all tables has expired by a moment. An entry that is shadowed, too, counts all the same. */
  expiredBy(moment: number): Expired {
    let [recordBytes, valueBytes, weight, next] = [0, 0, 0, Number.POSITIVE_INFINITY]
    let soonBytes = 0
    const isHeld = wallTime() - moment > EXPIRY_SOON_MS
    const soon = isHeld ? moment : moment + EXPIRY_SOON_MS
    for (const { expiries, totals } of this.#expiring.values()) {
      const { puts, bytes, pointedBytes } = expiredBy(expiries, moment)
      soonBytes += expiredBy(expiries, soon).pointedBytes - pointedBytes
      recordBytes += pointedBytes
      valueBytes += bytes
      weight += totals.putWeight * (puts / totals.puts)
      next = Math.min(next, nextExpiry(expiries, moment))
    }
    return { moment, recordBytes, valueBytes, weight, next, soonBytes }
  }

  /** What of all tables is older than a sequence, by the sequences that each table spans: an estimate. */
  olderThan(sequence: Sequence): Older {
    let [recordBytes, valueBytes, weight, tableBytes] = [0, 0, 0, 0]
    if (sequence > 0) {
      for (const table of this.#tables.values()) {
        const { totals } = table
        const share = olderShare(table, sequence)
        recordBytes += share * totals.pointedBytes
        valueBytes += share * (totals.keyBytes + totals.valueBytes)
        weight += share * (totals.putWeight + totals.tombstoneWeight)
        tableBytes += share * totals.tableBytes
      }
    }
    return { recordBytes, valueBytes, weight, tableBytes }
  }

  /** The tables that point into any of these segments. */
  tablesPointingTo(segments: ReadonlySet<SegmentNumber>): ReadonlySet<FileNumber> {
    const found = new Set<FileNumber>()
    for (const [number, { references }] of this.#tables) {
      if (references.segments.some((segment) => segments.has(segment))) found.add(number)
    }
    return found
  }

  #read(number: FileNumber): KnownTable {
    const { meta, properties, references } = this.#open(number)
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
    const { smallestSequence, largestSequence } = meta
    return { smallestSequence, largestSequence, references, totals, expiries: properties.expiries }
  }

  /** Goes on adding or taking off a table: one may refer to every segment there is. @returns true at its end */
  #apply(budget: WorkBudget): boolean {
    if (this.#applying === undefined) return true
    const { table, sign, from } = this.#applying
    const { references, totals } = table
    if (from === 0) {
      for (const name of Object.keys(totals) as (keyof TreeTotals)[]) {
        this.#totals[name] += sign * totals[name]
      }
    }
    const most = Math.max(1, Math.ceil(budget.work / REFERENCE_WORK))
    const end = Math.min(references.length, from + most)
    for (let i = from; i < end; i++) this.#sums.add(references, i, sign)
    budget.work -= (end - from) * REFERENCE_WORK
    this.#applying = end < references.length ? { table, sign, from: end } : undefined
    return this.#applying === undefined
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
