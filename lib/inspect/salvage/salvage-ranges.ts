/**
 * The range tombstones that a salvage has found. Each of them is a fact, wherever it was found: what it covers and is
 * older was deleted. Nobody reads at an older sequence, so the newest of each key is enough.
 */
import type { Sequence } from '../../base/ids.ts'
import { SEQUENCE_MAX } from '../../base/ids.ts'
import type { RangeFragment } from '../../tree/ranges/range-fragments.ts'
import { RangeList } from '../../tree/ranges/range-list.ts'

export class SalvagedRanges {
  #list: RangeList = RangeList.EMPTY

  add(fragment: RangeFragment): void {
    this.#list = this.#list.with(fragment, () => false)
  }

  /** @param key a string of one character a byte */
  hides(key: string, sequence: Sequence): boolean {
    if (this.#list.count === 0) return false
    const bytes = Buffer.from(key, 'latin1')
    return this.#list.coveringSequence(bytes, 0, bytes.length, SEQUENCE_MAX) > sequence
  }
}

/** That of a record. @param end no bytes: none */
export function writtenFragment(
  start: Uint8Array,
  end: Uint8Array,
  sequence: Sequence,
): RangeFragment {
  return { start, end: end.length === 0 ? undefined : end, sequences: [sequence] }
}
