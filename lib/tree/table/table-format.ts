/**
 * The frame of a table file: blocks, their trailers, the meta index that names its parts, the footer. Rules:
 * lib/tree/FORMAT.md, section 2.
 *
 *   table := header dataBlock* part* metaIndexBlock footer
 *   block := content trailer          a part is a block, too
 *
 * The header is lib/base/files/file-header.ts. Nothing lies between the blocks, so each byte is under some checksum.
 *
 *   trailer: 5 bytes
 *   offset size field
 *        0    1 codec           0 none, 1 zstd (reserved); others: WISC_FORMAT_VERSION
 *        1    4 checksum        of content and codec, exclusive-or the mark of the place
 *
 *   metaIndex := part*                in the order of the file, none twice
 *   part      := tag: varint, length: varint        of its content; the places follow from the lengths
 *
 *   footer: the last 28 bytes
 *   offset size field
 *        0    8 fileBytes       length of the whole file
 *        8    4 metaIndexLength of the content of the meta index, which ends where the footer begins
 *       12    8                 flags and checksum: lib/base/files/footer.ts
 *       20    8 magic           77 69 73 63 74 61 62 31 ("wisctab1")
 *
 * Seed: lib/base/files/frame.ts. The mark of a place mixes the file's seed with the offset of the block,
 * so that a block of another file or from another place is found out.
 */
import { placeMark, readU32, readU64, writeU32, writeU64 } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { CorruptionError, newerVersion } from '../../base/errors.ts'
import { refuseUnknownTag } from '../../base/fields.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import { proveFooter, sealFooter } from '../../base/files/footer.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { VarintReader } from '../../base/varint.ts'

export const TRAILER_BYTES = 5
export const FOOTER_BYTES = 28
/**
 * Entries from one restart point of a data block up to the next, at most. DO NOT CHANGE: part of
 * the format.
 */
export const RESTART_INTERVAL_ENTRIES = 16
/**
 * The parts of a table by their tags. DO NOT CHANGE: on disk. As in lib/base/fields.ts, a reader leaves out a part of
 * an odd tag that it does not know, and refuses the table for one of an even tag.
 */
export const PART = { filter: 1, index: 2, references: 4, properties: 6, ranges: 8 } as const
const KNOWN_PARTS: ReadonlySet<number> = new Set(Object.values(PART))
/** Of a block; values have codecs of their own (vlog/value-chunks.ts). */
const BLOCK_CODEC_NONE = 0
const MAGIC = Uint8Array.of(0x77, 0x69, 0x73, 0x63, 0x74, 0x61, 0x62, 0x31)

/** Where the content of a block lies. Its trailer follows. */
export interface BlockHandle {
  readonly offset: number
  readonly length: number
}

/** A part as the meta index names it. */
export interface TablePart extends BlockHandle {
  readonly tag: number
}

/** Where everything lies. */
export interface TableLayout {
  /** Where the data blocks end. */
  readonly dataEnd: number
  readonly filter: BlockHandle | undefined
  readonly index: BlockHandle
  readonly references: BlockHandle
  readonly properties: BlockHandle
  /** Of its range tombstones, if it has any. */
  readonly ranges: BlockHandle | undefined
  /** All parts by their tags, in the order of the file, with those that this version does not know. */
  readonly parts: ReadonlyMap<number, TablePart>
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
  bytes[end] = BLOCK_CODEC_NONE
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
  checkBlockSum(bytes, start, end, seed, offset, name)
  if (bytes[end] !== BLOCK_CODEC_NONE) {
    throw newerVersion(name, offset, `block has an unknown codec, codec=${bytes[end]}`)
  }
}

/** The same for a block whose content nobody here would understand: its checksum alone. @throws CorruptionError */
export function checkBlockSum(
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
}

/** The offset behind a block. */
export function blockEnd(handle: BlockHandle): number {
  return handle.offset + handle.length + TRAILER_BYTES
}

/** True if this version knows the part. */
export function isKnownPart({ tag }: TablePart): boolean {
  return KNOWN_PARTS.has(tag)
}

/** The content of the meta index of these parts. */
export function encodeMetaIndex(parts: readonly TablePart[]): GrowingBytes {
  const content = new GrowingBytes(64)
  for (const { tag, length } of parts) {
    content.appendVarint(tag)
    content.appendVarint(length)
  }
  return content
}

/**
 * Reads a meta index, which lies at `offset` of the file and so ends the parts.
 * @throws CorruptionError, WISC_FORMAT_VERSION for an unknown part of an even tag
 */
export function decodeMetaIndex(content: Uint8Array, name: string, offset: number): TableLayout {
  const reader = new VarintReader(content)
  let bytes = 0
  while (reader.at < reader.end) {
    reader.next()
    bytes += reader.next() + TRAILER_BYTES
  }
  const dataEnd = offset - bytes
  if (reader.failed || dataEnd < FILE_HEADER_BYTES) {
    throw new CorruptionError(name, offset, 'meta index is malformed')
  }
  const parts = new Map<number, TablePart>()
  reader.at = 0
  for (let partOffset = dataEnd; reader.at < reader.end; ) {
    const at = offset + reader.at
    const tag = reader.next()
    const part = { tag, offset: partOffset, length: reader.next() }
    if (parts.has(tag)) throw new CorruptionError(name, at, `table has a part twice, tag=${tag}`)
    if (!isKnownPart(part)) refuseUnknownTag(tag, 'part of the table', name, at)
    parts.set(tag, part)
    partOffset = blockEnd(part)
  }
  const index = parts.get(PART.index)
  const references = parts.get(PART.references)
  const properties = parts.get(PART.properties)
  if (index === undefined || references === undefined || properties === undefined) {
    throw new CorruptionError(name, offset, 'table lacks a part')
  }
  const filter = parts.get(PART.filter)
  const ranges = parts.get(PART.ranges)
  return { dataEnd, filter, index, references, properties, ranges, parts }
}

/** The bytes of a footer that lies at `offset` of the file, right behind its meta index. */
export function encodeFooter(metaIndex: BlockHandle, seed: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  writeU64(bytes, 0, offset + FOOTER_BYTES)
  writeU32(bytes, 8, metaIndex.length)
  sealFooter(bytes, seed, MAGIC)
  return bytes
}

/**
 * Reads the footer at bytes[at ..], which lies at `offset` of the file.
 * @returns where the meta index lies @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function decodeFooter(
  bytes: Uint8Array,
  at: number,
  seed: number,
  offset: number,
  name: string,
): BlockHandle {
  proveFooter(bytes, at, at + FOOTER_BYTES, MAGIC, seed, offset, name)
  const length = readU32(bytes, at + 8)
  const metaIndex = { offset: offset - TRAILER_BYTES - length, length }
  if (metaIndex.offset < FILE_HEADER_BYTES || readU64(bytes, at) !== offset + FOOTER_BYTES) {
    throw new CorruptionError(name, offset, 'footer does not fit the length of the file')
  }
  return metaIndex
}
