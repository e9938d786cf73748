/**
 * The file of a stream: one value, too large to be a record of the log. Rules: vlog/FORMAT.md, section 10.
 *
 *   stream := fileHeader head group+ footer
 *   head   := keyLength u32, codec u8, zero u24, ignoreFlags u16, refuseFlags u16, key, checksum u32
 *   group  := chunk{240} sums          the last group may have fewer chunks, the last chunk of all be shorter
 *   sums   := (sum u32)* checksum u32  a sum for each chunk of the group
 *
 *   footer: the last 40 bytes
 *   offset size field
 *        0    8 size            bytes of the value
 *        8    8 fileBytes       length of the whole file
 *       16    4 tableChecksum   CRC-32 of the sums of all chunks, one behind the other
 *       20    4 zero
 *       24    8                 flags and checksum: lib/base/files/footer.ts
 *       32    8 magic           77 69 73 63 73 74 72 31 ("wiscstr1")
 *
 * The file header is lib/base/files/file-header.ts, kind 6. Chunks are those of every value: 65536 bytes, the last one
 * shorter. The sums of a group lie behind it, so that whoever writes needs no memory for the table of all; and every
 * place follows from the lengths of key and value, so that a part takes one small read beside its own. The checksums of
 * head and sums prove their places, too (lib/base/files/placed-checksum.ts).
 */
import { readU16, readU32, readU64, writeU32, writeU64 } from '../../lib/base/bytes.ts'
import { CorruptionError, newerVersion, type WiscError } from '../../lib/base/errors.ts'
import { FILE_HEADER_BYTES } from '../../lib/base/files/file-header.ts'
import { proveFooter, sealFooter } from '../../lib/base/files/footer.ts'
import { placedChecksum } from '../../lib/base/files/placed-checksum.ts'
import { FILE_BYTES_MAX, type FileNumber } from '../../lib/base/ids.ts'
import { RECORD_HEADER_BYTES, RECORD_KEY_BYTES_MAX } from '../record.ts'
import { CODEC_NONE, VALUE_CHUNK_BYTES } from '../value-chunks.ts'

/** Chunks of every group but the last. DO NOT CHANGE: part of the format. */
export const GROUP_CHUNKS = 240
/** Of the value: 15 MiB. */
export const GROUP_BYTES: number = GROUP_CHUNKS * VALUE_CHUNK_BYTES
export const SUM_BYTES = 4
const CHECKSUM_BYTES = 4
/** A head without its key and its checksum. */
export const HEAD_BYTES = 12
export const FOOTER_BYTES = 40
const MAGIC = Uint8Array.of(0x77, 0x69, 0x73, 0x63, 0x73, 0x74, 0x72, 0x31)

/** What the pointer of a stream names beside the file. DO NOT CHANGE: tables hold it. */
export const STREAM_OFFSET: number = FILE_HEADER_BYTES

/** A stream that was written and synced. Its directory entry is not durable yet. */
export interface BuiltStream {
  readonly number: FileNumber
  readonly salt: number
  /** Bytes of the file. */
  readonly length: number
  /** Bytes of the value. */
  readonly size: number
  readonly tableChecksum: number
}

/** The length of the pointer to a stream: as if it were a record that holds key and value, and nothing else. */
export function streamPointerBytes(keyLength: number, size: number): number {
  return RECORD_HEADER_BYTES + keyLength + size
}

export function groupCount(size: number): number {
  return Math.ceil(size / GROUP_BYTES)
}

/** Chunks of one group of a stream of `size` bytes. */
export function groupChunks(size: number, group: number): number {
  const left = size - group * GROUP_BYTES
  return Math.min(GROUP_CHUNKS, Math.ceil(left / VALUE_CHUNK_BYTES))
}

/** Bytes of the sums of so many chunks, with their checksum. */
export function sumsBytes(chunks: number): number {
  return chunks * SUM_BYTES + CHECKSUM_BYTES
}

/** Where the first chunk lies. */
export function chunksOffset(keyLength: number): number {
  return FILE_HEADER_BYTES + HEAD_BYTES + keyLength + CHECKSUM_BYTES
}

/** Where a group begins. */
export function groupOffset(keyLength: number, group: number): number {
  return chunksOffset(keyLength) + group * (GROUP_BYTES + sumsBytes(GROUP_CHUNKS))
}

