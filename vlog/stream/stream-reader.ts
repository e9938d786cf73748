/**
 * Reads the file of a stream: its ends when it is opened, then any part of the value, of which each chunk is proved.
 * Layout: stream-format.ts.
 *
 * A part is read a piece at a time, so that the calling thread proves a MiB at most in one go. What the reads of one
 * part after the other need of the table, the sums of a group, is kept.
 */
import { readU32 } from '../../lib/base/bytes.ts'
import { checksum, crc32From } from '../../lib/base/checksum.ts'
import { CorruptionError, isMissing } from '../../lib/base/errors.ts'
import { FILE_HEADER_BYTES, readFileHeader } from '../../lib/base/files/file-header.ts'
import type { File, FileSystem } from '../../lib/base/files/file-system.ts'
import { readExactly } from '../../lib/base/files/file-window.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { partPlace, VALUE_CHUNK_BYTES, type ValuePart } from '../value-chunks.ts'
import {
  chunksOffset,
  decodeStreamFooter,
  decodeStreamHead,
  FOOTER_BYTES,
  GROUP_BYTES,
  GROUP_CHUNKS,
  groupChunks,
  groupCount,
  groupOffset,
  HEAD_BYTES,
  headKeyLength,
  isPlaced,
  SUM_BYTES,
  sumsBytes,
} from './stream-format.ts'

/** What is read, and proved, in one go. A group is a multiple of it. */
const PIECE_BYTES = 1024 * 1024

/** What is known of the file. */
export interface ExpectedStream {
  readonly number: FileNumber
  /** Undefined: of any database. */
  readonly databaseId: Uint8Array | undefined
  /** What the manifest says; undefined: whatever they are. */
  readonly salt?: number
  readonly length?: number
}

/** @throws CorruptionError if it is missing, or not the stream that is meant; WISC_FORMAT_VERSION, IoError */
export function openStream(
  fileSystem: FileSystem,
  path: string,
  name: string,
  expected: ExpectedStream,
): StreamReader {
  let file: File
  try {
    file = fileSystem.open(path, 'read')
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new CorruptionError(name, 0, 'stream is missing', { cause: error })
  }
  try {
    return new StreamReader(file, name, expected)
  } catch (error) {
    file.close()
    throw error
  }
}

/** Some bytes of the file, and where they go. */
interface Piece {
  readonly group: number
  /** Its first chunk, counted in the group. */
  readonly chunk: number
  readonly at: number
  readonly length: number
}

/** The part is memory[start .. end), when all pieces have been read and proved. */
interface PlannedRead {
  readonly memory: Buffer
  readonly start: number
  readonly end: number
  readonly pieces: readonly Piece[]
}

export class StreamReader {
  readonly file: File
  readonly key: Uint8Array
  /** Bytes of the value. */
  readonly size: number
  readonly tableChecksum: number
  readonly #name: string
  readonly #seed: number
  /** The sums that were read last, proved. */
  #sums: { readonly group: number; readonly bytes: Uint8Array } | undefined

  /**
   * Takes over the file, unless it throws.
   * @throws CorruptionError if the ends are not those of the stream that is meant, WISC_FORMAT_VERSION, IoError
   */
  constructor(file: File, name: string, { number, databaseId, ...known }: ExpectedStream) {
    const { size: length } = file.stat()
    const least = FILE_HEADER_BYTES + HEAD_BYTES + FOOTER_BYTES
    if (length < least || length !== (known.length ?? length)) {
      throw new CorruptionError(name, length, `stream has another length, bytes=${length}`)
    }
    const start = readExactly(file, name, 0, FILE_HEADER_BYTES + HEAD_BYTES)
    const identity = readFileHeader(start, name, { kind: 'stream', number, databaseId })
    if (identity.salt !== (known.salt ?? identity.salt))
      throw new CorruptionError(name, 56, 'stream carries another salt')
    const keyLength = headKeyLength(start.subarray(FILE_HEADER_BYTES))
    if (keyLength === undefined || chunksOffset(keyLength) > length)
      throw new CorruptionError(name, FILE_HEADER_BYTES, 'head has impossible lengths')
    const headBytes = chunksOffset(keyLength) - FILE_HEADER_BYTES
    this.#seed = frameSeed(identity)
    this.#name = name
    this.file = file
    const head = readExactly(file, name, FILE_HEADER_BYTES, headBytes)
    this.key = decodeStreamHead(head, this.#seed, name)
    const footer = readExactly(file, name, length - FOOTER_BYTES, FOOTER_BYTES)
    const { size, tableChecksum } = decodeStreamFooter(footer, this.#seed, keyLength, length, name)
    this.size = size
    this.tableChecksum = tableChecksum
  }

  /** Requires: no read is under way. */
  close(): void {
    this.file.close()
  }

  /**
   * A part of the value, cut at its end, read at once. It shares its memory with nothing else.
   * @param given where its whole chunks go, if there is room for them
   * @throws CorruptionError, IoError
   */
  read(part: ValuePart, given?: Buffer): Buffer {
    const { memory, start, end, pieces } = this.#plan(part, given)
    for (const piece of pieces) {
      const sums = this.#sumsOf(piece.group)
      const place = this.#placeOf(piece)
      const got = this.file.read(memory, piece.at, piece.length, place)
      this.#prove(piece, sums, memory, place, got)
    }
    return memory.subarray(start, end)
  }

  /**
   * The same through the thread pool. Until it has ended the file must stay open.
   * @param given where its whole chunks go, if there is room for them
   */
  async readAsync(part: ValuePart, given?: Buffer): Promise<Buffer> {
    const { memory, start, end, pieces } = this.#plan(part, given)
    for (const piece of pieces) {
      const place = this.#placeOf(piece)
      // Both have ended when one of them fails: nothing is under way then.
      const [sums, got] = await bothOf(
        this.#sumsLater(piece.group),
        this.file.readAsync(memory, piece.at, piece.length, place),
      )
      this.#prove(piece, sums, memory, place, got)
    }
    return memory.subarray(start, end)
  }

  /**
   * Reads the whole file and holds it against its sums, and these against the footer. Yields the bytes of each slice.
   * @throws CorruptionError, IoError
   */
  *verifySlices(): Generator<number, void> {
    let tableChecksum = 0
    const memory = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.size))
    for (let group = 0; group < groupCount(this.size); group++) {
      const sums = this.#sumsOf(group)
      const ofChunks = groupChunks(this.size, group) * SUM_BYTES
      tableChecksum = crc32From(tableChecksum, sums.subarray(0, ofChunks))
      const end = Math.min(this.size, (group + 1) * GROUP_BYTES)
      for (let at = group * GROUP_BYTES; at < end; at += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, end - at)
        const chunk = (at - group * GROUP_BYTES) / VALUE_CHUNK_BYTES
        const piece = { group, chunk, at: 0, length }
        const place = this.#placeOf(piece)
        const got = this.file.read(memory, 0, length, place)
        this.#prove(piece, sums, memory, place, got)
        yield length
      }
    }
    if (tableChecksum === this.tableChecksum) return
    const offset = groupOffset(this.key.length, 0)
    throw new CorruptionError(this.#name, offset, 'sums of chunks are not those of the footer')
  }

