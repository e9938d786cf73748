/**
 * The bytes of version edits in the manifest.
 *
 *   edit      := field*                   in ascending order of tags; only tags marked * may repeat
 *   field     := varint tag, varint length, length bytes
 *   extension := varint tag, varint length, length bytes      ascending, each tag at most once
 *
 *   tag  bytes (all numbers are varints)
 *     2  nextFileNumber
 *     4  lastSequence
 *     6  checkpoint        ordinal, offset
 *     8  durable           ordinal, offset
 *    10  cleanEnd          ordinal, offset
 *    12  continues         nothing
 *    14  evictedBelow      a sequence
 *    16  timeFloor: reserved, unknown to this version
 *    18* removed table     number
 *    20* added table       level, runId, number, bytes, entries, tombstones, pointedBytes,
 *                          smallestSequence, largestSequence, smallestKeyLength, smallestKey,
 *                          largestKeyLength, largestKey, extension*: 24 largestExclusive, nothing
 *                                                                    26 fragments
 *    22* removed segment   number
 *    24* added file        number, salt, role, and by its role
 *                            0 log:         ordinal
 *                            1 relocation:  length, parts, and for each part: segment, records, bytes
 *                            2 stream:      length
 *                          extension*
 *    26* sealed file       number, length, lastSequence
 *
 * DO NOT CHANGE: tags are on disk. An unknown even tag, of a field or an extension, makes the edit unreadable
 * (WISC_FORMAT_VERSION), an unknown odd one is skipped. A field's bytes must be used up exactly.
 * Rules: lib/tree/FORMAT.md, section 3.
 */
import { CorruptionError, newerVersion } from '../../base/errors.ts'
import { nextField } from '../../base/fields.ts'
import { FILE_BYTES_MAX, FILE_NUMBER_MAX } from '../../base/ids.ts'
import type { LogPosition } from '../../base/log-position.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import { VARINT_BYTES_MAX, VarintReader, varintLength, writeVarint } from '../../base/varint.ts'
import { KEY_BYTES_MAX, type TableMeta } from '../entry.ts'
import { isInOrder } from '../key-span.ts'
import {
  type AddedFile,
  type AddedTable,
  type FileSeal,
  LEVELS_MAX,
  type VersionEdit,
} from './version-edit.ts'

const TAG = {
  nextFileNumber: 2,
  lastSequence: 4,
  checkpoint: 6,
  durable: 8,
  cleanEnd: 10,
  continues: 12,
  evictedBelow: 14,
  removedTable: 18,
  addedTable: 20,
  removedSegment: 22,
  addedFile: 24,
  sealedFile: 26,
} as const
/** Of an added table. */
const EXTENSION = { largestExclusive: 24, fragments: 26 } as const
const FIRST_REPEATED_TAG = TAG.removedTable
const ROLE = { log: 0, relocation: 1, stream: 2 } as const
/** More varints than the fields have that are no lists, lengths of keys included. */
const FIELD_VARINTS = 24

export function encodeVersionEdit(edit: VersionEdit): Uint8Array {
  const writer = new FieldWriter()
  if (edit.nextFileNumber !== undefined) writer.number(TAG.nextFileNumber, edit.nextFileNumber)
  if (edit.lastSequence !== undefined) writer.number(TAG.lastSequence, edit.lastSequence)
  if (edit.checkpoint) writer.position(TAG.checkpoint, edit.checkpoint)
  if (edit.durable) writer.position(TAG.durable, edit.durable)
  if (edit.cleanEnd) writer.position(TAG.cleanEnd, edit.cleanEnd)
  if (edit.continues) writer.nothing(TAG.continues)
  if (edit.evictedBelow !== undefined) writer.number(TAG.evictedBelow, edit.evictedBelow)
  for (const number of edit.removedTables ?? []) writer.number(TAG.removedTable, number)
  for (const table of edit.addedTables ?? []) writer.addedTable(table)
  for (const number of edit.removedSegments ?? []) writer.number(TAG.removedSegment, number)
  for (const file of edit.addedFiles ?? []) writer.addedFile(file)
  for (const seal of edit.sealedFiles ?? []) writer.fileSeal(seal)
  return writer.finish()
}

/** Writes each field in its place, behind room for a length of one byte, which is what nearly all of them have. */
class FieldWriter {
  #bytes = new Uint8Array(1024)
  #at = 0
  /** Where the content of the field begins. */
  #start = 0

  nothing(tag: number): void {
    this.#begin(tag)
    this.#end()
  }

  number(tag: number, number: number): void {
    this.#begin(tag)
    this.#varint(number)
    this.#end()
  }

  position(tag: number, { ordinal, offset }: LogPosition): void {
    this.#begin(tag)
    this.#varint(ordinal)
    this.#varint(offset)
    this.#end()
  }

  fileSeal({ number, length, lastSequence }: FileSeal): void {
    this.#begin(TAG.sealedFile)
    this.#varint(number)
    this.#varint(length)
    this.#varint(lastSequence)
    this.#end()
  }

