/** Proves the record that was read for a pointer. */
import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import { storedLengthOf } from '../record.ts'
import { checkPointedRecord, pointedValue, type RecordPointer } from '../record-pointer.ts'
import { SlabAllocator } from './slab.ts'

/** Memory of small values that are decompressed. */
const decompressing = new SlabAllocator()

/** Holds the record at `at` against its request and cuts the value out of it. */
export function provedValue(
  request: RecordPointer,
  bytes: Buffer,
  at: number,
  got: number,
): Buffer {
  const { keyStart, keyEnd, length } = request
  if (got < length) throw damaged(request, 'segment ends before the record')
  const end = at + length
  const storedLength = storedLengthOf(length, keyEnd - keyStart)
  if (storedLength < 0) throw damaged(request, 'pointer is too short for its record')
  const view = bytes.subarray(end - storedLength, end)
  const bad = checkPointedRecord(bytes, at, request, view)
  if (bad === undefined) return view
  const unusual = pointedValue(bytes, at, request, bad, decompressing)
  if (typeof unusual === 'string') throw damaged(request, unusual)
  return unusual
}

export function damaged(request: RecordPointer, reason: string): CorruptionError {
  return new CorruptionError(segmentName(request.segment), request.offset, reason)
}
