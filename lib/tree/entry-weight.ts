/**
 * The weight of an entry in its table, roughly: by which part of a table's bytes a compaction would give back is
 * judged.
 *
 * Only proportions matter, so prefix compression, which shortens all keys alike, is left out. So is what a table has
 * beside its entries: some 200 bytes, which count in tables of a few entries only.
 */

import { RECORD_HEADER_BYTES } from '../base/record-size.ts'
import type { ReferenceList } from '../base/segment-records.ts'
import { type Entry, KIND, type TableFigures, type TableMeta } from './entry.ts'

/** Lengths, tag and sequence. */
const ENTRY_BYTES = 6
/** Segment, offset and length. */
const POINTER_BYTES = 8

export function entryWeight(entry: Entry, keyLength: number): number {
  const { kind, valueStart, valueEnd } = entry
  if (kind === KIND.inline) return ENTRY_BYTES + keyLength + valueEnd - valueStart
  return ENTRY_BYTES + keyLength + (kind === KIND.tombstone ? 0 : POINTER_BYTES)
}

/** Sums over the entries of a table. */
export interface TableWeight {
  readonly puts: number
  readonly tombstones: number
}

/** From the table's own figures: as near as the mean length of its keys allows. */
export function tableWeight(
  meta: TableMeta,
  { keyBytes, valueBytes }: TableFigures,
  references: ReferenceList,
): TableWeight {
  const puts = meta.entries - meta.tombstones
  const keyLength = puts === 0 ? meta.smallestKey.length : keyBytes / puts
  const pointers = references.countRecords()
  const pointedValueBytes = meta.pointedBytes - pointers * (RECORD_HEADER_BYTES + keyLength)
  const inlineBytes = Math.max(0, valueBytes - Math.max(0, pointedValueBytes))
  return {
    puts: puts * ENTRY_BYTES + keyBytes + pointers * POINTER_BYTES + inlineBytes,
    tombstones: meta.tombstones * (ENTRY_BYTES + keyLength),
  }
}
