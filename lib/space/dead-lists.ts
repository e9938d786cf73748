/**
 * Lists of dead records, as flushes and compactions told of them: in memory, by logical segment.
 *
 * A list is a hint, and never complete for sure: it begins with the open, and memory is bounded. What is in one is dead
 * for good: no entry of any table or memtable names it, in this version or in a later one, and what crashes leave
 * behind does not either, since the edit that dropped its last entry is durable (I12).
 */
import type { DeadRecords, SegmentDead } from '../base/dead-records.ts'
import type { SegmentNumber } from '../base/ids.ts'
import { fileOf, type Version } from '../tree/version/version.ts'

/** Of all lists together: a million records, 4 GiB of dead values of 4 KiB. */
const LISTS_BYTES_MAX: number = 16 * 1024 * 1024
/** What is left where there are more: they are sorted to find it. */
const KEPT_SHARE = 3 / 4
/** A list of a few records takes so much besides these. */
const LIST_BYTES = 256
const RECORD_BYTES = 16

interface SegmentLists {
  lists: SegmentDead[]
  bytes: number
}

export class DeadLists {
  readonly #bytesMax: number
  readonly #segments: Map<SegmentNumber, SegmentLists> = new Map()
  #bytes = 0

  constructor(bytesMax: number = LISTS_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Memory that the lists take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes what a job handed over. Requires: its edit is durable. */
  add({ segments, counts, offsets, lengths }: DeadRecords): void {
    let from = 0
    segments.forEach((segment, i) => {
      const to = from + counts[i]!
      // Copies: a view would keep, and hand to a worker, the memory of all.
      this.#add({ segment, offsets: offsets.slice(from, to), lengths: lengths.slice(from, to) })
      from = to
    })
    if (this.#bytes > this.#bytesMax) this.#dropSome()
  }

  /** What is known of these segments. */
  of(segments: Iterable<SegmentNumber>): SegmentDead[] {
    const found: SegmentDead[] = []
    for (const segment of segments) found.push(...(this.#segments.get(segment)?.lists ?? []))
    return found
  }

  /** The records of these lists are in no file any more: what has died since may still be. */
  forget(gone: readonly SegmentDead[]): void {
    const lists = new Set(gone)
    for (const segment of new Set(gone.map((list) => list.segment))) {
      const kept = this.#segments.get(segment)?.lists.filter((list) => !lists.has(list)) ?? []
      this.#drop(segment)
      for (const list of kept) this.#add(list)
    }
  }

  /** Drops the lists of segments that are in no file of the version. */
  follow(version: Version): void {
    for (const segment of this.#segments.keys()) {
      if (fileOf(version, segment) === undefined) this.#drop(segment)
    }
  }

  #add(list: SegmentDead): void {
    let known = this.#segments.get(list.segment)
    if (known === undefined) {
      known = { lists: [], bytes: 0 }
      this.#segments.set(list.segment, known)
    }
    const bytes = LIST_BYTES + RECORD_BYTES * list.offsets.length
    known.lists.push(list)
    known.bytes += bytes
    this.#bytes += bytes
  }

  #drop(segment: SegmentNumber): void {
    this.#bytes -= this.#segments.get(segment)?.bytes ?? 0
    this.#segments.delete(segment)
  }

  /** The segments of which least has died will be collected last, if ever. */
  #dropSome(): void {
    const shortestFirst = [...this.#segments].sort(
      ([, left], [, right]) => left.bytes - right.bytes,
    )
    for (const [segment] of shortestFirst) {
      if (this.#bytes <= KEPT_SHARE * this.#bytesMax) return
      this.#drop(segment)
    }
  }
}
