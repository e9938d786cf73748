/**
 * Keys of a table, evenly spread over it: what an estimate looks up instead of all of them.
 *
 * Each key of the table has about the same chance, whatever the sizes of its entries: blocks are taken evenly, keys
 * evenly from those that begin in a block, and each sample carries how many keys it stands for. From block to block
 * the place changes: an entry that ended a block is a large one more often than not, and begins the next.
 */

import { compareBytes, hashRange } from '../../base/bytes.ts'
import type { BlockCache } from '../../base/files/block-cache.ts'
import { SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { Entry } from '../entry.ts'
import { decodeEntry, entriesEnd } from './block-format.ts'
import { LastKey } from './last-key.ts'
import type { TableBlocks } from './table-blocks.ts'
import { TRAILER_BYTES } from './table-format.ts'
import { findBlock } from './table-index.ts'

/** Multiples of it, modulo 1, fill the unit interval evenly. */
const GOLDEN_RATIO = 0.618_033_988_749_894_9

export interface KeySample {
  readonly key: Uint8Array
  /** Of the key: hashRange, seed 0. */
  readonly hash: number
  /** Of its newest entry. */
  readonly sequence: Sequence
  /** Keys of its block that it stands for. */
  readonly weight: number
}

/**
 * About `count` keys in order, fewer if the table has fewer. Deterministic.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function sampleKeys(
  blocks: TableBlocks,
  count: number,
  cache: BlockCache,
): readonly KeySample[] {
  const { blockCount } = blocks.index
  const blocksTaken = Math.min(blockCount, count)
  const perBlock = Math.ceil(count / blocksTaken)
  const samples: KeySample[] = []
  const keys = new BlockKeys(blocks, cache)
  for (let i = 0; i < blocksTaken; i++) {
    const block = Math.floor(((i + 0.5) * blockCount) / blocksTaken)
    const total = keys.visit(block, () => undefined)
    const taken = Math.min(total, perBlock)
    const phase = (i * GOLDEN_RATIO) % 1
    let next = 0
    keys.visit(block, (ordinal, { keyBytes, keyEnd, sequence }) => {
      if (next === taken || ordinal !== Math.floor(((next + phase) * total) / taken)) return
      next++
      const key = keyBytes.slice(0, keyEnd)
      const hash = hashRange(key, 0, key.length, 0)
      samples.push({ key, hash, sequence, weight: total / taken })
    })
  }
  return samples
}

/** A table with fewer blocks is judged by samples ... */
const COUNTED_BLOCKS_MIN = 32
/** ... of so many keys. */
const SHARE_SAMPLES = 64

/**
 * About the part of the keys that lies in a range: by the bounds of blocks. Two blocks lie in it with a part.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function shareWithin(
  blocks: TableBlocks,
  { start, end }: { readonly start: Uint8Array; readonly end: Uint8Array | undefined },
  cache: BlockCache,
): number {
  const { blockCount } = blocks.index
  if (blockCount >= COUNTED_BLOCKS_MIN) {
    const first = findBlock(blocks.index, start, SEQUENCE_MAX)
    const last = end === undefined ? blockCount : findBlock(blocks.index, end, SEQUENCE_MAX)
    return (last - first) / blockCount
  }
  let all = 0
  let within = 0
  for (const { key, weight } of sampleKeys(blocks, SHARE_SAMPLES, cache)) {
    all += weight
    const isWithin = compareBytes(start, key) <= 0 && (!end || compareBytes(key, end) < 0)
    if (isWithin) within += weight
  }
  return within / Math.max(1, all)
}

/** The keys that begin in a block: those whose newest entry lies there. */
class BlockKeys {
  readonly #blocks: TableBlocks
  readonly #cache: BlockCache
  readonly #entry: Entry = new Entry()
  readonly #lastKey: LastKey = new LastKey()

  constructor(blocks: TableBlocks, cache: BlockCache) {
    this.#blocks = blocks
    this.#cache = cache
  }

  /** Calls `visitor` with each of them, counted from 0. @returns how many there are */
  visit(block: number, visitor: (ordinal: number, entry: Entry) => void): number {
    const entry = this.#entry
    const bytes = this.#blocks.get(block, this.#cache)
    const end = entriesEnd(bytes, bytes.length - TRAILER_BYTES)
    // A bound with a sequence: the block goes on with the key of the one before.
    const goesOn = this.#blocks.index.sequences[block] !== SEQUENCE_MAX
    let count = 0
    for (let at = 0; at < end; ) {
      const next = decodeEntry(bytes, at, end, at === 0 ? 0 : entry.keyEnd, this.#blocks, entry)
      if (next < 0) throw this.#blocks.entryError(block, next, at)
      if ((this.#lastKey.advance(entry) || at === 0) && !(at === 0 && goesOn)) {
        visitor(count++, entry)
      }
      at = next
    }
    return count
  }
}
