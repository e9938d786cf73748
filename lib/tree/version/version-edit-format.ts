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
 *    14  evictedBelow, 16 timeFloor: reserved, unknown to this version
 *    18* removed table     number
 *    20* added table       level, runId, number, bytes, entries, tombstones, pointedBytes,
 *                          smallestSequence, largestSequence, smallestKeyLength, smallestKey,
 *                          largestKeyLength, largestKey, extension*
 *    22* removed segment   number
 *    24* added file        number, salt, role, and by its role
 *                            0 log:         ordinal
 *                            1 relocation:  length, parts, and for each part: segment, records, bytes
 *                            2 stream:      reserved, refused by this version
 *                          extension*
 *    26* sealed file       number, length, lastSequence
 *
 * DO NOT CHANGE: tags are on disk. An unknown even tag, of a field or an extension, makes the edit unreadable
 * (WISC_FORMAT_VERSION), an unknown odd one is skipped. A field's bytes must be used up exactly.
 * Rules: lib/tree/FORMAT.md, section 3.
 */
import { compareBytes } from '../../base/bytes.ts'
import { CorruptionError, newerVersion } from '../../base/errors.ts'
import { FILE_BYTES_MAX, FILE_NUMBER_MAX } from '../../base/ids.ts'
import type { LogPosition } from '../../base/log-position.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import { VARINT_BYTES_MAX, VarintReader, writeVarint } from '../../base/varint.ts'
import { KEY_BYTES_MAX } from '../entry.ts'
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
  removedTable: 18,
  addedTable: 20,
  removedSegment: 22,
  addedFile: 24,
  sealedFile: 26,
} as const
const FIRST_REPEATED_TAG = TAG.removedTable
const ROLE = { log: 0, relocation: 1 } as const
/** Varints of an added table, beside the lengths of its keys. */
const FIELD_VARINTS = 11

export function encodeVersionEdit(edit: VersionEdit): Uint8Array {
  const writer = new FieldWriter()
  if (edit.nextFileNumber !== undefined) writer.field(TAG.nextFileNumber, [edit.nextFileNumber])
  if (edit.lastSequence !== undefined) writer.field(TAG.lastSequence, [edit.lastSequence])
  if (edit.checkpoint) writer.position(TAG.checkpoint, edit.checkpoint)
  if (edit.durable) writer.position(TAG.durable, edit.durable)
  if (edit.cleanEnd) writer.position(TAG.cleanEnd, edit.cleanEnd)
  if (edit.continues) writer.field(TAG.continues, [])
  for (const number of edit.removedTables ?? []) writer.field(TAG.removedTable, [number])
  for (const table of edit.addedTables ?? []) writer.addedTable(table)
  for (const number of edit.removedSegments ?? []) writer.field(TAG.removedSegment, [number])
  for (const file of edit.addedFiles ?? []) writer.addedFile(file)
  for (const { number, length, lastSequence } of edit.sealedFiles ?? []) {
    writer.field(TAG.sealedFile, [number, length, lastSequence])
  }
  return writer.finish()
}

class FieldWriter {
  #bytes = new Uint8Array(1024)
  #length = 0
  #field = new Uint8Array(FIELD_VARINTS * VARINT_BYTES_MAX)

  position(tag: number, position: LogPosition): void {
    this.field(tag, [position.ordinal, position.offset])
  }

  addedTable({ level, runId, meta }: AddedTable): void {
    const { number, bytes, entries, tombstones, pointedBytes } = meta
    const counts = [number, bytes, entries, tombstones, pointedBytes]
    const numbers = [level, runId, ...counts, meta.smallestSequence, meta.largestSequence]
    this.field(TAG.addedTable, numbers, meta.smallestKey, meta.largestKey)
  }

  addedFile(file: AddedFile): void {
    const numbers = [file.number, file.salt, ROLE[file.role]]
    if (file.role === 'log') numbers.push(file.ordinal)
    else {
      numbers.push(file.length, file.parts.length)
      for (const { segment, records, bytes } of file.parts) numbers.push(segment, records, bytes)
    }
    this.field(TAG.addedFile, numbers)
  }