  /** Whole chunks are read: what is in front of the part, and behind it, only proves it. */
  #plan(part: ValuePart, given?: Buffer): PlannedRead {
    const place = partPlace(part, this.size)
    const from = place.first * VALUE_CHUNK_BYTES
    const to = Math.max(from, Math.min(this.size, place.end * VALUE_CHUNK_BYTES))
    const pieces: Piece[] = []
    for (let at = from; at < to; ) {
      const group = Math.floor(at / GROUP_BYTES)
      const inGroup = at - group * GROUP_BYTES
      const bytes = Math.min(to - at, PIECE_BYTES, GROUP_BYTES - inGroup)
      pieces.push({ group, chunk: inGroup / VALUE_CHUNK_BYTES, at: at - from, length: bytes })
      at += bytes
    }
    const memory = given && given.length >= to - from ? given : Buffer.allocUnsafeSlow(to - from)
    return { memory, start: place.from - from, end: place.to - from, pieces }
  }

  #placeOf({ group, chunk }: Piece): number {
    return groupOffset(this.key.length, group) + chunk * VALUE_CHUNK_BYTES
  }

  #sumsPlace(group: number): { readonly offset: number; readonly length: number } {
    const chunks = groupChunks(this.size, group)
    const bytes = Math.min(this.size - group * GROUP_BYTES, GROUP_BYTES)
    return { offset: groupOffset(this.key.length, group) + bytes, length: sumsBytes(chunks) }
  }

  #sumsOf(group: number): Uint8Array {
    if (this.#sums?.group === group) return this.#sums.bytes
    const { offset, length } = this.#sumsPlace(group)
    return this.#keepSums(group, readExactly(this.file, this.#name, offset, length))
  }

  async #sumsLater(group: number): Promise<Uint8Array> {
    if (this.#sums?.group === group) return this.#sums.bytes
    const { offset, length } = this.#sumsPlace(group)
    const bytes = new Uint8Array(length)
    const got = await this.file.readAsync(bytes, 0, length, offset)
    if (got < length) throw this.#endsBefore(offset + got)
    return this.#keepSums(group, bytes)
  }

  #keepSums(group: number, bytes: Uint8Array): Uint8Array {
    const { offset } = this.#sumsPlace(group)
    if (!isPlaced(bytes, bytes.length, this.#seed, offset))
      throw new CorruptionError(this.#name, offset, 'checksum mismatch in the sums of a stream')
    this.#sums = { group, bytes }
    return bytes
  }

  #prove(piece: Piece, sums: Uint8Array, bytes: Uint8Array, place: number, got: number): void {
    const { chunk, at, length } = piece
    if (got < length) throw this.#endsBefore(place + got)
    for (let from = 0; from < length; from += VALUE_CHUNK_BYTES) {
      const to = Math.min(length, from + VALUE_CHUNK_BYTES)
      const index = chunk + from / VALUE_CHUNK_BYTES
      const sum = checksum(bytes.subarray(at + from, at + to))
      if (sum === readU32(sums, index * SUM_BYTES)) continue
      const number = piece.group * GROUP_CHUNKS + index
      const reason = `value checksum mismatch chunk=${number}`
      throw new CorruptionError(this.#name, place + from, reason)
    }
  }

  #endsBefore(offset: number): CorruptionError {
    return new CorruptionError(this.#name, offset, 'stream ends before its length')
  }
}

async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}
