/**
 * One list of all places in which a newer version may have put something that this one does not know, but for tables
 * and the fields of edits. Each can plant it into the files of a store: what readers may ignore, what they must refuse.
 */
import { crc32 } from 'node:zlib'
import { addOption, proveAgain } from '../support/parts/changed-record.ts'
import {
  ALL,
  BOTH,
  type Files,
  type Half,
  MARKER,
  type ReaderName,
  sealHeader,
  seedOf,
  setFlags,
  type UnknownPart,
} from './planted-files.ts'
import { STREAM_PARTS } from './unknown-streams.ts'

const STRAY_NUMBER = 50

function headerPart(
  name: string,
  fileOf: (files: Files) => string,
  refusedBy: readonly ReaderName[],
): UnknownPart {
  return {
    name: `flags of the header of ${name}`,
    halves: BOTH,
    refusedBy,
    plant: (files, half) => {
      const file = fileOf(files)
      const bytes = files.get(file)
      setFlags(bytes, 12, half)
      sealHeader(bytes)
      return { file, offset: 14 }
    },
  }
}

/** A byte of the file header that has no half to ignore. */
function headerByte(name: string, at: number, value: number): UnknownPart {
  return {
    name,
    halves: ['refuse'],
    refusedBy: ALL,
    plant: (files) => {
      const file = files.ofKind(3, 'tail/1')
      const bytes = files.get(file)
      bytes[at] = value
      sealHeader(bytes)
      return { file, offset: at }
    },
  }
}

interface RecordPlace {
  readonly name: string
  readonly key: string
  readonly kind: number
}

export const RECORD_PLACES: readonly RecordPlace[] = [
  // The last one of the log: nothing behind it would tell that it is no torn tail.
  { name: "of the log's last record", key: 'tail/9', kind: 3 },
  { name: 'of a record in the log', key: 'tail/1', kind: 3 },
  {
    name: 'of a record that a table points to',
    key: 'sealed/1',
    kind: 3,
  },
  {
    name: 'of a record in a relocation',
    key: 'moved/1',
    kind: 5,
  },
]

/** @param change gets the file and where the record begins in it; returns the value that is left, if it is another */
export function recordPart(
  what: string,
  halves: readonly Half[],
  place: RecordPlace,
  change: (bytes: Buffer, at: number, half: Half) => Buffer | undefined,
): UnknownPart {
  return {
    name: `${what} ${place.name}`,
    halves,
    refusedBy: ALL,
    plant: (files, half) => {
      const file = files.ofKind(place.kind, place.key)
      const { offset } = files.recordOf(file, place.key)!
      const value = change(files.get(file), offset, half)
      return value === undefined
        ? { file, offset }
        : { file, offset, values: new Map([[place.key, value]]), marker: MARKER }
    },
  }
}

function withByte(index: number, value: number): (bytes: Buffer, at: number) => undefined {
  return (bytes, at) => {
    bytes[at + index] = value
    proveAgain(bytes, at)
    return undefined
  }
}

function withOption(bytes: Buffer, at: number, half: Half): Buffer {
  return addOption(bytes, at, half, MARKER)
}

function framePart(
  name: string,
  frameOf: (files: Files) => [file: string, offset: number],
): UnknownPart {
  return {
    name: `flags of ${name}`,
    halves: BOTH,
    refusedBy: ALL,
    plant: (files, half) => {
      const [file, offset] = frameOf(files)
      const bytes = files.get(file)
      const before = bytes.readUInt32LE(offset + 4)
      setFlags(bytes, offset + 36, half)
      const sum = crc32(bytes.subarray(offset + 8, offset + 64), seedOf(bytes))
      bytes.writeUInt32LE(sum, offset + 4)
      // In a manifest the checksum of the edit is bound to that of its frame.
      if (bytes[10] === 1) {
        bytes.writeUInt32LE((bytes.readUInt32LE(offset + 64) ^ before ^ sum) >>> 0, offset + 64)
      }
      return { file, offset }
    },
  }
}

function lastFrame(files: Files, file: string): [string, number] {
  return [file, files.items(file).findLast(({ what }) => what === 'frame')!.offset]
}

const relocationParts: readonly UnknownPart[] = [
  {
    name: 'flags of the footer of a relocation',
    halves: BOTH,
    refusedBy: ALL,
    plant: (files, half) => {
      const file = files.ofKind(5)
      const bytes = files.get(file)
      const footer = bytes.length - 64
      setFlags(bytes, footer + 48, half)
      bytes.writeUInt32LE(crc32(bytes.subarray(footer, footer + 52), seedOf(bytes)), footer + 52)
      return { file, offset: footer + 50 }
    },
  },
  {
    name: 'flags of a part of a relocation',
    halves: BOTH,
    refusedBy: ALL,
    plant: (files, half) => {
      const file = files.ofKind(5)
      const bytes = files.get(file)
      const footer = bytes.length - 64
      const parts = bytes.readUIntLE(footer + 16, 6)
      setFlags(bytes, parts + 4, half)
      const at = Buffer.alloc(8)
      at.writeUIntLE(parts, 0, 6)
      const sum = crc32(bytes.subarray(parts, footer - 4), crc32(at, seedOf(bytes)))
      bytes.writeUInt32LE(sum, footer - 4)
      return { file, offset: parts + 6 }
    },
  },
]

