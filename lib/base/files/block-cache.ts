/**
 * The block cache: S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson, "FIFO queues are all you need for
 * cache eviction", SOSP 2023), bounded by bytes.
 *
 * A new block enters the small queue, a tenth of the capacity. If it is used twice more before it
 * comes to the end, it moves to the main queue, else it leaves; the ghost queue remembers that it
 * was there, and a block that comes back while it is remembered enters the main queue at once. So a
 * scan, which uses each block once, passes through the small queue and pushes out nothing that
 * point reads use.
 *
 * Whoever owns the blocks keeps an array of slots: a hit is one load from it and a call of `hit`,
 * no search. Eviction clears the slot; bytes that somebody still looks at stay good, for nothing is
 * written over.
 */
import { assert } from '../errors.ts'

/**
 * What a block costs beside its bytes: the objects around them. Counted, so that tiny blocks are
 * bounded, too.
 */
export const BLOCK_OVERHEAD_BYTES = 256
/** A block above this part of the capacity is not kept. */
const LARGEST_PART = 8
const SMALL_QUEUE_PART = 10
const FREQUENCY_MAX = 3
/** Uses in the small queue, after the first, that take a block to the main one. */
const PROMOTION_FREQUENCY = 2
/** Slots beyond this share ghosts, which costs a wrong guess at worst. */
const GHOST_SLOTS = 2 ** 21
const GHOSTS_MAX = 2 ** 16

/** Whose blocks they are: an open table. `id` is its file number, never used for another. */
export interface BlockOwner {
  readonly id: number
  /**
   * The cache writes here; the owner reads. One element for each block, undefined if it is not
   * cached.
   */
  readonly slots: (CachedBlock | undefined)[]
}

/** A block in the cache. Its bytes never change. */
export class CachedBlock {
  readonly bytes: Uint8Array
  readonly owner: BlockOwner
  readonly slot: number
  frequency = 0
  queue: BlockQueue | undefined
  /** Neighbours in the queue. */
  older: CachedBlock | undefined
  newer: CachedBlock | undefined

  constructor(owner: BlockOwner, slot: number, bytes: Uint8Array) {
    this.owner = owner
    this.slot = slot
    this.bytes = bytes
  }

  /** What it counts in the cache. */
  get cost(): number {
    return this.bytes.length + BLOCK_OVERHEAD_BYTES
  }
}

export interface BlockCacheStats {
  readonly hits: number
  /** Blocks that had to be read, those that were too large to keep included. */
  readonly misses: number
  /** Never above the capacity. */
  readonly bytes: number
}

export class BlockCache {
  readonly capacityBytes: number
  readonly #small: BlockQueue = new BlockQueue()
  readonly #main: BlockQueue = new BlockQueue()
  readonly #ghosts: GhostQueue = new GhostQueue()
  #hits = 0
  #misses = 0

  /** @param capacityBytes 0 keeps nothing */
  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
  }

  get stats(): BlockCacheStats {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#small.bytes + this.#main.bytes }
  }

  /** Takes note that a cached block was used. */
  hit(block: CachedBlock): void {
    this.#hits++
    if (block.frequency < FREQUENCY_MAX) block.frequency++
  }

  /**
   * Takes in a block that was missing, and puts it in its owner's slot, unless it is too large.
   * The bytes must not change from now on.
   */
  insert(owner: BlockOwner, slot: number, bytes: Uint8Array): void {
    this.#misses++
    assert(owner.slots[slot] === undefined, 'a block is cached once')
    const block = new CachedBlock(owner, slot, bytes)
    if (block.cost > this.capacityBytes / LARGEST_PART) return
    while (this.#small.bytes + this.#main.bytes + block.cost > this.capacityBytes) this.#evict()
    const target = this.#ghosts.take(ghostKey(block)) ? this.#main : this.#small
    target.push(block)
    owner.slots[slot] = block
  }

  /** Forgets a block. Requires: it is cached. */
  remove(block: CachedBlock): void {
    block.queue!.remove(block)
    block.owner.slots[block.slot] = undefined
  }

  /** Forgets all blocks of an owner. */
  dropOwner(owner: BlockOwner): void {
    for (const block of owner.slots) {
      if (block?.queue !== undefined) this.remove(block)
    }
  }

  /**
   * Makes some room: at least one step forward in one of the queues. Requires: a block is cached.
   */
  #evict(): void {
    const small = this.#small
    const main = this.#main
    if (small.bytes * SMALL_QUEUE_PART > this.capacityBytes || main.oldest === undefined) {
      const block = small.shift()
      if (block.frequency >= PROMOTION_FREQUENCY) {
        block.frequency = 0
        main.push(block)
        return
      }
      block.owner.slots[block.slot] = undefined
      this.#ghosts.add(ghostKey(block), main.count)
      return
    }
    const block = main.shift()
    if (block.frequency > 0) {
      block.frequency--
      main.push(block)
    } else {
      block.owner.slots[block.slot] = undefined
    }
  }
}

function ghostKey(block: CachedBlock): number {
  return block.owner.id * GHOST_SLOTS + (block.slot % GHOST_SLOTS)
}

/** First in, first out; linked, so that the blocks of an owner can be taken from the middle. */
class BlockQueue {
  oldest: CachedBlock | undefined
  #newest: CachedBlock | undefined
  bytes = 0
  count = 0

  push(block: CachedBlock): void {
    block.queue = this
    block.older = this.#newest
    block.newer = undefined
    if (this.#newest === undefined) this.oldest = block
    else this.#newest.newer = block
    this.#newest = block
    this.bytes += block.cost
    this.count++
  }

  /** Removes the oldest. Requires: there is one. */
  shift(): CachedBlock {
    const block = this.oldest
    assert(block !== undefined, 'a full cache holds a block')
    this.remove(block)
    return block
  }

  remove(block: CachedBlock): void {
    if (block.older === undefined) this.oldest = block.newer
    else block.older.newer = block.newer
    if (block.newer === undefined) this.#newest = block.older
    else block.newer.older = block.older
    block.queue = undefined
    block.older = undefined
    block.newer = undefined
    this.bytes -= block.cost
    this.count--
  }
}

/** The names of blocks that left the small queue lately, as many as the main queue holds blocks. */
class GhostQueue {
  /** Half a megabyte: made when the first block leaves, which most small stores never see. */
  #ring: Float64Array | undefined
  readonly #members: Set<number> = new Set()
  #first = 0
  #count = 0

  add(key: number, countMax: number): void {
    const limit = Math.max(1, Math.min(countMax, GHOSTS_MAX))
    this.#ring ??= new Float64Array(GHOSTS_MAX)
    while (this.#count >= limit) {
      // A ghost that was taken, and left again later, is forgotten early: its older place in the
      // ring counts.
      this.#members.delete(this.#ring[this.#first]!)
      this.#first = (this.#first + 1) % GHOSTS_MAX
      this.#count--
    }
    this.#ring[(this.#first + this.#count) % GHOSTS_MAX] = key
    this.#count++
    this.#members.add(key)
  }

  /** True if the key is remembered; it is then forgotten. */
  take(key: number): boolean {
    return this.#members.delete(key)
  }
}
