/**
 * Frames: what one write to a log holds. The value log and the manifest share them.
 *
 *   frame := header body
 *
 *   offset size field
 *        0    4 magic           66 72 6d 31 ("frm1"), for scans behind damage
 *        4    4 checksum        CRC-32 of bytes 8 .. 63, continued from the file's seed (below)
 *        8    8 offset          the frame's own offset in its file
 *       16    8 length          bytes of the whole frame, this header included
 *       24    8 firstSequence   of its first record; an empty frame names the next one
 *       32    4 recordCount     0 in a marker frame
 *       36    2 ignoreFlags     unknown bits are ignored
 *       38    2 refuseFlags     unknown bits: WISC_FORMAT_VERSION, whatever the body is
 *       40    8 durableIn       up to here the log was durable when this frame was built: ordinal of a file
 *       48    8 durableOffset     of the log, and offset in it (a manifest: its own number, and offset)
 *       56    8 durableEdit     number of the last durable version edit
 *
 * The seed is the CRC-32 of database id, file number and salt. With the offset inside, a frame proves
 * its own place: bytes that only look like one (a value that contains a frame, a stale copy of another
 * file, a misdirected write) never pass. Records carry their own checksums, the frame covers none of
 * their bytes, so that one value can be taken out and the rest still be proved.
 */

import { readU16, readU32, readU64, writeU32, writeU64 } from '../bytes.ts'
import { crc32From } from '../checksum.ts'
import { newerVersion, type WiscError } from '../errors.ts'
import type { LogPosition } from '../log-position.ts'
import type { FileIdentity } from './file-header.ts'

export const FRAME_HEADER_BYTES = 64
/** The first bytes of every frame, for scans. */
export const FRAME_MAGIC: Uint8Array = Uint8Array.of(0x66, 0x72, 0x6d, 0x31)
const FRAME_MAGIC_U32 = 0x316d7266

export interface FrameHeader {
  readonly offset: number
  readonly length: number
  readonly firstSequence: number
  readonly recordCount: number
  readonly refuseFlags: number
  readonly durable: LogPosition
  readonly durableEdit: number
}

/** The seed of a file's frame checksums. Compute it once for each file. */
export function frameSeed(identity: FileIdentity): number {
  const bytes = new Uint8Array(28)
  bytes.set(identity.databaseId, 0)
  writeU64(bytes, 16, identity.number)
  writeU32(bytes, 24, identity.salt)
  return crc32From(0, bytes)
}

export function writeFrameHeader(
  bytes: Uint8Array,
  at: number,
  seed: number,
  header: Omit<FrameHeader, 'refuseFlags'>,
): void {
  writeU32(bytes, at, FRAME_MAGIC_U32)
  writeU64(bytes, at + 8, header.offset)
  writeU64(bytes, at + 16, header.length)
  writeU64(bytes, at + 24, header.firstSequence)
  writeU32(bytes, at + 32, header.recordCount)
  writeU32(bytes, at + 36, 0)
  writeU64(bytes, at + 40, header.durable.ordinal)
  writeU64(bytes, at + 48, header.durable.offset)
  writeU64(bytes, at + 56, header.durableEdit)
  writeU32(bytes, at + 4, crc32From(seed, bytes.subarray(at + 8, at + FRAME_HEADER_BYTES)))
}

/**
 * The frame header at `at`, which lies at `offset` of file `name`, or undefined if there is none: too few
 * bytes, a wrong checksum, another place. Says nothing of the body: the caller checks its records.
 * @throws WISC_FORMAT_VERSION if it proves itself and has unknown flags: it is no torn tail, and nobody knows what
 * follows from it
 */
export function readKnownFrame(
  bytes: Uint8Array,
  at: number,
  seed: number,
  offset: number,
  name: string,
): FrameHeader | undefined {
  const frame = readFrameHeader(bytes, at, seed, offset)
  if (frame === undefined || frame.refuseFlags === 0) return frame
  throw unknownFrame(name, frame)
}

/** The error about a frame that has unknown flags. */
export function unknownFrame(name: string, { offset, refuseFlags }: FrameHeader): WiscError {
  return newerVersion(name, offset, `frame has unknown flags, flags=${refuseFlags}`)
}

/** The same, for those who only show or search frames: unknown flags are in the result. */
export function readFrameHeader(
  bytes: Uint8Array,
  at: number,
  seed: number,
  offset: number,
): FrameHeader | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length || readU32(bytes, at) !== FRAME_MAGIC_U32) {
    return undefined
  }
  const expected = crc32From(seed, bytes.subarray(at + 8, at + FRAME_HEADER_BYTES))
  if (readU32(bytes, at + 4) !== expected || readU64(bytes, at + 8) !== offset) return undefined
  const length = readU64(bytes, at + 16)
  if (length < FRAME_HEADER_BYTES) return undefined
  return {
    offset,
    length,
    firstSequence: readU64(bytes, at + 24),
    recordCount: readU32(bytes, at + 32),
    refuseFlags: readU16(bytes, at + 38),
    durable: { ordinal: readU64(bytes, at + 40), offset: readU64(bytes, at + 48) },
    durableEdit: readU64(bytes, at + 56),
  }
}
