/**
 * The segments that a table points to, and how much it points to in each.
 *
 *   references := count: varint, reference[count], field*        fields as in lib/base/fields.ts
 *   reference  := segment: varint, records: varint, bytes: varint
 *
 * One field must be there, that of the fingerprints: u32[count].
 *
 * They are the table's dictionary of segments at the same time: a pointer entry names its segment by its place in
 * this list, which is the order of first use.
 */

import { readU32, writeU32 } from '../../base/bytes.ts'
import { CorruptionError } from '../../base/errors.ts'
import { appendBytesField, Fields } from '../../base/fields.ts'
import { GrowingBytes } from '../../base/growing-bytes.ts'
import { FILE_NUMBER_MAX } from '../../base/ids.ts'
import { type Reference, ReferenceList } from '../../base/segment-records.ts'
import { VarintReader } from '../../base/varint.ts'

/** The fewest bytes of a reference. */
const REFERENCE_BYTES_MIN = 3
/** DO NOT CHANGE: on disk. */
export const FINGERPRINTS_TAG = 2
const FINGERPRINT_BYTES = 4
const KNOWN_TAGS: ReadonlySet<number> = new Set([FINGERPRINTS_TAG])

export function encodeReferences(references: readonly Reference[]): GrowingBytes {
  const content = new GrowingBytes(256)
  content.appendVarint(references.length)
  for (const { segment, records, bytes } of references) {
    content.appendVarint(segment)
    content.appendVarint(records)
    content.appendVarint(bytes)
  }
  const fingerprints = new Uint8Array(FINGERPRINT_BYTES * references.length)
  references.forEach(({ fingerprint }, i) => {
    writeU32(fingerprints, FINGERPRINT_BYTES * i, fingerprint)
  })
  appendBytesField(content, FINGERPRINTS_TAG, fingerprints)
  return content
}

/** @throws CorruptionError, WISC_FORMAT_VERSION. The content lies at `offset` of the file */
export function decodeReferences(content: Uint8Array, name: string, offset: number): ReferenceList {
  const reader = new VarintReader(content)
  const count = reader.next()
  if (reader.failed || count > content.length / REFERENCE_BYTES_MIN) {
    throw new CorruptionError(
      name,
      offset,
      `table names an impossible count of segments, count=${count}`,
    )
  }
  const references = new ReferenceList(count)
  const { segments, records, bytes } = references
  for (let i = 0; i < count; i++) {
    segments[i] = reader.next()
    records[i] = reader.next()
    bytes[i] = reader.next()
    if (reader.failed || segments[i]! > FILE_NUMBER_MAX) throw malformed(name, offset + reader.at)
  }
  if (hasTwice(segments)) throw malformed(name, offset)
  const fields = Fields.read(content, reader.at, KNOWN_TAGS, 'the references', name, offset)
  const fingerprints = fields.bytes(FINGERPRINTS_TAG, FINGERPRINT_BYTES * count)
  if (fields.failed || fingerprints.length !== FINGERPRINT_BYTES * count) {
    throw new CorruptionError(name, offset, 'references lack their fingerprints')
  }
  for (let i = 0; i < count; i++) {
    references.fingerprints[i] = readU32(fingerprints, FINGERPRINT_BYTES * i)
  }
  return references
}

function malformed(name: string, offset: number): CorruptionError {
  return new CorruptionError(name, offset, 'reference to a segment is malformed')
}

function hasTwice(segments: Float64Array): boolean {
  const sorted = new Uint32Array(segments).sort()
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) return true
  return false
}
