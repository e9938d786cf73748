/**
 * Writes the file of a stream, from whatever pieces come: they are copied, cut into chunks, and written by the thread
 * pool a MiB at a time, while the next one is filled. Layout: stream-format.ts.
 *
 * The file is made when the first buffer is full, or at the end: what is as short as that may still become a record.
 * Memory is two buffers and the sums of one group, however long the stream is. The disk takes the file while it grows
 * (early-sync.ts), so that the sync at its end has little left to do.
 */
import { giveBuffer, takeBuffer } from '../../lib/base/buffer-pool.ts'
import { writeU32 } from '../../lib/base/bytes.ts'
import { checksum, crc32From } from '../../lib/base/checksum.ts'
import { assert, syncFailed } from '../../lib/base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  writeFileHeader,
} from '../../lib/base/files/file-header.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import { EarlySync, type SyncGate } from '../early-sync.ts'
import { VALUE_CHUNK_BYTES } from '../value-chunks.ts'
import {
  type BuiltStream,
  encodeStreamFooter,
  encodeStreamHead,
  FOOTER_BYTES,
  GROUP_BYTES,
  GROUP_CHUNKS,
  SUM_BYTES,
  sealPlaced,
  sumsBytes,
} from './stream-format.ts'

/** What is written at once: a MiB, unless what is shorter than that is to become a stream. */
const BUFFER_BYTES = 1024 * 1024

/** @param minimumBytes of streams, at most a MiB */
export function streamBufferBytes(minimumBytes: number): number {
  return minimumBytes <= VALUE_CHUNK_BYTES ? VALUE_CHUNK_BYTES : BUFFER_BYTES
}

/** A sync of less delays what others have to sync more than it shortens the one at the end. */
const EARLY_BYTES = 16 * 1024 * 1024

/** A new, empty file. Its owner closes it, when the writer has `ended`. */
export interface StreamTarget {
  readonly file: File
  readonly identity: FileIdentity
}

interface OpenTarget extends StreamTarget {
  readonly seed: number
  readonly earlySync: EarlySync
}

export class StreamWriter {
  readonly #create: () => StreamTarget
  readonly #key: Uint8Array
  readonly #gate: SyncGate
  #target: OpenTarget | undefined
  readonly #bufferBytes: number
  #buffer: Uint8Array
  /** That of the write under way. */
  #other: Uint8Array
  #filled = 0
  #sums: Uint8Array = new Uint8Array(sumsBytes(GROUP_CHUNKS))
  #otherSums: Uint8Array = new Uint8Array(sumsBytes(GROUP_CHUNKS))
  #groupChunks = 0
  #tableChecksum = 0
  #size = 0
  /** Of these bytes, those that writes have ended with. */
  #writtenSize = 0
  /** Bytes of the file that were handed to a write. */
  #length = 0
  #writing: Promise<void> = Promise.resolve()

  /**
   * @param create called once, when the file is needed; what it throws reaches whoever has written
   * @param bufferBytes see {@link streamBufferBytes}
   */
  constructor(create: () => StreamTarget, key: Uint8Array, gate: SyncGate, bufferBytes: number) {
    assert(GROUP_BYTES % bufferBytes === 0, 'a buffer lies in one group')
    this.#bufferBytes = bufferBytes
    this.#buffer = takeBuffer(bufferBytes)
    this.#other = takeBuffer(bufferBytes)
    this.#create = create
    this.#key = key
    this.#gate = gate
  }

  /** Bytes of the value so far. */
  get size(): number {
    return this.#size
  }

  /** Bytes of the value that the file does not have yet. */
  get unwrittenBytes(): number {
    return this.#size - this.#writtenSize
  }

  /** Bytes that the next piece may have without a write. */
  get room(): number {
    return this.#bufferBytes - this.#filled
  }