/** Length of the whole file. */
function streamFileBytes(keyLength: number, size: number): number {
  const chunks = Math.ceil(size / VALUE_CHUNK_BYTES)
  const sums = chunks * SUM_BYTES + groupCount(size) * CHECKSUM_BYTES
  return chunksOffset(keyLength) + size + sums + FOOTER_BYTES
}

/** True if a file can hold a value of so many bytes, and a pointer name it. */
export function isStreamSize(keyLength: number, size: number): boolean {
  const pointerEnd = STREAM_OFFSET + streamPointerBytes(keyLength, size)
  const end = Math.max(streamFileBytes(keyLength, size), pointerEnd)
  return size > 0 && end <= FILE_BYTES_MAX
}

/** The head of a stream, to be written behind its file header. */
export function encodeStreamHead(key: Uint8Array, seed: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + key.length + CHECKSUM_BYTES)
  writeU32(bytes, 0, key.length)
  bytes.set(key, HEAD_BYTES)
  sealPlaced(bytes, bytes.length, seed, FILE_HEADER_BYTES)
  return bytes
}

/** Writes the checksum at the end of bytes[0 .. end), which will lie at `offset` of the file. */
export function sealPlaced(bytes: Uint8Array, end: number, seed: number, offset: number): void {
  const at = end - CHECKSUM_BYTES
  writeU32(bytes, at, placedChecksum(bytes, 0, at, seed, offset))
}

/** True if bytes[0 .. end) are what belongs to `offset` of the file. */
export function isPlaced(bytes: Uint8Array, end: number, seed: number, offset: number): boolean {
  const at = end - CHECKSUM_BYTES
  return readU32(bytes, at) === placedChecksum(bytes, 0, at, seed, offset)
}

/** Length of the key, from the beginning of a head. Nothing is proved yet; undefined if no key is so long. */
export function headKeyLength(head: Uint8Array): number | undefined {
  const length = readU32(head, 0)
  return length <= RECORD_KEY_BYTES_MAX ? length : undefined
}

/**
 * The key in a whole head.
 * @throws CorruptionError, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
export function decodeStreamHead(head: Uint8Array, seed: number, name: string): Uint8Array {
  if (!isPlaced(head, head.length, seed, FILE_HEADER_BYTES))
    throw new CorruptionError(name, FILE_HEADER_BYTES, 'head checksum mismatch')
  const unknown = unknownHead(head, name)
  if (unknown) throw unknown
  return head.slice(HEAD_BYTES, head.length - CHECKSUM_BYTES)
}

/** What a proved head says that this version does not know. */
function unknownHead(head: Uint8Array, name: string): WiscError | undefined {
  const flags = readU16(head, 10)
  if (flags !== 0) {
    const what = `stream has unknown flags, flags=${flags}`
    return newerVersion(name, FILE_HEADER_BYTES + 10, what)
  }
  const codec = head[4]!
  if (codec === CODEC_NONE) return undefined
  const what = `stream needs a codec that this version has not, codec=${codec}`
  return newerVersion(name, FILE_HEADER_BYTES + 4, what, 'WISC_CODEC_UNAVAILABLE')
}

export function encodeStreamFooter(
  { size, length, tableChecksum }: Pick<BuiltStream, 'size' | 'length' | 'tableChecksum'>,
  seed: number,
): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  writeU64(bytes, 0, size)
  writeU64(bytes, 8, length)
  writeU32(bytes, 16, tableChecksum)
  sealFooter(bytes, seed, MAGIC)
  return bytes
}

/**
 * Reads a footer that ends a file of `length` bytes, of a stream with that key.
 * @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function decodeStreamFooter(
  bytes: Uint8Array,
  seed: number,
  keyLength: number,
  length: number,
  name: string,
): Pick<BuiltStream, 'size' | 'tableChecksum'> {
  const offset = length - FOOTER_BYTES
  proveFooter(bytes, 0, FOOTER_BYTES, MAGIC, seed, offset, name)
  const size = readU64(bytes, 0)
  const fits =
    isStreamSize(keyLength, size) &&
    readU64(bytes, 8) === length &&
    streamFileBytes(keyLength, size) === length
  if (!fits) throw new CorruptionError(name, offset, 'lengths of the footer do not fit the file')
  return { size, tableChecksum: readU32(bytes, 16) }
}
