/** Who reads between two sequences. */
import type { Sequence } from '../base/ids.ts'

/** Does one of them read at `older` or later, but before `newer`? @param held ascending */
export function isAnyBetween(held: readonly Sequence[], older: Sequence, newer: Sequence): boolean {
  let low = 0
  let high = held.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (held[middle]! < older) low = middle + 1
    else high = middle
  }
  return low < held.length && held[low]! < newer
}