  /** All that came, as long as no file was needed for it. To be used before `ended` is called. */
  get unwritten(): Uint8Array {
    assert(this.#target === undefined, 'nothing was written')
    return this.#buffer.subarray(0, this.#filled)
  }

  /**
   * Takes a piece, of at most `room` bytes. It may be used again when this has been called.
   * @returns what to wait for before the next one, if anything. @throws (or rejects with) WISC_SYNC_FAILED, IoError
   */
  append(bytes: Uint8Array): Promise<void> | undefined {
    assert(bytes.length <= this.room, 'a piece fits into the buffer')
    this.#buffer.set(bytes, this.#filled)
    this.#filled += bytes.length
    this.#size += bytes.length
    return this.#filled === this.#bufferBytes ? this.#flush(false) : undefined
  }

  /**
   * Ends the file: all of it is written and synced, its directory entry is not. Requires: it has a byte.
   * @throws WISC_SYNC_FAILED, IoError
   */
  async finish(): Promise<BuiltStream> {
    assert(this.#size > 0, 'a stream has a byte')
    await this.#flush(true)
    await this.#writing
    const { file, identity, earlySync } = this.#target!
    await earlySync.ended()
    earlySync.check()
    this.#gate.check()
    try {
      await file.dataSyncAsync()
    } catch (error) {
      throw syncFailed(file.path, error)
    }
    const { number, salt } = identity
    const tableChecksum = this.#tableChecksum
    return { number, salt, length: this.#length, size: this.#size, tableChecksum }
  }

  /** Resolves when nothing of it is under way any more; it gives up its memory. Called once, last of all. */
  async ended(): Promise<void> {
    await this.#writing.catch(isOver)
    await this.#target?.earlySync.ended()
    giveBuffer(this.#buffer)
    giveBuffer(this.#other)
  }

  /** @param sources gets header and head: the first write takes them along */
  #open(sources: Uint8Array[]): OpenTarget {
    const { file, identity } = this.#create()
    assert(identity.kind === 'stream', 'a stream has the header of a stream')
    const seed = frameSeed(identity)
    const header = new Uint8Array(FILE_HEADER_BYTES)
    writeFileHeader(header, 0, identity)
    sources.push(header, encodeStreamHead(this.#key, seed))
    return { file, identity, seed, earlySync: new EarlySync(file, EARLY_BYTES, this.#gate) }
  }

  /** Hands what is in the buffer to a write, when the one before has ended. */
  async #flush(isLast: boolean): Promise<void> {
    await this.#writing
    this.#target?.earlySync.check()
    const sources: Uint8Array[] = []
    this.#target ??= this.#open(sources)
    const { seed } = this.#target
    if (this.#filled > 0) sources.push(this.#buffer.subarray(0, this.#filled))
    for (let from = 0; from < this.#filled; from += VALUE_CHUNK_BYTES) {
      const end = Math.min(this.#filled, from + VALUE_CHUNK_BYTES)
      const sum = checksum(this.#buffer.subarray(from, end))
      writeU32(this.#sums, this.#groupChunks++ * SUM_BYTES, sum)
    }
    const position = this.#length
    let end = position + totalBytes(sources)
    if (this.#groupChunks === GROUP_CHUNKS || (isLast && this.#groupChunks > 0)) {
      const sums = this.#endGroup(end, seed)
      sources.push(sums)
      end += sums.length
    }
    if (isLast) {
      const built = { size: this.#size, tableChecksum: this.#tableChecksum }
      const footer = encodeStreamFooter({ ...built, length: end + FOOTER_BYTES }, seed)
      sources.push(footer)
      end += footer.length
    }
    this.#length = end
    this.#writing = this.#write(sources, position, this.#filled)
    this.#swap()
    // Heard of by the next flush, or by the end.
    this.#writing.catch(isOver)
  }

  /** @param bytes of the value */
  async #write(sources: readonly Uint8Array[], position: number, bytes: number): Promise<void> {
    const { file, earlySync } = this.#target!
    await file.writevAsync(sources, position)
    this.#writtenSize += bytes
    earlySync.written(this.#writtenSize)
  }

  /** @returns the sums of the group, which will lie at `offset` */
  #endGroup(offset: number, seed: number): Uint8Array {
    const length = sumsBytes(this.#groupChunks)
    const sums = this.#sums.subarray(0, length)
    const ofChunks = sums.subarray(0, this.#groupChunks * SUM_BYTES)
    this.#tableChecksum = crc32From(this.#tableChecksum, ofChunks)
    sealPlaced(sums, length, seed, offset)
    const before = this.#sums
    this.#sums = this.#otherSums
    this.#otherSums = before
    this.#groupChunks = 0
    return sums
  }

  #swap(): void {
    const before = this.#buffer
    this.#buffer = this.#other
    this.#other = before
    this.#filled = 0
  }
}

function isOver(): void {}

function totalBytes(sources: readonly Uint8Array[]): number {
  let bytes = 0
  for (const source of sources) bytes += source.length
  return bytes
}
