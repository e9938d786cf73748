/**
 * One cursor over several: sorted runs and memtables seen as one sorted sequence of entries.
 *
 * Data plane. A tournament of losers (Knuth, volume 3, 5.4.1): the leaves are the sources, each
 * inner node remembers who lost there, so that a step costs one comparison for each of the log2(n)
 * nodes above the source that moved. Going backward is the same tournament with the order turned
 * round. Entries are unique by (key, sequence), so no two sources ever stand on the same one.
 */

import { compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import { Entry, type EntryCursor } from '../entry.ts'

export class MergeCursor implements EntryCursor {
  valid = false
  /** That of the source which won. */
  entry: Entry = new Entry()

  readonly #sources: readonly EntryCursor[]
  /** losers[1 .. n): who lost at that inner node; losers[0]: the winner. */
  readonly #losers: Int32Array
  /** 1 forward, -1 backward. */
  #direction = 1

  /** The sources belong to the merge while it is used. Without any it is never valid. */
  constructor(sources: readonly EntryCursor[]) {
    this.#sources = sources
    this.#losers = new Int32Array(Math.max(1, sources.length))
  }

  seekToFirst(): void {
    this.valid = false
    for (const source of this.#sources) source.seekToFirst()
    this.#start(1)
  }

  seekToLast(): void {
    this.valid = false
    for (const source of this.#sources) source.seekToLast()
    this.#start(-1)
  }

  seek(key: Uint8Array, sequence: Sequence): void {
    this.valid = false
    for (const source of this.#sources) source.seek(key, sequence)
    this.#start(1)
  }

  seekBefore(key: Uint8Array): void {
    this.valid = false
    for (const source of this.#sources) source.seekBefore(key)
    this.#start(-1)
  }

  next(): void {
    if (!this.valid) return
    this.valid = false
    if (this.#direction < 0) this.#turn()
    const winner = this.#losers[0]!
    this.#sources[winner]!.next()
    this.#load(replay(this.#sources, this.#losers, winner, 1))
  }

  previous(): void {
    if (!this.valid) return
    this.valid = false
    if (this.#direction > 0) this.#turn()
    const winner = this.#losers[0]!
    this.#sources[winner]!.previous()
    this.#load(replay(this.#sources, this.#losers, winner, -1))
  }

  /** Plays the whole tournament anew, every source being in its place for `direction`. */
  #start(direction: number): void {
    this.#direction = direction
    if (this.#sources.length === 0) return
    playAll(this.#sources, this.#losers, direction)
    this.#load(this.#losers[0]!)
  }

  /**
   * Turns round on the present entry: the other sources go to their neighbour of it on the other
   * side. The winner stays, and still wins: seen in the new direction nobody stands before it.
   */
  #turn(): void {
    const winner = this.#losers[0]!
    const { keyBytes, keyStart, keyEnd, sequence } = this.#sources[winner]!.entry
    const key = keyBytes.subarray(keyStart, keyEnd)
    const direction = -this.#direction
    for (let i = 0; i < this.#sources.length; i++) {
      if (i === winner) continue
      const source = this.#sources[i]!
      source.seek(key, sequence)
      if (direction > 0) continue
      if (source.valid) source.previous()
      else source.seekToLast()
    }
    this.#direction = direction
    playAll(this.#sources, this.#losers, direction)
  }

  #load(winner: number): void {
    const source = this.#sources[winner]!
    this.entry = source.entry
    this.valid = source.valid
  }
}

/**
 * True if source `left` comes before source `right`. An exhausted source comes last, in both
 * directions.
 */
function wins(
  sources: readonly EntryCursor[],
  left: number,
  right: number,
  direction: number,
): boolean {
  const isLeftValid = sources[left]!.valid
  if (!isLeftValid || !sources[right]!.valid) return isLeftValid
  const a = sources[left]!.entry
  const b = sources[right]!.entry
  const order = compareRange(a.keyBytes, a.keyStart, a.keyEnd, b.keyBytes, b.keyStart, b.keyEnd)
  return order === 0 ? (a.sequence - b.sequence) * direction > 0 : order * direction < 0
}

/** Plays source `from` up to the root after it moved. @returns the winner */
function replay(
  sources: readonly EntryCursor[],
  losers: Int32Array,
  from: number,
  direction: number,
): number {
  let winner = from
  for (let node = (from + sources.length) >>> 1; node > 0; node >>>= 1) {
    const loser = losers[node]!
    if (wins(sources, loser, winner, direction)) {
      losers[node] = winner
      winner = loser
    }
  }
  losers[0] = winner
  return winner
}

/**
 * Leaf i is node n + i; a node's parent is half its number. The first to reach an inner node waits
 * there.
 */
function playAll(sources: readonly EntryCursor[], losers: Int32Array, direction: number): void {
  losers.fill(-1)
  for (let i = 0; i < sources.length; i++) {
    let winner = i
    let node = (i + sources.length) >>> 1
    for (; node > 0; node >>>= 1) {
      const waiting = losers[node]!
      if (waiting < 0) {
        losers[node] = winner
        break
      }
      if (wins(sources, waiting, winner, direction)) {
        losers[node] = winner
        winner = waiting
      }
    }
    if (node === 0) losers[0] = winner
  }
}
