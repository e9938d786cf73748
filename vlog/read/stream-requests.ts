/** Requests for a stream in place of a record: the same proof that it is the one that is meant. */

import { compareRange } from '../../lib/base/bytes.ts'
import { CorruptionError, invalidArgument } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import { RECORD_KIND, type RecordHeader } from '../record.ts'
import type { RecordPointer } from '../record-pointer.ts'
import { STREAM_OFFSET, streamPointerBytes } from '../stream/stream-format.ts'
import type { StreamReader } from '../stream/stream-reader.ts'
import { CODEC_NONE } from '../value-chunks.ts'

/** No Buffer that a runtime makes for sure is longer. */
const WHOLE_BYTES_MAX = 2 ** 31 - 1

/** The whole value, read at once. @throws as {@link checkWhole}, IoError */
export function wholeStream(stream: StreamReader, request: RecordPointer): Buffer {
  checkWhole(stream, request)
  return stream.read({ offset: 0, length: stream.size })
}

/** @throws CorruptionError if it is another stream, WISC_INVALID_ARGUMENT if no Buffer can hold it */
export function checkWhole(stream: StreamReader, request: RecordPointer): void {
  checkStream(stream, request)
  const { size } = stream
  if (size <= WHOLE_BYTES_MAX) return
  throw invalidArgument(
    `the value is too long for one Buffer: take getStream, or a part of it size=${size} max=${WHOLE_BYTES_MAX}`,
  )
}

/** The header that a record with this value would have. @throws CorruptionError if it is another stream */
export function streamHeader(stream: StreamReader, request: RecordPointer): RecordHeader {
  checkStream(stream, request)
  const { size, key } = stream
  return {
    kind: RECORD_KIND.put,
    codec: CODEC_NONE,
    refuseFlags: 0,
    optionBytes: 0,
    keyLength: key.length,
    sequence: request.sequence,
    storedLength: size,
    rawLength: size,
    headBytes: request.length - size,
    length: request.length,
  }
}

/** @throws CorruptionError unless the stream is what the pointer names */
export function checkStream({ key, size }: StreamReader, request: RecordPointer): void {
  const { keyBytes, keyStart, keyEnd, segment, offset, length } = request
  const isPointed =
    offset === STREAM_OFFSET &&
    length === streamPointerBytes(key.length, size) &&
    compareRange(keyBytes, keyStart, keyEnd, key, 0, key.length) === 0
  if (isPointed) return
  throw new CorruptionError(segmentName(segment), 0, 'stream is not the one its pointer names')
}
