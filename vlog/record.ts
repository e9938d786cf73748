/**
 * Records of the value log: one write, with everything needed to prove it and to replay it.
 *
 *   record := header options key value
 *
 *   offset size field
 *        0    4 headerChecksum  CRC-32 of bytes 8 .. end of key
 *        4    4 valueChecksum   checksum of the first piece of the value (value-chunks.ts) XOR headerChecksum
 *        8    1 kind            1 put, 2 delete, 3 put-stream, 4 range tombstone; reserved: 5 merge operand
 *        9    1 codec           of the value's chunks: 0 none, 1 zstd
 *       10    1 ignoreFlags     each bit announces an optional field; unknown ones are ignored
 *       11    1 refuseFlags     each bit announces an optional field: 1 expiry; unknown ones: WISC_FORMAT_VERSION
 *       12    3 keyLength       0 .. 65536
 *       15    1 optionBytes     of all optional fields
 *       16    8 sequence
 *       24    8 storedLength    bytes of the value as stored: of its table of chunks, if it has one, and its chunks
 *       32    8 rawLength       bytes of the value as given
 *       40      options         for each flag (refuse first, lowest bit first): length (1 byte), then its bytes
 *       ..      key, value
 *
 * With the XOR the value checksum covers head and first piece, though they need not lie together in
 * the writer's memory. A reader proves it by both sums; the header checksum alone serves walks, which read
 * no values. The length of a head follows from the header alone, whatever kind, codec and flags are: so a record of a
 * newer version proves itself, and is told from damage. Rules: vlog/FORMAT.md, section 4.
 */

import { readU32, readU64, writeU32, writeU64 } from '../lib/base/bytes.ts'
import { checksum, crc32From } from '../lib/base/checksum.ts'
import { newerVersion, type WiscError } from '../lib/base/errors.ts'
import { FILE_BYTES_MAX, SEQUENCE_MAX, type Sequence } from '../lib/base/ids.ts'
import {
  EXPIRY_OPTION_BYTES,
  OPTION_BYTES_AT,
  RECORD_HEADER_BYTES,
  VALUE_CHUNK_BYTES,
} from '../lib/base/record-size.ts'
import {
  ChunkList,
  CODEC_NONE,
  firstSum,
  isPossibleLength,
  type StoredValue,
  tableBytes,
} from './value-chunks.ts'
import {
  CODEC_NAMES,
  decompressChunks,
  decompressedChunk,
  OWN_MEMORY,
  type ValueMemory,
} from './value-codec.ts'

export { RECORD_HEADER_BYTES, storedLengthOf } from '../lib/base/record-size.ts'

/** The longest key, in bytes. */
export const RECORD_KEY_BYTES_MAX = 65536
const KEY_LENGTH_MASK = 0xff_ff_ff

/** DO NOT CHANGE: kinds are on disk. 5 is reserved. */
export const RECORD_KIND = { put: 1, delete: 2, putStream: 3, deleteRange: 4 } as const
export type RecordKind = (typeof RECORD_KIND)[keyof typeof RECORD_KIND]

/** DO NOT CHANGE: bits of refuseFlags, on disk. 2 is reserved. */
const EXPIRY_FLAG = 1

/** The value of a put-stream: vlog/stream/stream-value.ts. */
export const STREAM_VALUE_BYTES = 20

/** Bytes in front of the value of a record: header, options and key. `expiresAt` is 0 for one that never expires. */
export function recordHeadBytes(keyLength: number, expiresAt: number = 0): number {
  return RECORD_HEADER_BYTES + keyLength + (expiresAt > 0 ? EXPIRY_OPTION_BYTES : 0)
}

/** Bytes of a whole record without options or codec, of a value of `valueLength` bytes. */
export function recordBytes(keyLength: number, valueLength: number): number {
  return RECORD_HEADER_BYTES + keyLength + tableBytes(valueLength) + valueLength
}

/** A record that is going to be written. */
export interface NewRecord {
  readonly kind: RecordKind
  readonly key: Uint8Array
  /** The chunks as they are stored. What they are of other kinds than put: vlog/FORMAT.md, section 4. */
  readonly value: Uint8Array
  /** The table of the chunks, if there are several: at the latest when the record is written. */
  table: Uint8Array | undefined
  readonly codec: number
  /** Bytes of the value as it was given. */
  readonly rawLength: number
  /** Bytes of the value as it is stored, with its table: a caller's memory may shrink, this stays. */
  readonly storedLength: number
  /** Milliseconds since 1970; 0: it never expires. */
  readonly expiresAt: number
  /** True if the value lies in its caller's memory, who may change it until it is written. */
  readonly borrowed: boolean
}

