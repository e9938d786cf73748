/** Groups: what is staged, what is borrowed, and that what is written is a frame of whole records. */
import { describe, expect, test } from 'vitest'
import { FRAME_HEADER_BYTES, readFrameHeader } from '#dist/lib/base/files/frame.js'
import {
  GROUP_BYTES_MAX,
  Group,
  STAGED_VALUE_BYTES_MAX,
  stagedBytes,
} from '#dist/vlog/log/group.js'
import { readSegmentHeader, SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import {
  type NewRecord,
  plainRecord,
  proveRecord,
  RECORD_KIND,
  readRecordHeader,
  recordBytes,
  recordHeadBytes,
} from '#dist/vlog/record.js'
import { plainTable, tableBytes, VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { bytesOf, DATABASE_ID, SALT, segmentSeed } from '../../support/parts/log-segments.ts'

interface Written {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const SEED = segmentSeed(7)
const DURABLE = { ordinal: 6, offset: 1234 }

function recordOf({ key, value }: Written, borrow: boolean): NewRecord {
  const record = plainRecord(RECORD_KIND.put, key, value)
  const borrowed = borrow && value.length > VALUE_CHUNK_BYTES
  return borrowed ? { ...record, borrowed, table: plainTable(value) } : record
}

/** @param borrow whether callers keep the large values */
function begin(group: Group, writes: readonly Written[], borrow: boolean = false): number[] {
  const records = writes.map((write) => recordOf(write, borrow))
  const staged = records.reduce((sum, record) => sum + stagedBytes(record), 0)
  group.begin(100, staged)
  return records.map((record) => group.add(record))
}

function finish(group: Group, offset: number): readonly Uint8Array[] {
  return group.finish(SEED, offset, DURABLE, 55, undefined)
}

/** Holds what would be written against what was added. */
function expectFrame(
  bytes: Uint8Array,
  writes: readonly Written[],
  offsets: readonly number[],
): void {
  const frame = readFrameHeader(bytes, 0, SEED, 4000)
  expect(frame).toMatchObject({
    length: bytes.length,
    firstSequence: 100,
    recordCount: writes.length,
    durable: DURABLE,
    durableEdit: 55,
  })
  let at = FRAME_HEADER_BYTES
  for (const [i, { key, value }] of writes.entries()) {
    expect(offsets[i]).toBe(at)
    const header = readRecordHeader(bytes, at, bytes.length - at)!
    expect(header).toMatchObject({
      sequence: 100 + i,
      keyLength: key.length,
      storedLength: tableBytes(value.length) + value.length,
      rawLength: value.length,
    })
    expect(proveRecord(bytes, at, header)).toBeUndefined()
    const keyEnd = at + header.headBytes
    expect(Buffer.compare(bytes.subarray(keyEnd - key.length, keyEnd), key)).toBe(0)
    const valueAt = keyEnd + tableBytes(value.length)
    expect(Buffer.compare(bytes.subarray(valueAt, valueAt + value.length), value)).toBe(0)
    at += recordBytes(key.length, value.length)
  }
  expect(at).toBe(bytes.length)
}

describe('a group', () => {
  const lengths = [0, 10, STAGED_VALUE_BYTES_MAX, STAGED_VALUE_BYTES_MAX + 1, 200_000, 5]

  test.each([false, true])('copies small values, borrows large ones: %s', (borrow) => {
    const group = new Group()
    const writes = lengths.map((length, i) => ({
      key: bytesOf(i * 3, i),
      value: bytesOf(length, i),
    }))
    const offsets = begin(group, writes, borrow)
    expect(group.records).toBe(writes.length)
    const sources = finish(group, 4000)
    // Only what is larger than the bound is written from where it lies.
    const large = writes.filter(({ value }) => sources.includes(value))
    expect(large.map(({ value }) => value.length)).toEqual([lengths[3], lengths[4]])
    expectFrame(Buffer.concat(sources), writes, offsets)
    const { value } = writes[4]!
    const loans = [{ value, bytes: value.length, table: plainTable(value) }]
    expect(group.borrowed).toEqual(borrow ? loans : [])
  })

  test('of small values is one piece, which does not notice what its callers do later', () => {
    const group = new Group()
    const writes = [{ key: bytesOf(8), value: bytesOf(100) }]
    const offsets = begin(group, writes)
    const sources = finish(group, 4000)
    expect(sources).toHaveLength(1)
    const given = { key: writes[0]!.key.slice(), value: writes[0]!.value.slice() }
    writes[0]!.value.fill(0)
    writes[0]!.key.fill(0)
    expectFrame(sources[0]!, [given], offsets)
  })

  test('takes a batch that its staging buffer does not hold, and is used again after it', () => {
    const group = new Group()
    const count = Math.ceil((3 * GROUP_BYTES_MAX) / 5000)
    const large = Array.from({ length: count }, (_, i) => ({
      key: bytesOf(16, i),
      value: bytesOf(5000, i),
    }))
    const offsets = begin(group, large)
    expectFrame(Buffer.concat(finish(group, 4000)), large, offsets)
    const small = [{ key: bytesOf(3), value: bytesOf(9) }]
    const smallOffsets = begin(group, small)
    expect(group.frameBytes).toBe(FRAME_HEADER_BYTES + recordBytes(3, 9))
    expectFrame(Buffer.concat(finish(group, 4000)), small, smallOffsets)
  })

  test('without records is a marker; behind the header of its segment it lies at its own offset', () => {
    const group = new Group()
    group.begin(9, 0)
    const identity = { kind: 'segment' as const, databaseId: DATABASE_ID, number: 7, salt: SALT }
    const header = {
      identity,
      ordinal: 7,
      predecessor: 6,
      predecessorLength: 1234,
      firstSequence: 9,
    }
    const sources = group.finish(SEED, SEGMENT_HEADER_BYTES, DURABLE, 1, header)
    const bytes = new Uint8Array(Buffer.concat(sources))
    expect(bytes).toHaveLength(SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES)
    expect(readSegmentHeader(bytes, 7, DATABASE_ID)).toEqual(header)
    const frame = readFrameHeader(bytes, SEGMENT_HEADER_BYTES, SEED, SEGMENT_HEADER_BYTES)
    expect(frame).toMatchObject({ recordCount: 0, firstSequence: 9, length: FRAME_HEADER_BYTES })
  })
})

test('staging takes heads, and values up to the bound', () => {
  const staged = (length: number): number =>
    stagedBytes(plainRecord(RECORD_KIND.put, bytesOf(5), bytesOf(length)))
  expect(staged(STAGED_VALUE_BYTES_MAX)).toBe(recordBytes(5, STAGED_VALUE_BYTES_MAX))
  expect(staged(STAGED_VALUE_BYTES_MAX + 1)).toBe(recordHeadBytes(5))
})
