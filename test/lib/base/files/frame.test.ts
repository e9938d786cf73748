/** Frame headers: round trip, each flipped bit refused, and a frame proves its own place. */

import { expect, test } from 'vitest'
import type { FileIdentity } from '#dist/lib/base/files/file-header.js'
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  frameSeed,
  readFrameHeader,
  writeFrameHeader,
} from '#dist/lib/base/files/frame.js'

const IDENTITY: FileIdentity = {
  kind: 'segment',
  databaseId: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
  number: 12,
  salt: 0xdeadbeef,
}
const SEED = frameSeed(IDENTITY)
const HEADER: FrameHeader = {
  offset: 2 ** 40 + 64,
  length: 70_000,
  firstSequence: 2 ** 33 + 5,
  recordCount: 3,
  refuseFlags: 0,
  durable: { ordinal: 11, offset: 2 ** 35 },
  durableEdit: 99,
}

function frameBytes(at: number): Uint8Array {
  const bytes = new Uint8Array(at + FRAME_HEADER_BYTES).fill(0xee)
  writeFrameHeader(bytes, at, SEED, HEADER)
  return bytes
}

test('what is written is read back, at any place of the buffer', () => {
  for (const at of [0, 1, 77]) {
    const bytes = frameBytes(at)
    expect(readFrameHeader(bytes, at, SEED, HEADER.offset)).toEqual(HEADER)
    expect(bytes.subarray(at, at + 4)).toEqual(FRAME_MAGIC)
    expect(bytes.subarray(0, at).every((byte) => byte === 0xee)).toBe(true)
  }
})

test('each flipped bit is refused', () => {
  const bytes = frameBytes(0)
  for (let bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    expect(readFrameHeader(bytes, 0, SEED, HEADER.offset), `bit=${bit}`).toBeUndefined()
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
})

test('a header that is cut off is refused at each length', () => {
  const bytes = frameBytes(0)
  for (let length = 0; length < FRAME_HEADER_BYTES; length++) {
    expect(readFrameHeader(bytes.subarray(0, length), 0, SEED, HEADER.offset)).toBeUndefined()
  }
})

test('a frame is refused at another offset, in another file and in another database', () => {
  const bytes = frameBytes(0)
  expect(readFrameHeader(bytes, 0, SEED, HEADER.offset + 1)).toBeUndefined()
  expect(readFrameHeader(bytes, 0, SEED, 64)).toBeUndefined()
  const databaseId = IDENTITY.databaseId.slice()
  databaseId[15]! ^= 1
  for (const other of [{ number: 13 }, { salt: 0xdeadbeee }, { databaseId }]) {
    const seed = frameSeed({ ...IDENTITY, ...other })
    expect(readFrameHeader(bytes, 0, seed, HEADER.offset)).toBeUndefined()
  }
})

test('a length below that of the header is refused', () => {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES)
  writeFrameHeader(bytes, 0, SEED, { ...HEADER, length: FRAME_HEADER_BYTES - 1 })
  expect(readFrameHeader(bytes, 0, SEED, HEADER.offset)).toBeUndefined()
})