/** The record of a value that is stored as it is, and lies in memory that nobody changes. */
export function plainRecord(
  kind: RecordKind,
  key: Uint8Array,
  value: Uint8Array,
  expiresAt: number = 0,
): NewRecord {
  const rawLength = value.length
  const storedLength = tableBytes(rawLength) + rawLength
  const stored = { table: undefined, codec: CODEC_NONE, rawLength, storedLength }
  return { kind, key, value, ...stored, expiresAt, borrowed: false }
}

/** Bytes of a whole record. */
export function recordLength({ key, expiresAt, storedLength }: NewRecord): number {
  return recordHeadBytes(key.length, expiresAt) + storedLength
}

/**
 * Writes what stands in front of the value as it is stored, table and chunks, which must follow directly.
 * Data plane: called once for each record, a value is hashed where it lies.
 * @returns the offset behind the key
 */
export function writeRecordHead(
  target: Uint8Array,
  at: number,
  record: NewRecord,
  sequence: Sequence,
): number {
  const { kind, key, value, table, codec, rawLength, storedLength, expiresAt } = record
  const optionBytes = expiresAt > 0 ? EXPIRY_OPTION_BYTES : 0
  writeU32(target, at + 8, kind | (codec << 8) | (expiresAt > 0 ? EXPIRY_FLAG << 24 : 0))
  writeU32(target, at + 12, key.length | (optionBytes << 24))
  writeU64(target, at + 16, sequence)
  writeU64(target, at + 24, storedLength)
  writeU64(target, at + 32, rawLength)
  if (expiresAt > 0) writeExpiry(target, at + RECORD_HEADER_BYTES, expiresAt)
  const to = at + RECORD_HEADER_BYTES + optionBytes
  target.set(key, to)
  const end = to + key.length
  const headerChecksum = crc32From(0, target.subarray(at + 8, end))
  writeU32(target, at, headerChecksum)
  writeU32(target, at + 4, firstSum(table, value, rawLength) ^ headerChecksum)
  return end
}

function writeExpiry(target: Uint8Array, at: number, expiresAt: number): void {
  target[at] = EXPIRY_OPTION_BYTES - 1
  writeU64(target, at + 1, expiresAt)
}

/** When a record expires, of a head that is proved and known and lies in `bytes` at `at`; 0: never. */
export function recordExpiry(bytes: Uint8Array, at: number, { refuseFlags }: RecordHeader): number {
  if ((refuseFlags & EXPIRY_FLAG) === 0) return 0
  // The option of the lowest refuse flag comes first.
  const option = at + RECORD_HEADER_BYTES
  return bytes[option] === EXPIRY_OPTION_BYTES - 1 ? readU64(bytes, option + 1) : 0
}

/** A record's header, decoded. `headBytes` lie in front of the value. */
export interface RecordHeader extends StoredValue {
  readonly kind: number
  readonly refuseFlags: number
  readonly optionBytes: number
  readonly keyLength: number
  readonly sequence: Sequence
  readonly headBytes: number
  /** Bytes of the whole record. */
  readonly length: number
}

/**
 * The header at `at`, or undefined if its lengths are impossible: above the limits, past `available` bytes, or against
 * each other (whatever kind and flags are, the stored length of a value has bounds). Nothing is proved yet.
 */
export function readRecordHeader(
  bytes: Uint8Array,
  at: number,
  available: number,
): RecordHeader | undefined {
  if (available < RECORD_HEADER_BYTES || at + RECORD_HEADER_BYTES > bytes.length) return undefined
  const keyLength = readU32(bytes, at + 12) & KEY_LENGTH_MASK
  const storedLength = readU64(bytes, at + 24)
  if (keyLength > RECORD_KEY_BYTES_MAX || storedLength > FILE_BYTES_MAX) return undefined
  const codec = bytes[at + 9]!
  const optionBytes = bytes[at + OPTION_BYTES_AT]!
  const rawLength = readU64(bytes, at + 32)
  const isKnown = codec < CODEC_NAMES.length
  if (isKnown && !isPossibleLength({ codec, storedLength, rawLength })) return undefined
  if (bytes[at + 8] === RECORD_KIND.delete && storedLength > 0) return undefined
  if (bytes[at + 8] === RECORD_KIND.putStream && rawLength !== STREAM_VALUE_BYTES) return undefined
  // The key at which it ends.
  if (bytes[at + 8] === RECORD_KIND.deleteRange && rawLength > RECORD_KEY_BYTES_MAX)
    return undefined
  const headBytes = RECORD_HEADER_BYTES + optionBytes + keyLength
  const sequence = readU64(bytes, at + 16)
  if (headBytes + storedLength > available || sequence > SEQUENCE_MAX) return undefined
  return {
    kind: bytes[at + 8]!,
    codec,
    refuseFlags: bytes[at + 11]!,
    optionBytes,
    keyLength,
    sequence,
    storedLength,
    rawLength,
    headBytes,
    length: headBytes + storedLength,
  }
}

