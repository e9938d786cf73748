/**
 * Memtables: the newest entries, sorted, in an arena.
 *
 * The main thread inserts and reads; once frozen, a memtable is read by any thread that has the
 * arena's memory, for nothing in it changes until the arena is used again. Point reads go through
 * the index beside it, scans through cursors over the skip list.
 */

import { copyBytes, hashRange } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import type { LogPosition } from '../../base/log-position.ts'
import { type Entry, type EntryCursor, KIND } from '../entry.ts'
import { packRanges } from '../ranges/range-format.ts'
import { fragmentMemory, fragmentTableBytes, RangeList } from '../ranges/range-list.ts'
import type { Arena } from './arena.ts'
import { LiveSums } from './live-sums.ts'
import { MemtableCursor } from './memtable-cursor.ts'
import {
  GENERATION_WORD,
  HEAD,
  HEAD_BYTES,
  HEIGHT_MAX,
  LINKS_WORD,
  nodeBytesMax,
  nodeHasKey,
  nodeKeyLength,
  nodeKeyStart,
  nodePrefix,
  nodeSequence,
  readNode,
  writeNode,
} from './memtable-node.ts'
import { findPathToKey, findPathToNode, isNodeBefore, linkNode, resetList } from './skip-list.ts'

/** Versions of a key that a lookup steps over before it searches the list from the top. */
const VERSION_STEPS_MAX = 8
/**
 * One node in three is on the next level. With links that hold prefixes only steps along a level
 * touch memory, and one in four makes more of them: it takes 10 to 15 % longer for a million random
 * keys, while one in two is no faster and needs more memory (bench/micro/memtable.ts).
 */
const LEVEL_RATIO = 3
/** Any number but 0. The same for each memtable, so that runs repeat exactly. */
const HEIGHT_SEED = 0x2545f491

/** A frozen memtable as it is posted to a worker, which has the arena's memory already. */
export interface FrozenMemtable {
  readonly arenaId: number
  /** Which memtable of that arena: guards against one that was given up too early. */
  readonly generation: number
  /** The log position from which its records begin. */
  readonly start: LogPosition
  readonly entries: number
  readonly tombstones: number
  /** Bytes of the records that its entries point to. */
  readonly pointedBytes: number
  /** Of these, bytes that a flush reads from the log: those of kind deferred. */
  readonly deferredBytes: number
  /** Bytes that its entries take in the arena, and its range tombstones outside of it. */
  readonly usedBytes: number
  /** Its range tombstones (unpackRanges). */
  readonly ranges: Uint8Array
  /** Of its first and last entry or range tombstone; both 0 if it is empty. */
  readonly smallestSequence: Sequence
  readonly largestSequence: Sequence
}

/** The entries of one part of the log. It owns its arena until the next memtable is made in it. */
export class Memtable {
  readonly arena: Arena
  /** The log position from which its records begin. */
  readonly start: LogPosition

  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #generation: number
  /** The path to the place behind the last inserted node. */
  readonly #lastPath: Int32Array = new Int32Array(HEIGHT_MAX)
  readonly #searchPath: Int32Array = new Int32Array(HEIGHT_MAX)
  #end: number = HEAD_BYTES
  #frozen = false
  #heightState = HEIGHT_SEED
  #entries = 0
  #tombstones = 0
  #pointedBytes = 0
  #deferredBytes = 0
  readonly #live: LiveSums
  #smallestSequence = 0
  #largestSequence = 0
  #ranges: RangeList = RangeList.EMPTY
  /** What they take of the heap: the room of the arena is that of both, so that memory is bounded (I10). */
  #rangeBytes = 0

  /** Takes the arena: the memtable that lay in it before must not be read any more. */
  constructor(arena: Arena, start: LogPosition) {
    this.arena = arena
    this.start = start
    this.#words = arena.words
    this.#bytes = arena.view
    this.#live = new LiveSums(arena.words, arena.view)
    resetList(arena.words)
    arena.index.clear()
    this.#generation = arena.words[GENERATION_WORD]!
  }

  /** The most bytes of an arena that an entry takes. `inlineLength` is 0 but for kind inline. */
  static bytesNeeded(keyLength: number, inlineLength: number): number {
    return nodeBytesMax(keyLength, inlineLength)
  }

  /** What a range tombstone takes of its room, about. @param keyBytes of both of its keys */
  static rangeBytesNeeded(keyBytes: number): number {
    return fragmentMemory(keyBytes)
  }

  /** ... and of the tables that its flush makes. */
  static rangeTableBytes(keyBytes: number): number {
    return fragmentTableBytes(keyBytes)
  }

  get entries(): number {
    return this.#entries
  }

