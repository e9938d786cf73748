/**
 * A window over a file for readers that go forward: constant memory, any small range on demand.
 *
 * Reads become larger while they follow each other, and small again after a jump. So a walk over
 * the heads of large records reads little, and one over small records reads large pieces.
 */
import { giveBuffer, takeBuffer } from '../buffer-pool.ts'
import { CorruptionError } from '../errors.ts'
import type { ReadableFile } from './lapsing-file.ts'

const ENDS_BEFORE = 'file ends before its content'
const CHUNK_BYTES = 1024 * 1024
/**
 * A jump reads to the end of the block that it leads to, not into the next one, which may be a hole: the kernel would
 * fill its cache with zeros, and read ahead. Each read that follows is twice as long, up to a chunk.
 */
const BLOCK_BYTES = 4096
/**
 * Whoever skips less than this has not jumped: to read on costs a disk less than another read. It must be less than a
 * large value: to read on through the holes of a punched file fills the page cache with their zeros.
 */
const SKIP_BYTES_MAX = 32 * 1024

/** Reads a range that must be there. @throws CorruptionError if the file ends before, IoError */
export function readExactly(
  file: ReadableFile,
  name: string,
  offset: number,
  length: number,
): Uint8Array {
  const bytes = new Uint8Array(length)
  const got = file.read(bytes, 0, length, offset)
  if (got < length) throw new CorruptionError(name, offset + got, ENDS_BEFORE)
  return bytes
}

export class FileWindow {
  readonly #file: ReadableFile
  readonly #end: number
  #start = 0
  #length = 0
  #readBytes: number = BLOCK_BYTES
  /** The window's memory: what `view` returned an index into. Replaced when a longer range is asked for. */
  bytes: Uint8Array
  /** Ranges up to this length never make the window grow. */
  readonly chunkBytes: number
  /** Bytes read from the file so far. */
  bytesRead = 0

  /** The file's name, for messages. */
  readonly fileName: string

  /** @param end nothing at or behind this offset is read */
  constructor(file: ReadableFile, end: number, chunkBytes: number = CHUNK_BYTES) {
    this.#file = file
    this.fileName = file.path.slice(file.path.lastIndexOf('/') + 1)
    this.#end = end
    this.chunkBytes = Math.max(256, Math.min(chunkBytes, end))
    this.bytes = takeBuffer(this.chunkBytes)
  }

  /**
   * Makes [offset, offset + length) present.
   * @returns where in `bytes` it begins; earlier indexes are dead when the window has moved
   * @throws CorruptionError if the file ends before, IoError
   */
  view(offset: number, length: number): number {
    const at = offset - this.#start
    if (at >= 0 && at + length <= this.#length) return at
    const follows = at >= 0 && at <= this.#length + SKIP_BYTES_MAX
    this.#readBytes = follows
      ? Math.min(this.#readBytes * 2, this.chunkBytes)
      : BLOCK_BYTES - (offset % BLOCK_BYTES)
    if (length > this.bytes.length) this.bytes = new Uint8Array(length)
    const most = Math.min(this.#readBytes, this.bytes.length, this.#end - offset)
    this.#length = 0
    const got = this.#file.read(this.bytes, 0, Math.max(length, most), offset)
    this.#start = offset
    this.#length = got
    this.bytesRead += got
    if (got < length) {
      throw new CorruptionError(this.fileName, offset + got, ENDS_BEFORE)
    }
    return 0
  }

  /** Gives up the memory, for the next window of this size; nothing may be asked any more. The file stays open. */
  close(): void {
    giveBuffer(this.bytes)
  }
}
