/**
 * Records of the value log: one put or delete, with everything needed to prove it and to replay it.
 *
 *   record := header chunkChecksums key value
 *
 *   offset size field
 *        0    4 headerChecksum  CRC-32 of bytes 8 .. end of key
 *        4    4 valueChecksum   checksum(first chunk of the value) XOR headerChecksum
 *        8    1 kind            1 put, 2 delete; others are reserved (expiry, ranges, merge operands)
 *        9    1 codec           0 none, 1 zstd (reserved)
 *       10    1 ignoreFlags     unknown bits are ignored
 *       11    1 refuseFlags     unknown bits: WISC_FORMAT_VERSION
 *       12    4 keyLength       0 .. 65536
 *       16    8 sequence
 *       24    8 storedLength    bytes of the value as stored
 *       32    8 rawLength       bytes of the value as given
 *       40    4 x (n - 1)       checksum of each further chunk of 64 KiB, n = chunks of the value, at least 1
 *       ..      key, value
 *
 * With the XOR the value checksum covers header, key and first chunk, though they need not lie together in
 * the writer's memory. A reader proves it by both sums; the header checksum alone serves walks, which read
 * no values. Rules: vlog/FORMAT.md, section 4.
 */

import { compareRange, readU16, readU32, readU64, writeU32, writeU64 } from '../lib/base/bytes.ts'
import { checksum, crc32From } from '../lib/base/checksum.ts'
import { FILE_BYTES_MAX, SEQUENCE_MAX } from '../lib/base/ids.ts'
import { RECORD_HEADER_BYTES, VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

export { RECORD_HEADER_BYTES, storedBytes, VALUE_CHUNK_BYTES } from '../lib/base/record-size.ts'

/** The longest key, in bytes. */
export const RECORD_KEY_BYTES_MAX = 65536

/** DO NOT CHANGE: kinds are on disk. */
export const RECORD_KIND = { put: 1, delete: 2 } as const
export type RecordKind = (typeof RECORD_KIND)[keyof typeof RECORD_KIND]

export const CODEC_NONE = 0

/** What an entry of the tree says of its record: the key is keyBytes[keyStart .. keyEnd). */
export interface RecordPointer {
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly sequence: number
  readonly segment: number
  readonly offset: number
  /** Of the whole record. */
  readonly length: number
}

/** Bytes of checksums between header and key. */
export function chunkChecksumBytes(storedLength: number): number {
  return storedLength <= VALUE_CHUNK_BYTES
    ? 0
    : (Math.ceil(storedLength / VALUE_CHUNK_BYTES) - 1) * 4
}

/** Bytes in front of the value: header, further checksums, key. */
export function recordHeadBytes(keyLength: number, storedLength: number): number {
  return RECORD_HEADER_BYTES + chunkChecksumBytes(storedLength) + keyLength
}

/** Bytes of a whole record. */
export function recordBytes(keyLength: number, storedLength: number): number {
  return recordHeadBytes(keyLength, storedLength) + storedLength
}

/**
 * Writes what stands in front of the value; the value must follow it directly.
 * Data plane: called once for each record, a value is hashed where it lies.
 * @param sums the value's checksums, if they are known ({@link valueChecksums})
 * @returns the offset behind the key
 */
export function writeRecordHead(
  target: Uint8Array,
  at: number,
  kind: RecordKind,
  key: Uint8Array,
  sequence: number,
  value: Uint8Array,
  sums?: Uint32Array,
): number {
  const length = value.length
  writeU32(target, at + 8, kind)
  writeU32(target, at + 12, key.length)
  writeU64(target, at + 16, sequence)
  writeU64(target, at + 24, length)
  writeU64(target, at + 32, length)
  let to = at + RECORD_HEADER_BYTES
  const known = sums ?? (length > VALUE_CHUNK_BYTES ? valueChecksums(value) : undefined)
  for (let chunk = 1; known && chunk < known.length; chunk++) {
    writeU32(target, to, known[chunk]!)
    to += 4
  }
  target.set(key, to)
  to += key.length
  const headerChecksum = crc32From(0, target.subarray(at + 8, to))
  writeU32(target, at, headerChecksum)
  writeU32(target, at + 4, (known ? known[0]! : checksum(value)) ^ headerChecksum)
  return to
}

/** The checksum of each chunk of a value; an empty one has one, too. */
export function valueChecksums(value: Uint8Array): Uint32Array {
  const sums = new Uint32Array(Math.max(1, Math.ceil(value.length / VALUE_CHUNK_BYTES)))
  for (let chunk = 0, from = 0; chunk < sums.length; chunk++, from += VALUE_CHUNK_BYTES) {
    sums[chunk] = checksum(value.subarray(from, from + VALUE_CHUNK_BYTES))
  }
  return sums
}

/** A record's header, decoded. `headBytes` lie in front of the value. */
export interface RecordHeader {
  readonly kind: number
  readonly codec: number
  readonly refuseFlags: number
  readonly keyLength: number
  readonly sequence: number
  readonly storedLength: number
  readonly rawLength: number
  readonly headBytes: number
  /** Bytes of the whole record. */
  readonly length: number
}

/**
 * The header at `at`, or undefined if its lengths are impossible: above the limits or past `available` bytes.
 * Nothing is proved yet.
 */
export function readRecordHeader(
  bytes: Uint8Array,
  at: number,
  available: number,
): RecordHeader | undefined {
  if (available < RECORD_HEADER_BYTES || at + RECORD_HEADER_BYTES > bytes.length) return undefined
  const keyLength = readU32(bytes, at + 12)
  const storedLength = readU64(bytes, at + 24)
  if (keyLength > RECORD_KEY_BYTES_MAX || storedLength > FILE_BYTES_MAX) return undefined
  const headBytes = recordHeadBytes(keyLength, storedLength)
  const sequence = readU64(bytes, at + 16)
  if (headBytes + storedLength > available || sequence > SEQUENCE_MAX) return undefined
  return {
    kind: bytes[at + 8]!,
    codec: bytes[at + 9]!,
    refuseFlags: bytes[at + 11]!,
    keyLength,
    sequence,
    storedLength,
    rawLength: readU64(bytes, at + 32),
    headBytes,
    length: headBytes + storedLength,
  }
}

/** Proves the bytes in front of a value (`headBytes` of them at `at`), for walks that read no values. */
export function proveRecordHead(bytes: Uint8Array, at: number, header: RecordHeader): boolean {
  return (
    crc32From(0, bytes.subarray(at + 8, at + header.headBytes)) === readU32(bytes, at) &&
    (header.kind === RECORD_KIND.put || header.kind === RECORD_KIND.delete)
  )
}

/**
 * Proves a whole record that lies in `bytes` at `at`: both checksums and those of further chunks.
 * @returns what is wrong, or undefined
 */
export function proveRecord(
  bytes: Uint8Array,
  at: number,
  header: RecordHeader,
): string | undefined {
  const valueStart = at + header.headBytes
  const valueEnd = valueStart + header.storedLength
  const headerChecksum = crc32From(0, bytes.subarray(at + 8, valueStart))
  if (headerChecksum !== readU32(bytes, at)) return 'record header checksum mismatch'
  const firstEnd = Math.min(valueEnd, valueStart + VALUE_CHUNK_BYTES)
  const valueChecksum = (checksum(bytes.subarray(valueStart, firstEnd)) ^ headerChecksum) >>> 0
  if (valueChecksum !== readU32(bytes, at + 4)) return 'value checksum mismatch'
  let stored = at + RECORD_HEADER_BYTES
  for (let from = firstEnd; from < valueEnd; from += VALUE_CHUNK_BYTES) {
    const chunk = bytes.subarray(from, Math.min(valueEnd, from + VALUE_CHUNK_BYTES))
    if (checksum(chunk) !== readU32(bytes, stored)) return 'value chunk checksum mismatch'
    stored += 4
  }
  return undefined
}

/** The checksum that chunk number `chunk` of the value must have, by a head that was proved. */
export function chunkChecksum(head: Uint8Array, chunk: number): number {
  if (chunk > 0) return readU32(head, RECORD_HEADER_BYTES + (chunk - 1) * 4)
  return (readU32(head, 4) ^ readU32(head, 0)) >>> 0
}

/**
 * Holds a record in memory against what a pointer promised, and proves its value.
 *
 * Data plane, made for gets: each field of the header must be the one that is known already, so that comparing
 * them proves the header without its checksum; the value checksum, which contains that checksum, proves the
 * rest. `value` is the view of the value in `bytes`, made by the caller, who needs it anyway.
 * @returns what is wrong, or undefined if the value may be handed out
 */
export function checkPointedRecord(
  bytes: Uint8Array,
  at: number,
  length: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
  value: Uint8Array,
): string | undefined {
  const storedLength = value.length
  if (readU32(bytes, at + 12) !== keyEnd - keyStart || readU64(bytes, at + 24) !== storedLength) {
    return 'record is not the one its pointer names: lengths differ'
  }
  if (readU64(bytes, at + 16) !== sequence || bytes[at + 8] !== RECORD_KIND.put) {
    return 'record is not the one its pointer names: sequence or kind differs'
  }
  const valueStart = at + length - storedLength
  const recordKey = valueStart - (keyEnd - keyStart)
  if (compareRange(key, keyStart, keyEnd, bytes, recordKey, valueStart) !== 0) {
    return 'record is not the one its pointer names: key differs'
  }
  // Another codec or flag: the whole header has to be proved before anybody acts on it.
  const plain = readU16(bytes, at + 9) === CODEC_NONE && bytes[at + 11] === 0
  if (!plain || storedLength > VALUE_CHUNK_BYTES || readU64(bytes, at + 32) !== storedLength) {
    return proveRecord(bytes, at, readRecordHeader(bytes, at, length)!)
  }
  const stored = readU32(bytes, at + 4) ^ readU32(bytes, at)
  return checksum(value) === stored >>> 0 ? undefined : 'value checksum mismatch'
}
