/**
 * Copies the live records of victims, in key order, to a relocation.
 *
 * Each is read, proved with all its checksums, and held against what is known of it, before it is
 * written: what is copied lives on under checksums that call it right. Memory is constant: a large
 * record goes piece by piece. Data plane: nothing is allocated for a record but the views that are
 * hashed.
 */
import { compareRange, readU32, readU64 } from '../../lib/base/bytes.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import { keepUntilNext } from '../../lib/base/kept.ts'
import {
  firstPieceSum,
  proveRecord,
  proveRecordHead,
  RECORD_KIND,
  type RecordHeader,
  readRecordHeader,
  storedLengthOf,
  unknownRecord,
  valueMismatch,
} from '../record.ts'
import { isPointed } from '../record-pointer.ts'
import type { RelocationWriter } from '../relocation/relocation-writer.ts'
import { ChunkList, tableBytes, VALUE_CHUNK_BYTES } from '../value-chunks.ts'
import { BATCHED_RECORD_BYTES_MAX, RecordBatch } from './record-batch.ts'
import type { CollectorPorts } from './victim.ts'
import type { VictimFiles } from './victim-files.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import type { VictimRecords } from './victim-records.ts'

/** What a slice writes, at most: a millisecond or two. */
const SLICE_BYTES = 1024 * 1024
const SLICE_RECORDS = 1024
/** Pieces of a large record: whole chunks of its value, of so many bytes at most. */
const PIECE_BYTES: number = 16 * VALUE_CHUNK_BYTES

/**
 * Copies all that live. Yields the bytes that each slice read or wrote.
 * @throws CorruptionError if a record is not whole or not the one that an entry points at, IoError
 */
export function* copyRecords(
  records: VictimRecords,
  files: VictimFiles,
  writer: RelocationWriter,
  progress?: CollectorPorts['progress'],
): Generator<number, void> {
  const batch = new RecordBatch(records, files)
  const copy = new RecordCopy(records, files, writer)
  keepUntilNext('copy of records', { records, files, writer, batch, copy })
  try {
    for (let position = 0; position < records.count; ) {
      progress?.(position / records.count)
      position = batch.gather(position)
      yield* batch.readSlices()
      for (let i = 0; i < batch.count; ) {
        const end = sliceEnd(batch, i)
        yield copy.writeSome(batch, i, end)
        i = end
      }
      if (copy.isLarge(position)) yield* copy.largeSlices(position++, batch.buffer)
    }
  } finally {
    batch.close()
  }
}

/** Where a slice ends that begins with record i of a batch. */
function sliceEnd({ count, lengths }: RecordBatch, i: number): number {
  let bytes = 0
  let end = i
  while (end < count && end - i < SLICE_RECORDS && bytes < SLICE_BYTES) bytes += lengths[end++]!
  return end
}

