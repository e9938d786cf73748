/**
 * A table as far as it can be read without a manifest: each part that is whole, and why the others are not.
 *
 * Without the properties an entry's sequence is unknown, without the references its segment, without the index where
 * blocks begin: entries count only if all three are there (`blocks`).
 */

import { CorruptionError, toWiscError, type WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { ReferenceList } from '../../base/segment-records.ts'
import { decodeRanges } from '../../tree/ranges/range-format.ts'
import type { FragmentList } from '../../tree/ranges/range-fragments.ts'
import { TableBlocks } from '../../tree/table/table-blocks.ts'
import {
  type BlockHandle,
  checkBlock,
  decodeFooter,
  decodeMetaIndex,
  FOOTER_BYTES,
  type TableLayout,
  TRAILER_BYTES,
} from '../../tree/table/table-format.ts'
import { parseIndex, type TableIndex } from '../../tree/table/table-index.ts'
import { decodeProperties, type TableProperties } from '../../tree/table/table-properties.ts'
import { decodeReferences } from '../../tree/table/table-references.ts'
import { readRange } from './dump-context.ts'

export interface TableParts {
  /** As the footer names it. */
  readonly metaIndex: BlockHandle | undefined
  readonly layout: TableLayout | undefined
  readonly properties: TableProperties | undefined
  readonly references: ReferenceList | undefined
  readonly index: TableIndex | undefined
  /** Its range tombstones, none of which may lie beyond what the properties say. */
  readonly ranges: FragmentList | undefined
  /** To read data blocks; undefined if any of the parts above is. */
  readonly blocks: TableBlocks | undefined
  readonly errors: readonly WiscError[]
}

/** @param number the table's own @throws IoError */
export function readTableParts(
  file: File,
  name: string,
  number: FileNumber,
  size: number,
  seed: number,
): TableParts {
  const errors: WiscError[] = []
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      errors.push(toWiscError(error))
      return undefined
    }
  }
  const content = (handle: BlockHandle): Uint8Array => readBlock(file, name, seed, handle)
  const metaIndex = attempt(() => {
    const offset = size - FOOTER_BYTES
    if (offset < FILE_HEADER_BYTES) throw new CorruptionError(name, size, 'table is cut off')
    return decodeFooter(readRange(file, offset, FOOTER_BYTES), 0, seed, offset, name)
  })
  const layout =
    metaIndex && attempt(() => decodeMetaIndex(content(metaIndex), name, metaIndex.offset))
  if (layout === undefined) {
    const none = {
      properties: undefined,
      references: undefined,
      index: undefined,
      ranges: undefined,
    }
    return { metaIndex, layout, ...none, blocks: undefined, errors }
  }
  const properties = attempt(() =>
    decodeProperties(content(layout.properties), name, layout.properties.offset, number, size),
  )
  const references = attempt(() =>
    decodeReferences(content(layout.references), name, layout.references.offset),
  )
  const index = attempt(() => {
    const bytes = content(layout.index)
    const base = properties?.baseSequence ?? 0
    return parseIndex(bytes, name, layout.index.offset, layout.dataEnd, base)
  })
  const ranges =
    properties &&
    attempt(() => {
      const handle = layout.ranges
      const at = handle?.offset ?? layout.properties.offset
      return decodeRanges(handle && content(handle), name, at, properties)
    })
  const blocks =
    properties && references && index
      ? new TableBlocks(file, name, index, { seed, properties, references })
      : undefined
  return { metaIndex, layout, properties, references, index, ranges, blocks, errors }
}

/** The content of a block that footer or meta index names, proved. */
function readBlock(file: File, name: string, seed: number, handle: BlockHandle): Uint8Array {
  const { offset, length } = handle
  const bytes = readRange(file, offset, length + TRAILER_BYTES)
  if (bytes.length < length + TRAILER_BYTES) {
    throw new CorruptionError(name, offset, 'file ends before its content')
  }
  checkBlock(bytes, 0, length, seed, offset, name)
  return bytes.subarray(0, length)
}