/** Proves the bytes in front of a value (`headBytes` of them at `at`), for walks that read no values. */
export function proveRecordHead(bytes: Uint8Array, at: number, header: RecordHeader): boolean {
  return crc32From(0, bytes.subarray(at + 8, at + header.headBytes)) === readU32(bytes, at)
}

/**
 * The one place that says which records this version does not know: by kind, codec or flags. Only of a head that was
 * proved; what follows it is not to be looked at then.
 * @returns WISC_FORMAT_VERSION or WISC_CODEC_UNAVAILABLE, or undefined
 */
export function unknownRecord(
  { kind, codec, refuseFlags, optionBytes }: RecordHeader,
  file: string,
  offset: number,
): WiscError | undefined {
  if (kind < RECORD_KIND.put || kind > RECORD_KIND.deleteRange) {
    return newerVersion(file, offset, `record is of an unknown kind, kind=${kind}`)
  }
  const hasExpiry = refuseFlags === EXPIRY_FLAG && optionBytes >= EXPIRY_OPTION_BYTES
  if (refuseFlags !== 0 && !hasExpiry) {
    return newerVersion(file, offset, `record has unknown flags, flags=${refuseFlags}`)
  }
  if (codec < CODEC_NAMES.length) return undefined
  const what = `value needs a codec that this version has not, codec=${codec}`
  return newerVersion(file, offset, what, 'WISC_CODEC_UNAVAILABLE')
}

/** The checksum of the first piece of the value of the record at bytes[at ..], whose head is proved. */
export function firstPieceSum(bytes: Uint8Array, at: number): number {
  return (readU32(bytes, at + 4) ^ readU32(bytes, at)) >>> 0
}

/**
 * Proves a whole record that lies in `bytes` at `at`: its head, its table of chunks, and each chunk.
 * @returns what is wrong, or undefined
 */
export function proveRecord(
  bytes: Uint8Array,
  at: number,
  header: RecordHeader,
): string | undefined {
  if (!proveRecordHead(bytes, at, header)) return 'record header checksum mismatch'
  return wrongValue(bytes, at, header)
}

/** What is wrong with the value of a record that lies in `bytes` at `at`, and whose head is proved. */
export function wrongValue(
  bytes: Uint8Array,
  at: number,
  header: RecordHeader,
): string | undefined {
  const { rawLength } = header
  const sum = firstPieceSum(bytes, at)
  const valueStart = at + header.headBytes
  if (rawLength <= VALUE_CHUNK_BYTES) {
    const value = bytes.subarray(valueStart, at + header.length)
    return checksum(value) === sum ? undefined : valueMismatch(0)
  }
  const chunks = ChunkList.ofAll(header, sum, bytes, valueStart)
  if (typeof chunks === 'string') return chunks
  const chunk = chunks.wrong(0, chunks.end, bytes, valueStart + tableBytes(rawLength))
  return chunk < 0 ? undefined : valueMismatch(chunk)
}

/**
 * The value, as it was given, of a record that lies in `bytes` at `at` and is proved: a view of it, or memory of its
 * own.
 * @returns what is wrong instead
 * @throws WISC_CODEC_UNAVAILABLE
 */
export function recordValue(
  bytes: Buffer,
  at: number,
  header: RecordHeader,
  memory: ValueMemory = OWN_MEMORY,
): Buffer | string {
  const { codec, headBytes, length, rawLength } = header
  if (codec === CODEC_NONE) return bytes.subarray(at + length - rawLength, at + length)
  const valueAt = at + headBytes
  if (rawLength <= VALUE_CHUNK_BYTES) {
    return decompressedChunk(bytes.subarray(valueAt, at + length), rawLength, memory)
  }
  const chunks = ChunkList.ofAll(header, firstPieceSum(bytes, at), bytes, valueAt)
  if (typeof chunks === 'string') return chunks
  const value = Buffer.allocUnsafeSlow(rawLength)
  const chunksAt = valueAt + tableBytes(rawLength)
  return decompressChunks(chunks, 0, chunks.end, bytes, chunksAt, value) ?? value
}

/** What is said of a value of which a chunk is not the one that its sum tells. */
export function valueMismatch(chunk: number): string {
  return `value checksum mismatch chunk=${chunk}`
}
