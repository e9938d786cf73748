/** File headers: round trip, each damaged byte refused with its place, files that belong elsewhere refused. */

import { expect, test } from 'vitest'
import { crc32From } from '#dist/lib/base/checksum.js'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import {
  FILE_HEADER_BYTES,
  FILE_KIND,
  type FileIdentity,
  type FileKind,
  FORMAT_VERSION,
  readFileHeader,
  writeFileHeader,
} from '#dist/lib/base/files/file-header.js'

const NAME = '000012.vlog'
const IDENTITY: FileIdentity = {
  kind: 'segment',
  databaseId: Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i),
  number: 2 ** 32 - 1,
  salt: 0xfedcba98,
}

function headerBytes(): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES)
  writeFileHeader(bytes, 0, IDENTITY)
  return bytes
}

/** Sets a byte and makes the checksum right again, as a writer of another version would. */
function forgedBytes(at: number, value: number): Uint8Array {
  const bytes = headerBytes()
  bytes[at] = value
  new DataView(bytes.buffer).setUint32(60, crc32From(0, bytes.subarray(0, 60)), true)
  return bytes
}

function errorOf(bytes: Uint8Array, expected: Partial<FileIdentity> = {}): WiscError {
  try {
    readFileHeader(bytes, NAME, { ...IDENTITY, ...expected })
  } catch (error) {
    expect(error).toBeInstanceOf(WiscError)
    return error as WiscError
  }
  return expect.fail('not refused')
}

test('what is written is read back, for each kind', () => {
  for (const kind of Object.keys(FILE_KIND) as FileKind[]) {
    const identity = { ...IDENTITY, kind }
    const bytes = new Uint8Array(FILE_HEADER_BYTES + 8).fill(0xee)
    writeFileHeader(bytes, 4, identity)
    const header = bytes.subarray(4)
    expect(readFileHeader(header, NAME, identity)).toEqual(identity)
    expect(readFileHeader(header, NAME, { ...identity, databaseId: undefined })).toEqual(identity)
  }
})

test('each flipped bit is refused with the name of the file', () => {
  const bytes = headerBytes()
  for (let bit = 0; bit < FILE_HEADER_BYTES * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    const error = errorOf(bytes)
    expect(error, `bit=${bit}`).toBeInstanceOf(CorruptionError)
    expect((error as CorruptionError).file).toBe(NAME)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
})

test('a header that is cut off is refused at each length', () => {
  for (let length = 0; length < FILE_HEADER_BYTES; length++) {
    expect(errorOf(headerBytes().subarray(0, length)).code).toBe('WISC_CORRUPTION')
  }
})

test('a file of another kind, number or database is refused, with the place', () => {
  const databaseId = new Uint8Array(16)
  for (const [expected, offset] of [
    [{ kind: 'table' }, 10],
    [{ number: 12 }, 48],
    [{ databaseId }, 16],
  ] as const) {
    expect(errorOf(headerBytes(), expected)).toMatchObject({ code: 'WISC_CORRUPTION', offset })
  }
})

test('a newer version and unknown flags that refuse are named, those to ignore are ignored', () => {
  expect(errorOf(forgedBytes(8, FORMAT_VERSION + 1)).code).toBe('WISC_FORMAT_VERSION')
  expect(errorOf(forgedBytes(14, 1)).code).toBe('WISC_FORMAT_VERSION')
  expect(errorOf(forgedBytes(15, 0x80)).code).toBe('WISC_FORMAT_VERSION')
  expect(readFileHeader(forgedBytes(12, 1), NAME, IDENTITY)).toEqual(IDENTITY)
})
