/**
 * Records as entries of the tree point to them: a pointer promises key, sequence and length, and the record that is
 * found at its place must be that one, whole.
 */
import { compareRange, readU32, readU64 } from '../lib/base/bytes.ts'
import { checksum } from '../lib/base/checksum.ts'
import { segmentName } from '../lib/base/files/file-names.ts'
import type { SegmentNumber, Sequence } from '../lib/base/ids.ts'
import {
  firstPieceSum,
  proveRecordHead,
  RECORD_KIND,
  type RecordHeader,
  readRecordHeader,
  recordValue,
  unknownRecord,
  valueMismatch,
  wrongValue,
} from './record.ts'
import { VALUE_CHUNK_BYTES } from './value-chunks.ts'
import type { ValueMemory } from './value-codec.ts'

/** What an entry of the tree says of its record: the key is keyBytes[keyStart .. keyEnd). */
export interface RecordPointer {
  readonly keyBytes: Uint8Array
  readonly keyStart: number
  readonly keyEnd: number
  readonly sequence: Sequence
  /** The logical segment, or the file in which the record was found to lie. */
  readonly segment: SegmentNumber
  readonly offset: number
  /** Of the whole record. */
  readonly length: number
}

/**
 * Holds a record without options that lies in `bytes` at `at` against its pointer, and proves its value.
 *
 * Data plane, made for gets: each field of the header must be the one that is known already, so that comparing
 * them proves the header without its checksum; the value checksum, which contains that checksum, proves the
 * rest. `value` is the view of the value in `bytes`, made by the caller, who needs it anyway.
 * @returns what is wrong, or undefined if the value may be handed out; {@link pointedValue} judges what is not plain
 */
export function checkPointedRecord(
  bytes: Uint8Array,
  at: number,
  pointer: RecordPointer,
  value: Uint8Array,
): string | undefined {
  const { keyBytes, keyStart, keyEnd, sequence, length } = pointer
  const storedLength = value.length
  if (readU32(bytes, at + 12) !== keyEnd - keyStart || readU64(bytes, at + 24) !== storedLength) {
    return 'record is not the one its pointer names: lengths differ'
  }
  if (readU64(bytes, at + 16) !== sequence || bytes[at + 8] !== RECORD_KIND.put) {
    return 'record is not the one its pointer names: sequence or kind differs'
  }
  const valueStart = at + length - storedLength
  const recordKey = valueStart - (keyEnd - keyStart)
  if (compareRange(keyBytes, keyStart, keyEnd, bytes, recordKey, valueStart) !== 0) {
    return 'record is not the one its pointer names: key differs'
  }
  // Codec, flags and a table: the whole header has to be proved before anybody acts on them.
  if (readU32(bytes, at + 8) !== RECORD_KIND.put) return 'record is not plain'
  if (storedLength > VALUE_CHUNK_BYTES) return 'record has a table of chunks'
  if (readU64(bytes, at + 32) !== storedLength) return 'record has impossible lengths'
  return checksum(value) === firstPieceSum(bytes, at) ? undefined : valueMismatch(0)
}

/**
 * The same for a record of any kind and length, with any options, once {@link checkPointedRecord} has said `bad` of it.
 * @param memory for a value that is decompressed
 * @returns the value, or what is wrong
 * @throws WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
export function pointedValue(
  bytes: Buffer,
  at: number,
  pointer: RecordPointer,
  bad: string,
  memory?: ValueMemory,
): Buffer | string {
  const header = pointedHeader(bytes, at, pointer.length, pointer)
  if (typeof header === 'string') return bad
  return wrongValue(bytes, at, header) ?? recordValue(bytes, at, header, memory)
}

/**
 * The header of the record that a pointer names, of which `available` bytes lie in `bytes` at `at`: its head is proved,
 * the value is not.
 * @returns what is wrong instead
 * @throws WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
 */
export function pointedHeader(
  bytes: Uint8Array,
  at: number,
  available: number,
  pointer: RecordPointer,
): RecordHeader | string {
  const header = readRecordHeader(bytes.subarray(0, at + available), at, pointer.length)
  // What does not prove itself says nothing of versions.
  const isProved =
    header !== undefined && header.headBytes <= available && proveRecordHead(bytes, at, header)
  if (!isProved) return 'record header checksum mismatch'
  const unknown = unknownRecord(header, segmentName(pointer.segment), pointer.offset)
  if (unknown) throw unknown
  const isOurs = header.length === pointer.length && isPointed(bytes, at, header, pointer)
  return isOurs ? header : 'record is not the one its pointer names'
}

/** True if a proved record is the one that an entry means. */
export function isPointed(
  bytes: Uint8Array,
  at: number,
  { kind, sequence, keyLength, headBytes }: RecordHeader,
  pointer: Pick<RecordPointer, 'keyBytes' | 'keyStart' | 'keyEnd' | 'sequence'>,
): boolean {
  const { keyBytes, keyStart, keyEnd } = pointer
  const keyAt = at + headBytes - keyLength
  return (
    kind === RECORD_KIND.put &&
    sequence === pointer.sequence &&
    compareRange(bytes, keyAt, keyAt + keyLength, keyBytes, keyStart, keyEnd) === 0
  )
}
