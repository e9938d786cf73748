/**
 * A window over a file for sequential readers: constant memory, large reads, any small range on demand.
 */
import { CorruptionError } from './errors.ts'
import type { File } from './file-system.ts'

const CHUNK_BYTES = 1024 * 1024

export class FileWindow {
  readonly #file: File
  readonly #end: number
  #start = 0
  #length = 0
  /** The window's memory: what `view` returned an index into. Replaced when a longer range is asked for. */
  bytes: Uint8Array
  /** Ranges up to this length never make the window grow. */
  readonly chunkBytes: number

  /** @param end nothing at or behind this offset is read */
  constructor(file: File, end: number, chunkBytes: number = CHUNK_BYTES) {
    this.#file = file
    this.#end = end
    this.chunkBytes = Math.max(256, Math.min(chunkBytes, end))
    this.bytes = new Uint8Array(this.chunkBytes)
  }

  /**
   * Makes [offset, offset + length) present.
   * @returns where in `bytes` it begins; earlier indexes are dead when the window has moved
   * @throws CorruptionError if the file ends before, IoError
   */
  view(offset: number, length: number): number {
    const at = offset - this.#start
    if (at >= 0 && at + length <= this.#length) return at
    if (length > this.bytes.length) this.bytes = new Uint8Array(length)
    const wanted = Math.max(length, Math.min(this.bytes.length, this.#end - offset))
    this.#length = 0
    const got = this.#file.read(this.bytes, 0, wanted, offset)
    this.#start = offset
    this.#length = got
    if (got < length) {
      const name = this.#file.path.slice(this.#file.path.lastIndexOf('/') + 1)
      throw new CorruptionError(name, offset + got, 'file ends before its content')
    }
    return 0
  }
}
