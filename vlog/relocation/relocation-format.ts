/**
 * The frame of a relocation: a file with the surviving records of sealed segments. Rules: vlog/FORMAT.md, section 9.
 *
 *   relocation := header record+ page+ fence parts footer
 *
 * The header is lib/base/files/file-header.ts, kind 5. Records are copied whole, without frames and without gaps. The
 * index says for each one what pointers call it (segment, offset) and where it lies in this file (place). Its
 * entries are in the order of (segment, offset); the parts say how many of them belong to each segment:
 *
 *   page  := entry{341} checksum          the last page may hold fewer entries
 *   entry := offset u48, place u48
 *   fence := (offset u48)* checksum       of the first entry of each page
 *   parts := part+ checksum
 *   part  := segment u32, ignoreFlags u16, refuseFlags u16, records u64, bytes u64
 *            ascending by segment; bytes of whole records; unknown flags as in the footer
 *
 *   footer: the last 64 bytes
 *   offset size field
 *        0    8 recordsEnd      where the records end and the pages begin
 *        8    8 fenceOffset
 *       16    8 partsOffset
 *       24    8 records         entries of the index
 *       32    4 parts
 *       36    4 zero
 *       40    8 fileBytes       length of the whole file
 *       48    8                 flags and checksum: lib/base/files/footer.ts
 *       56    8 magic           77 69 73 63 72 65 6c 31 ("wiscrel1")
 *
 * The checksum of a page, of the fence and of the parts is the CRC-32 of the u64 of their own offset in the file, then
 * of their bytes, continued from the file's seed (lib/base/files/frame.ts): what belongs elsewhere never passes.
 */

import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../../lib/base/bytes.ts'
import { CorruptionError, newerVersion, type WiscError } from '../../lib/base/errors.ts'
import { FILE_HEADER_BYTES } from '../../lib/base/files/file-header.ts'
import { proveFooter, sealFooter } from '../../lib/base/files/footer.ts'
import { placedChecksum } from '../../lib/base/files/placed-checksum.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import type { SegmentRecords } from '../../lib/base/segment-records.ts'
import { RECORD_HEADER_BYTES } from '../record.ts'

/** Where the records of every relocation begin. */
export const RELOCATION_HEADER_BYTES: number = FILE_HEADER_BYTES
/** Entries of every page but the last. DO NOT CHANGE: part of the format. */
export const PAGE_ENTRIES = 341
export const ENTRY_BYTES = 12
export const CHECKSUM_BYTES = 4
/** Bytes of every page but the last: one block of a file system, though not aligned to it. */
export const PAGE_BYTES: number = PAGE_ENTRIES * ENTRY_BYTES + CHECKSUM_BYTES
export const FENCE_ENTRY_BYTES = 6
export const PART_BYTES = 24
export const FOOTER_BYTES = 64
const MAGIC = Uint8Array.of(0x77, 0x69, 0x73, 0x63, 0x72, 0x65, 0x6c, 0x31)
const TWO_32 = 2 ** 32

/** Writes a part at `at`; the bytes there must be zeros. */
export function encodePart(bytes: Uint8Array, at: number, part: SegmentRecords): void {
  writeU32(bytes, at, part.segment)
  writeU64(bytes, at + 8, part.records)
  writeU64(bytes, at + 16, part.bytes)
}

/**
 * Reads the part at `at`, which lies at `offset` of the file.
 * @throws WISC_FORMAT_VERSION
 */
export function decodePart(
  bytes: Uint8Array,
  at: number,
  name: string,
  offset: number,
): SegmentRecords {
  const unknown = unknownPart(bytes, at, name, offset)
  if (unknown) throw unknown
  return {
    segment: readU32(bytes, at),
    records: readU64(bytes, at + 8),
    bytes: readU64(bytes, at + 16),
  }
}

/** The error about a part that has unknown flags, if it has any. */
export function unknownPart(
  bytes: Uint8Array,
  at: number,
  name: string,
  offset: number,
): WiscError | undefined {
  const flags = readU16(bytes, at + 6)
  if (flags === 0) return undefined
  const what = `part of a relocation has unknown flags, flags=${flags}`
  return newerVersion(name, offset + 6, what)
}

/** A relocation that was written and synced. Its directory entry is not durable yet. */
export interface BuiltRelocation {
  readonly number: FileNumber
  readonly salt: number
  readonly length: number
  /** Ascending by segment. */
  readonly parts: readonly SegmentRecords[]
}

