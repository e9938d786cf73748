/**
 * The two small blocks at the end of a table: what it holds, and which segments it points to.
 *
 *   references := count: varint, reference[count]
 *   reference  := segment: varint, records: varint, bytes: varint
 *
 * The references are the table's list of segments at the same time: a pointer entry names its
 * segment by its place in this list, which is the order of first use.
 *
 *   properties := entries, tombstones, distinctKeys, pointedBytes, valueBytes, keyBytes: varint,
 *                 baseSequence, smallestSequence, largestSequence: varint,
 *                 smallestKeyLength: varint, smallestKey, largestKeyLength: varint, largestKey
 */

import { compareBytes, equalBytes } from '../../base/bytes.ts'
import { CorruptionError } from '../../base/errors.ts'
import { FILE_NUMBER_MAX } from '../../base/ids.ts'
import { VarintReader } from '../../base/varint.ts'
import {
  KEY_BYTES_MAX,
  type SegmentReference,
  type TableFigures,
  type TableMeta,
} from '../entry.ts'
import { GrowingBytes } from './growing-bytes.ts'

/** The fewest bytes of a reference. */
const REFERENCE_BYTES_MIN = 3

/** What a table says of itself: what the manifest keeps of it, and some figures more. */
export interface TableProperties extends TableMeta, TableFigures {
  /** Sequences of entries are kept as distances from it. */
  readonly baseSequence: number
}

export function encodeReferences(references: readonly SegmentReference[]): GrowingBytes {
  const content = new GrowingBytes(256)
  content.appendVarint(references.length)
  for (const { segment, records, bytes } of references) {
    content.appendVarint(segment)
    content.appendVarint(records)
    content.appendVarint(bytes)
  }
  return content
}

/** @throws CorruptionError. The content lies at `offset` of the file */
export function decodeReferences(
  content: Uint8Array,
  name: string,
  offset: number,
): readonly SegmentReference[] {
  const reader = new VarintReader(content)
  const count = reader.next()
  if (reader.failed || count > content.length / REFERENCE_BYTES_MIN) {
    throw new CorruptionError(
      name,
      offset,
      `table names an impossible count of segments, count=${count}`,
    )
  }
  const references: SegmentReference[] = []
  const seen = new Set<number>()
  for (let i = 0; i < count; i++) {
    const at = reader.at
    const reference = { segment: reader.next(), records: reader.next(), bytes: reader.next() }
    if (reader.failed || reference.segment > FILE_NUMBER_MAX || seen.has(reference.segment)) {
      throw new CorruptionError(name, offset + at, 'reference to a segment is malformed')
    }
    seen.add(reference.segment)
    references.push(reference)
  }
  if (reader.at !== content.length) {
    throw new CorruptionError(name, offset + reader.at, 'references are followed by other bytes')
  }
  return references
}

export function encodeProperties(properties: TableProperties): GrowingBytes {
  const content = new GrowingBytes(256)
  content.appendVarint(properties.entries)
  content.appendVarint(properties.tombstones)
  content.appendVarint(properties.distinctKeys)
  content.appendVarint(properties.pointedBytes)
  content.appendVarint(properties.valueBytes)
  content.appendVarint(properties.keyBytes)
  content.appendVarint(properties.baseSequence)
  content.appendVarint(properties.smallestSequence)
  content.appendVarint(properties.largestSequence)
  for (const key of [properties.smallestKey, properties.largestKey]) {
    content.appendVarint(key.length)
    content.append(key, 0, key.length)
  }
  return content
}

/**
 * @param number the table's own, and `bytes` the length of its file
 * @throws CorruptionError. The content lies at `offset` of the file
 */
export function decodeProperties(
  content: Uint8Array,
  name: string,
  offset: number,
  number: number,
  bytes: number,
): TableProperties {
  const reader = new VarintReader(content)
  const properties: TableProperties = {
    number,
    bytes,
    entries: reader.next(),
    tombstones: reader.next(),
    distinctKeys: reader.next(),
    pointedBytes: reader.next(),
    valueBytes: reader.next(),
    keyBytes: reader.next(),
    baseSequence: reader.next(),
    smallestSequence: reader.next(),
    largestSequence: reader.next(),
    smallestKey: readKey(reader),
    largestKey: readKey(reader),
  }
  const fits =
    !reader.failed &&
    reader.at === content.length &&
    properties.entries > 0 &&
    properties.tombstones <= properties.entries &&
    properties.distinctKeys <= properties.entries &&
    properties.distinctKeys > 0 &&
    properties.baseSequence <= properties.smallestSequence &&
    properties.smallestSequence <= properties.largestSequence &&
    compareBytes(properties.smallestKey, properties.largestKey) <= 0
  if (!fits) throw new CorruptionError(name, offset, 'properties of the table are malformed')
  return properties
}

/** The first field in which a table differs from what the manifest says of it, or undefined. */
export function findDifference(properties: TableMeta, meta: TableMeta): string | undefined {
  const fields = [
    'number',
    'bytes',
    'entries',
    'tombstones',
    'pointedBytes',
    'smallestSequence',
    'largestSequence',
  ] as const
  for (const field of fields) if (properties[field] !== meta[field]) return field
  if (!equalBytes(properties.smallestKey, meta.smallestKey)) return 'smallestKey'
  if (!equalBytes(properties.largestKey, meta.largestKey)) return 'largestKey'
  return undefined
}

function readKey(reader: VarintReader): Uint8Array {
  const length = reader.next()
  if (length > KEY_BYTES_MAX) reader.failed = true
  return reader.nextBytes(reader.failed ? 0 : length).slice()
}
