/**
 * Records through a window over a file: what is handed out is what was proved.
 *
 * A window may read the same range twice, and the bytes may have changed meanwhile: a writer beside a reader makes
 * holes, and a disk may answer differently. So a header is decoded from the very bytes that were proved, a record is
 * used only while the bytes of its proof are in the window, and what does not fit is used piece by piece, as each is
 * proved.
 */
import type { FileWindow } from '../lib/base/files/file-window.ts'
import {
  firstPieceSum,
  proveRecord,
  proveRecordHead,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readRecordHeader,
  unknownRecord,
  valueMismatch,
} from './record.ts'
import { ChunkList, tableBytes } from './value-chunks.ts'

/** Longer records are proved chunk by chunk instead of in one piece. */
export const WHOLE_RECORD_BYTES_MAX: number = 512 * 1024

/** Takes bytes from .. to of the present record, proved; the view dies with the call. */
export type PieceSink = (bytes: Uint8Array, from: number, to: number) => void

/**
 * The header of the record at `offset`, its head proved. All of the head is in the window then: `view` of it reads
 * nothing.
 * @param end where the records of the file, or of the frame, end
 * @returns what is wrong instead
 * @throws WISC_FORMAT_VERSION or WISC_CODEC_UNAVAILABLE if it is proved and this version does not know all of it
 */
export function viewProvedHead(
  window: FileWindow,
  offset: number,
  end: number,
): RecordHeader | string {
  const header = viewAnyHead(window, offset, end)
  if (typeof header !== 'string') refuseUnknown(window, offset, header)
  return header
}

/** The same for those who only show or search records: one that this version does not know is no error. */
export function viewAnyHead(
  window: FileWindow,
  offset: number,
  end: number,
): RecordHeader | string {
  const header = viewWith(window, offset, end, headBytesOf)
  if (header === undefined) return 'record has impossible lengths'
  const at = window.view(offset, header.headBytes)
  return proveRecordHead(window.bytes, at, header) ? header : 'record header checksum mismatch'
}

/**
 * The header of the record at `offset`, all of which is proved. In the window are its head then, and all of a record
 * of up to WHOLE_RECORD_BYTES_MAX.
 * @param take gets the bytes of the record in order, each as soon as it is proved
 * @returns what is wrong instead; a longer record may have been taken in part by then
 * @throws as {@link viewProvedHead}
 */
export function viewProvedRecord(
  window: FileWindow,
  offset: number,
  end: number,
  take?: PieceSink,
): RecordHeader | string {
  const header = viewWith(window, offset, end, provedAtOnce)
  if (header === undefined) return 'record has impossible lengths'
  const at = window.view(offset, provedAtOnce(header))
  if (!proveRecordHead(window.bytes, at, header)) return 'record header checksum mismatch'
  refuseUnknown(window, offset, header)
  if (header.length > WHOLE_RECORD_BYTES_MAX) {
    // The window has moved on: who wants the key needs the head once more.
    return proveChunks(window, offset, header, take) ?? viewProvedHead(window, offset, end)
  }
  const bad = proveRecord(window.bytes, at, header)
  if (bad !== undefined) return bad
  take?.(window.bytes, at, at + header.length)
  return header
}

function refuseUnknown(window: FileWindow, offset: number, header: RecordHeader): void {
  const unknown = unknownRecord(header, window.fileName, offset)
  if (unknown) throw unknown
}

function headBytesOf(header: RecordHeader): number {
  return header.headBytes
}

function provedAtOnce({ headBytes, length }: RecordHeader): number {
  return length <= WHOLE_RECORD_BYTES_MAX ? length : headBytes
}

/** The header of the record at `offset`, decoded from bytes that are in the window together with what is wanted. */
function viewWith(
  window: FileWindow,
  offset: number,
  end: number,
  wanted: (header: RecordHeader) => number,
): RecordHeader | undefined {
  if (end - offset < RECORD_HEADER_BYTES) return undefined
  const first = window.view(offset, RECORD_HEADER_BYTES)
  const header = readRecordHeader(window.bytes, first, end - offset)
  if (header === undefined) return undefined
  const { bytesRead } = window
  const at = window.view(offset, wanted(header))
  if (window.bytesRead === bytesRead) return header
  const again = readRecordHeader(window.bytes, at, end - offset)
  return again !== undefined && wanted(again) === wanted(header) ? again : undefined
}

/** The head is proved and in the window. */
function proveChunks(
  window: FileWindow,
  offset: number,
  header: RecordHeader,
  take: PieceSink | undefined,
): string | undefined {
  const { headBytes, rawLength } = header
  const headAt = window.view(offset, headBytes)
  const sum = firstPieceSum(window.bytes, headAt)
  take?.(window.bytes, headAt, headAt + headBytes)
  const table = tableBytes(rawLength)
  const tableAt = window.view(offset + headBytes, table)
  const chunks = ChunkList.ofAll(header, sum, window.bytes, tableAt)
  if (typeof chunks === 'string') return chunks
  take?.(window.bytes, tableAt, tableAt + table)
  for (let chunk = 0; chunk < chunks.end; chunk++) {
    const length = chunks.storedBytes(chunk)
    const at = window.view(offset + headBytes + table + chunks.start(chunk), length)
    if (chunks.wrong(chunk, chunk + 1, window.bytes, at) >= 0) return valueMismatch(chunk)
    take?.(window.bytes, at, at + length)
  }
  return undefined
}
