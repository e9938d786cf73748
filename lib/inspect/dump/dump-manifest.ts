/** The items of a manifest (lib/tree/FORMAT.md, section 3): frames, and the fields of the edits in them. */
import { readU32 } from '../../base/bytes.ts'
import { checksum } from '../../base/checksum.ts'
import type { WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  frameSeed,
  readFrameHeader,
  unknownFrame,
} from '../../base/files/frame.ts'
import { EDIT_OVERHEAD_BYTES } from '../../tree/version/manifest.ts'
import { decodeVersionEdit } from '../../tree/version/version-edit-format.ts'
import { type DumpContext, readRange } from './dump-context.ts'
import { readFrame } from './dump-log.ts'
import { errorFrom, errorItem, headerItems } from './file-identity.ts'
import { damageItem, FieldReader, type Item } from './items.ts'

/** The field of an edit that has a tag, and its numbers. Keys and parts follow them. */
const FIELDS: Readonly<Record<number, readonly [name: string, ...numbers: string[]]>> = {
  2: ['nextFileNumber', 'number'],
  4: ['lastSequence', 'sequence'],
  6: ['checkpoint', 'ordinal', 'offset'],
  8: ['durable', 'ordinal', 'offset'],
  10: ['cleanEnd', 'ordinal', 'offset'],
  12: ['continues'],
  14: ['evictedBelow', 'sequence'],
  18: ['removedTable', 'number'],
  20: [
    'addedTable',
    'level',
    'runId',
    'number',
    'bytes',
    'entries',
    'tombstones',
    'pointedBytes',
    'smallestSequence',
    'largestSequence',
  ],
  22: ['removedSegment', 'number'],
  24: ['addedFile', 'number', 'salt'],
  26: ['sealedFile', 'number', 'length', 'lastSequence'],
}
const ADDED_TABLE = 20
const ADDED_FILE = 24
const LOG_ROLE = 0
const RELOCATION_ROLE = 1
const STREAM_ROLE = 2

export function* dumpManifest(
  context: DumpContext,
  identity: FileIdentity,
  error: WiscError | undefined,
): Generator<Item> {
  const { file, name, start, size } = context
  // Read as a whole, as the store does.
  const bytes = readRange(file, start, size - start)
  const seed = frameSeed(identity)
  let at = 0
  if (start === 0) {
    yield* headerItems(bytes.subarray(0, FILE_HEADER_BYTES), error)
    at = Math.min(FILE_HEADER_BYTES, bytes.length)
  }
  while (at < bytes.length) {
    const frame = readFrameHeader(bytes, at, seed, start + at)
    if (frame === undefined || frame.length < EDIT_OVERHEAD_BYTES) {
      const next = nextFrame(bytes, seed, start, at + 1)
      yield damageItem(start + at, start + next, 'no valid frame')
      at = next
      continue
    }
    const end = Math.min(at + frame.length, bytes.length)
    const header = readFrame(bytes.subarray(at, end), start + at)
    header.hex32('editChecksum')
    yield header.item('frame', end - at)
    if (frame.refuseFlags !== 0) {
      yield errorItem(unknownFrame(name, frame), start + at, start + end)
      at = end
      continue
    }
    const edit = bytes.subarray(at + EDIT_OVERHEAD_BYTES, end)
    if (at + frame.length > bytes.length) {
      yield damageItem(start + end, start + end, 'frame is cut off')
      return
    }
    const sum = (checksum(edit) ^ readU32(bytes, at + 4)) >>> 0
    if (sum === readU32(bytes, at + FRAME_HEADER_BYTES)) {
      const offset = start + at + EDIT_OVERHEAD_BYTES
      const items = [...editItems(edit, offset)]
      yield* items
      // What the store would not take, though its fields can be shown.
      const wrong = errorFrom(() => decodeVersionEdit(edit, name, offset))
      if (wrong && !items.some(({ damage }) => damage)) yield errorItem(wrong, offset, start + end)
    } else {
      yield damageItem(start + at + FRAME_HEADER_BYTES, start + end, 'edit checksum mismatch')
    }
    at = end
  }
}

function nextFrame(bytes: Uint8Array, seed: number, start: number, from: number): number {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = haystack.indexOf(FRAME_MAGIC, from); at >= 0; ) {
    if (readFrameHeader(bytes, at, seed, start + at) !== undefined) return at
    at = haystack.indexOf(FRAME_MAGIC, at + 1)
  }
  return bytes.length
}

function* editItems(edit: Uint8Array, offset: number): Generator<Item> {
  for (let at = 0; at < edit.length; ) {
    const head = new FieldReader(edit, at, offset + at)
    const tag = head.varint('tag', true)
    const length = head.varint('length', true)
    const end = head.at + length
    if (head.failed || end > edit.length) {
      yield damageItem(offset + at, offset + edit.length, 'field of a version edit is cut off')
      return
    }
    const reader = new FieldReader(edit.subarray(0, end), at, offset + at)
    reader.varint('tag', true)
    reader.varint('length', true)
    const [name, ...numbers] = FIELDS[tag] ?? ['unknownField']
    for (const number of numbers) reader.varint(number)
    if (tag === ADDED_TABLE) {
      reader.bytes('smallestKey', reader.varint('smallestKeyLength', true))
      reader.bytes('largestKey', reader.varint('largestKeyLength', true))
    }
    const isKnown = tag === ADDED_TABLE || (tag === ADDED_FILE && readAddedFile(reader))
    if (isKnown) readExtensions(reader)
    if (reader.left > 0) reader.hex('unknown', reader.left, false)
    yield reader.item(name, end - at)
    if (reader.failed) {
      yield damageItem(offset + at, offset + end, 'field of a version edit is malformed')
    }
    at = end
  }
}

/** What an added file has behind number and salt. @returns false if its role is not known, nor what follows */
function readAddedFile(reader: FieldReader): boolean {
  const role = reader.varint('role')
  if (role === LOG_ROLE) reader.varint('ordinal')
  else if (role === RELOCATION_ROLE || role === STREAM_ROLE) reader.varint('length')
  else return false
  if (role !== RELOCATION_ROLE) return true
  for (let parts = reader.varint('parts'); parts > 0 && reader.left > 0; parts--) {
    for (const number of ['segment', 'records', 'bytes']) reader.varint(`part.${number}`)
  }
  return true
}

function readExtensions(reader: FieldReader): void {
  while (reader.left > 0 && !reader.failed) {
    const tag = reader.varint('extension')
    reader.hex(
      `extension.${tag}`,
      Math.min(reader.varint('extensionLength', true), reader.left),
      false,
    )
  }
}
