/**
 * A part of a value: of its record are read the head, the blocks of its table that tell of the part, and the chunks
 * that hold it. All of that is proved, and nothing else is looked at.
 *
 *   record   head root block block block ... chunk chunk chunk chunk ...
 *            ---first read---        -----          =====part===
 *                                    second read    third read: whole chunks
 *
 * What tells of the chunks (record-front.ts) is small, and read at once unless it is known; the chunks are left to
 * whoever knows whether that is fast.
 */
import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { recordHeadBytes, valueMismatch } from '../record.ts'
import type { RecordPointer } from '../record-pointer.ts'
import type { StreamReader } from '../stream/stream-reader.ts'
import {
  type ChunkList,
  CODEC_NONE,
  type PartPlace,
  partPlace,
  tableBytes,
  VALUE_CHUNK_BYTES,
  type ValuePart,
} from '../value-chunks.ts'
import { decompressChunks } from '../value-codec.ts'
import { provedValue } from './proved-value.ts'
import type { RecordFront } from './record-front.ts'
import { SlabAllocator } from './slab.ts'
import { copyRequest } from './value-requests.ts'

/** What is read of a part of at most so many bytes is copied out of memory that is used again. */
const COPIED_BYTES_MAX: number = 4 * VALUE_CHUNK_BYTES
let used: Buffer | undefined
const slabs = new SlabAllocator()

/** Memory of {@link COPIED_BYTES_MAX}, to be left before anybody else runs. */
function usedAgain(): Buffer {
  used ??= Buffer.allocUnsafeSlow(COPIED_BYTES_MAX)
  return used
}

/** What is no longer than a value of one chunk is read whole, whatever part of it is wanted. */
export function isShortRecord({ keyStart, keyEnd, length }: RecordPointer): boolean {
  return length <= recordHeadBytes(keyEnd - keyStart) + VALUE_CHUNK_BYTES
}

/** A part of the value of a short record, read at once. @throws CorruptionError if it is not the one that was meant */
export function readShortPart(file: File, request: RecordPointer, part: ValuePart): Buffer {
  const memory = usedAgain()
  const got = file.read(memory, 0, request.length, request.offset)
  const value = provedValue(request, memory, 0, got)
  const { from, to } = partPlace(part, value.length)
  return copy(value, from, to - from)
}

/** The same through the thread pool. */
export async function readShortPartLater(
  file: File,
  given: RecordPointer,
  part: ValuePart,
): Promise<Buffer> {
  // A copy: the caller uses the request again for its next lookup.
  const request = copyRequest(given)
  const memory = Buffer.allocUnsafeSlow(request.length)
  const got = await file.readAsync(memory, 0, request.length, request.offset)
  const value = provedValue(request, memory, 0, got)
  const { from, to } = partPlace(part, value.length)
  return cut(value, from, to - from)
}

/** A part of a stream, read at once. */
export function readStreamPart(stream: StreamReader, part: ValuePart): Buffer {
  if (part.length > COPIED_BYTES_MAX - 2 * VALUE_CHUNK_BYTES) return stream.read(part)
  const bytes = stream.read(part, usedAgain())
  return copy(bytes, 0, bytes.length)
}

/** Bytes that nobody else has: a view of them, or a copy where it would keep more than twice its memory alive. */
function cut(bytes: Buffer, at: number, length: number): Buffer {
  return length * 2 < bytes.length ? copy(bytes, at, length) : bytes.subarray(at, at + length)
}

function copy(bytes: Buffer, at: number, length: number): Buffer {
  const memory = slabs.allocate(length)
  const { start } = slabs
  bytes.copy(memory, start, at, at + length)
  return memory.subarray(start, start + length)
}

/** What of a value of a longer record is wanted, and where it lies; what is not proved yet are the chunks. */
export class PartPlan {
  /** The chunks that hold the part: so many bytes from this offset of the file on. */
  readonly offset: number
  readonly length: number
  /** Of the record. */
  readonly #place: RecordPlace
  readonly #part: PartPlace
  /** The chunks, by the blocks that tell of them. */
  readonly #chunks: readonly ChunkList[]
  /** Where the last chunk ends, as it was given. */
  readonly #givenEnd: number
  readonly #codec: number

