/**
 * The header of every numbered file and of BALLAST, and the names of files.
 *
 *   offset size field
 *        0    8 magic          77 69 73 63 0d 0a 1a 0a ("wisc", then what text transfers damage)
 *        8    2 formatVersion  2
 *       10    1 kind           1 manifest, 2 table, 3 segment, 4 ballast, 5 relocation, 6 stream
 *       11    1 cipher         0: what follows the header is not enciphered; others: WISC_FORMAT_VERSION
 *       12    2 ignoreFlags    unknown bits are ignored
 *       14    2 refuseFlags    unknown bits make the file unreadable: WISC_FORMAT_VERSION
 *       16   16 databaseId     random, the same in all files of a database
 *       32   16 parentId       reserved, zero
 *       48    8 number         the file's own number
 *       56    4 salt           random
 *       60    4 checksum       CRC-32 of bytes 0 .. 59
 *
 * A file with another database's id, another number or another kind is refused: it belongs elsewhere. The header itself
 * is never enciphered.
 */

import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from '../bytes.ts'
import { crc32From } from '../checksum.ts'
import { CorruptionError, newerVersion } from '../errors.ts'
import type { FileNumber } from '../ids.ts'

export const FILE_HEADER_BYTES = 64
export const FORMAT_VERSION = 2
const MAGIC = Uint8Array.of(0x77, 0x69, 0x73, 0x63, 0x0d, 0x0a, 0x1a, 0x0a)

/** DO NOT CHANGE: kinds are on disk. */
export const FILE_KIND = {
  manifest: 1,
  table: 2,
  segment: 3,
  ballast: 4,
  relocation: 5,
  stream: 6,
} as const
export type FileKind = keyof typeof FILE_KIND

/** What makes a file itself: the checksums of frames cover it, so that a frame proves its own place. */
export interface FileIdentity {
  readonly kind: FileKind
  readonly databaseId: Uint8Array
  readonly number: FileNumber
  readonly salt: number
}

export function writeFileHeader(bytes: Uint8Array, at: number, identity: FileIdentity): void {
  bytes.fill(0, at, at + FILE_HEADER_BYTES)
  bytes.set(MAGIC, at)
  writeU16(bytes, at + 8, FORMAT_VERSION)
  bytes[at + 10] = FILE_KIND[identity.kind]
  bytes.set(identity.databaseId, at + 16)
  writeU64(bytes, at + 48, identity.number)
  writeU32(bytes, at + 56, identity.salt)
  writeU32(bytes, at + 60, crc32From(0, bytes.subarray(at, at + 60)))
}

/**
 * Reads a header and holds it against what it must be.
 * @throws CorruptionError if it is damaged or belongs elsewhere, WISC_FORMAT_VERSION if it is from a newer version
 */
export function readFileHeader(
  bytes: Uint8Array,
  name: string,
  expected: { kind: FileKind; number: FileNumber; databaseId: Uint8Array | undefined },
): FileIdentity {
  if (bytes.length < FILE_HEADER_BYTES) throw new CorruptionError(name, 0, 'file header is cut off')
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC[i]) throw new CorruptionError(name, i, 'not a file of a wisc database')
  }
  if (readU32(bytes, 60) !== crc32From(0, bytes.subarray(0, 60))) {
    throw new CorruptionError(name, 60, 'file header checksum mismatch')
  }
  refuseUnknown(bytes, name)
  const databaseId = bytes.slice(16, 32)
  const number = readU64(bytes, 48)
  if (bytes[10] !== FILE_KIND[expected.kind]) {
    throw new CorruptionError(name, 10, `file is of another kind, kind=${bytes[10]}`)
  }
  if (number !== expected.number) {
    throw new CorruptionError(name, 48, `file carries another number, number=${number}`)
  }
  if (expected.databaseId && Buffer.compare(databaseId, expected.databaseId) !== 0) {
    throw new CorruptionError(name, 16, 'file belongs to another database')
  }
  return { kind: expected.kind, databaseId, number, salt: readU32(bytes, 56) }
}

/** Everything in a proved header that this version would have to know. */
function refuseUnknown(bytes: Uint8Array, name: string): void {
  const version = readU16(bytes, 8)
  const kind = bytes[10]!
  const cipher = bytes[11]!
  const refuseFlags = readU16(bytes, 14)
  if (version !== FORMAT_VERSION) {
    throw newerVersion(name, 8, `file is of another format, version=${version}`)
  }
  if (kind === 0 || kind > FILE_KIND.stream) {
    throw newerVersion(name, 10, `file is of an unknown kind, kind=${kind}`)
  }
  if (cipher !== 0) throw newerVersion(name, 11, `file is enciphered, cipher=${cipher}`)
  if (refuseFlags !== 0)
    throw newerVersion(name, 14, `file has unknown flags, flags=${refuseFlags}`)
}
