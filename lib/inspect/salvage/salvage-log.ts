/** The records of a file of the value log, as many as prove themselves. Values are not read. */

import { SEGMENT_HEADER_BYTES } from '../../../vlog/log/segment-header.ts'
import { RELOCATION_HEADER_BYTES } from '../../../vlog/relocation/relocation-format.ts'
import { isNewerVersion } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import { segmentName } from '../../base/files/file-names.ts'
import type { File } from '../../base/files/file-system.ts'
import { frameSeed } from '../../base/files/frame.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { Version } from '../../tree/version/version.ts'
import { readRange } from '../dump/dump-context.ts'
import { findUnknownPart, readFooter, readPlaces } from '../dump/dump-relocation.ts'
import { findIdentity } from '../dump/file-identity.ts'
import {
  type Scanned,
  type ScannedRecord,
  type SegmentScanOptions,
  scanRecords,
  scanSegment,
} from '../dump/scan-log.ts'
import { damageOf, type FileDamage, type StoreFiles } from './salvage-files.ts'

const RECORDS_PER_SLICE = 1024

export interface LogVisitor {
  /** @param isSegment false in a relocation */
  readonly record: (record: ScannedRecord, isSegment: boolean) => void
  readonly damage: (damage: FileDamage) => void
}

/** Goes through a segment or a relocation; yields the bytes of each slice. */
export function* readLogFile(
  file: File,
  number: FileNumber,
  { databaseId, version, segmentEnds }: StoreFiles,
  visit: LogVisitor,
): Generator<number, void> {
  const name = segmentName(number)
  const { size } = file.stat()
  // A segment that was prepared, and nothing written yet.
  if (size === 0) return
  const found = findIdentity(readRange(file, 0, FILE_HEADER_BYTES), name, number, databaseId)
  const note = (offset: number, end: number, reason: string): void =>
    visit.damage({ file: name, offset, end, reason })
  if (found.error) visit.damage(damageOf(name, found.error))
  const known = found.error && knownIdentity(version, number, databaseId)
  const identity = known ?? found.identity
  const end = Math.min(size, segmentEnds.get(number) ?? size)
  if ((segmentEnds.get(number) ?? 0) > size) note(size, segmentEnds.get(number)!, 'file is cut off')
  // Salvage goes through it when it knows which key wants it (salvage-streams.ts).
  if (identity?.kind === 'stream') {
    yield size
    return
  }
  let scan: Iterable<Scanned>
  const isRelocation = identity?.kind === 'relocation'
  if (isRelocation) {
    const seed = frameSeed(identity)
    const ends = readFooter(file, name, size, seed)
    const { layout, footerOffset } = ends
    const unknown = layout ? findUnknownPart(file, name, seed, layout) : ends.error
    if (unknown && isNewerVersion(unknown)) throw unknown
    const places = layout && readPlaces(file, name, seed, layout)
    const recordsEnd = layout?.recordsEnd ?? footerOffset
    if (!places) note(recordsEnd, size, 'index of the relocation is damaged')
    scan = scanRecords(file, RELOCATION_HEADER_BYTES, recordsEnd, places, layout !== undefined)
  } else {
    const options = { from: SEGMENT_HEADER_BYTES, end, firstSequence: undefined }
    const seed = identity && frameSeed(identity)
    // A damaged header may have lost the salt: then no frame would pass.
    const isRight = !found.error || (seed !== undefined && holdsFrame(file, { ...options, seed }))
    scan = scanSegment(file, { ...options, seed: isRight ? seed : undefined })
  }
  let passed = 0
  let records = 0
  for (const one of scan) {
    if (one.type === 'damage') note(one.offset, one.end, one.reason)
    else if (one.unknown) throw one.unknown
    if (one.type !== 'record') continue
    visit.record(one, !isRelocation)
    if (++records % RECORDS_PER_SLICE > 0) continue
    yield one.offset - passed
    passed = one.offset
  }
  yield size - passed
}

/** What the manifest says the header was. */
function knownIdentity(
  version: Version | undefined,
  number: FileNumber,
  databaseId: Uint8Array,
): FileIdentity | undefined {
  const file = version?.files.get(number)
  const kind = file === undefined || file.role === 'log' ? 'segment' : file.role
  return file && { kind, databaseId, number, salt: file.salt }
}

function holdsFrame(file: File, options: SegmentScanOptions): boolean {
  for (const { type } of scanSegment(file, options)) if (type === 'frame') return true
  return false
}
