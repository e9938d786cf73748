/**
 * Copies the live records of victims, in key order, to a relocation.
 *
 * Each is read, proved with all its checksums, and held against what is known of it, before it is
 * written: what is copied lives on under checksums that call it right. Memory is constant: a large
 * record goes piece by piece. Data plane: nothing is allocated for a record but the views that are
 * hashed.
 */
import { compareRange, readU32, readU64 } from '../../lib/base/bytes.ts'
import { checksum } from '../../lib/base/checksum.ts'
import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import {
  chunkChecksum,
  proveRecord,
  proveRecordHead,
  RECORD_KIND,
  type RecordHeader,
  storedBytes,
  VALUE_CHUNK_BYTES,
} from '../record.ts'
import type { RelocationWriter } from '../relocation/relocation-writer.ts'
import { BATCHED_RECORD_BYTES_MAX, RecordBatch } from './record-batch.ts'
import type { VictimFiles } from './victim-files.ts'
import { emptyVictimRecord, type VictimRecord, type VictimRecords } from './victim-records.ts'

/** What a step writes, at most: a millisecond or two. */
const STEP_BYTES = 1024 * 1024
const STEP_RECORDS = 1024
/** Pieces of a large record: whole chunks of its value. */
const PIECE_BYTES: number = 16 * VALUE_CHUNK_BYTES

/**
 * Copies all that live. Yields the bytes that each step read or wrote.
 * @throws CorruptionError if a record is not whole or not the one that an entry points at, IoError
 */
export function* copyRecords(
  records: VictimRecords,
  files: VictimFiles,
  writer: RelocationWriter,
): Generator<number, void> {
  const batch = new RecordBatch(records, files)
  const copy = new RecordCopy(records, files, writer)
  for (let position = 0; position < records.count; ) {
    position = batch.gather(position)
    yield* batch.readSteps()
    for (let i = 0; i < batch.count; ) {
      const end = stepEnd(batch, i)
      yield copy.writeSome(batch, i, end)
      i = end
    }
    if (copy.isLarge(position)) yield* copy.largeSteps(position++, batch.buffer)
  }
}

/** Where a step ends that begins with record i of a batch. */
function stepEnd({ count, lengths }: RecordBatch, i: number): number {
  let bytes = 0
  let end = i
  while (end < count && end - i < STEP_RECORDS && bytes < STEP_BYTES) bytes += lengths[end++]!
  return end
}

class RecordCopy {
  readonly #records: VictimRecords
  readonly #files: VictimFiles
  readonly #writer: RelocationWriter
  /** The record at hand, and the header that it must have. */
  readonly #record: VictimRecord = emptyVictimRecord()
  readonly #header: { -readonly [Field in keyof RecordHeader]: RecordHeader[Field] } = {
    kind: RECORD_KIND.put,
    codec: 0,
    refuseFlags: 0,
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
      const bad = this.#compareHead(buffer, slot) ?? proveRecord(buffer, slot, this.#header)
      if (bad !== undefined) throw this.#damage(bad)
      writer.begin(record.segment, record.offset)
      writer.write(buffer, slot, slot + length)
      written += length
    }
    return written
  }

  /** Copies one record through `buffer`. */
  *largeSteps(position: number, buffer: Uint8Array): Generator<number, void> {
    this.#load(position)
    const { segment, offset, file, place, length } = this.#record
    const { headBytes } = this.#header
    // Key and checksums: a 16000th of the record.
    const head = new Uint8Array(headBytes)
    this.#files.read(file, head, 0, headBytes, place)
    const bad = this.#compareHead(head, 0)
    if (bad !== undefined) throw this.#damage(bad)
    if (!proveRecordHead(head, 0, this.#header)) {
      throw this.#damage('record header checksum mismatch')
    }
    this.#writer.begin(segment, offset)
    this.#writer.write(head, 0, headBytes)
    yield 2 * headBytes
    for (let from = headBytes; from < length; from += PIECE_BYTES) {
      const bytes = Math.min(PIECE_BYTES, length - from)
      this.#files.read(file, buffer, 0, bytes, place + from)
      this.#proveChunks(head, buffer, bytes, (from - headBytes) / VALUE_CHUNK_BYTES)
      this.#writer.write(buffer, 0, bytes)
      yield 2 * bytes
    }
  }

  #load(position: number): void {
    const record = this.#record
    const header = this.#header
    this.#records.loadAt(position, record)
    header.keyLength = record.keyEnd - record.keyStart
    header.sequence = record.sequence
    header.length = record.length
    header.storedLength = storedBytes(record.length, header.keyLength)
    header.rawLength = header.storedLength
    header.headBytes = record.length - header.storedLength
  }

  /** @returns in what the head at `at` differs from what is known of the record; it must be all there */
  #compareHead(bytes: Uint8Array, at: number): string | undefined {
    const { keyLength, sequence, storedLength, headBytes } = this.#header
    if (
      readU32(bytes, at + 12) !== keyLength ||
      readU64(bytes, at + 16) !== sequence ||
      readU64(bytes, at + 24) !== storedLength ||
      bytes[at + 8] !== RECORD_KIND.put
    ) {
      return 'record is not the one that an entry points at'
    }
    const { keyBytes, keyStart, keyEnd } = this.#record
    const keyAt = at + headBytes - keyLength
    const order = compareRange(bytes, keyAt, keyAt + keyLength, keyBytes, keyStart, keyEnd)
    return order === 0 ? undefined : 'record is not the one that an entry points at'
  }

  /** Holds chunks of the value, from number `chunk` on, against their checksums in the head. */
  #proveChunks(head: Uint8Array, bytes: Uint8Array, length: number, chunk: number): void {
    for (let from = 0, i = chunk; from < length; from += VALUE_CHUNK_BYTES, i++) {
      const sum = checksum(bytes.subarray(from, Math.min(length, from + VALUE_CHUNK_BYTES)))
      if (sum !== chunkChecksum(head, i)) throw this.#damage(`value checksum mismatch chunk=${i}`)
    }
  }

  #damage(reason: string): CorruptionError {
    const { file, place } = this.#record
    return new CorruptionError(segmentName(this.#records.files[file]!.number), place, reason)
  }
}
