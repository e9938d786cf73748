/**
 * The value of a stream's record: which file the stream is, and what proves that it is that one.
 *
 *   offset size field
 *        0    8 number          of the file
 *        8    8 size            bytes of the stream
 *       16    4 tableChecksum   that of the file's footer
 */
import { readU32, readU64, writeU32, writeU64 } from '../../lib/base/bytes.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { STREAM_VALUE_BYTES } from '../record.ts'
import type { BuiltStream } from './stream-format.ts'

export type { BuiltStream } from './stream-format.ts'

export interface StreamValue {
  readonly number: FileNumber
  readonly size: number
  readonly tableChecksum: number
}

export function encodeStreamValue({ number, size, tableChecksum }: BuiltStream): Uint8Array {
  const bytes = new Uint8Array(STREAM_VALUE_BYTES)
  writeU64(bytes, 0, number)
  writeU64(bytes, 8, size)
  writeU32(bytes, 16, tableChecksum)
  return bytes
}

export function decodeStreamValue(bytes: Uint8Array): StreamValue {
  return {
    number: readU64(bytes, 0),
    size: readU64(bytes, 8),
    tableChecksum: readU32(bytes, 16),
  }
}