  addedTable({ level, runId, meta }: AddedTable): void {
    const { smallestKey, largestKey } = meta
    this.#begin(TAG.addedTable, smallestKey.length + largestKey.length)
    this.#varint(level)
    this.#varint(runId)
    this.#varint(meta.number)
    this.#varint(meta.bytes)
    this.#varint(meta.entries)
    this.#varint(meta.tombstones)
    this.#varint(meta.pointedBytes)
    this.#varint(meta.smallestSequence)
    this.#varint(meta.largestSequence)
    this.#key(smallestKey)
    this.#key(largestKey)
    if (meta.largestExclusive) this.#extension(EXTENSION.largestExclusive, undefined)
    if (meta.fragments > 0) this.#extension(EXTENSION.fragments, meta.fragments)
    this.#end()
  }

  addedFile(file: AddedFile): void {
    const parts = file.role === 'relocation' ? file.parts : []
    this.#begin(TAG.addedFile, 3 * VARINT_BYTES_MAX * parts.length)
    this.#varint(file.number)
    this.#varint(file.salt)
    this.#varint(ROLE[file.role])
    if (file.role === 'log') this.#varint(file.ordinal)
    else this.#varint(file.length)
    if (file.role === 'relocation') {
      this.#varint(parts.length)
      for (const { segment, records, bytes } of parts) {
        this.#varint(segment)
        this.#varint(records)
        this.#varint(bytes)
      }
    }
    this.#end()
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  /** @param listBytes what keys and parts take at most */
  #begin(tag: number, listBytes = 0): void {
    this.#reserve(FIELD_VARINTS * VARINT_BYTES_MAX + listBytes)
    this.#varint(tag)
    this.#start = ++this.#at
  }