  field(tag: number, numbers: readonly number[], ...keys: readonly Uint8Array[]): void {
    let keyBytes = 0
    for (const key of keys) keyBytes += key.length
    const needed = (numbers.length + keys.length) * VARINT_BYTES_MAX + keyBytes
    if (this.#field.length < needed) this.#field = new Uint8Array(needed)
    let at = 0
    for (const number of numbers) at = writeVarint(this.#field, at, number)
    for (const key of keys) {
      at = writeVarint(this.#field, at, key.length)
      this.#field.set(key, at)
      at += key.length
    }
    this.#reserve(at + 2 * VARINT_BYTES_MAX)
    this.#length = writeVarint(this.#bytes, this.#length, tag)
    this.#length = writeVarint(this.#bytes, this.#length, at)
    this.#bytes.set(this.#field.subarray(0, at), this.#length)
    this.#length += at
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(length: number): void {
    if (this.#length + length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length))
    larger.set(this.#bytes.subarray(0, this.#length))
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
  const edit: Mutable<VersionEdit> = {}
  const lists = {
    removedTables: [] as number[],
    addedTables: [] as AddedTable[],
    removedSegments: [] as number[],
    addedFiles: [] as AddedFile[],
    sealedFiles: [] as FileSeal[],
  }
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
    const field = new EditFieldReader(new VarintReader(bytes, reader.at, reader.at + fieldBytes))
    reader.at += fieldBytes
    if (tag === TAG.nextFileNumber) edit.nextFileNumber = field.number(FILE_NUMBER_MAX)
    else if (tag === TAG.lastSequence) edit.lastSequence = field.number()
    else if (tag === TAG.checkpoint) edit.checkpoint = field.position()
    else if (tag === TAG.durable) edit.durable = field.position()
    else if (tag === TAG.cleanEnd) edit.cleanEnd = field.position()
    else if (tag === TAG.continues) edit.continues = true
    else if (tag === TAG.removedTable) lists.removedTables.push(field.fileNumber())
    else if (tag === TAG.addedTable) lists.addedTables.push(field.addedTable())
    else if (tag === TAG.removedSegment) lists.removedSegments.push(field.fileNumber())
    else if (tag === TAG.addedFile) field.addedFile(lists.addedFiles)
    else if (tag === TAG.sealedFile) lists.sealedFiles.push(field.fileSeal())
    else if (tag % 2 === 1) continue
    else throw newerVersion(file, at, `version edit has an unknown field, tag=${tag}`)
    if (field.refused) throw newerVersion(file, at, `version edit has ${field.refused}`)
    if (!field.isUsedUp) {
      throw new CorruptionError(file, at, `field of a version edit is malformed, tag=${tag}`)
    }
  }
  for (const [name, list] of Object.entries(lists)) {
    if (list.length > 0) Object.assign(edit, { [name]: list })
  }
  return edit
}

/** Reads one field. What is out of its limits fails it; the caller asks once, by `isUsedUp`. */
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

  /** To the end of the field. This version knows none, so it refuses the even ones. */
  #extensions(): void {
    let previous = 0
    while (!this.#reader.failed && this.#reader.at < this.#reader.end) {
      const tag = this.#reader.next()
      const length = this.#reader.next()
      this.#require(tag > previous)
      this.#reader.nextBytes(this.#reader.failed ? 0 : length)
      previous = tag
      if (tag % 2 === 0 && !this.#reader.failed) this.refused ??= `an unknown extension, tag=${tag}`
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
    this.#extensions()
    this.#require(entries > 0 && smallestSequence <= largestSequence)
    this.#require(compareBytes(smallestKey, largestKey) <= 0)
    const counts = { number, bytes, entries, tombstones, pointedBytes }
    const meta = { ...counts, smallestSequence, largestSequence, smallestKey, largestKey }
    return { level, runId, meta }
  }

  #key(): Uint8Array {
    const length = this.number(KEY_BYTES_MAX)
    // A copy of its own: what was read belongs to the caller, and a Buffer's slice would be a view.
    return new Uint8Array(this.#reader.nextBytes(this.#reader.failed ? 0 : length))
  }

  #require(condition: boolean): void {
    if (!condition) this.#reader.failed = true
  }
}
