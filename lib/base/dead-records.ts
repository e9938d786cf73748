/**
 * Records of the value log that have died together: those that a flush or a compaction did not keep an entry of.
 *
 * Packed, so that a worker hands them over and nobody copies them: 16 bytes a record. A list is a hint that lives in
 * memory; what it has no room for is found as what was never in one, by a walk over the tables.
 */
import type { SegmentNumber } from './ids.ts'

/** A job hands over at most so many records: 4 MiB of them, and 9 MiB while they are put into order. */
const DEAD_RECORDS_MAX = 256 * 1024
const CAPACITY_MIN = 1024

export interface DeadRecords {
  /** Logical segments, as the entries named them, ascending. */
  readonly segments: Uint32Array
  /** How many of the records each segment has. */
  readonly counts: Uint32Array
  /** Where each record begins in its logical segment; segment after segment, in no order within one. */
  readonly offsets: Float64Array
  /** Of whole records, in the same order. */
  readonly lengths: Float64Array
}

/** Those of one segment, in no order. */
export interface SegmentDead {
  readonly segment: SegmentNumber
  readonly offsets: Float64Array
  readonly lengths: Float64Array
}

export const NO_DEAD: DeadRecords = {
  segments: new Uint32Array(0),
  counts: new Uint32Array(0),
  offsets: new Float64Array(0),
  lengths: new Float64Array(0),
}

/** Takes records in any order, and groups them by their segments. */
export class DeadRecordsBuilder {
  readonly #recordsMax: number
  /** Segments in the order in which they came, how many records each has, and the place of each in both. */
  readonly #segments: SegmentNumber[] = []
  readonly #counts: number[] = []
  readonly #groups: Map<SegmentNumber, number> = new Map()
  /** Of the record before: often the next one's, too. */
  #lastSegment: SegmentNumber = -1
  #lastGroup = 0
  /** Columns: the group of each record, and where it lies. */
  #groupOf: Uint32Array = new Uint32Array(0)
  #offsets: Float64Array = new Float64Array(0)
  #lengths: Float64Array = new Float64Array(0)
  #records = 0

  constructor(recordsMax: number = DEAD_RECORDS_MAX) {
    this.#recordsMax = recordsMax
  }

  /** Leaves out what it has no room for. */
  add(segment: SegmentNumber, offset: number, length: number): void {
    const at = this.#records
    if (at === this.#offsets.length && !this.#grow()) return
    if (segment !== this.#lastSegment) this.#useSegment(segment)
    this.#counts[this.#lastGroup]!++
    this.#groupOf[at] = this.#lastGroup
    this.#offsets[at] = offset
    this.#lengths[at] = length
    this.#records = at + 1
  }

  /** What was added. The builder is used up. */
  finish(): DeadRecords {
    const records = this.#records
    if (records === 0) return NO_DEAD
    const segments = Uint32Array.from(this.#segments).sort()
    const counts = new Uint32Array(segments.length)
    /** Where the next record of each group goes. */
    const next = new Uint32Array(segments.length)
    let start = 0
    segments.forEach((segment, i) => {
      const group = this.#groups.get(segment)!
      counts[i] = this.#counts[group]!
      next[group] = start
      start += counts[i]!
    })
    const offsets = new Float64Array(records)
    const lengths = new Float64Array(records)
    for (let i = 0; i < records; i++) {
      const to = next[this.#groupOf[i]!]!++
      offsets[to] = this.#offsets[i]!
      lengths[to] = this.#lengths[i]!
    }
    return { segments, counts, offsets, lengths }
  }

  #useSegment(segment: SegmentNumber): void {
    let group = this.#groups.get(segment)
    if (group === undefined) {
      group = this.#segments.length
      this.#segments.push(segment)
      this.#counts.push(0)
      this.#groups.set(segment, group)
    }
    this.#lastSegment = segment
    this.#lastGroup = group
  }

  /** @returns false if there is no room for more */
  #grow(): boolean {
    const grown = Math.min(this.#recordsMax, Math.max(CAPACITY_MIN, this.#offsets.length * 2))
    if (grown === this.#offsets.length) return false
    const groupOf = new Uint32Array(grown)
    const offsets = new Float64Array(grown)
    const lengths = new Float64Array(grown)
    groupOf.set(this.#groupOf)
    offsets.set(this.#offsets)
    lengths.set(this.#lengths)
    this.#groupOf = groupOf
    this.#offsets = offsets
    this.#lengths = lengths
    return true
  }
}
