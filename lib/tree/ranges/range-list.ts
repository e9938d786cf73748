/**
 * Range tombstones as readers ask them: fragments in chunks, of which each is packed for searches when it is first
 * asked.
 *
 *   list     [ chunk           ] [ chunk     ] ...    fragments ascend and do not overlap, within chunks and between
 *   packed   bytes  a d d h m p          starts and ends, one behind the other
 *            words  a d m                the first bytes of each start in which they differ
 *            newest [3] [7] [7]          the highest sequence of each
 *
 * A list never changes: one that is added to shares its other chunks with the one before. So a cursor may keep the list
 * that it has begun with, and an insertion among a million moves few. Chunks of a memtable are short; those of tables
 * are as the tables have them. Data plane.
 */
import { compareBytes, compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import {
  type FragmentList,
  highestSeen,
  insertFragment,
  type RangeFragment,
} from './range-fragments.ts'

/** A chunk that is longer is cut: packing one takes about 10 us. */
const CHUNK_FRAGMENTS_MAX = 128
/** What a fragment takes of the heap beside the bytes of its keys: two arrays, its objects, its share of a chunk. */
const FRAGMENT_BYTES = 600
const SEQUENCE_BYTES = 8
/** What a fragment takes in a table at most beside its keys: its three counts and a sequence (range-format.ts). */
const FRAGMENT_TABLE_BYTES = 16

/** Memory that a fragment takes, by the lengths of both of its keys together: as they are, and packed. */
export function fragmentMemory(keyBytes: number): number {
  return FRAGMENT_BYTES + 2 * keyBytes
}

/** What a fragment may take in tables, by the lengths of both of its keys together: twice that of these, as memory. */
export function fragmentTableBytes(keyBytes: number): number {
  return fragmentMemory(keyBytes) - FRAGMENT_BYTES + FRAGMENT_TABLE_BYTES
}

export class RangeList {
  static readonly EMPTY: RangeList = new RangeList([])

  /** In order. */
  readonly #chunks: readonly RangeChunk[]
  readonly count: number
  /** Undefined: nobody has asked yet. */
  #bytes: number | undefined

  /** @param chunks in key order @param count of their fragments @param bytes of memory, if they are known */
  constructor(
    chunks: readonly RangeChunk[],
    count: number = countOf(chunks),
    bytes: number | undefined = undefined,
  ) {
    this.#chunks = chunks
    this.count = count
    this.#bytes = bytes
  }

  /** All in one. */
  get fragments(): FragmentList {
    return this.#chunks.length === 1 ? this.#chunks[0]!.fragments : joined(this.#chunks)
  }

  /** Memory that they take, about. */
  get bytes(): number {
    this.#bytes ??= memoryOf(this.#chunks)
    return this.#bytes
  }

  /** What a flush makes of them at most: a fragment is cut once where tables meet, so each key may be written twice. */
  get tableBytesMax(): number {
    return this.bytes - this.count * (FRAGMENT_BYTES - FRAGMENT_TABLE_BYTES)
  }

  /** With one more. @param isNeeded see insertFragment */
  with(added: RangeFragment, isNeeded: (older: Sequence, newer: Sequence) => boolean): RangeList {
    const chunks = this.#chunks
    const { start, end } = added
    const from = Math.max(0, this.#chunkOf(start, 0, start.length))
    let to = from
    while (to < chunks.length && (to === from || beginsBy(chunks[to]!, end))) to++
    const old = chunks.slice(from, to)
    const met = joined(old)
    const others = this.count - met.length
    insertFragment(met, added, isNeeded)
    const changed = cut(met)
    const copy = chunks.slice()
    copy.splice(from, to - from, ...changed)
    const bytes = this.bytes - memoryOf(old) + memoryOf(changed)
    return new RangeList(copy, others + met.length, bytes)
  }

  /** The highest sequence at which a key was deleted, for a reader at `sequence`; 0 if it was not. */
  coveringSequence(bytes: Uint8Array, start: number, end: number, sequence: Sequence): Sequence {
    const chunk = this.#chunks[this.#chunkOf(bytes, start, end)]
    return chunk === undefined ? 0 : chunk.packed.coveringSequence(bytes, start, end, sequence)
  }

  /** The first fragment that ends behind a key, or undefined. */
  firstReaching(bytes: Uint8Array, start: number, end: number): RangeFragment | undefined {
    const at = this.#chunkOf(bytes, start, end)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return this.#chunks[0]?.fragments[0]
    return (
      chunk.fragments[chunk.packed.firstReaching(bytes, start, end)] ??
      this.#chunks[at + 1]?.fragments[0]
    )
  }

  /** The last fragment that ends at or before a key, or undefined. */
  lastBefore(bytes: Uint8Array, start: number, end: number): RangeFragment | undefined {
    const at = this.#chunkOf(bytes, start, end)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return undefined
    return (
      chunk.fragments[chunk.packed.firstReaching(bytes, start, end) - 1] ??
      this.#chunks[at - 1]?.fragments.at(-1)
    )
  }

  /** Index of the last chunk that begins at or before a key; -1 if there is none. */
  #chunkOf(bytes: Uint8Array, start: number, end: number): number {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const first = chunks[middle]!.start
      if (compareRange(first, 0, first.length, bytes, start, end) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Neighbours of a list. */
export class RangeChunk {
  readonly fragments: FragmentList
  readonly start: Uint8Array
  #packed: PackedFragments | undefined
  #bytes = 0

  /** @param fragments at least one */
  constructor(fragments: FragmentList) {
    this.fragments = fragments
    this.start = fragments[0]!.start
  }

  /** Memory that it takes, about. */
  get bytes(): number {
    if (this.#bytes === 0) for (const each of this.fragments) this.#bytes += bytesOf(each)
    return this.#bytes
  }

  get packed(): PackedFragments {
    this.#packed ??= new PackedFragments(this.fragments)
    return this.#packed
  }
}

/** A loop: `flatMap` takes longer than all the rest of an insertion. */
function joined(chunks: readonly RangeChunk[]): RangeFragment[] {
  const all: RangeFragment[] = []
  for (const { fragments } of chunks) for (const fragment of fragments) all.push(fragment)
  return all
}

function countOf(chunks: readonly RangeChunk[]): number {
  return chunks.reduce((sum, { fragments }) => sum + fragments.length, 0)
}

function memoryOf(chunks: readonly RangeChunk[]): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes, 0)
}

function bytesOf({ start, end, sequences }: RangeFragment): number {
  const keyBytes = start.length + (end?.length ?? 0)
  return fragmentMemory(keyBytes) + SEQUENCE_BYTES * (sequences.length - 1)
}

/** True if a chunk begins at or before the end of a range. */
function beginsBy({ start }: RangeChunk, end: RangeFragment['end']): boolean {
  return end === undefined || compareBytes(start, end) <= 0
}

function cut(fragments: FragmentList): RangeChunk[] {
  if (fragments.length <= CHUNK_FRAGMENTS_MAX) return [new RangeChunk(fragments)]
  const chunks: RangeChunk[] = []
  const parts = Math.ceil((2 * fragments.length) / CHUNK_FRAGMENTS_MAX)
  for (let i = 0; i < parts; i++) {
    const at = Math.floor((i * fragments.length) / parts)
    const end = Math.floor(((i + 1) * fragments.length) / parts)
    chunks.push(new RangeChunk(fragments.slice(at, end)))
  }
  return chunks
}

class PackedFragments {
  readonly #fragments: FragmentList
  /** Of each fragment its start and its end, which has no bytes if there is none. */
  readonly #bytes: Uint8Array
  /** Where they begin, and where the last one ends. */
  readonly #places: Uint32Array
  readonly #newest: Float64Array
  readonly #isEndless: boolean
  /** So many bytes are the same at the beginning of all starts: of the first and the last, since they ascend. */
  readonly #common: number
  /** The four bytes of each start behind these: most comparisons need no more. */
  readonly #words: Uint32Array

  constructor(fragments: FragmentList) {
    const count = fragments.length
    this.#common = commonLength(fragments[0]!.start, fragments[count - 1]!.start)
    this.#words = new Uint32Array(count)
    let length = 0
    for (const { start, end } of fragments) length += start.length + (end?.length ?? 0)
    this.#fragments = fragments
    this.#bytes = new Uint8Array(length)
    this.#places = new Uint32Array(2 * count + 1)
    this.#newest = new Float64Array(count)
    this.#isEndless = fragments[count - 1]!.end === undefined
    let at = 0
    for (let i = 0; i < count; i++) {
      const { start, end, sequences } = fragments[i]!
      this.#bytes.set(start, at)
      at += start.length
      this.#places[2 * i + 1] = at
      if (end !== undefined) {
        this.#bytes.set(end, at)
        at += end.length
      }
      this.#places[2 * i + 2] = at
      this.#newest[i] = sequences[0]!
      this.#words[i] = wordAt(start, this.#common, start.length)
    }
  }

  coveringSequence(bytes: Uint8Array, start: number, end: number, sequence: Sequence): Sequence {
    const at = this.#lastStartingBy(bytes, start, end)
    if (at < 0 || !this.#reachesBehind(at, bytes, start, end)) return 0
    const newest = this.#newest[at]!
    return newest <= sequence ? newest : highestSeen(this.#fragments[at]!, sequence)
  }

  /** Index of the first one that ends behind a key. */
  firstReaching(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#lastStartingBy(bytes, start, end)
    return at >= 0 && this.#reachesBehind(at, bytes, start, end) ? at : at + 1
  }

  #reachesBehind(at: number, bytes: Uint8Array, start: number, end: number): boolean {
    const places = this.#places
    if (this.#isEndless && 2 * at + 3 === places.length) return true
    return (
      compareRange(this.#bytes, places[2 * at + 1]!, places[2 * at + 2]!, bytes, start, end) > 0
    )
  }

  /** Index of the last one that begins at or before a key; -1 if there is none. */
  #lastStartingBy(bytes: Uint8Array, start: number, end: number): number {
    const own = this.#bytes
    const places = this.#places
    const words = this.#words
    const common = this.#common
    // The first one begins with what all have in common.
    const order = compareRange(own, 0, common, bytes, start, Math.min(end, start + common))
    if (order !== 0) return order < 0 ? words.length - 1 : -1
    const rest = start + common
    const word = wordAt(bytes, rest, end)
    let low = 0
    let high = words.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const found = words[middle]!
      let isBehind = found > word
      if (found === word) {
        const from = places[2 * middle]! + common
        isBehind = compareRange(own, from, places[2 * middle + 1]!, bytes, rest, end) > 0
      }
      if (isBehind) high = middle
      else low = middle + 1
    }
    return low - 1
  }
}

/** Four bytes from a place on as a number that is ordered as they are; where there are fewer, as if zeros followed. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0
  for (let i = at; i < at + 4; i++) word = word * 256 + (i < end ? bytes[i]! : 0)
  return word
}

function commonLength(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length)
  let common = 0
  while (common < length && left[common] === right[common]) common++
  return common
}