  #varint(value: number): void {
    this.#at = writeVarint(this.#bytes, this.#at, value)
  }

  #extension(tag: number, value: number | undefined): void {
    this.#varint(tag)
    this.#varint(value === undefined ? 0 : varintLength(value))
    if (value !== undefined) this.#varint(value)
  }

  #key(key: Uint8Array): void {
    this.#varint(key.length)
    this.#bytes.set(key, this.#at)
    this.#at += key.length
  }

  #end(): void {
    const start = this.#start
    const length = this.#at - start
    const more = varintLength(length) - 1
    if (more > 0) this.#bytes.copyWithin(start + more, start, this.#at)
    writeVarint(this.#bytes, start - 1, length)
    this.#at += more
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * The edit in these bytes, which lie at `offset` of `file` (for messages). Keys are copied.
 * @throws CorruptionError, or WISC_FORMAT_VERSION for what this version must not ignore
 */
export function decodeVersionEdit(bytes: Uint8Array, file: string, offset: number): VersionEdit {
  const reader = new VarintReader(bytes)
  const field = new EditFieldReader(reader)
  const edit: Mutable<VersionEdit> = {}
  const removedTables: number[] = []
  const addedTables: AddedTable[] = []
  const removedSegments: number[] = []
  const addedFiles: AddedFile[] = []
  const sealedFiles: FileSeal[] = []
  let previousTag = 0
  while (reader.at < bytes.length) {
    const at = offset + reader.at
    const tag = reader.next()
    const fieldBytes = reader.next()
    if (reader.failed || fieldBytes > bytes.length - reader.at) {
      throw new CorruptionError(file, at, 'field of a version edit is cut off')
    }
    if (tag < previousTag || (tag === previousTag && tag < FIRST_REPEATED_TAG)) {
      throw new CorruptionError(file, at, `field of a version edit out of order, tag=${tag}`)
    }
    previousTag = tag
    reader.end = reader.at + fieldBytes
    if (tag === TAG.nextFileNumber) edit.nextFileNumber = field.number(FILE_NUMBER_MAX)
    else if (tag === TAG.lastSequence) edit.lastSequence = field.number()
    else if (tag === TAG.checkpoint) edit.checkpoint = field.position()
    else if (tag === TAG.durable) edit.durable = field.position()
    else if (tag === TAG.cleanEnd) edit.cleanEnd = field.position()
    else if (tag === TAG.continues) edit.continues = true
    else if (tag === TAG.evictedBelow) edit.evictedBelow = field.number()
    else if (tag === TAG.removedTable) removedTables.push(field.fileNumber())
    else if (tag === TAG.addedTable) addedTables.push(field.addedTable())
    else if (tag === TAG.removedSegment) removedSegments.push(field.fileNumber())
    else if (tag === TAG.addedFile) field.addedFile(addedFiles)
    else if (tag === TAG.sealedFile) sealedFiles.push(field.fileSeal())
    else if (tag % 2 === 1) reader.at = reader.end
    else throw newerVersion(file, at, `version edit has an unknown field, tag=${tag}`)
    if (field.refused) throw newerVersion(file, at, `version edit has ${field.refused}`)
    if (!field.isUsedUp) {
      throw new CorruptionError(file, at, `field of a version edit is malformed, tag=${tag}`)
    }
    reader.end = bytes.length
  }
  if (removedTables.length > 0) edit.removedTables = removedTables
  if (addedTables.length > 0) edit.addedTables = addedTables
  if (removedSegments.length > 0) edit.removedSegments = removedSegments
  if (addedFiles.length > 0) edit.addedFiles = addedFiles
  if (sealedFiles.length > 0) edit.sealedFiles = sealedFiles
  return edit
}

/** Reads one field after the other. What is out of its limits fails it; the caller asks once, by `isUsedUp`. */
class EditFieldReader {
  readonly #reader: VarintReader
  /** What this version must not ignore. */
  refused: string | undefined

  constructor(reader: VarintReader) {
    this.#reader = reader
  }

  /** True if nothing failed and no byte is left. */
  get isUsedUp(): boolean {
    return !this.#reader.failed && this.#reader.at === this.#reader.end
  }

  number(max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#reader.next()
    this.#require(value <= max)
    return value
  }

  fileNumber(): number {
    const value = this.number(FILE_NUMBER_MAX)
    this.#require(value > 0)
    return value
  }

  position(): LogPosition {
    return { ordinal: this.number(FILE_NUMBER_MAX), offset: this.number(FILE_BYTES_MAX) }
  }

  fileSeal(): FileSeal {
    const number = this.fileNumber()
    return { number, length: this.number(FILE_BYTES_MAX), lastSequence: this.number() }
  }

  addedFile(files: AddedFile[]): void {
    const number = this.fileNumber()
    const salt = this.number(2 ** 32 - 1)
    const role = this.number()
    if (role === ROLE.log) {
      const ordinal = this.fileNumber()
      files.push({ role: 'log', number, salt, ordinal })
    } else if (role === ROLE.relocation) {
      const length = this.number(FILE_BYTES_MAX)
      files.push({ role: 'relocation', number, salt, length, parts: this.#parts() })
    } else if (role === ROLE.stream) {
      files.push({ role: 'stream', number, salt, length: this.number(FILE_BYTES_MAX) })
    } else {
      this.refused ??= `a file of an unknown role, role=${role}`
      return
    }
    this.#extensions()
  }

  #parts(): SegmentRecords[] {
    const count = this.number()
    const parts: SegmentRecords[] = []
    // Not `count` alone: each part takes bytes, and there are only so many.
    while (parts.length < count && !this.#reader.failed) {
      const segment = this.fileNumber()
      this.#require(segment > (parts.at(-1)?.segment ?? 0))
      parts.push({ segment, records: this.number(), bytes: this.number() })
    }
    return parts
  }

  /** To the end of the field. What is not known, it refuses if it is even. @param take takes those that are known */
  #extensions(take: (tag: number, content: VarintReader) => boolean = () => false): void {
    const reader = this.#reader
    for (let previous = 0; !reader.failed && reader.at < reader.end; ) {
      const { tag, start, end } = nextField(reader, previous)
      previous = tag
      if (reader.failed || take(tag, new VarintReader(reader.bytes, start, end))) continue
      if (tag % 2 === 0) this.refused ??= `an unknown extension, tag=${tag}`
    }
  }

  addedTable(): AddedTable {
    const level = this.number(LEVELS_MAX - 1)
    const runId = this.fileNumber()
    const number = this.fileNumber()
    const bytes = this.number(FILE_BYTES_MAX)
    const entries = this.number()
    const tombstones = this.number(entries)
    const pointedBytes = this.number()
    const smallestSequence = this.number()
    const largestSequence = this.number()
    const smallestKey = this.#key()
    const largestKey = this.#key()
    let largestExclusive = false
    let fragments = 0
    this.#extensions((tag, content) => {
      if (tag === EXTENSION.largestExclusive) largestExclusive = true
      else if (tag === EXTENSION.fragments) fragments = content.next()
      else return false
      this.#require(!content.failed && content.at === content.end)
      return true
    })
    this.#require(entries + fragments > 0 && smallestSequence <= largestSequence)
    this.#require(isInOrder({ smallestKey, largestKey, largestExclusive }))
    const meta: TableMeta = {
      number,
      bytes,
      entries,
      tombstones,
      pointedBytes,
      smallestSequence,
      largestSequence,
      smallestKey,
      largestKey,
      largestExclusive,
      fragments,
    }
    return { level, runId, meta }
  }

  #key(): Uint8Array {
    const length = this.number(KEY_BYTES_MAX)
    const { bytes, at } = this.#reader
    // A copy of its own: what was read belongs to the caller. `nextBytes` refuses what is not there.
    const key = new Uint8Array(this.#reader.failed ? 0 : this.#reader.nextBytes(length).length)
    for (let i = 0; i < key.length; i++) key[i] = bytes[at + i]!
    return key
  }

  #require(condition: boolean): void {
    if (!condition) this.#reader.failed = true
  }
}
