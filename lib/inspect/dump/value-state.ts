/**
 * Whether the value of a record is whole. Reads it chunk by chunk, in constant memory.
 *
 * The collector frees whole blocks inside of dead values (vlog/FORMAT.md, F-V12), and these read as zeros. A value that
 * fails its checksum and has such a block is taken for one; a disk that lost a block leaves the same picture.
 */

import { firstPieceSum, proveRecordHead, type RecordHeader } from '../../../vlog/record.ts'
import { ChunkList, tableBytes, VALUE_CHUNK_BYTES } from '../../../vlog/value-chunks.ts'
import type { FileWindow } from '../../base/files/file-window.ts'

export type ValueState = 'proved' | 'hole' | 'damaged'

/** No file system has smaller blocks that the collector would free. */
const BLOCK_BYTES = 4096
const ZEROS = new Uint8Array(BLOCK_BYTES)

/** The state of the value of a record at `offset` whose head was proved. */
export function valueState(window: FileWindow, offset: number, header: RecordHeader): ValueState {
  const { headBytes, rawLength, storedLength } = header
  const headAt = window.view(offset, headBytes)
  // Read once more, so proved once more: its checksum is what the value is held against.
  if (!proveRecordHead(window.bytes, headAt, header)) return 'damaged'
  const sum = firstPieceSum(window.bytes, headAt)
  const valueAt = offset + headBytes
  const table = tableBytes(rawLength)
  const chunks = ChunkList.ofAll(header, sum, window.bytes, window.view(valueAt, table))
  if (typeof chunks === 'string') return brokenState(window, valueAt, valueAt + storedLength)
  let state: ValueState = 'proved'
  for (let chunk = 0; chunk < chunks.end && state !== 'hole'; chunk++) {
    const place = valueAt + table + chunks.start(chunk)
    const length = chunks.storedBytes(chunk)
    const isWhole = chunks.wrong(chunk, chunk + 1, window.bytes, window.view(place, length)) < 0
    if (!isWhole) state = brokenState(window, place, place + length)
  }
  return state
}

/** The state of what a checksum does not fit: bytes from .. to of the file. */
function brokenState(window: FileWindow, from: number, to: number): ValueState {
  for (let at = from; at < to; at += VALUE_CHUNK_BYTES) {
    const bytes = Math.min(VALUE_CHUNK_BYTES, to - at)
    const start = window.view(at, bytes)
    if (hasZeroBlock(window.bytes.subarray(start, start + bytes), at)) return 'hole'
  }
  return 'damaged'
}

/** True if the bytes, which lie at `offset` of a file, hold a block of it that is all zeros. */
export function hasZeroBlock(bytes: Uint8Array, offset: number): boolean {
  let at = (BLOCK_BYTES - (offset % BLOCK_BYTES)) % BLOCK_BYTES
  for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) {
    if (Buffer.compare(bytes.subarray(at, at + BLOCK_BYTES), ZEROS) === 0) return true
  }
  return false
}
