/**
 * Values that are read again and again, kept in memory (`valueCacheBytes`): a hit costs a copy, but no call of the
 * system, no checksum and nothing to decompress.
 *
 * A value is known by the sequence of its write, which no other record has. So nothing has to be taken out when a key
 * is overwritten, or when its record is moved: nobody asks for what is not there any more, and it leaves. Values are
 * taken in when they are read for the second time of late, so that who reads each once pays nothing for copies; which
 * of them stay is the block cache's rule.
 *
 *   sequence -> place, or its neighbour (place ^ 1) -> the value, if that has this sequence
 */
import { BlockCache, type BlockCacheStats, type CachedBlock } from '../base/files/block-cache.ts'
import type { Sequence } from '../base/ids.ts'

/** Longer values gain little: to read one costs some times what its copy does. */
export const CACHED_VALUE_BYTES_MAX = 65536
/** Places for so many values: one for each that is as long as this. */
const PLACE_BYTES = 1024
const PLACES_MIN = 1024
const PLACES_MAX = 2 ** 21

/** @returns undefined if none is asked for */
export function valueCacheOf({
  valueCacheBytes,
}: {
  readonly valueCacheBytes: number
}): ValueCache | undefined {
  return valueCacheBytes > 0 ? new ValueCache(valueCacheBytes) : undefined
}

export class ValueCache {
  readonly #blocks: BlockCache
  /** All values have one owner. */
  readonly #owner: { readonly id: number; readonly slots: (CachedBlock | undefined)[] }
  /** Of the value that is or was at a place. */
  readonly #sequences: Float64Array
  /** The last value without a copy that was read, of those that belong to a place. */
  readonly #seen: Float64Array
  #hits = 0
  #misses = 0

  constructor(capacityBytes: number) {
    this.#blocks = new BlockCache(capacityBytes)
    let places = PLACES_MIN
    while (places < PLACES_MAX && places * PLACE_BYTES < capacityBytes) places *= 2
    const slots = new Array<CachedBlock | undefined>(places).fill(undefined)
    this.#owner = { id: 0, slots }
    this.#sequences = new Float64Array(places)
    this.#seen = new Float64Array(places)
  }

  get stats(): BlockCacheStats {
    return { hits: this.#hits, misses: this.#misses, bytes: this.#blocks.stats.bytes }
  }

  /** The value that was written with this sequence; undefined if it is not here. It is not the caller's to change. */
  find(sequence: Sequence): Uint8Array | undefined {
    const place = this.#placeOf(sequence)
    const block = this.#at(place, sequence) ?? this.#at(place ^ 1, sequence)
    if (block === undefined) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#blocks.hit(block)
    return block.bytes
  }

  /** Takes note of a value that was not found here, and of a copy if it was read before. */
  note(sequence: Sequence, value: Uint8Array): void {
    if (value.length > CACHED_VALUE_BYTES_MAX) return
    const place = this.#placeOf(sequence)
    if (this.#seen[place] !== sequence) {
      this.#seen[place] = sequence
      return
    }
    const { slots } = this.#owner
    const used = slots[place]
    // Two reads at once may both have missed it.
    if (this.#at(place, sequence) ?? this.#at(place ^ 1, sequence)) return
    const other = slots[place ^ 1]
    const isOtherLess =
      used !== undefined && (other === undefined || other.frequency < used.frequency)
    const to = isOtherLess ? place ^ 1 : place
    const before = slots[to]
    if (before) this.#blocks.remove(before)
    this.#sequences[to] = sequence
    this.#blocks.insert(this.#owner, to, new Uint8Array(value))
  }

  #at(place: number, sequence: Sequence): CachedBlock | undefined {
    return this.#sequences[place] === sequence ? this.#owner.slots[place] : undefined
  }

  #placeOf(sequence: Sequence): number {
    const hash = Math.imul(sequence ^ (sequence / 2 ** 32), 0x9e3779b1)
    return (hash >>> 8) & (this.#owner.slots.length - 1)
  }
}
