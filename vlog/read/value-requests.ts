/** Requests to the value reader, and the order in which they are read. */
import { copyBytes } from '../../lib/base/bytes.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import type { RecordPointer } from '../record-pointer.ts'

/** What to read. */
export type ValueRequest = RecordPointer

/** What to read, by its place: the segment is that of the file itself. */
export interface PlacedRequest extends ValueRequest {
  readonly segment: FileNumber
}
export type PlacedRequests = readonly (PlacedRequest | undefined)[]

/** What no relocation holds lies in the file of its segment's number. */
export function inItsFile(request: ValueRequest): PlacedRequest {
  return request as PlacedRequest
}

export function copyRequest(request: ValueRequest): ValueRequest {
  const { keyStart, keyEnd, sequence, segment, offset, length } = request
  const keyBytes = copyBytes(request.keyBytes, keyStart, keyEnd)
  return { keyBytes, keyStart: 0, keyEnd: keyBytes.length, sequence, segment, offset, length }
}

/** Indexes of the requests, by segment and offset. */
export function placeOrder(requests: readonly (ValueRequest | undefined)[]): number[] {
  const order: number[] = []
  let sorted = true
  let before: ValueRequest | undefined
  for (let i = 0; i < requests.length; i++) {
    const request = requests[i]
    if (request === undefined) continue
    if (before !== undefined && compareRequests(before, request) > 0) sorted = false
    before = request
    order.push(i)
  }
  if (!sorted) order.sort((left, right) => compareRequests(requests[left]!, requests[right]!))
  return order
}

function compareRequests(left: ValueRequest, right: ValueRequest): number {
  return left.segment - right.segment || left.offset - right.offset
}