/** Where the parts of the file lie. They follow each other without gaps. */
export interface RelocationLayout {
  readonly recordsEnd: number
  readonly records: number
  readonly pages: number
  readonly parts: number
  readonly fenceOffset: number
  readonly partsOffset: number
  readonly footerOffset: number
  readonly fileBytes: number
}

/** The layout of a file with so many records that have so many bytes, of so many segments. */
export function relocationLayout(records: number, bytes: number, parts: number): RelocationLayout {
  const recordsEnd = RELOCATION_HEADER_BYTES + bytes
  const pages = Math.ceil(records / PAGE_ENTRIES)
  const fenceOffset = recordsEnd + records * ENTRY_BYTES + pages * CHECKSUM_BYTES
  const partsOffset = fenceOffset + pages * FENCE_ENTRY_BYTES + CHECKSUM_BYTES
  const footerOffset = partsOffset + parts * PART_BYTES + CHECKSUM_BYTES
  const fileBytes = footerOffset + FOOTER_BYTES
  return { recordsEnd, records, pages, parts, fenceOffset, partsOffset, footerOffset, fileBytes }
}

/** The exact length of such a file. */
export function relocationFileBytes(records: number, bytes: number, parts: number): number {
  return relocationLayout(records, bytes, parts).fileBytes
}

/** Entries of one page of the index. */
export function pageEntries(layout: RelocationLayout, page: number): number {
  return Math.min(PAGE_ENTRIES, layout.records - page * PAGE_ENTRIES)
}

export function pageOffset(layout: RelocationLayout, page: number): number {
  return layout.recordsEnd + page * PAGE_BYTES
}

export function readU48(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 4) * TWO_32 + readU32(bytes, at)
}

/** Writes an integer of 0 to 2^48 - 1 in six bytes. */
export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value % TWO_32)
  writeU16(bytes, at + 4, value / TWO_32)
}

/**
 * Writes the checksum behind bytes[start .. end), a page, fence or parts that will lie at `offset` of the file.
 * @returns the end of the checksum. Requires: room for it
 */
export function sealRelocationBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  offset: number,
): number {
  writeU32(bytes, end, placedChecksum(bytes, start, end, seed, offset))
  return end + CHECKSUM_BYTES
}

/**
 * Holds bytes[start .. end) from `offset` of the file against the checksum behind them.
 * @throws CorruptionError
 */
export function checkRelocationBlock(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  offset: number,
  name: string,
): void {
  if (readU32(bytes, end) !== placedChecksum(bytes, start, end, seed, offset)) {
    throw new CorruptionError(name, offset, 'checksum mismatch in the index of a relocation')
  }
}

export function encodeRelocationFooter(layout: RelocationLayout, seed: number): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  writeU64(bytes, 0, layout.recordsEnd)
  writeU64(bytes, 8, layout.fenceOffset)
  writeU64(bytes, 16, layout.partsOffset)
  writeU64(bytes, 24, layout.records)
  writeU32(bytes, 32, layout.parts)
  writeU64(bytes, 40, layout.fileBytes)
  sealFooter(bytes, seed, MAGIC)
  return bytes
}

/**
 * Reads the footer at bytes[at ..], which lies at `offset` of the file and ends it. What it says of lengths fits the
 * file, so whatever is allocated for the parts of the file is smaller than the file.
 * @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function decodeRelocationFooter(
  bytes: Uint8Array,
  at: number,
  seed: number,
  offset: number,
  name: string,
): RelocationLayout {
  proveFooter(bytes, at, at + FOOTER_BYTES, MAGIC, seed, offset, name)
  const recordsBytes = readU64(bytes, at) - RELOCATION_HEADER_BYTES
  const layout = relocationLayout(readU64(bytes, at + 24), recordsBytes, readU32(bytes, at + 32))
  const { records, parts } = layout
  const fits =
    parts > 0 &&
    records >= parts &&
    recordsBytes >= records * RECORD_HEADER_BYTES &&
    readU64(bytes, at + 8) === layout.fenceOffset &&
    readU64(bytes, at + 16) === layout.partsOffset &&
    layout.footerOffset === offset &&
    readU64(bytes, at + 40) === layout.fileBytes
  if (!fits) throw new CorruptionError(name, offset, 'lengths of the footer do not fit the file')
  return layout
}
