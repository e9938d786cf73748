/** The header of a segment: round trip, and every bit of it proved. */
import { expect, test } from 'vitest'
import { WiscError } from '#dist/lib/base/errors.js'
import {
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  writeSegmentHeader,
} from '#dist/vlog/log/segment-header.js'
import { DATABASE_ID, SALT } from '../../support/parts/log-segments.ts'

const HEADER: SegmentHeader = {
  identity: { kind: 'segment', databaseId: DATABASE_ID, number: 35, salt: SALT },
  ordinal: 2 ** 32 - 1,
  predecessor: 34,
  predecessorLength: 2 ** 40 + 1,
  firstSequence: 2 ** 50 + 3,
}

function headerBytes(): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  writeSegmentHeader(bytes, 0, HEADER)
  return bytes
}

test('comes back', () => {
  expect(readSegmentHeader(headerBytes(), 35, DATABASE_ID)).toEqual(HEADER)
})

test('every flipped bit and every cut is found', () => {
  const bytes = headerBytes()
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => readSegmentHeader(bytes, 35, DATABASE_ID), `bit ${bit}`).toThrow(WiscError)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readSegmentHeader(bytes.subarray(0, length), 35, DATABASE_ID)).toThrow(/cut off/)
  }
})

test('another number and another database are refused', () => {
  expect(() => readSegmentHeader(headerBytes(), 36, DATABASE_ID)).toThrow(/another number/)
  expect(() => readSegmentHeader(headerBytes(), 35, new Uint8Array(16))).toThrow(/another database/)
})
