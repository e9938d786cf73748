/** Records that are known to be dead, for whoever walks the files that hold them. */
import type { SegmentDead } from '../../lib/base/dead-records.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'

export class ListedDead {
  readonly #segments: Map<SegmentNumber, Map<number, number>> = new Map()

  constructor(lists: readonly SegmentDead[]) {
    for (const { segment, offsets, lengths } of lists) {
      let known = this.#segments.get(segment)
      if (known === undefined) {
        known = new Map()
        this.#segments.set(segment, known)
      }
      for (let i = 0; i < offsets.length; i++) known.set(offsets[i]!, lengths[i]!)
    }
  }

  /** Of the dead record that begins there; undefined if none is known. */
  lengthOf(segment: SegmentNumber, offset: number): number | undefined {
    return this.#segments.get(segment)?.get(offset)
  }
}