class RecordCopy {
  readonly #records: VictimRecords
  readonly #files: VictimFiles
  readonly #writer: RelocationWriter
  /** The record at hand, and the header that it has if it is plain: one chunk, without optional fields. */
  readonly #record: VictimRecord = emptyVictimRecord()
  readonly #header: { -readonly [Field in keyof RecordHeader]: RecordHeader[Field] } = {
    kind: RECORD_KIND.put,
    codec: 0,
    refuseFlags: 0,
    optionBytes: 0,
    keyLength: 0,
    sequence: 0,
    storedLength: 0,
    rawLength: 0,
    headBytes: 0,
    length: 0,
  }

  constructor(records: VictimRecords, files: VictimFiles, writer: RelocationWriter) {
    this.#records = records
    this.#files = files
    this.#writer = writer
  }

  /** True for a live record that no batch takes. */
  isLarge(position: number): boolean {
    if (position >= this.#records.count || !this.#records.isLiveAt(position)) return false
    this.#records.loadAt(position, this.#record)
    return this.#record.length > BATCHED_RECORD_BYTES_MAX
  }

  /** Writes records from .. to of a batch that was read. @returns their bytes */
  writeSome(batch: RecordBatch, from: number, to: number): number {
    const { buffer, slots, positions, lengths } = batch
    const record = this.#record
    const writer = this.#writer
    let written = 0
    for (let i = from; i < to; i++) {
      const slot = slots[i]!
      const length = lengths[i]!
      this.#load(positions[i]!)
      const bad = proveRecord(buffer, slot, this.#headerAt(buffer, slot))
      if (bad !== undefined) throw this.#damage(bad)
      writer.begin(record.segment, record.offset)
      writer.write(buffer, slot, slot + length)
      written += length
    }
    return written
  }

  /** Copies one record through `buffer`. */
  *largeSlices(position: number, buffer: Uint8Array): Generator<number, void> {
    this.#load(position)
    const { segment, offset, file, place } = this.#record
    const head = this.#readHead()
    const header = this.#headerAt(head, 0)
    if (!proveRecordHead(head, 0, header)) throw this.#damage('record header checksum mismatch')
    // Of the table: an 8000th of the value.
    const { headBytes } = header
    const front = new Uint8Array(headBytes + tableBytes(header.rawLength))
    front.set(head)
    this.#files.read(file, front, headBytes, front.length - headBytes, place + headBytes)
    const chunks = ChunkList.ofAll(header, firstPieceSum(head, 0), front, headBytes)
    if (typeof chunks === 'string') throw this.#damage(chunks)
    this.#writer.begin(segment, offset)
    this.#writer.write(front, 0, front.length)
    yield 2 * front.length
    for (let chunk = 0; chunk < chunks.end; ) {
      const end = chunks.runEnd(chunk, PIECE_BYTES)
      const start = chunks.start(chunk)
      const bytes = chunks.start(end) - start
      this.#files.read(file, buffer, 0, bytes, place + front.length + start)
      const wrong = chunks.wrong(chunk, end, buffer, 0)
      if (wrong >= 0) throw this.#damage(valueMismatch(wrong))
      this.#writer.write(buffer, 0, bytes)
      yield 2 * bytes
      chunk = end
    }
  }

  #load(position: number): void {
    const record = this.#record
    const header = this.#header
    this.#records.loadAt(position, record)
    header.keyLength = record.keyEnd - record.keyStart
    header.sequence = record.sequence
    header.length = record.length
    header.storedLength = storedLengthOf(record.length, header.keyLength)
    header.rawLength = header.storedLength
    header.headBytes = record.length - header.storedLength
  }

  /** All of the head of the record at hand, whatever optional fields it has. */
  #readHead(): Uint8Array {
    const { file, place, length } = this.#record
    const read = (bytes: number): Uint8Array => {
      const head = new Uint8Array(bytes)
      this.#files.read(file, head, 0, bytes, place)
      return head
    }
    const head = read(this.#header.headBytes)
    const headBytes = readRecordHeader(head, 0, length)?.headBytes ?? head.length
    return headBytes === head.length ? head : read(headBytes)
  }

  /**
   * The header of the record whose head begins at `at`, which must be the one that is known.
   * @throws CorruptionError if it is another one, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE
   */
  #headerAt(bytes: Uint8Array, at: number): RecordHeader {
    if (this.#isPlain(bytes, at)) return this.#header
    const record = this.#record
    const header = readRecordHeader(bytes, at, record.length)
    if (header !== undefined && proveRecordHead(bytes, at, header)) {
      const name = segmentName(this.#records.files[record.file]!.number)
      const unknown = unknownRecord(header, name, record.place)
      if (unknown) throw unknown
      if (header.length === record.length && isPointed(bytes, at, header, record)) return header
    }
    throw this.#damage('record is not the one that an entry points at')
  }

  /** True if the head at `at`, which must be all there, is plain and says what is known of the record. */
  #isPlain(bytes: Uint8Array, at: number): boolean {
    const { keyLength, sequence, storedLength, headBytes } = this.#header
    if (
      readU32(bytes, at + 8) !== RECORD_KIND.put ||
      readU32(bytes, at + 12) !== keyLength ||
      readU64(bytes, at + 16) !== sequence ||
      readU64(bytes, at + 24) !== storedLength ||
      readU64(bytes, at + 32) !== storedLength
    ) {
      return false
    }
    const { keyBytes, keyStart, keyEnd } = this.#record
    const keyAt = at + headBytes - keyLength
    return compareRange(bytes, keyAt, keyAt + keyLength, keyBytes, keyStart, keyEnd) === 0
  }

  #damage(reason: string): CorruptionError {
    const { file, place } = this.#record
    return new CorruptionError(segmentName(this.#records.files[file]!.number), place, reason)
  }
}
