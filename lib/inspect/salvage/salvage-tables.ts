/** The entries of a table, as many as can be proved, and which keys the rest may have had. */

import { NO_BYTES } from '../../base/bytes.ts'
import { FILE_HEADER_BYTES } from '../../base/files/file-header.ts'
import { tableName } from '../../base/files/file-names.ts'
import type { File } from '../../base/files/file-system.ts'
import { FileWindow } from '../../base/files/file-window.ts'
import { frameSeed } from '../../base/files/frame.ts'
import { type FileNumber, SEQUENCE_MAX, type Sequence } from '../../base/ids.ts'
import { Entry, type TableMeta } from '../../tree/entry.ts'
import { isEndless } from '../../tree/key-span.ts'
import type { RangeFragment } from '../../tree/ranges/range-fragments.ts'
import { decodeEntry, entriesEnd, restartAt, restartCount } from '../../tree/table/block-format.ts'
import type { TableBlocks } from '../../tree/table/table-blocks.ts'
import { contentLength } from '../../tree/table/table-index.ts'
import type { TableProperties } from '../../tree/table/table-properties.ts'
import { readRange } from '../dump/dump-context.ts'
import { findIdentity } from '../dump/file-identity.ts'
import { readTableParts } from '../dump/table-parts.ts'
import { damageOf, type FileDamage } from './salvage-files.ts'

/** Writes that were in a part of a table which is lost. Both ends of the keys are inclusive. */
export interface LostWrites {
  readonly smallestKey: Uint8Array
  /** Undefined: no bound. */
  readonly largestKey: Uint8Array | undefined
  readonly smallestSequence: Sequence
  readonly largestSequence: Sequence
}

export interface TableVisitor {
  /** The key is entry.keyBytes[0 .. keyEnd). @param valueOffset of an inline value, in the file */
  readonly entry: (entry: Entry, valueOffset: number) => void
  readonly range: (fragment: RangeFragment) => void
  readonly lost: (range: LostWrites) => void
  readonly damage: (damage: FileDamage) => void
}

/**
 * Goes through a table; yields the bytes of each slice.
 * @param whole the range of the table by the manifest, to be reported if nothing of it can be read
 */
export function* readTable(
  file: File,
  number: FileNumber,
  databaseId: Uint8Array,
  whole: LostWrites | undefined,
  visit: TableVisitor,
): Generator<number, void> {
  const name = tableName(number)
  const head = readRange(file, 0, FILE_HEADER_BYTES)
  const { identity, error } = findIdentity(head, name, number, databaseId)
  if (error) visit.damage(damageOf(name, error))
  const isTable = identity?.kind === 'table'
  const parts = isTable
    ? readTableParts(file, name, number, file.stat().size, frameSeed(identity))
    : undefined
  for (const wrong of parts?.errors ?? []) visit.damage(damageOf(name, wrong))
  for (const fragment of parts?.ranges ?? []) visit.range(fragment)
  if (!parts?.blocks) {
    if (whole) visit.lost(whole)
    return
  }
  const { blocks, properties } = parts
  // What they have deleted looks as if it lived.
  if (parts.ranges === undefined && properties) visit.lost(lostOf(properties))
  const window = new FileWindow(file, blocks.offset(blocks.index.blockCount))
  for (let block = 0; block < blocks.index.blockCount; block++) {
    try {
      readBlock(blocks, block, window, visit)
    } catch (wrong) {
      visit.damage(damageOf(name, wrong))
      visit.lost(lostBlock(blocks, block, properties))
    }
    yield contentLength(blocks.index, block)
  }
}

/** All that a table may have held. */
export function lostOf(meta: TableMeta): LostWrites {
  return { ...meta, largestKey: isEndless(meta) ? undefined : meta.largestKey }
}

function readBlock(
  blocks: TableBlocks,
  block: number,
  window: FileWindow,
  visit: TableVisitor,
): void {
  const start = blocks.view(block, window)
  const { bytes } = window
  const contentEnd = start + contentLength(blocks.index, block)
  const end = entriesEnd(bytes, contentEnd)
  const restarts = restartCount(end, contentEnd)
  const entry = new Entry()
  for (let at = start, restart = 0; at < end; ) {
    if (restart < restarts && at === restartAt(bytes, start, end, restart)) {
      restart++
      entry.keyEnd = 0
    }
    const next = decodeEntry(bytes, at, end, entry.keyEnd, blocks, entry)
    if (next < 0) throw blocks.entryError(block, next, at - start)
    visit.entry(entry, blocks.offset(block) + entry.valueStart - start)
    at = next
  }
}

/** From the bound of a block to that of the next one. */
function lostBlock(
  { index }: TableBlocks,
  block: number,
  properties: TableProperties | undefined,
): LostWrites {
  const bound = (at: number): Uint8Array =>
    index.bytes.slice(index.keyStarts[at]!, index.keyEnds[at]!)
  return {
    smallestKey: block === 0 ? NO_BYTES : bound(block),
    largestKey:
      block + 1 < index.blockCount ? bound(block + 1) : properties && lostOf(properties).largestKey,
    smallestSequence: properties?.smallestSequence ?? 0,
    largestSequence: properties?.largestSequence ?? SEQUENCE_MAX,
  }
}
