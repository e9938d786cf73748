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
 * Lookups all over a store that is larger than the cache use most blocks once. So a lookup takes a block into a full
 * cache only if the ghost queue knows it, and reads it into memory that is used again if not.
 *
 * Whoever owns the blocks keeps an array of slots: a hit is one load from it and a call of `hit`,
 * no search. Eviction clears the slot; bytes that somebody still looks at stay good, for nothing is
 * written over.
 */
import { NO_BYTES } from '../bytes.ts'
import { assert } from '../errors.ts'

/**
 * What a block costs beside its bytes: the objects around them. Counted, so that tiny blocks are
 * bounded, too.
 */
export const BLOCK_OVERHEAD_BYTES = 512
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
  /** What its owner has made of the bytes, to find things in them. */
  words: Uint32Array | undefined
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
  /** Memory for blocks that are not taken in. */
  #passing: Uint8Array = NO_BYTES

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
   * Whether a block that is missing is worth memory of its own, for a lookup: while there is room, and then if it was
   * missing lately, too. One that is not is remembered.
   */
  admits(owner: BlockOwner, slot: number, length: number): boolean {
    const used = this.#small.bytes + this.#main.bytes
    if (used + length + BLOCK_OVERHEAD_BYTES <= this.capacityBytes) return true
    const key = ghostKey(owner, slot)
    if (this.#ghosts.has(key)) return true
    this.#misses++
    if (this.capacityBytes === 0) return false
    this.#ghosts.add(key, this.#count)
    return false
  }

  /** Memory for a block that is not taken in: it is somebody else's with the next call. */
  passing(length: number): Uint8Array {
    if (this.#passing.length < length) this.#passing = new Uint8Array(length)
    return this.#passing
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
    const target = this.#ghosts.take(ghostKey(owner, slot)) ? this.#main : this.#small
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

  get #count(): number {
    return this.#small.count + this.#main.count
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
      this.#ghosts.add(ghostKey(block.owner, block.slot), this.#count)
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

function ghostKey(owner: BlockOwner, slot: number): number {
  return owner.id * GHOST_SLOTS + (slot % GHOST_SLOTS)
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

/** The names of blocks that left the small queue or were not taken in lately, as many as the cache holds blocks. */
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

  has(key: number): boolean {
    return this.#members.has(key)
  }

  /** True if the key is remembered; it is then forgotten. */
  take(key: number): boolean {
    return this.#members.delete(key)
  }
}
