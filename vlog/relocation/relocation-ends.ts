/**
 * The ends of a relocation, read when it is opened: its header, and at its end footer, parts and fence. All of it is
 * proved, and held against what the manifest says of the file. Layout: relocation-format.ts.
 */

import { CorruptionError } from '../../lib/base/errors.ts'
import { readFileHeader } from '../../lib/base/files/file-header.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { readExactly } from '../../lib/base/files/file-window.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import type { SegmentRecords } from '../../lib/base/segment-records.ts'
import { RECORD_HEADER_BYTES } from '../record.ts'
import {
  CHECKSUM_BYTES,
  checkRelocationBlock,
  decodePart,
  decodeRelocationFooter,
  FENCE_ENTRY_BYTES,
  FOOTER_BYTES,
  PART_BYTES,
  RELOCATION_HEADER_BYTES,
  type RelocationLayout,
  readU48,
} from './relocation-format.ts'

/** What is read at once from the end of a file: mostly footer, parts and fence. */
const TAIL_BYTES = 4096

/** What the manifest says of the file. */
export interface ExpectedRelocation {
  readonly number: FileNumber
  readonly salt: number
  readonly length: number
  readonly databaseId: Uint8Array
}

/** The ends of a relocation; what its index is made of. */
export interface RelocationEnds {
  readonly seed: number
  readonly layout: RelocationLayout
  readonly parts: readonly SegmentRecords[]
  /** The offset of each page's first entry. */
  readonly fence: Float64Array
}

/** @throws CorruptionError, WISC_FORMAT_VERSION, IoError */
export function readRelocationEnds(
  file: File,
  name: string,
  expected: ExpectedRelocation,
): RelocationEnds {
  const { number, salt, length, databaseId } = expected
  const { size } = file.stat()
  if (size !== length || size < RELOCATION_HEADER_BYTES + FOOTER_BYTES) {
    const reason = `relocation has another length, bytes=${size} expected=${length}`
    throw new CorruptionError(name, Math.min(size, length), reason)
  }
  const header = readExactly(file, name, 0, RELOCATION_HEADER_BYTES)
  const identity = readFileHeader(header, name, { kind: 'relocation', number, databaseId })
  if (identity.salt !== salt) throw new CorruptionError(name, 56, 'relocation carries another salt')
  const seed = frameSeed(identity)

  const tailStart = size - Math.min(size - RELOCATION_HEADER_BYTES, TAIL_BYTES)
  const tail = readExactly(file, name, tailStart, size - tailStart)
  const footerOffset = size - FOOTER_BYTES
  const layout = decodeRelocationFooter(tail, footerOffset - tailStart, seed, footerOffset, name)
  const { fenceOffset, partsOffset } = layout
  const ends =
    fenceOffset >= tailStart
      ? tail.subarray(fenceOffset - tailStart)
      : readExactly(file, name, fenceOffset, footerOffset - fenceOffset)
  const partsAt = partsOffset - fenceOffset
  checkRelocationBlock(ends, 0, partsAt - CHECKSUM_BYTES, seed, fenceOffset, name)
  const partsEnd = footerOffset - fenceOffset - CHECKSUM_BYTES
  checkRelocationBlock(ends, partsAt, partsEnd, seed, partsOffset, name)
  const fence = new Float64Array(layout.pages)
  for (let i = 0; i < fence.length; i++) fence[i] = readU48(ends, i * FENCE_ENTRY_BYTES)
  return { seed, layout, parts: decodeParts(ends, partsAt, layout, name), fence }
}

function decodeParts(
  bytes: Uint8Array,
  start: number,
  layout: RelocationLayout,
  name: string,
): SegmentRecords[] {
  const parts: SegmentRecords[] = []
  let records = 0
  let end = RELOCATION_HEADER_BYTES
  let previous = -1
  for (let i = 0; i < layout.parts; i++) {
    const at = start + i * PART_BYTES
    const part = decodePart(bytes, at, name, layout.partsOffset + at - start)
    records += part.records
    end += part.bytes
    const fits =
      part.segment > previous &&
      part.records > 0 &&
      part.bytes >= part.records * RECORD_HEADER_BYTES &&
      end <= layout.recordsEnd
    if (!fits) {
      const offset = layout.partsOffset + at - start
      throw new CorruptionError(name, offset, 'part of a relocation is malformed')
    }
    previous = part.segment
    parts.push(part)
  }
  if (records !== layout.records || end !== layout.recordsEnd) {
    throw new CorruptionError(name, layout.partsOffset, 'parts do not add up to the relocation')
  }
  return parts
}
