/** The items of a stream (vlog/FORMAT.md, section 10): head, the chunks and sums of each group, footer. */
import {
  chunksOffset,
  decodeStreamFooter,
  decodeStreamHead,
  FOOTER_BYTES,
  GROUP_BYTES,
  groupChunks,
  groupCount,
  groupOffset,
  HEAD_BYTES,
  headKeyLength,
  isPlaced,
  SUM_BYTES,
  sumsBytes,
} from '../../../vlog/stream/stream-format.ts'
import { VALUE_CHUNK_BYTES } from '../../../vlog/value-chunks.ts'
import { readU32 } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import { toWiscError, type WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import { frameSeed } from '../../base/files/frame.ts'
import { type DumpContext, readRange } from './dump-context.ts'
import { errorFrom, errorItem, headerItems } from './file-identity.ts'
import { damageItem, FieldReader, type Item } from './items.ts'

export function* dumpStream(
  context: DumpContext,
  identity: FileIdentity,
  error: WiscError | undefined,
): Generator<Item> {
  const { file, name, size, start } = context
  // All places follow from the head, which bytes in lost/ do not have.
  if (start > 0) {
    yield damageItem(start, size, 'a part of a stream: its places are not known')
    return
  }
  yield* headerItems(readRange(file, 0, FILE_HEADER_BYTES), error)
  const seed = frameSeed(identity)
  const begin = readRange(file, FILE_HEADER_BYTES, HEAD_BYTES)
  const keyLength = begin.length < HEAD_BYTES ? undefined : headKeyLength(begin)
  if (keyLength === undefined || chunksOffset(keyLength) > size) {
    yield damageItem(FILE_HEADER_BYTES, size, 'head has impossible lengths')
    return
  }
  const headEnd = chunksOffset(keyLength)
  const head = readRange(file, FILE_HEADER_BYTES, headEnd - FILE_HEADER_BYTES)
  yield headItem(head, keyLength)
  const wrong = errorFrom(() => decodeStreamHead(head, seed, name))
  if (wrong) yield errorItem(wrong, FILE_HEADER_BYTES, headEnd)
  const footerOffset = Math.max(headEnd, size - FOOTER_BYTES)
  const footer = readRange(file, footerOffset, FOOTER_BYTES)
  let valueBytes: number
  try {
    valueBytes = decodeStreamFooter(footer, seed, keyLength, size, name).size
  } catch (thrown) {
    yield errorItem(toWiscError(thrown), footerOffset, size)
    return
  }
  for (let group = 0; group < groupCount(valueBytes); group++) {
    yield* groupItems(context, seed, keyLength, valueBytes, group)
  }
  yield footerItem(footer, footerOffset)
}

function headItem(head: Uint8Array, keyLength: number): Item {
  const reader = new FieldReader(head, 0, FILE_HEADER_BYTES)
  reader.u32('keyLength')
  reader.u8('codec', true)
  reader.hex('zero', 3)
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.bytes('key', keyLength)
  reader.hex32('checksum')
  return reader.item('head')
}

function* groupItems(
  { file, from, to }: DumpContext,
  seed: number,
  keyLength: number,
  size: number,
  group: number,
): Generator<Item> {
  const offset = groupOffset(keyLength, group)
  const chunks = groupChunks(size, group)
  const valueBytes = Math.min(GROUP_BYTES, size - group * GROUP_BYTES)
  const sumsOffset = offset + valueBytes
  const sums = readRange(file, sumsOffset, sumsBytes(chunks))
  const isProved = isPlaced(sums, sums.length, seed, sumsOffset)
  for (let chunk = 0; chunk < chunks; chunk++) {
    const at = offset + chunk * VALUE_CHUNK_BYTES
    const length = Math.min(VALUE_CHUNK_BYTES, sumsOffset - at)
    // Nobody asks for it, so it is not read.
    if (at + length <= from || at >= to) continue
    const bytes = readRange(file, at, length)
    const reader = new FieldReader(bytes, 0, at)
    reader.payload('value', length)
    yield reader.item('chunk', length)
    const isRight = checksum(bytes) === readU32(sums, chunk * SUM_BYTES)
    if (isProved && !isRight) yield damageItem(at, at + length, 'value checksum mismatch')
  }
  for (let chunk = 0; chunk <= chunks; chunk++) {
    const at = chunk * SUM_BYTES
    const reader = new FieldReader(sums, at, sumsOffset + at)
    reader.hex32('checksum')
    yield reader.item(chunk < chunks ? 'sum' : 'sumsChecksum')
  }
  if (isProved) return
  yield damageItem(
    sumsOffset,
    sumsOffset + sums.length,
    'checksum mismatch in the sums of a stream',
  )
}

function footerItem(footer: Uint8Array, offset: number): Item {
  const reader = new FieldReader(footer, 0, offset)
  reader.u64('size')
  reader.u64('fileBytes')
  reader.hex32('tableChecksum')
  reader.hex('zero', 4)
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.hex32('checksum')
  reader.hex('magic', 8)
  return reader.item('footer')
}
