/**
 * The properties of a table: a part of tagged fields (lib/base/fields.ts), all of which must be there.
 *
 * Numbers are varints, keys are their bytes. Meanings: lib/tree/FORMAT.md, section 2.6.
 */
import { equalBytes, NO_BYTES } from '../../base/bytes.ts'
import { CorruptionError, newerVersion } from '../../base/errors.ts'
import { appendBytesField, appendNumberField, Fields } from '../../base/fields.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import type { FileNumber, Sequence } from '../../base/ids.ts'
import { KEY_BYTES_MAX, type TableFigures, type TableMeta } from '../entry.ts'
import { decodeExpiries, type ExpirySum, encodeExpiries, NO_EXPIRIES } from '../expiry-sums.ts'
import { isInOrder } from '../key-span.ts'
import { EXPIRES_TAG } from './block-format.ts'

/** DO NOT CHANGE: tags are on disk. In the order of their tags. */
const NUMBER_TAGS = {
  entries: 2,
  tombstones: 4,
  distinctKeys: 6,
  pointedBytes: 8,
  valueBytes: 10,
  keyBytes: 12,
  baseSequence: 14,
  smallestSequence: 16,
  largestSequence: 18,
} as const
const SMALLEST_KEY_TAG = 20
const LARGEST_KEY_TAG = 22
/** Nothing: it is there, or not. */
const LARGEST_EXCLUSIVE_TAG = 24
/** The tags of its entries, beyond the kinds alone, ascending. Not there if there are none. */
const TAGS_TAG = 26
/** A number, that of a table without range tombstones is left out. */
const FRAGMENTS_TAG = 30
/** What expires when. Not there if nothing does. */
const EXPIRIES_TAG = 31
const ENTRY_TAGS_MAX = 64
/** Those that this version knows: inline, and pointer, that expire. */
const KNOWN_ENTRY_TAGS: ReadonlySet<number> = new Set([EXPIRES_TAG | 1, EXPIRES_TAG | 2])
const NUMBERS = Object.entries(NUMBER_TAGS) as [keyof typeof NUMBER_TAGS, number][]
const KNOWN_TAGS: ReadonlySet<number> = new Set([
  ...NUMBERS.map(([, tag]) => tag),
  SMALLEST_KEY_TAG,
  LARGEST_KEY_TAG,
  LARGEST_EXCLUSIVE_TAG,
  TAGS_TAG,
  FRAGMENTS_TAG,
  EXPIRIES_TAG,
])

/** The properties by their tags, for whoever shows them. */
export const PROPERTY_NAMES: ReadonlyMap<number, string> = new Map<number, string>([
  ...NUMBERS.map(([name, tag]) => [tag, name] as const),
  [SMALLEST_KEY_TAG, 'smallestKey'],
  [LARGEST_KEY_TAG, 'largestKey'],
  [LARGEST_EXCLUSIVE_TAG, 'largestExclusive'],
  [TAGS_TAG, 'tags'],
  [FRAGMENTS_TAG, 'fragments'],
  [EXPIRIES_TAG, 'expiries'],
])

/** What a table says of itself: what the manifest keeps of it, and some figures more. */
export interface TableProperties extends TableMeta, TableFigures {
  /** Sequences of entries are kept as distances from it. */
  readonly baseSequence: Sequence
  /** Of entries: those that need to be known beyond the kinds alone. */
  readonly tags: Uint8Array
  /** In order of time. */
  readonly expiries: readonly Readonly<ExpirySum>[]
}

export function encodeProperties(properties: TableProperties): GrowingBytes {
  const content = new GrowingBytes(256)
  for (const [name, tag] of NUMBERS) appendNumberField(content, tag, properties[name])
  appendBytesField(content, SMALLEST_KEY_TAG, properties.smallestKey)
  appendBytesField(content, LARGEST_KEY_TAG, properties.largestKey)
  if (properties.largestExclusive) appendBytesField(content, LARGEST_EXCLUSIVE_TAG, NO_BYTES)
  if (properties.tags.length > 0) appendBytesField(content, TAGS_TAG, properties.tags)
  if (properties.fragments > 0) appendNumberField(content, FRAGMENTS_TAG, properties.fragments)
  if (properties.expiries.length > 0)
    appendBytesField(content, EXPIRIES_TAG, encodeExpiries(properties.expiries))
  return content
}

/**
 * @param number the table's own, and `bytes` the length of its file
 * @throws CorruptionError, WISC_FORMAT_VERSION. The content lies at `offset` of the file
 */
export function decodeProperties(
  content: Uint8Array,
  name: string,
  offset: number,
  number: FileNumber,
  bytes: number,
): TableProperties {
  const fields = Fields.read(content, 0, KNOWN_TAGS, 'the properties', name, offset)
  const expiries = decodeExpiries(fields.bytesOr(EXPIRIES_TAG, NO_BYTES, content.length))
  const properties: TableProperties = {
    number,
    bytes,
    entries: fields.number(NUMBER_TAGS.entries),
    tombstones: fields.number(NUMBER_TAGS.tombstones),
    distinctKeys: fields.number(NUMBER_TAGS.distinctKeys),
    pointedBytes: fields.number(NUMBER_TAGS.pointedBytes),
    valueBytes: fields.number(NUMBER_TAGS.valueBytes),
    keyBytes: fields.number(NUMBER_TAGS.keyBytes),
    baseSequence: fields.number(NUMBER_TAGS.baseSequence),
    smallestSequence: fields.number(NUMBER_TAGS.smallestSequence),
    largestSequence: fields.number(NUMBER_TAGS.largestSequence),
    smallestKey: fields.bytes(SMALLEST_KEY_TAG, KEY_BYTES_MAX),
    largestKey: fields.bytes(LARGEST_KEY_TAG, KEY_BYTES_MAX),
    largestExclusive: fields.has(LARGEST_EXCLUSIVE_TAG),
    fragments: fields.has(FRAGMENTS_TAG) ? fields.number(FRAGMENTS_TAG) : 0,
    tags: fields.bytesOr(TAGS_TAG, NO_BYTES, ENTRY_TAGS_MAX),
    expiries: expiries ?? NO_EXPIRIES,
  }
  const unknown = properties.tags.find((tag) => !KNOWN_ENTRY_TAGS.has(tag))
  if (unknown !== undefined)
    throw newerVersion(name, offset, `entries of an unknown kind, tag=${unknown}`)
  const fits =
    !fields.failed &&
    expiries !== undefined &&
    properties.entries + properties.fragments > 0 &&
    properties.tombstones <= properties.entries &&
    properties.distinctKeys <= properties.entries &&
    properties.distinctKeys > 0 === properties.entries > 0 &&
    properties.baseSequence <= properties.smallestSequence &&
    properties.smallestSequence <= properties.largestSequence &&
    isInOrder(properties)
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
    'fragments',
    'smallestSequence',
    'largestSequence',
    'largestExclusive',
  ] as const
  for (const field of fields) if (properties[field] !== meta[field]) return field
  if (!equalBytes(properties.smallestKey, meta.smallestKey)) return 'smallestKey'
  if (!equalBytes(properties.largestKey, meta.largestKey)) return 'largestKey'
  return undefined
}