  get tombstones(): number {
    return this.#tombstones
  }

  /** Neither an entry nor a range tombstone is in it. */
  get isEmpty(): boolean {
    return this.#entries === 0 && this.#ranges.count === 0
  }

  /** Its range tombstones; another list when there is one more. */
  get ranges(): RangeList {
    return this.#ranges
  }

  /** Distinct keys; not below them where the index has left some out. */
  get keys(): number {
    return this.#live.keys
  }

  /** Of the keys, those whose newest entry is a put; not above that where the index has left some out. */
  get liveKeys(): number {
    return this.#live.liveKeys
  }

  /** Bytes of these keys and their values. */
  get liveBytes(): number {
    return this.#live.liveBytes
  }

  /** Nodes of some of its keys, evenly spread: of all while they are few. */
  get sampledNodes(): readonly number[] {
    return this.#live.samples
  }

  /** The key of a node. It must not be used when the arena is. */
  keyOf(node: number): Uint8Array {
    const start = nodeKeyStart(this.#words, node)
    return this.#bytes.subarray(start, start + nodeKeyLength(this.#words, node))
  }

  /** Bytes of the records that entries of kinds pointer and deferred point to. */
  get pointedBytes(): number {
    return this.#pointedBytes
  }

  /** Of its last entry or range tombstone; 0 if it is empty. */
  get largestSequence(): Sequence {
    return this.#largestSequence
  }

  /** Bytes of the arena that its entries take: in tables they take no more, but for deferred values. */
  get entryBytes(): number {
    return this.#end - HEAD_BYTES
  }

  /** Of memory, with its range tombstones. */
  get usedBytes(): number {
    return this.entryBytes + this.#rangeBytes
  }

  /** Of disk, with its range tombstones and deferred values: what its flush may write. */
  get tableBytesMax(): number {
    return this.entryBytes + this.#deferredBytes + this.#ranges.tableBytesMax
  }

  /** Below 0 where range tombstones took more than was left: they do not lie in the arena. */
  get freeBytes(): number {
    return this.#arenaRoom - this.#rangeBytes
  }

  get #arenaRoom(): number {
    return this.arena.buffer.byteLength - this.#end
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.freeBytes
  }

  /** Makes sure that so many inserts need no memory but the arena's. */
  prepare(entries: number): void {
    this.arena.index.prepare(entries)
  }

