/** The items of a segment (vlog/FORMAT.md, sections 3 and 4): file header, chain, frames, records. */

import { SEGMENT_HEADER_BYTES, unknownChain } from '../../../vlog/log/segment-header.ts'
import { RECORD_KIND } from '../../../vlog/record.ts'
import { CODEC_NAMES } from '../../../vlog/value-codec.ts'
import { readU16, readU32, readU64 } from '../../base/bytes.ts'
import { crc32From } from '../../base/checksum.ts'
import type { WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import type { FileWindow } from '../../base/files/file-window.ts'
import { frameSeed } from '../../base/files/frame.ts'
import type { Sequence } from '../../base/ids.ts'
import { type DumpContext, dumpWindow, isWanted, readRange } from './dump-context.ts'
import { errorItem, headerItems } from './file-identity.ts'
import { damageItem, FieldReader, type Item } from './items.ts'
import { type Scanned, type ScannedRecord, scanSegment } from './scan-log.ts'
import { valueState } from './value-state.ts'

/** Of the kinds from 1 on, the reserved ones included. */
const KIND_NAMES = ['put', 'delete', 'put-stream', 'range tombstone', 'merge operand']

export function* dumpSegment(
  context: DumpContext,
  identity: FileIdentity,
  error: WiscError | undefined,
): Generator<Item> {
  const { file, start, size } = context
  const seed = frameSeed(identity)
  let from = start
  let firstSequence: Sequence | undefined
  if (start === 0) {
    const head = readRange(file, 0, Math.min(SEGMENT_HEADER_BYTES, size))
    yield* headerItems(head, error)
    const chain = head.subarray(FILE_HEADER_BYTES)
    if (chain.length < SEGMENT_HEADER_BYTES - FILE_HEADER_BYTES) {
      if (error === undefined) {
        yield damageItem(FILE_HEADER_BYTES, size, 'segment header is cut off')
      }
      return
    }
    yield chainItem(head)
    const isWhole = readU32(chain, 28) === crc32From(seed, chain.subarray(0, 28))
    const refuseFlags = readU16(chain, 26)
    if (isWhole) firstSequence = readU64(chain, 16)
    if (isWhole && refuseFlags !== 0) {
      const unknown = unknownChain(context.name, refuseFlags)
      yield errorItem(unknown, FILE_HEADER_BYTES, SEGMENT_HEADER_BYTES)
    } else if (!isWhole) {
      yield damageItem(FILE_HEADER_BYTES, SEGMENT_HEADER_BYTES, 'segment header checksum mismatch')
    }
    from = SEGMENT_HEADER_BYTES
  }
  const options = { seed, from, end: size, firstSequence }
  yield* scannedItems(context, scanSegment(file, options))
}

function chainItem(head: Uint8Array): Item {
  const reader = new FieldReader(head, FILE_HEADER_BYTES, FILE_HEADER_BYTES)
  reader.u32('predecessor')
  reader.u32('ordinal')
  reader.u64('predecessorLength')
  reader.u64('firstSequence')
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.hex32('checksum')
  return reader.item('chain')
}

/** What a scan found, as items; values inside the range are proved. */
export function* scannedItems(context: DumpContext, scan: Iterable<Scanned>): Generator<Item> {
  const values = dumpWindow(context)
  for (const found of scan) {
    if (found.type === 'damage') yield damageItem(found.offset, found.end, found.reason)
    else if (found.type === 'frame') {
      const { frame, head, unknown } = found
      yield readFrame(head, frame.offset).item('frame')
      if (unknown) yield errorItem(unknown, frame.offset, frame.offset + frame.length)
    } else yield* recordItems(context, found, values)
  }
}

/** The fields of a frame header; a manifest has one more behind them. */
export function readFrame(bytes: Uint8Array, offset: number): FieldReader {
  const reader = new FieldReader(bytes, 0, offset)
  reader.hex('magic', 4)
  reader.hex32('checksum')
  reader.u64('offset', true)
  reader.u64('length')
  reader.u64('firstSequence')
  reader.u32('recordCount')
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.u64('durableIn')
  reader.u64('durableOffset')
  reader.u64('durableEdit')
  return reader
}

function* recordItems(
  context: DumpContext,
  record: ScannedRecord,
  values: FileWindow,
): Generator<Item> {
  const { header, offset, keyBytes, keyEnd, expiresAt, unknown } = record
  if (!isWanted(context, { offset, length: header.length })) return
  const head = keyBytes.slice(keyEnd - header.headBytes, keyEnd)
  const reader = new FieldReader(head, 0, offset)
  reader.hex32('headerChecksum')
  reader.hex32('valueChecksum')
  reader.u8('kind', true)
  reader.derived('kindName', KIND_NAMES[header.kind - 1] ?? 'unknown')
  reader.u8('codec', true)
  if (header.codec > 0) reader.derived('codecName', CODEC_NAMES[header.codec] ?? 'unknown')
  reader.u8('ignoreFlags', true)
  reader.u8('refuseFlags', true)
  reader.u24('keyLength', true)
  reader.u8('optionBytes', true)
  reader.u64('sequence')
  reader.u64('storedLength')
  reader.u64('rawLength', true)
  if (header.optionBytes > 0) reader.hex('options', header.optionBytes, false)
  if (expiresAt > 0) reader.derived('expiresAt', expiresAt)
  reader.bytes('key', header.keyLength)
  if (header.kind === RECORD_KIND.deleteRange && header.storedLength > 0) {
    reader.derived('end', readRange(context.file, offset + header.headBytes, header.storedLength))
  }
  if (header.storedLength > 0) reader.absent('value', header.storedLength)
  if (unknown) {
    yield reader.item('record', header.length)
    yield errorItem(unknown, offset, offset + header.length)
    return
  }
  const state = valueState(values, offset, header)
  if (state === 'hole') reader.derived('valueState', 'hole')
  yield reader.item('record', header.length)
  if (state === 'damaged') {
    const end = offset + header.length
    yield damageItem(end - header.storedLength, end, 'value checksum mismatch')
  }
}
