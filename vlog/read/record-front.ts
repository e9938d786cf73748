/**
 * The front of a record of several chunks: its head, and the table that tells of its chunks, as far as somebody wanted
 * to know. It is read a piece at a time. What was proved of it is kept, the blocks of the table in the cache, so that
 * who reads one part of a huge value after the other reads of each only its chunks.
 */
import { compareRange } from '../../lib/base/bytes.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import type { BlockCache, BlockOwner, CachedBlock } from '../../lib/base/files/block-cache.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { OPTION_BYTES_MAX } from '../../lib/base/record-size.ts'
import { firstPieceSum, type RecordHeader, recordHeadBytes } from '../record.ts'
import { pointedHeader, type RecordPointer } from '../record-pointer.ts'
import {
  BLOCK_BYTES,
  BLOCK_CHUNKS,
  blockCount,
  blockLength,
  blockOffset,
  blockSum,
  ChunkList,
  rootBytes,
  wrongRoot,
} from '../value-chunks.ts'
import { copyRequest, type PlacedRequest } from './value-requests.ts'

export class RecordFront implements BlockOwner {
  /** That of the file that holds the record. */
  readonly id: FileNumber
  /** Blocks of the table. */
  readonly slots: (CachedBlock | undefined)[] = []
  readonly #request: RecordPointer
  readonly #cache: BlockCache
  /** The head, with what is likely to be the root, or the only block. */
  #head: Uint8Array | undefined
  #header: RecordHeader | undefined

  constructor(request: PlacedRequest, cache: BlockCache) {
    this.id = request.segment
    this.#request = copyRequest(request)
    this.#cache = cache
  }

  /** True if this is the record that is asked for. */
  isOf({ keyBytes, keyStart, keyEnd, sequence, offset, length }: RecordPointer): boolean {
    const own = this.#request
    return (
      own.offset === offset &&
      own.length === length &&
      own.sequence === sequence &&
      compareRange(own.keyBytes, own.keyStart, own.keyEnd, keyBytes, keyStart, keyEnd) === 0
    )
  }

  /**
   * @throws CorruptionError if it is not the record that was asked for, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE,
   *   IoError
   */
  header(file: File): RecordHeader {
    if (this.#header !== undefined) return this.#header
    const { keyStart, keyEnd, length } = this.#request
    const firstPiece = rootBytes(length) || BLOCK_BYTES
    const wanted = recordHeadBytes(keyEnd - keyStart) + OPTION_BYTES_MAX + firstPiece
    const head = this.#read(file, 0, Math.min(length, wanted))
    const header = this.#unlessWrong(pointedHeader(head, 0, head.length, this.#request))
    this.#head = head
    this.#header = header
    return header
  }

  /**
   * What one block tells of those of the chunks first .. end that it knows; `first` is one of them.
   * @throws CorruptionError, IoError
   */
  chunksOf(file: File, first: number, end: number): ChunkList {
    const header = this.header(file)
    const { rawLength } = header
    const blocks = blockCount(rawLength)
    let sum = firstPieceSum(this.#head!, 0)
    if (blocks === 0) return ChunkList.ofOne(header, sum)
    const block = Math.floor(first / BLOCK_CHUNKS)
    const known = this.slots[block]
    if (known !== undefined) {
      this.#cache.hit(known)
      return this.#unlessWrong(ChunkList.ofBlock(header, first, end, undefined, known.bytes))
    }
    if (blocks > 1) {
      const root = this.#bring(file, 0, rootBytes(rawLength))
      this.#unlessWrong(wrongRoot(header, sum, root))
      sum = blockSum(root, block)
    }
    const bytes = this.#bring(file, blockOffset(rawLength, block), blockLength(rawLength, block))
    const chunks = this.#unlessWrong(ChunkList.ofBlock(header, first, end, sum, bytes))
    this.#cache.insert(this, block, bytes)
    return chunks
  }

  /** Nobody is going to ask for it any more. */
  drop(): void {
    this.#cache.dropOwner(this)
  }

  /** Bytes of the table, in memory of their own. */
  #bring(file: File, from: number, length: number): Uint8Array {
    const head = this.#head!
    const at = this.#header!.headBytes + from
    return at + length <= head.length ? head.slice(at, at + length) : this.#read(file, at, length)
  }

  #read(file: File, at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    const got = file.read(bytes, 0, length, this.#request.offset + at)
    if (got < length) throw this.#damaged('segment ends before the record')
    return bytes
  }

  #unlessWrong<T>(found: T | string | undefined): T {
    if (typeof found === 'string') throw this.#damaged(found)
    return found as T
  }

  #damaged(reason: string): CorruptionError {
    const { segment, offset } = this.#request
    return new CorruptionError(segmentName(segment), offset, reason)
  }
}
