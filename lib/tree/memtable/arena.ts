/**
 * Arenas: shared memory that memtables lie in, one after the other.
 *
 * Shared memory is freed late and is not counted by the runtime, so a store makes its arenas once:
 * each is posted to each worker once, and is used again when nobody reads its last memtable any
 * more. Using it again costs nothing: only the head of the list is written (memtable-node.ts).
 */
import { assert } from '../../base/errors.ts'
import { KeyIndex } from './key-index.ts'
import { HEAD_BYTES } from './memtable-node.ts'

/** The most bytes that an arena holds for entries. */
export const ARENA_BYTES_MAX: number = 256 * 1024 * 1024

/** One block of shared memory, with the index of the memtable in it (of the main thread only). */
export class Arena {
  readonly id: number
  /** What is posted to workers. */
  readonly buffer: SharedArrayBuffer
  /** Bytes for entries; the buffer is larger by the head of the list. */
  readonly bytes: number
  /** The buffer as 32-bit words. */
  readonly words: Int32Array
  /** The buffer as bytes: `keyBytes` and `valueBytes` of all entries in it. */
  readonly view: Uint8Array
  /** Keys of the present memtable. */
  readonly index: KeyIndex = new KeyIndex()

  constructor(id: number, bytes: number) {
    assert(bytes >= 0 && bytes <= ARENA_BYTES_MAX, `arena of a possible size, bytes=${bytes}`)
    this.id = id
    this.bytes = bytes & ~3
    this.buffer = new SharedArrayBuffer(HEAD_BYTES + this.bytes)
    this.words = new Int32Array(this.buffer)
    this.view = new Uint8Array(this.buffer)
  }
}

/**
 * An arena with room for `bytes` of entries, rounded down to whole words; at most {@link
 * ARENA_BYTES_MAX}.
 */
export function createArena(id: number, bytes: number): Arena {
  return new Arena(id, bytes)
}