  /**
   * Adds an entry of this key, whatever key it says it has. Key and value are copied.
   * Requires: room for {@link Memtable.bytesNeeded}, and a sequence above all earlier ones.
   */
  insert(key: Uint8Array, entry: Entry): void {
    const { kind, sequence } = entry
    assert(sequence > this.#largestSequence || this.isEmpty, 'sequences ascend in a memtable')
    assert(!this.#frozen, 'a frozen memtable takes no entry')
    const words = this.#words
    const bytes = this.#bytes
    const inlineLength = kind === KIND.inline ? entry.valueEnd - entry.valueStart : 0
    const needed = nodeBytesMax(key.length, inlineLength)
    assert(needed <= this.#arenaRoom, 'room in the arena was checked')
    this.#checkGeneration()

    const node = this.#end >> 2
    const end = writeNode(words, bytes, node, this.#nextHeight(), key, entry)
    if (kind === KIND.tombstone) this.#tombstones++
    else if (kind !== KIND.inline) {
      this.#pointedBytes += entry.length
      if (kind === KIND.deferred) this.#deferredBytes += entry.length
    }
    const path = this.#lastPath
    if (!isPathTo(words, bytes, node, path)) findPathToNode(words, bytes, node, path)
    linkNode(words, bytes, node, path)
    const before = this.arena.index.set(words, bytes, key, hashRange(key, 0, key.length, 0), node)
    this.#live.count(before, node)

    this.#end = end
    if (this.isEmpty) this.#smallestSequence = sequence
    this.#entries++
    this.#largestSequence = sequence
  }

  /**
   * Adds a range tombstone, whose keys are copied.
   * @param end exclusive; undefined: it has none @param isNeeded see insertFragment
   * Requires: a sequence above all earlier ones.
   */
  insertRange(
    start: Uint8Array,
    end: Uint8Array | undefined,
    sequence: Sequence,
    isNeeded: (older: Sequence, newer: Sequence) => boolean,
  ): void {
    assert(sequence > this.#largestSequence || this.isEmpty, 'sequences ascend in a memtable')
    assert(!this.#frozen, 'a frozen memtable takes no range tombstone')
    if (this.isEmpty) this.#smallestSequence = sequence
    findPathToKey(this.#words, this.#bytes, start, SEQUENCE_MAX, this.#searchPath)
    this.#live.uncount(this.#words[this.#searchPath[0]! + LINKS_WORD]!, end, sequence)
    const added = { start: copyBytes(start), end: end && copyBytes(end), sequences: [sequence] }
    this.#ranges = this.#ranges.with(added, isNeeded)
    this.#live.ranges = this.#ranges
    this.#rangeBytes = this.#ranges.bytes
    this.#largestSequence = sequence
  }

  /**
   * The newest entry of `key` at or below `sequence`.
   * Requires: `hash` is the key's own, of hashRange with seed 0.
   * @returns false if there is none; then `found` is unchanged
   */
  find(key: Uint8Array, hash: number, sequence: Sequence, found: Entry): boolean {
    if (this.#entries === 0) return false
    const words = this.#words
    const bytes = this.#bytes
    const index = this.arena.index
    let node = index.find(words, bytes, key, hash)
    if (node === 0) {
      if (index.isComplete) return false
      node = this.#search(key, sequence)
    } else if (nodeSequence(words, node) > sequence) {
      node = this.#findOlder(node, key, sequence)
    }
    if (node === 0) return false
    readNode(words, bytes, node, found)
    return true
  }

  /** A cursor that sees later inserts, too. It must not be used when the arena is. */
  cursor(): EntryCursor {
    this.#checkGeneration()
    return new MemtableCursor(this.#words, this.#bytes)
  }

  /** Ends insertion. Reads go on as before. */
  freeze(): FrozenMemtable {
    this.#checkGeneration()
    this.#frozen = true
    return {
      arenaId: this.arena.id,
      generation: this.#generation,
      start: this.start,
      entries: this.#entries,
      tombstones: this.#tombstones,
      pointedBytes: this.#pointedBytes,
      deferredBytes: this.#deferredBytes,
      usedBytes: this.usedBytes,
      ranges: packRanges(this.#ranges.fragments),
      smallestSequence: this.#smallestSequence,
      largestSequence: this.#largestSequence,
    }
  }

  /** The first version at or below `sequence` behind `newest`, which is above it, or 0. */
  #findOlder(newest: number, key: Uint8Array, sequence: Sequence): number {
    const words = this.#words
    let node = newest
    for (let steps = 0; steps < VERSION_STEPS_MAX; steps++) {
      node = words[node + LINKS_WORD]!
      if (node === 0 || !nodeHasKey(words, this.#bytes, node, key)) return 0
      if (nodeSequence(words, node) <= sequence) return node
    }
    return this.#search(key, sequence)
  }

  /** The newest version at or below `sequence`, through the list, or 0. */
  #search(key: Uint8Array, sequence: Sequence): number {
    findPathToKey(this.#words, this.#bytes, key, sequence, this.#searchPath)
    const node = this.#words[this.#searchPath[0]! + LINKS_WORD]!
    return node !== 0 && nodeHasKey(this.#words, this.#bytes, node, key) ? node : 0
  }

  /** A random height, of a xorshift generator. */
  #nextHeight(): number {
    let state = this.#heightState
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#heightState = state
    let height = 1
    let rest = state >>> 0
    while (height < HEIGHT_MAX && rest % LEVEL_RATIO === 0) {
      height++
      rest = Math.floor(rest / LEVEL_RATIO)
    }
    return height
  }

  #checkGeneration(): void {
    assert(this.#words[GENERATION_WORD] === this.#generation, 'the arena holds this memtable still')
  }
}

/** A cursor over a frozen memtable, in any thread. `buffer` is the memory of its arena. */
export function frozenCursor(buffer: SharedArrayBuffer, frozen: FrozenMemtable): EntryCursor {
  const words = new Int32Array(buffer)
  assert(words[GENERATION_WORD] === frozen.generation, 'the arena holds the frozen memtable still')
  return new MemtableCursor(words, new Uint8Array(buffer))
}

/**
 * True if the path, which leads behind the last inserted node, leads to `node`, too: inserting in
 * ascending order then needs no search (bench/micro/memtable.ts). Nothing lies between that node
 * and its successor, so the path is right on all levels if it is on the lowest.
 */
function isPathTo(words: Int32Array, bytes: Uint8Array, node: number, path: Int32Array): boolean {
  const last = path[0]!
  if (last !== HEAD && !isNodeBefore(words, bytes, last, node)) return false
  const next = words[last + LINKS_WORD]!
  if (next === 0) return true
  const prefix = nodePrefix(words, bytes, node)
  const nextPrefix = words[last + LINKS_WORD + 1]!
  if (prefix !== nextPrefix) return prefix < nextPrefix
  return isNodeBefore(words, bytes, node, next)
}
