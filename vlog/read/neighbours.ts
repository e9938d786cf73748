/** Pure: in which order many records are read, and which of them in one go. */
import type { FileNumber } from '../../lib/base/ids.ts'
import { SLAB_BYTES, SLAB_SHARE_BYTES_MAX } from './slab.ts'
import { type PlacedRequest, type PlacedRequests, placeOrder } from './value-requests.ts'

/** Records that lie this close are read in one go. */
const GAP_BYTES_MAX = 512

/** Neighbours in a file, or a single record. */
export interface Neighbours {
  /** Of their requests, by their places in the file. */
  readonly indexes: readonly number[]
  readonly segment: FileNumber
  readonly offset: number
  readonly length: number
}

class GrowingNeighbours implements Neighbours {
  readonly indexes: number[]
  readonly segment: FileNumber
  readonly offset: number
  length: number

  constructor(index: number, { segment, offset, length }: PlacedRequest) {
    this.indexes = [index]
    this.segment = segment
    this.offset = offset
    this.length = length
  }

  /** @returns false if the record is not one of these neighbours */
  add(index: number, { segment, offset, length }: PlacedRequest): boolean {
    if (segment !== this.segment) return false
    if (this.indexes.length === 1 && this.length > SLAB_SHARE_BYTES_MAX) return false
    const gap = offset - this.offset - this.length
    // The same record once more is none: each caller's bytes are its own.
    if (gap < 0 || gap > GAP_BYTES_MAX) return false
    const all = offset + length - this.offset
    if (all > SLAB_BYTES) return false
    this.indexes.push(index)
    this.length = all
    return true
  }
}

/** All requests, by the places of their records; there may be holes among them. */
export function groupNeighbours(requests: PlacedRequests): Neighbours[] {
  const runs: GrowingNeighbours[] = []
  let run: GrowingNeighbours | undefined
  for (const index of placeOrder(requests)) {
    const request = requests[index]!
    if (run?.add(index, request)) continue
    run = new GrowingNeighbours(index, request)
    runs.push(run)
  }
  return runs
}
