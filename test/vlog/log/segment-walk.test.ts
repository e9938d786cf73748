/** The walk over a segment: every cut, every flip, gaps, markers, frames behind damage, huge records. */
import { describe, expect, test } from 'vitest'
import { writeU32, writeU64 } from '#dist/lib/base/bytes.js'
import { crc32From } from '#dist/lib/base/checksum.js'
import { WiscError } from '#dist/lib/base/errors.js'
import { findFrames } from '#dist/lib/base/files/find-frames.js'
import { FRAME_HEADER_BYTES, type FrameHeader } from '#dist/lib/base/files/frame.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { SEGMENT_HEADER_BYTES } from '#dist/vlog/log/segment-header.js'
import type { SegmentWalkResult, WalkOptions } from '#dist/vlog/log/segment-walk.js'
import { RECORD_HEADER_BYTES } from '#dist/vlog/record.js'
import { VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { MemoryFileSystem } from '../../support/files/memory-file-system.ts'
import {
  bytesOf,
  MARKER_BYTES,
  SegmentMaker,
  segmentPath,
  segmentSeed,
  visitSegment,
} from '../../support/parts/log-segments.ts'

const NUMBER = 5

function walk(
  bytes: Uint8Array,
  options: Partial<WalkOptions> = {},
): SegmentWalkResult & { keys: string[] } {
  const fileSystem = new MemoryFileSystem()
  fileSystem.replace(segmentPath(NUMBER), bytes)
  const keys: string[] = []
  const result = visitSegment(
    fileSystem.open(segmentPath(NUMBER), 'read'),
    {
      number: NUMBER,
      seed: segmentSeed(NUMBER),
      end: bytes.length,
      from: SEGMENT_HEADER_BYTES,
      firstSequence: undefined,
      proveValues: true,
      ...options,
    },
    ({ keyBytes, keyStart, keyEnd }) => {
      keys.push(Buffer.from(keyBytes.subarray(keyStart, keyEnd)).toString())
    },
  )
  return { ...result, keys }
}

/** Three frames: two records, a marker, one record. */
function makeSegment(): { maker: SegmentMaker; bytes: Uint8Array; fileSystem: MemoryFileSystem } {
  const fileSystem = new MemoryFileSystem()
  const maker = new SegmentMaker(fileSystem, NUMBER, 10)
  maker.frame([
    { key: 'a', value: bytesOf(40) },
    { key: 'b', value: bytesOf(0) },
  ])
  maker.frame([], { ordinal: NUMBER, offset: maker.length }, 4)
  maker.frame([{ key: 'c', value: bytesOf(70) }], { ordinal: NUMBER, offset: maker.length }, 5)
  return { maker, bytes: fileSystem.contents(segmentPath(NUMBER)), fileSystem }
}

describe('a walk', () => {
  test('visits every record and reports every frame, markers too', () => {
    const { maker, bytes } = makeSegment()
    const result = walk(bytes, { firstSequence: 10 })
    expect(result).toMatchObject({ validEnd: bytes.length, nextSequence: 13, damage: undefined })
    expect(result.keys).toEqual(['a', 'b', 'c'])
    expect(result.frames.map(({ offset }) => offset)).toEqual(
      maker.frames.map(({ offset }) => offset),
    )
    expect(result.frames[1]).toMatchObject({
      recordCount: 0,
      length: MARKER_BYTES,
      firstSequence: 12,
    })
    expect(result.frames[2]).toMatchObject({ durableEdit: 5, durable: { ordinal: NUMBER } })
  })

  test('begins at any frame', () => {
    const { maker, bytes } = makeSegment()
    expect(walk(bytes, { from: maker.frames[2]!.offset }).keys).toEqual(['c'])
    expect(walk(bytes, { from: bytes.length })).toMatchObject({ keys: [], nextSequence: undefined })
  })

  test('of a segment that is cut anywhere ends at the last whole frame', () => {
    const { maker, bytes } = makeSegment()
    for (let length = SEGMENT_HEADER_BYTES; length < bytes.length; length++) {
      const result = walk(bytes.subarray(0, length))
      const whole = maker.frames.filter(({ end }) => end <= length)
      const validEnd = whole.at(-1)?.end ?? SEGMENT_HEADER_BYTES
      expect(result.validEnd, `length ${length}`).toBe(validEnd)
      if (length > validEnd) expect(result.damage).toMatchObject({ offset: validEnd })
      else expect(result.damage).toBeUndefined()
    }
  })

  test('stops before the frame in which any byte is flipped', () => {
    const { maker, bytes } = makeSegment()
    for (let i = SEGMENT_HEADER_BYTES; i < bytes.length; i++) {
      bytes[i]! ^= 0x40
      const frame = maker.frames.find(({ end }) => i < end)!
      expect(walk(bytes), `byte ${i}`).toMatchObject({
        validEnd: frame.offset,
        damage: { offset: frame.offset },
      })
      bytes[i]! ^= 0x40
    }
  })

  test('that proves heads alone does not look at values', () => {
    const { maker, bytes } = makeSegment()
    bytes[bytes.length - 1]! ^= 1
    expect(walk(bytes, { proveValues: false }).damage).toBeUndefined()
    bytes[maker.frames[2]!.offset + FRAME_HEADER_BYTES + RECORD_HEADER_BYTES]! ^= 1
    expect(walk(bytes, { proveValues: false }).damage?.reason).toMatch(/record header checksum/)
  })

  test('stops where sequences do not go on', () => {
    const { bytes } = makeSegment()
    expect(walk(bytes, { firstSequence: 11 })).toMatchObject({
      keys: [],
      damage: { reason: /sequence/ },
    })
    const fileSystem = new MemoryFileSystem()
    const maker = new SegmentMaker(fileSystem, NUMBER)
    maker.frame([{ key: 'a', value: bytesOf(1) }])
    maker.nextSequence++
    maker.frame([{ key: 'b', value: bytesOf(1) }])
    const result = walk(fileSystem.contents(segmentPath(NUMBER)))
    expect(result).toMatchObject({
      keys: ['a'],
      validEnd: maker.frames[1]!.offset,
      nextSequence: 2,
    })
  })

  test('a frame in another place, or of another segment, is none', () => {
    const { maker, bytes } = makeSegment()
    const { offset, end } = maker.frames[0]!
    const moved = Buffer.concat([bytes, bytes.subarray(offset, end)])
    expect(walk(moved)).toMatchObject({
      validEnd: bytes.length,
      damage: { reason: 'no valid frame' },
    })
    expect(walk(bytes, { seed: segmentSeed(NUMBER + 1) }).frames).toEqual([])
  })

  test.each([
    ['a frame', 4 + 34, 'WISC_FORMAT_VERSION'],
    ['a record', FRAME_HEADER_BYTES + 11, 'WISC_FORMAT_VERSION'],
    ['a codec of a record', FRAME_HEADER_BYTES + 9, 'WISC_CODEC_UNAVAILABLE'],
  ])('refuses %s of a newer version, which is no damage', (_, at, code) => {
    const fileSystem = new MemoryFileSystem()
    const maker = new SegmentMaker(fileSystem, NUMBER)
    maker.frame([{ key: 'a', value: bytesOf(3) }])
    const bytes = fileSystem.contents(segmentPath(NUMBER))
    const frame = SEGMENT_HEADER_BYTES
    bytes[frame + at] = 2
    const frameEnd = frame + FRAME_HEADER_BYTES
    writeU32(bytes, frame + 4, crc32From(segmentSeed(NUMBER), bytes.subarray(frame + 8, frameEnd)))
    const head = crc32From(0, bytes.subarray(frameEnd + 8, frameEnd + RECORD_HEADER_BYTES + 1))
    writeU32(bytes, frameEnd, head)
    writeU32(bytes, frameEnd + 4, head ^ crc32From(0, bytesOf(3)))
    try {
      walk(bytes)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(WiscError)
      expect(error).toMatchObject({ code })
    }
  })

  test('lengths that do not meet the end of their frame are damage', () => {
    const { bytes } = makeSegment()
    const first = SEGMENT_HEADER_BYTES
    // A record less than the frame counts, in a header that proves itself.
    for (const [at, value] of [
      [32, 1],
      [32, 3],
      [16, 64],
      [16, 2 ** 47],
    ] as const) {
      const changed = bytes.slice()
      if (at === 32) writeU32(changed, first + at, value)
      else writeU64(changed, first + at, value)
      writeU32(
        changed,
        first + 4,
        crc32From(segmentSeed(NUMBER), changed.subarray(first + 8, first + FRAME_HEADER_BYTES)),
      )
      expect(walk(changed), `${at} = ${value}`).toMatchObject({ validEnd: first, keys: [] })
    }
  })
})

describe('a huge record', () => {
  const length = 3 * 1024 * 1024 + 17
  const fileSystem = new MemoryFileSystem()
  const maker = new SegmentMaker(fileSystem, NUMBER)
  const [offset] = maker.frame([{ key: 'huge', value: bytesOf(length) }])
  maker.frame([{ key: 'next', value: bytesOf(3) }])
  const bytes = fileSystem.contents(segmentPath(NUMBER))

  test('is proved chunk by chunk', () => {
    expect(walk(bytes)).toMatchObject({ keys: ['huge', 'next'], damage: undefined })
  })

  test.each([0, VALUE_CHUNK_BYTES - 1, VALUE_CHUNK_BYTES, 1024 * 1024, length - 1])(
    'with a flip at %i of its value is damage',
    (at) => {
      const valueAt = maker.frames[0]!.end - length
      bytes[valueAt + at]! ^= 1
      const chunk = Math.floor(at / VALUE_CHUNK_BYTES)
      const { validEnd, damage } = walk(bytes)
      expect(validEnd).toBe(SEGMENT_HEADER_BYTES)
      expect(damage?.reason).toContain(`chunk=${chunk} `)
      bytes[valueAt + at]! ^= 1
    },
  )

  test('with a flip in a chunk checksum is damage', () => {
    const sumAt = offset! + RECORD_HEADER_BYTES + 'huge'.length + 20
    bytes[sumAt]! ^= 1
    expect(walk(bytes).damage?.reason).toMatch(/table of chunks: checksum mismatch block=0/)
    bytes[sumAt]! ^= 1
  })
})

describe('frames behind damage', () => {
  function found(bytes: Uint8Array, from: number): FrameHeader[] {
    const memory = new MemoryFileSystem()
    memory.replace(segmentPath(NUMBER), bytes)
    const frames: FrameHeader[] = []
    const file = memory.open(segmentPath(NUMBER), 'read')
    findFrames(file, segmentSeed(NUMBER), from, bytes.length, (frame) => frames.push(frame))
    return frames
  }

  test('are found wherever they lie', () => {
    const { maker, bytes } = makeSegment()
    bytes.fill(0xee, SEGMENT_HEADER_BYTES, maker.frames[1]!.offset)
    const frames = found(bytes, SEGMENT_HEADER_BYTES + 1)
    expect(frames.map(({ offset }) => offset)).toEqual(
      maker.frames.slice(1).map(({ offset }) => offset),
    )
    expect(frames[1]!.durable).toEqual({ ordinal: NUMBER, offset: maker.frames[1]!.end })
  })

  test('are found across the borders of what is read at a time, and only in their own places', () => {
    for (const shift of [-65, -64, -4, -3, -2, -1, 0, 1]) {
      const fileSystem = new MemoryFileSystem()
      const maker = new SegmentMaker(fileSystem, NUMBER)
      const value = bytesOf(1024 * 1024 + shift - FRAME_HEADER_BYTES - RECORD_HEADER_BYTES - 64)
      // A value that holds a frame of another place, which must not count.
      value.set(makeSegment().bytes.subarray(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 64), 100)
      maker.frame([{ key: 'a', value }])
      maker.frame([], LOG_START, 9)
      const frames = found(fileSystem.contents(segmentPath(NUMBER)), SEGMENT_HEADER_BYTES + 1)
      expect(frames, `shift ${shift}`).toMatchObject([{ durableEdit: 9 }])
    }
  })

  test('are none in an empty, a short or a zeroed file', () => {
    expect(found(new Uint8Array(0), 0)).toEqual([])
    expect(found(new Uint8Array(63), 0)).toEqual([])
    expect(found(new Uint8Array(5000), 0)).toEqual([])
    expect(found(Buffer.from('frm1'.repeat(100)), 0)).toEqual([])
  })
})
