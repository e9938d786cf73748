/**
 * Whether the value of a record is whole. Reads it chunk by chunk, in constant memory.
 *
 * The collector frees whole blocks inside of dead values (vlog/FORMAT.md, F-V12), and these read as zeros. A value that
 * fails its checksum and has such a block is taken for one; a disk that lost a block leaves the same picture.
 */

import { proveRecordHead, type RecordHeader } from '../../../vlog/record.ts'
import { VALUE_CHUNK_BYTES, wrongChunk } from '../../../vlog/value-chunks.ts'
import type { FileWindow } from '../../base/files/file-window.ts'

export type ValueState = 'proved' | 'hole' | 'damaged'

/** No file system has smaller blocks that the collector would free. */
const BLOCK_BYTES = 4096
const ZEROS = new Uint8Array(BLOCK_BYTES)

/** The state of the value of a record at `offset` whose head was proved. */
export function valueState(window: FileWindow, offset: number, header: RecordHeader): ValueState {
  const { headBytes, storedLength } = header
  const headAt = window.view(offset, headBytes)
  const head = window.bytes.slice(headAt, headAt + headBytes)
  // Read once more, so proved once more: its checksums are what the value is held against.
  let isWhole = proveRecordHead(head, 0, header)
  let hasHole = false
  for (let from = 0, chunk = 0; from < Math.max(1, storedLength); chunk++) {
    const length = Math.min(VALUE_CHUNK_BYTES, storedLength - from)
    const place = offset + headBytes + from
    const at = window.view(place, length)
    if (wrongChunk(head, 0, window.bytes, at, at + length, chunk) >= 0) {
      isWhole = false
      hasHole ||= hasZeroBlock(window.bytes.subarray(at, at + length), place)
    }
    from += Math.max(1, length)
  }
  return isWhole ? 'proved' : hasHole ? 'hole' : 'damaged'
}

/** True if the bytes, which lie at `offset` of a file, hold a block of it that is all zeros. */
export function hasZeroBlock(bytes: Uint8Array, offset: number): boolean {
  let at = (BLOCK_BYTES - (offset % BLOCK_BYTES)) % BLOCK_BYTES
  for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) {
    if (Buffer.compare(bytes.subarray(at, at + BLOCK_BYTES), ZEROS) === 0) return true
  }
  return false
}
