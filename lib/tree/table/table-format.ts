/**
 * The frame of a table file: blocks, their trailers, the footer. Rules: lib/tree/FORMAT.md, section
 * 2.
 *
 *   table := header dataBlock+ filterBlock? indexBlock referencesBlock propertiesBlock footer
 *   block := content trailer
 *
 * The header is lib/base/files/file-header.ts. Nothing lies between the parts, so each byte is under some
 * checksum.
 *
 *   trailer: 5 bytes
 *   offset size field
 *        0    1 codec           0 none, 1 zstd (reserved); others: WISC_FORMAT_VERSION
 *        1    4 checksum        of content and codec, exclusive-or the mark of the place
 *
 *   footer: the last 72 bytes
 *   offset size field
 *        0   12 filter          offset u64 and length u32 of the content; length 0: no filter
 *       12   12 index
 *       24   12 references
 *       36   12 properties
 *       48    8 fileBytes       length of the whole file
 *       56    2 ignoreFlags     unknown bits are ignored
 *       58    2 refuseFlags     unknown bits: WISC_FORMAT_VERSION
 *       60    4 checksum        CRC-32 of bytes 0 .. 59, continued from the file's seed
 *       64    8 magic           77 69 73 63 74 61 62 31 ("wisctab1")
 *
 * Seed: lib/base/files/frame.ts. The mark of a place mixes the file's seed with the offset of the block,
 * so that a block of another file or from another place is found out.
 */
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../../base/bytes.ts'
import { checksum, crc32From } from '../../base/checksum.ts'
import { CorruptionError, WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'

export const TRAILER_BYTES = 5
export const FOOTER_BYTES = 72
/**
 * Entries from one restart point of a data block up to the next, at most. DO NOT CHANGE: part of
 * the format.
 */
export const RESTART_INTERVAL_ENTRIES = 16
const CODEC_NONE = 0
const MAGIC = Uint8Array.of(0x77, 0x69, 0x73, 0x63, 0x74, 0x61, 0x62, 0x31)

/** Where the content of a block lies. Its trailer follows. */
export interface BlockHandle {
  readonly offset: number
  readonly length: number
}

export interface Footer {
  readonly filter: BlockHandle
  readonly index: BlockHandle
  readonly references: BlockHandle
  readonly properties: BlockHandle
}

/**
 * The mark of the place `offset` in the file with this seed: murmur3's last step, one to one for
 * 32-bit offsets.
 */
export function placeMark(seed: number, offset: number): number {
  let mark = seed ^ (offset % 2 ** 32) ^ Math.imul(Math.floor(offset / 2 ** 32), 0x9e3779b1)
  mark ^= mark >>> 16
  mark = Math.imul(mark, 0x85ebca6b)
  mark ^= mark >>> 13
  mark = Math.imul(mark, 0xc2b2ae35)
  mark ^= mark >>> 16
  return mark >>> 0
}

/**
 * Writes the trailer behind the content bytes[start .. end), which will lie at `offset` of the
 * file.
 * @returns the end of the block. Requires: room for the trailer
 */
export function sealBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  offset: number,
): number {
  bytes[end] = CODEC_NONE
  writeU32(bytes, end + 1, checksum(bytes.subarray(start, end + 1)) ^ placeMark(seed, offset))
  return end + TRAILER_BYTES
}

/**
 * Holds a block against its trailer: content bytes[start .. end), from `offset` of the file.
 * @throws CorruptionError, WISC_FORMAT_VERSION for a codec that this version does not know
 */
export function checkBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  offset: number,
  name: string,
): void {
  const expected = (checksum(bytes.subarray(start, end + 1)) ^ placeMark(seed, offset)) >>> 0
  if (readU32(bytes, end + 1) !== expected) {
    throw new CorruptionError(name, offset, 'block checksum mismatch')
  }
  if (bytes[end] !== CODEC_NONE) {
    throw new WiscError(
      'WISC_FORMAT_VERSION',
      `block has an unknown codec file=${name} offset=${offset} codec=${bytes[end]}`,
    )
  }
}

/** The offset behind a block. */
export function blockEnd(handle: BlockHandle): number {
  return handle.offset + handle.length + TRAILER_BYTES
}

/** Where the data blocks end. */
export function dataEnd(footer: Footer): number {
  return footer.filter.length === 0 ? footer.index.offset : footer.filter.offset
}

/** The bytes of a footer that lies at `offset` of the file. */
export function encodeFooter(footer: Footer, seed: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  writeHandle(bytes, 0, footer.filter)
  writeHandle(bytes, 12, footer.index)
  writeHandle(bytes, 24, footer.references)
  writeHandle(bytes, 36, footer.properties)
  writeU64(bytes, 48, offset + FOOTER_BYTES)
  writeU16(bytes, 56, 0)
  writeU16(bytes, 58, 0)
  writeU32(bytes, 60, crc32From(seed, bytes.subarray(0, 60)))
  bytes.set(MAGIC, 64)
  return bytes
}

/**
 * Reads the footer at bytes[at ..], which lies at `offset` of the file, and checks that its blocks
 * meet.
 * @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function decodeFooter(
  bytes: Uint8Array,
  at: number,
  seed: number,
  offset: number,
  name: string,
): Footer {
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[at + 64 + i] !== MAGIC[i]) {
      throw new CorruptionError(name, offset + 64 + i, 'table does not end with a footer')
    }
  }
  if (readU32(bytes, at + 60) !== crc32From(seed, bytes.subarray(at, at + 60))) {
    throw new CorruptionError(name, offset, 'footer checksum mismatch')
  }
  const refuseFlags = readU16(bytes, at + 58)
  if (refuseFlags !== 0) {
    throw new WiscError(
      'WISC_FORMAT_VERSION',
      `table is from another version of wisc file=${name} flags=${refuseFlags}`,
    )
  }
  const footer: Footer = {
    filter: readHandle(bytes, at),
    index: readHandle(bytes, at + 12),
    references: readHandle(bytes, at + 24),
    properties: readHandle(bytes, at + 36),
  }
  const meets =
    dataEnd(footer) > FILE_HEADER_BYTES &&
    (footer.filter.length === 0 || blockEnd(footer.filter) === footer.index.offset) &&
    blockEnd(footer.index) === footer.references.offset &&
    blockEnd(footer.references) === footer.properties.offset &&
    blockEnd(footer.properties) === offset &&
    readU64(bytes, at + 48) === offset + FOOTER_BYTES
  if (!meets) throw new CorruptionError(name, offset, 'blocks of the footer do not meet')
  return footer
}

function writeHandle(bytes: Uint8Array, at: number, handle: BlockHandle): void {
  writeU64(bytes, at, handle.offset)
  writeU32(bytes, at + 8, handle.length)
}

function readHandle(bytes: Uint8Array, at: number): BlockHandle {
  return { offset: readU64(bytes, at), length: readU32(bytes, at + 8) }
}
