/** Range tombstones as tests ask them: one fragment after the other. */
import { compareBytes } from '#dist/lib/base/bytes.js'
import type { FragmentList } from '#dist/lib/tree/ranges/range-fragments.js'
import { RangeChunk, RangeList } from '#dist/lib/tree/ranges/range-list.js'

/** One chunk, as of a table. */
export function listOf(fragments: FragmentList): RangeList {
  return new RangeList(fragments.length === 0 ? [] : [new RangeChunk(fragments)])
}

/** The highest sequence at which a key was deleted, for a reader; 0 if it was not. */
export function deletedAt(fragments: FragmentList, key: Uint8Array, at: number): number {
  let highest = 0
  for (const { start, end, sequences } of fragments) {
    if (compareBytes(start, key) > 0 || (end !== undefined && compareBytes(key, end) >= 0)) continue
    for (const sequence of sequences) if (sequence <= at) highest = Math.max(highest, sequence)
  }
  return highest
}
