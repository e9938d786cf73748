/**
 * A cursor that shows what range tombstones have deleted, for one reader, as tombstones, and what was evicted, for all:
 * everything else is as the cursor under it has it. So whoever walks over entries knows one way only in which a key can
 * be gone.
 *
 * Only where there is any of that at all: else nobody pays for it. One comparison for each list and entry, while
 * the walk stays in a fragment or between two. Data plane.
 */
import { compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor, KIND } from '../entry.ts'
import { highestSeen } from './range-fragments.ts'
import type { RangeList } from './range-list.ts'

/** Where the next key lies, as seen from the one before. */
type Direction = 'ahead' | 'back' | 'anywhere'

export class CoveredCursor implements EntryCursor {
  valid = false
  /** That of the source, or its tombstone. */
  entry: Entry = new Entry()
  readonly #tombstone: Entry = new Entry()
  readonly #source: EntryCursor
  readonly #pieces: readonly Piece[]
  readonly #evictedBelow: Sequence

  constructor(
    source: EntryCursor,
    lists: readonly RangeList[],
    sequence: Sequence,
    evictedBelow: Sequence,
  ) {
    this.#source = source
    this.#pieces = lists.map((list) => new Piece(list, sequence))
    this.#evictedBelow = evictedBelow
  }

  seekToFirst(): void {
    this.#source.seekToFirst()
    this.#show('anywhere')
  }

  seekToLast(): void {
    this.#source.seekToLast()
    this.#show('anywhere')
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.#source.seek(key, sequence)
    this.#show('anywhere')
  }

  seekBefore(key: Uint8Array): void {
    this.#source.seekBefore(key)
    this.#show('anywhere')
  }

  next(): void {
    this.#source.next()
    this.#show('ahead')
  }

  previous(): void {
    this.#source.previous()
    this.#show('back')
  }

  #show(direction: Direction): void {
    const source = this.#source
    this.valid = source.valid
    if (!source.valid) return
    const { entry } = source
    this.entry = entry
    const isGone = this.#covers(entry, direction) || entry.sequence < this.#evictedBelow
    if (!isGone || entry.kind === KIND.tombstone) return
    const tombstone = this.#tombstone
    tombstone.copyFrom(entry)
    tombstone.kind = KIND.tombstone
    this.entry = tombstone
  }

  #covers({ keyBytes, keyStart, keyEnd, sequence }: Entry, direction: Direction): boolean {
    let covers = false
    for (let i = 0; i < this.#pieces.length; i++) {
      const piece = this.#pieces[i]!
      piece.moveTo(keyBytes, keyStart, keyEnd, direction)
      if (piece.covering > sequence) covers = true
    }
    return covers
  }
}

/** The piece of key space around the present key, in one fragment of a list or between two. */
class Piece {
  /** The highest sequence at which its keys were deleted, for the reader; 0 if they were not. */
  covering: Sequence = 0
  readonly #list: RangeList
  readonly #sequence: Sequence
  #isKnown = false
  /** From here on, and below there; undefined: there is no end. */
  #lower: Uint8Array | undefined
  #upper: Uint8Array | undefined

  constructor(list: RangeList, sequence: Sequence) {
    this.#list = list
    this.#sequence = sequence
  }

  moveTo(bytes: Uint8Array, start: number, end: number, direction: Direction): void {
    if (!this.#isKnown || this.#ends(bytes, start, end, direction)) this.#find(bytes, start, end)
  }

  /** True if a key lies outside. */
  #ends(bytes: Uint8Array, start: number, end: number, direction: Direction): boolean {
    const lower = this.#lower
    const upper = this.#upper
    if (direction !== 'back' && upper !== undefined) {
      if (compareRange(upper, 0, upper.length, bytes, start, end) <= 0) return true
    }
    if (direction !== 'ahead' && lower !== undefined) {
      if (compareRange(lower, 0, lower.length, bytes, start, end) > 0) return true
    }
    return false
  }

  #find(bytes: Uint8Array, start: number, end: number): void {
    const fragment = this.#list.firstReaching(bytes, start, end)
    const first = fragment?.start
    this.#isKnown = true
    if (first !== undefined && compareRange(first, 0, first.length, bytes, start, end) <= 0) {
      this.#lower = first
      this.#upper = fragment!.end
      this.covering = highestSeen(fragment!, this.#sequence)
    } else {
      this.#lower = this.#list.lastBefore(bytes, start, end)?.end
      this.#upper = first
      this.covering = 0
    }
  }
}
