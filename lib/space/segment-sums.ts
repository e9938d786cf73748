/**
 * Sums of records by segment, and which of them have changed: in flat arrays that a hash of the segment's number leads
 * into, since one table may point to tens of thousands of segments, each of which is looked up when it comes or goes.
 */
import type { SegmentNumber } from '../base/ids.ts'
import type { RecordSum, ReferenceList, ReferenceSum } from '../base/segment-records.ts'

/** A power of two. */
const FIRST_PLACES = 64

export class SegmentSums {
  /** By hash, at most half of them in use: a place in the other arrays, plus one. */
  #places: Int32Array = new Int32Array(2 * FIRST_PLACES)
  #segments: Float64Array = new Float64Array(FIRST_PLACES)
  #records: Float64Array = new Float64Array(FIRST_PLACES)
  #bytes: Float64Array = new Float64Array(FIRST_PLACES)
  /** Modulo 2^32: the array sees to that. */
  #fingerprints: Int32Array = new Int32Array(FIRST_PLACES)
  #isChanged: Uint8Array = new Uint8Array(FIRST_PLACES)
  #count = 0
  /** Those for which `#isChanged` is set. */
  #changed: SegmentNumber[] = []

  /** Adds one of the references. @param sign -1 takes it off */
  add(
    { segments, records, bytes, fingerprints }: ReferenceList,
    index: number,
    sign: 1 | -1,
  ): void {
    const segment = segments[index]!
    const at = this.#find(segment)
    this.#records[at]! += sign * records[index]!
    this.#bytes[at]! += sign * bytes[index]!
    this.#fingerprints[at]! += sign * fingerprints[index]!
    if (this.#isChanged[at] !== 0) return
    this.#isChanged[at] = 1
    this.#changed.push(segment)
  }

  /** Undefined: no records. */
  of(segment: SegmentNumber): ReferenceSum | undefined {
    const at = this.#places[this.#hashed(segment)]! - 1
    if (at < 0 || this.#records[at] === 0) return undefined
    return {
      records: this.#records[at]!,
      bytes: this.#bytes[at]!,
      fingerprint: this.#fingerprints[at]!,
    }
  }

  /** Adds the records of a segment to a sum. @returns false if there are none */
  addTo(sum: RecordSum, segment: SegmentNumber): boolean {
    const at = this.#places[this.#hashed(segment)]! - 1
    if (at < 0 || this.#records[at] === 0) return false
    sum.records += this.#records[at]!
    sum.bytes += this.#bytes[at]!
    return true
  }

  /** Takes one of the segments whose sums have changed since they were taken; undefined if there are no more. */
  takeChanged(): SegmentNumber | undefined {
    const segment = this.#changed.pop()
    if (segment !== undefined) this.#isChanged[this.#find(segment)] = 0
    return segment
  }

  /** Nobody wants to know what has changed until now. */
  forgetChanged(): void {
    this.#changed = []
    this.#isChanged.fill(0)
  }

  /** The place of a segment, which it is given if it has none. */
  #find(segment: SegmentNumber): number {
    let hashed = this.#hashed(segment)
    const at = this.#places[hashed]! - 1
    if (at >= 0) return at
    if (this.#count === this.#segments.length) {
      this.#rebuild()
      hashed = this.#hashed(segment)
    }
    this.#segments[this.#count] = segment
    this.#places[hashed] = ++this.#count
    return this.#count - 1
  }

  /** Index in `#places` of a segment, or of the free one where it belongs. */
  #hashed(segment: SegmentNumber): number {
    const places = this.#places
    const mask = places.length - 1
    let at = (Math.imul(segment, 0x9e3779b1) >>> 7) & mask
    for (;;) {
      const place = places[at]!
      if (place === 0 || this.#segments[place - 1] === segment) return at
      at = (at + 1) & mask
    }
  }

  /** In arrays of which half is free, without those that have no records any more. */
  #rebuild(): void {
    const count = this.#pack()
    let places = FIRST_PLACES
    while (places < 2 * count) places *= 2
    this.#segments = grown(this.#segments, count, new Float64Array(places))
    this.#records = grown(this.#records, count, new Float64Array(places))
    this.#bytes = grown(this.#bytes, count, new Float64Array(places))
    this.#fingerprints = grown(this.#fingerprints, count, new Int32Array(places))
    this.#isChanged = grown(this.#isChanged, count, new Uint8Array(places))
    this.#places = new Int32Array(2 * places)
    for (let at = 0; at < count; at++) this.#places[this.#hashed(this.#segments[at]!)] = at + 1
    this.#count = count
  }

  /** Moves those that stay together. @returns how many they are */
  #pack(): number {
    const [segments, records, bytes] = [this.#segments, this.#records, this.#bytes]
    const [fingerprints, isChanged] = [this.#fingerprints, this.#isChanged]
    let to = 0
    for (let from = 0; from < this.#count; from++) {
      if (records[from] === 0 && isChanged[from] === 0) continue
      segments[to] = segments[from]!
      records[to] = records[from]!
      bytes[to] = bytes[from]!
      fingerprints[to] = fingerprints[from]!
      isChanged[to] = isChanged[from]!
      to++
    }
    return to
  }
}

function grown<Column extends Float64Array | Int32Array | Uint8Array>(
  column: Column,
  count: number,
  larger: Column,
): Column {
  larger.set(column.subarray(0, count))
  return larger
}
