/**
 * The parts of a table as a reader takes them from the file: at its open what the end holds, at its first lookup or
 * cursor what lookups need in memory.
 */

import { CorruptionError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, readFileHeader } from '../../base/files/file-header.ts'
import { readExactly } from '../../base/files/file-window.ts'
import { frameSeed } from '../../base/files/frame.ts'
import type { ReadableFile } from '../../base/files/lapsing-file.ts'
import type { ReferenceList } from '../../base/segment-records.ts'
import type { TableMeta } from '../entry.ts'
import { decodeRanges } from '../ranges/range-format.ts'
import type { FragmentList } from '../ranges/range-fragments.ts'
import { isFilter } from './filter.ts'
import { TableBlocks } from './table-blocks.ts'
import {
  type BlockHandle,
  blockEnd,
  checkBlock,
  checkBlockSum,
  decodeFooter,
  decodeMetaIndex,
  FOOTER_BYTES,
  isKnownPart,
  type TableLayout,
  TRAILER_BYTES,
} from './table-format.ts'
import { parseIndex } from './table-index.ts'
import { decodeProperties, findDifference, type TableProperties } from './table-properties.ts'
import { decodeReferences } from './table-references.ts'

/** What is read at once from the end of a table: mostly footer, meta index, properties and references. */
const TAIL_BYTES = 4096

/** The parts of a table beside its data blocks, index and filter. */
export interface TableEnds {
  readonly seed: number
  readonly layout: TableLayout
  readonly properties: TableProperties
  readonly references: ReferenceList
  /** Its range tombstones. */
  readonly ranges: FragmentList
}

/** Index and filter: what lookups need in memory. */
export interface TableSearch {
  readonly blocks: TableBlocks
  readonly filter: Uint8Array | undefined
}

/** What a table is made of. */
export interface TableContents extends TableSearch {
  readonly properties: TableProperties
  /** By their places, those too of which nothing is left. */
  readonly references: ReferenceList
}

/** @throws CorruptionError if it is damaged or not what the manifest says, WISC_FORMAT_VERSION, IoError */
export function readEnds(
  file: ReadableFile,
  name: string,
  meta: TableMeta,
  databaseId: Uint8Array,
): TableEnds {
  const { size } = file.stat()
  if (size !== meta.bytes || size < FILE_HEADER_BYTES + FOOTER_BYTES) {
    const at = Math.min(size, meta.bytes)
    throw new CorruptionError(
      name,
      at,
      `table has another length, bytes=${size} expected=${meta.bytes}`,
    )
  }
  const tail = new Tail(file, name, size)
  const header = tail.start === 0 ? tail.bytes : readExactly(file, name, 0, FILE_HEADER_BYTES)
  const identity = readFileHeader(header, name, { kind: 'table', number: meta.number, databaseId })
  const seed = frameSeed(identity)

  const footerStart = size - FOOTER_BYTES
  const metaIndex = decodeFooter(tail.bytes, footerStart - tail.start, seed, footerStart, name)
  const layout = decodeMetaIndex(tail.content(metaIndex, seed), name, metaIndex.offset)
  tail.reach(Math.min(layout.references.offset, layout.properties.offset))
  const references = decodeReferences(
    tail.content(layout.references, seed),
    name,
    layout.references.offset,
  )
  const properties = decodeProperties(
    tail.content(layout.properties, seed),
    name,
    layout.properties.offset,
    meta.number,
    size,
  )
  const difference = findDifference(properties, meta)
  if (difference !== undefined) {
    const reason = `table is not the one of the manifest, which has another ${difference}`
    throw new CorruptionError(name, layout.properties.offset, reason)
  }
  const handle = layout.ranges
  const content = handle && tail.content(handle, seed)
  const at = handle?.offset ?? layout.properties.offset
  const ranges = decodeRanges(content, name, at, properties)
  return { seed, layout, properties, references, ranges }
}

/** The end of a table in memory: as much of it as is needed. */
class Tail {
  readonly #file: ReadableFile
  readonly #name: string
  readonly #size: number
  /** Offset in the file of bytes[0]. */
  start: number
  bytes: Uint8Array

  constructor(file: ReadableFile, name: string, size: number) {
    this.#file = file
    this.#name = name
    this.#size = size
    this.start = Math.max(0, size - TAIL_BYTES)
    this.bytes = readExactly(file, name, this.start, size - this.start)
  }

  /** Reads more, if it has to, so that it begins at `offset` at the latest. */
  reach(offset: number): void {
    if (offset >= this.start) return
    this.start = offset
    this.bytes = readExactly(this.#file, this.#name, offset, this.#size - offset)
  }

  content(handle: BlockHandle, seed: number): Uint8Array {
    this.reach(handle.offset)
    return contentOf(this.bytes, this.start, handle, seed, this.#name)
  }
}

/**
 * Index and filter in one read: they lie side by side, unless a later version has put something between.
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function readSearch(file: ReadableFile, name: string, ends: TableEnds): TableSearch {
  const { seed, layout, properties } = ends
  const { filter: filterHandle, index: indexHandle } = layout
  const start = Math.min(indexHandle.offset, filterHandle?.offset ?? indexHandle.offset)
  const end = Math.max(blockEnd(indexHandle), filterHandle ? blockEnd(filterHandle) : 0)
  const bytes = readExactly(file, name, start, end - start)
  let filter: Uint8Array | undefined
  if (filterHandle !== undefined) {
    filter = contentOf(bytes, start, filterHandle, seed, name)
    if (!isFilter(filter)) {
      throw new CorruptionError(name, filterHandle.offset, 'filter is malformed')
    }
  }
  const index = parseIndex(
    contentOf(bytes, start, indexHandle, seed, name),
    name,
    indexHandle.offset,
    layout.dataEnd,
    properties.baseSequence,
  )
  if ((index.blockCount === 0) !== (properties.entries === 0)) {
    throw new CorruptionError(name, indexHandle.offset, 'index has other blocks than entries need')
  }
  return { blocks: new TableBlocks(file, name, index, ends), filter }
}

/** Proves the parts that are left out: their bytes belong to the file all the same. @throws CorruptionError, IoError */
export function verifyUnknownParts(file: ReadableFile, name: string, ends: TableEnds): void {
  for (const part of ends.layout.parts.values()) {
    if (isKnownPart(part)) continue
    const { offset, length } = part
    const bytes = readExactly(file, name, offset, length + TRAILER_BYTES)
    checkBlockSum(bytes, 0, length, ends.seed, offset, name)
  }
}

/** A view of the content of a block in `bytes`, which begin at offset `start` of the file. */
function contentOf(
  bytes: Uint8Array,
  start: number,
  handle: BlockHandle,
  seed: number,
  name: string,
): Uint8Array {
  const at = handle.offset - start
  checkBlock(bytes, at, at + handle.length, seed, handle.offset, name)
  return bytes.subarray(at, at + handle.length)
}
