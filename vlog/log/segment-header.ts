/**
 * The header of a segment: the common file header and how the log goes on from the segment before.
 *
 *   offset size field
 *        0   64 file header         lib/base/files/file-header.ts, kind 3
 *       64    4 predecessor         ordinal of the segment before, 0 for the first of a log
 *       68    4 ordinal             place of this segment in the log
 *       72    8 predecessorLength   where that one ends
 *       80    8 firstSequence       of the first frame in this segment
 *       88    2 ignoreFlags         unknown bits are ignored
 *       90    2 refuseFlags         unknown bits: WISC_FORMAT_VERSION
 *       92    4 checksum            CRC-32 of bytes 64 .. 91, continued from the seed of the file's frames
 *
 * It is written together with the first frame, because only then the end of the predecessor is known.
 * Replay demands that predecessor and length meet what the manifest and the walk of the log say.
 */
import { readU16, readU32, readU64, writeU32, writeU64 } from '../../lib/base/bytes.ts'
import { crc32From } from '../../lib/base/checksum.ts'
import { CorruptionError, newerVersion, type WiscError } from '../../lib/base/errors.ts'
import {
  FILE_HEADER_BYTES,
  type FileIdentity,
  readFileHeader,
  writeFileHeader,
} from '../../lib/base/files/file-header.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { FileNumber, LogOrdinal, Sequence } from '../../lib/base/ids.ts'

export const SEGMENT_HEADER_BYTES: number = FILE_HEADER_BYTES + 32

export interface SegmentHeader {
  readonly identity: FileIdentity
  readonly ordinal: LogOrdinal
  readonly predecessor: LogOrdinal
  readonly predecessorLength: number
  readonly firstSequence: Sequence
}

export function writeSegmentHeader(bytes: Uint8Array, at: number, header: SegmentHeader): void {
  writeFileHeader(bytes, at, header.identity)
  const chain = at + FILE_HEADER_BYTES
  writeU32(bytes, chain, header.predecessor)
  writeU32(bytes, chain + 4, header.ordinal)
  writeU64(bytes, chain + 8, header.predecessorLength)
  writeU64(bytes, chain + 16, header.firstSequence)
  writeU32(bytes, chain + 24, 0)
  const seed = frameSeed(header.identity)
  writeU32(bytes, chain + 28, crc32From(seed, bytes.subarray(chain, chain + 28)))
}

/**
 * @param bytes the first SEGMENT_HEADER_BYTES of the file, or fewer if it is shorter
 * @throws CorruptionError, WISC_FORMAT_VERSION
 */
export function readSegmentHeader(
  bytes: Uint8Array,
  number: FileNumber,
  databaseId: Uint8Array,
): SegmentHeader {
  const name = segmentName(number)
  const identity = readFileHeader(bytes, name, { kind: 'segment', number, databaseId })
  if (bytes.length < SEGMENT_HEADER_BYTES) {
    throw new CorruptionError(name, FILE_HEADER_BYTES, 'segment header is cut off')
  }
  const chain = bytes.subarray(FILE_HEADER_BYTES, SEGMENT_HEADER_BYTES)
  if (readU32(chain, 28) !== crc32From(frameSeed(identity), chain.subarray(0, 28))) {
    throw new CorruptionError(name, FILE_HEADER_BYTES, 'segment header checksum mismatch')
  }
  const refuseFlags = readU16(chain, 26)
  if (refuseFlags !== 0) throw unknownChain(name, refuseFlags)
  return {
    identity,
    ordinal: readU32(chain, 4),
    predecessor: readU32(chain, 0),
    predecessorLength: readU64(chain, 8),
    firstSequence: readU64(chain, 16),
  }
}

/**
 * Refuses a segment header of a newer version, and nothing else: for where the log has ended before it, or the manifest
 * does not name it, so that what is wrong with it is nobody's business. A chain that proves itself counts whatever
 * became of the file header.
 * @param bytes as of {@link readSegmentHeader} @param seed of the file's frames @throws WISC_FORMAT_VERSION
 */
export function refuseUnknownSegment(
  bytes: Uint8Array,
  number: FileNumber,
  databaseId: Uint8Array,
  seed: number,
): void {
  const chain = bytes.subarray(FILE_HEADER_BYTES, SEGMENT_HEADER_BYTES)
  const flags = chain.length < SEGMENT_HEADER_BYTES - FILE_HEADER_BYTES ? 0 : readU16(chain, 26)
  if (flags !== 0 && readU32(chain, 28) === crc32From(seed, chain.subarray(0, 28))) {
    throw unknownChain(segmentName(number), flags)
  }
  try {
    readSegmentHeader(bytes, number, databaseId)
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
  }
}

/** The error about a chain that has unknown flags. */
export function unknownChain(name: string, flags: number): WiscError {
  const what = `segment header has unknown flags, flags=${flags}`
  return newerVersion(name, FILE_HEADER_BYTES + 26, what)
}
