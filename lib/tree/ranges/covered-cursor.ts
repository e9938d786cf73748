/**
 * A cursor that shows what range tombstones have deleted, for one reader, as tombstones: everything else is as the
 * cursor under it has it. So whoever walks over entries knows one way only in which a key can be deleted.
 *
 * Only where there are range tombstones at all: else nobody pays for it. Lists may be spliced while it lives: what was
 * found last is a guess, that is proved at each key. Data plane.
 */
import { compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor, KIND } from '../entry.ts'
import { type FragmentList, firstFragmentReaching, highestSeen } from './range-fragments.ts'

export class CoveredCursor implements EntryCursor {
  valid = false
  /** That of the source, or its tombstone. */
  entry: Entry = new Entry()
  readonly #tombstone: Entry = new Entry()
  readonly #source: EntryCursor
  readonly #lists: readonly FragmentList[]
  readonly #sequence: Sequence
  /** For each list, where the key before belongs. */
  readonly #places: Int32Array

  constructor(source: EntryCursor, lists: readonly FragmentList[], sequence: Sequence) {
    this.#source = source
    this.#lists = lists
    this.#sequence = sequence
    this.#places = new Int32Array(lists.length)
  }

  seekToFirst(): void {
    this.#source.seekToFirst()
    this.#show()
  }

  seekToLast(): void {
    this.#source.seekToLast()
    this.#show()
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.#source.seek(key, sequence)
    this.#show()
  }

  seekBefore(key: Uint8Array): void {
    this.#source.seekBefore(key)
    this.#show()
  }

  next(): void {
    this.#source.next()
    this.#show()
  }

  previous(): void {
    this.#source.previous()
    this.#show()
  }

  #show(): void {
    const source = this.#source
    this.valid = source.valid
    if (!source.valid) return
    const { entry } = source
    this.entry = entry
    if (entry.kind === KIND.tombstone || !this.#covers(entry)) return
    const tombstone = this.#tombstone
    tombstone.copyFrom(entry)
    tombstone.kind = KIND.tombstone
    this.entry = tombstone
  }

  #covers({ keyBytes, keyStart, keyEnd, sequence }: Entry): boolean {
    for (let i = 0; i < this.#lists.length; i++) {
      const list = this.#lists[i]!
      let place = this.#places[i]!
      if (!belongsAt(list, place, keyBytes, keyStart, keyEnd)) {
        place = firstFragmentReaching(list, keyBytes, keyStart, keyEnd)
        this.#places[i] = place
      }
      const fragment = list[place]
      if (fragment === undefined || highestSeen(fragment, this.#sequence) <= sequence) continue
      const { start } = fragment
      if (compareRange(start, 0, start.length, keyBytes, keyStart, keyEnd) <= 0) return true
    }
    return false
  }
}

/** True if the fragment at a place is the first one that ends behind a key. */
function belongsAt(
  list: FragmentList,
  place: number,
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
): boolean {
  const end = list[place]?.end
  const isBehind =
    end === undefined
      ? place >= list.length - 1 && place <= list.length
      : compareRange(end, 0, end.length, bytes, keyStart, keyEnd) > 0
  if (!isBehind) return false
  const before = list[place - 1]?.end
  return (
    before === undefined || compareRange(before, 0, before.length, bytes, keyStart, keyEnd) <= 0
  )
}
