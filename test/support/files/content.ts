/** Bytes of files for the file systems in memory: bytes that grow, and the blocks of them that are holes. */

/** The unit of allocation and of holes. */
export const BLOCK_BYTES = 4096

/** The blocks of a file that nothing is allocated for. */
export class Holes {
  readonly #blocks: Set<number>

  constructor(blocks: Iterable<number> = []) {
    this.#blocks = new Set(blocks)
  }

  /** Numbers of the blocks, ascending. */
  get blocks(): readonly number[] {
    return [...this.#blocks].sort((left, right) => left - right)
  }

  get bytes(): number {
    return this.#blocks.size * BLOCK_BYTES
  }

  /** The whole blocks of a range become holes. */
  punch(position: number, length: number): void {
    const end = Math.floor((position + length) / BLOCK_BYTES)
    for (let block = Math.ceil(position / BLOCK_BYTES); block < end; block++) {
      this.#blocks.add(block)
    }
  }

  /** What is written is allocated. */
  fill(position: number, length: number): void {
    if (this.#blocks.size === 0) return
    const end = Math.ceil((position + length) / BLOCK_BYTES)
    for (let block = Math.floor(position / BLOCK_BYTES); block < end; block++) {
      this.#blocks.delete(block)
    }
  }
}

/** Bytes that a file system has allocated for a file. */
export function allocatedBytes(size: number, holes: Holes): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES - holes.bytes
}

/**
 * The bytes of a file. Appending changes nothing that `view` gave out before; writing over old bytes and
 * punching move to new memory, so views given out are never changed at all.
 */
export class Content {
  readonly holes: Holes
  /** Counts the times that old bytes were changed: an equal count and an equal size mean equal bytes. */
  edits = 0
  #bytes: Uint8Array
  #size: number
  #owned: boolean

  constructor(bytes?: Uint8Array, holes?: Iterable<number>) {
    this.#bytes = bytes ?? new Uint8Array(0)
    this.#size = this.#bytes.length
    this.#owned = false
    this.holes = new Holes(holes)
  }

  get size(): number {
    return this.#size
  }

  write(source: Uint8Array, position: number): void {
    const end = position + source.length
    if (position < this.#size) this.edits++
    const inPlace = this.#owned && position >= this.#size && end <= this.#bytes.length
    if (!inPlace) this.#move(Math.max(end, this.#size))
    this.#bytes.set(source, position)
    this.#size = Math.max(this.#size, end)
    this.holes.fill(position, source.length)
  }

  /** Zeros and holes in place of the bytes of a range; what lies behind the end is left out. */
  punch(position: number, length: number): void {
    const end = Math.min(position + length, this.#size)
    if (end <= position) return
    this.edits++
    this.#move(this.#size)
    this.#bytes.fill(0, position, end)
    this.holes.punch(position, end - position)
  }

  #move(size: number): void {
    const larger = new Uint8Array(Math.max(1024, 2 * size))
    larger.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = larger
    this.#owned = true
  }

  /** All bytes, as they stay. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#size)
  }
}