const current: UnknownPart = {
  name: 'a line of CURRENT',
  halves: BOTH,
  refusedBy: ALL,
  plant: (files, half) => {
    const text = files.get('CURRENT').toString()
    const body = text.slice(0, text.indexOf('checksum'))
    const more = `${body}${half === 'ignore' ? 'may' : 'must'} know of something\n`
    const sum = crc32(Buffer.from(more)).toString(16).padStart(8, '0')
    files.set('CURRENT', Buffer.from(`${more}checksum ${sum}\n`))
    return { file: 'CURRENT', offset: body.length }
  },
}

const currentVersion: UnknownPart = {
  name: 'the format of CURRENT',
  halves: ['refuse'],
  refusedBy: ALL,
  plant: (files) => {
    const text = files
      .get('CURRENT')
      .toString()
      .replace(/^wisc \d+/, 'wisc 3')
    const body = text.slice(0, text.indexOf('checksum'))
    const sum = crc32(Buffer.from(body)).toString(16).padStart(8, '0')
    files.set('CURRENT', Buffer.from(`${body}checksum ${sum}\n`))
    return { file: 'CURRENT', offset: 0 }
  },
}

const chain: UnknownPart = {
  name: 'flags of the chain of a segment',
  halves: BOTH,
  refusedBy: ALL,
  plant: (files, half) => {
    const file = files.ofKind(3, 'tail/1')
    const bytes = files.get(file)
    setFlags(bytes, 88, half)
    bytes.writeUInt32LE(crc32(bytes.subarray(64, 92), seedOf(bytes)), 92)
    return { file, offset: 90 }
  },
}

/** A file that no edit names: what a crash left is removed, what a newer version has made is not. */
function strayPart(name: string, change: (header: Buffer) => void, offset: number): UnknownPart {
  return {
    name: `${name} that the manifest does not name`,
    halves: ['refuse'],
    refusedBy: ['write', 'readOnly', 'verify', 'collect', 'dump', 'salvage'],
    plant: (files) => {
      const header = Buffer.from(files.get(files.ofKind(3, 'tail/1')).subarray(0, 64))
      header.writeUIntLE(STRAY_NUMBER, 48, 6)
      change(header)
      sealHeader(header)
      const file = `0000${STRAY_NUMBER}.vlog`
      files.set(file, header)
      return { file, offset }
    },
  }
}

const strays: readonly UnknownPart[] = [
  strayPart('a segment with flags', (header) => setFlags(header, 12, 'refuse'), 14),
  strayPart('a file of a later kind', (header) => header.writeUInt8(7, 10), 10),
]

/** Behind a frame that a crash has torn, where everything else is a torn tail. */
const behindDamage: readonly UnknownPart[] = [
  framePart('a frame behind the torn one', (files) => lastFrame(files, files.ofKind(3, 'tail/9'))),
  framePart('a frame behind a torn one of the manifest', (files) => {
    tear(files, files.ofKind(1))
    return lastFrame(files, files.ofKind(1))
  }),
  recordPart(
    'kind',
    ['refuse'],
    { ...RECORD_PLACES[0]!, name: 'of a record behind a torn frame' },
    withByte(8, 5),
  ),
].map((part) => ({
  ...part,
  halves: ['refuse'] as const,
  plant: (files: Files, half: Half) => {
    tear(files, files.ofKind(3, 'tail/9'))
    return part.plant(files, half)
  },
}))

/** Damages the last frame but one, of which nobody says that it was durable. */
function tear(files: Files, file: string): void {
  const frames = files.items(file).filter(({ what }) => what === 'frame')
  files.get(file)[frames.at(-2)!.offset + 20]! ^= 1
}

export const UNKNOWN_PARTS: readonly UnknownPart[] = [
  current,
  currentVersion,
  headerPart('the manifest', (files) => files.ofKind(1), ALL),
  headerPart('a table', (files) => files.ofKind(2), ALL),
  headerPart('a segment in use', (files) => files.ofKind(3, 'tail/1'), ALL),
  headerPart('a sealed segment', (files) => files.ofKind(3, 'sealed/1'), ALL),
  headerPart('a relocation', (files) => files.ofKind(5), ALL),
  headerPart('a stream', (files) => files.ofKind(6), ALL),
  headerPart('BALLAST', () => 'BALLAST', ['write', 'collect', 'dump']),
  headerByte('the format of a file', 8, 3),
  headerByte('a kind of files', 10, 7),
  headerByte('a cipher of the store', 11, 1),
  chain,
  framePart('a frame of the log', (files) => {
    const file = files.ofKind(3, 'tail/1')
    return [file, files.first(file, 'frame').offset]
  }),
  framePart('the last frame of the log', (files) => lastFrame(files, files.ofKind(3, 'tail/9'))),
  framePart('the last frame of the manifest', (files) => lastFrame(files, files.ofKind(1))),
  ...relocationParts,
  ...STREAM_PARTS,
  ...RECORD_PLACES.flatMap((place) => [
    recordPart('an optional field', BOTH, place, withOption),
    recordPart('a reserved kind', ['refuse'], place, withByte(8, 5)),
    recordPart('a codec', ['refuse'], place, withByte(9, 2)),
  ]),
  recordPart('an unknown kind', ['refuse'], RECORD_PLACES[0]!, withByte(8, 200)),
  ...strays,
  ...behindDamage,
]
