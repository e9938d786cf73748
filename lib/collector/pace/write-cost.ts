/** What writes take from the budget of space (space-budget.ts). Pure, but for the mean of the last look. */

/** What writers are about to write. */
export interface WriteSize {
  readonly records: number
  readonly bytes: number
  /** What its entries take in tables at most. */
  readonly tableBytesMax: number
}

export class WriteCost {
  readonly #target: number
  readonly #segmentBytes: number
  /** Of a put, when it was last looked: so much may be shadowed by the next one. */
  meanBytes = 0

  constructor(targetSpaceAmplification: number, segmentBytes: number) {
    this.#target = targetSpaceAmplification
    this.#segmentBytes = segmentBytes
  }

  /** Its records, its entries as tables, and what it may shadow. */
  of({ records, bytes, tableBytesMax }: WriteSize): number {
    const shadowed = Math.max(0, records * this.meanBytes - bytes)
    return bytes + tableBytesMax + this.#target * shadowed
  }

  /**
   * What a batch wants of the room before it goes. The bound holds two segments, and for a batch that is longer than a
   * segment two of its length: so much more room than it has there is for it, and it may go with less than none.
   */
  roomFor(batch: WriteSize): number {
    return this.of(batch) - 2 * Math.max(0, batch.bytes - this.#segmentBytes)
  }
}
