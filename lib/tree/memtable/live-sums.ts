/** What lives in a memtable: sums over the newest entries of its keys, kept while it is written. They err low. */
import { compareRange } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import { SEQUENCE_MAX } from '../../base/ids.ts'
import { KIND } from '../entry.ts'
import { RangeList } from '../ranges/range-list.ts'
import { LEFT_OUT } from './key-index.ts'
import {
  LINKS_WORD,
  nodeHasKey,
  nodeKeyLength,
  nodeKeyStart,
  nodeKind,
  nodeLiveBytes,
  nodeSequence,
} from './memtable-node.ts'

/** Entries that are looked at below a range tombstone: under half a millisecond. */
const COUNTED_NODES_MAX = 2048
/** Keys that are kept as samples: between half as many and so many, once there are more. */
const SAMPLES_MAX = 128

export class LiveSums {
  /** Distinct keys. */
  keys = 0
  /** Those whose newest entry is a put. */
  liveKeys = 0
  /** Bytes of these keys and their values. */
  liveBytes = 0
  /** The range tombstones of the memtable. */
  ranges: RangeList = RangeList.EMPTY
  /** Nodes of some keys, evenly spread over the times at which they came: all of them while they are few. */
  samples: number[] = []
  /** One key in so many is a sample: a power of two, less one. */
  #sampleMask = 0
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** Older entries are in no sum. */
  #from: Sequence = 0

  constructor(words: Int32Array, bytes: Uint8Array) {
    this.#words = words
    this.#bytes = bytes
  }

  /** Counts a new entry. @param before the node whose key has got a newer one, as the index says */
  count(before: number, node: number): void {
    if (before <= 0) {
      if ((this.keys & this.#sampleMask) === 0) this.#sample(node)
      this.keys++
    }
    // Whether it replaces another one is not known: the sums err low.
    if (before === LEFT_OUT) return
    if (before !== 0 && !this.#isDeleted(before)) this.#add(before, -1)
    this.#add(node, 1)
  }

  #sample(node: number): void {
    if (this.samples.length === SAMPLES_MAX) {
      this.samples = this.samples.filter((_, i) => i % 2 === 0)
      this.#sampleMask = 2 * this.#sampleMask + 1
    }
    this.samples.push(node)
  }

  /**
   * Takes off what a range tombstone deletes that is about to be added: all that there is, if that is much.
   * @param node the first one at or behind its beginning, or 0
   */
  uncount(node: number, end: Uint8Array | undefined, sequence: Sequence): void {
    const words = this.#words
    const bytes = this.#bytes
    if (this.liveKeys === 0) return
    let at = node
    let before = 0
    for (let steps = 0; at !== 0 && steps < COUNTED_NODES_MAX; steps++) {
      const start = nodeKeyStart(words, at)
      const keyEnd = start + nodeKeyLength(words, at)
      if (end && compareRange(bytes, start, keyEnd, end, 0, end.length) >= 0) return
      const isNewest =
        before === 0 || !nodeHasKey(words, bytes, before, bytes.subarray(start, keyEnd))
      if (isNewest && !this.#isDeleted(at)) this.#add(at, -1)
      before = at
      at = words[at + LINKS_WORD]!
    }
    if (at === 0) return
    this.liveKeys = 0
    this.liveBytes = 0
    this.#from = sequence
  }

  #add(node: number, sign: 1 | -1): void {
    if (nodeKind(this.#words, node) === KIND.tombstone) return
    this.liveKeys += sign
    this.liveBytes += sign * nodeLiveBytes(this.#words, node)
  }

  /** It was taken off when a range tombstone came over it. */
  #isDeleted(node: number): boolean {
    if (this.ranges.count === 0) return false
    const sequence = nodeSequence(this.#words, node)
    if (sequence < this.#from) return true
    const start = nodeKeyStart(this.#words, node)
    const end = start + nodeKeyLength(this.#words, node)
    return this.ranges.coveringSequence(this.#bytes, start, end, SEQUENCE_MAX) > sequence
  }
}