  /**
   * Reads what tells of the chunks. The pointer must be that of a place in the file.
   * @param front of the record that the pointer names
   * @throws CorruptionError if the record is not the one that was asked for, WISC_FORMAT_VERSION,
   *   WISC_CODEC_UNAVAILABLE, IoError
   */
  constructor(file: File, front: RecordFront, { segment, offset }: RecordPointer, part: ValuePart) {
    this.#place = { segment, offset }
    const { codec, headBytes, rawLength } = front.header(file)
    this.#codec = codec
    this.#part = partPlace(part, rawLength)
    const { first, end } = this.#part
    this.#givenEnd = Math.min(end * VALUE_CHUNK_BYTES, rawLength)
    const chunks: ChunkList[] = []
    for (let chunk = first; chunk < end; chunk = chunks.at(-1)!.end) {
      chunks.push(front.chunksOf(file, chunk, end))
    }
    this.#chunks = chunks
    const start = chunks[0]?.start(first) ?? 0
    this.offset = offset + headBytes + tableBytes(rawLength) + start
    this.length = (chunks.at(-1)?.start(end) ?? start) - start
  }

  /** The part, whose chunks are read at once. @throws CorruptionError, IoError */
  read(file: File): Buffer {
    const { offset, length } = this
    if (length > COPIED_BYTES_MAX) {
      const bytes = Buffer.allocUnsafeSlow(length)
      return this.#take(bytes, file.read(bytes, 0, length, offset))
    }
    const memory = usedAgain()
    this.#prove(memory, file.read(memory, 0, length, offset))
    if (this.#codec !== CODEC_NONE) return this.#decompress(memory)
    return copy(memory, this.#skipped, this.#length)
  }

  /**
   * The same, in one read of the thread pool.
   * @param given where the chunks go, if there is room for them
   */
  async readLater(file: File, given?: Buffer): Promise<Buffer> {
    const { offset, length } = this
    const bytes = given && given.length >= length ? given : Buffer.allocUnsafeSlow(length)
    return this.#take(bytes, await file.readAsync(bytes, 0, length, offset))
  }

  /** The part, whose chunks were read to memory of its own; `got` bytes of them. @throws CorruptionError */
  #take(bytes: Buffer, got: number): Buffer {
    this.#prove(bytes, got)
    if (this.#codec !== CODEC_NONE) return this.#decompress(bytes)
    return cut(bytes, this.#skipped, this.#length)
  }

  /** Bytes of the first chunk in front of the part. */
  get #skipped(): number {
    return this.#part.from - this.#part.first * VALUE_CHUNK_BYTES
  }

  /** Bytes of the part. */
  get #length(): number {
    return this.#part.to - this.#part.from
  }

  #prove(bytes: Uint8Array, got: number): void {
    if (got < this.length) throw damaged(this.#place, 'segment ends before the record')
    this.#visit((list, chunk, end, at) => {
      const wrong = list.wrong(chunk, end, bytes, at)
      return wrong < 0 ? undefined : valueMismatch(wrong)
    })
  }

  #decompress(bytes: Uint8Array): Buffer {
    const start = this.#part.first * VALUE_CHUNK_BYTES
    const given = Buffer.allocUnsafeSlow(this.#givenEnd - start)
    this.#visit((list, chunk, end, at) => {
      const target = given.subarray(chunk * VALUE_CHUNK_BYTES - start)
      return decompressChunks(list, chunk, end, bytes, at, target)
    })
    return cut(given, this.#skipped, this.#length)
  }

  /** Calls for the chunks of each block, which lie at `at` of what was read. @throws CorruptionError if one is wrong */
  #visit(
    check: (list: ChunkList, chunk: number, end: number, at: number) => string | undefined,
  ): void {
    let at = 0
    let chunk = this.#part.first
    for (const list of this.#chunks) {
      const end = Math.min(this.#part.end, list.end)
      const bad = check(list, chunk, end, at)
      if (bad !== undefined) throw damaged(this.#place, bad)
      at += list.start(end) - list.start(chunk)
      chunk = end
    }
  }
}

type RecordPlace = Pick<RecordPointer, 'segment' | 'offset'>

function damaged({ segment, offset }: RecordPlace, reason: string): CorruptionError {
  return new CorruptionError(segmentName(segment), offset, reason)
}
