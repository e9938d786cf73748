/**
 * The heads of a file's records as a walk has proved them, packed: who marks a file again and again walks it once.
 *
 *   bytes  := record*                                                       in the order of their places
 *   record := gap length sequence kind optionBytes keyLength key address    varints, but for the key
 *   gap    := bytes between the record and the one before
 *   address := (segment offset)?                                            of the records of a relocation
 *
 * A file of the value log does not change as long as it is there, but for holes in dead values. So its heads are what a
 * walk would find, unless they were damaged since; who reads a value or copies it proves its head anyway. Here stands
 * what the file says, nothing of what the tables say: which records live is asked anew each time (I8, I12).
 */
import { copyBytes } from '../../lib/base/bytes.ts'
import { assert } from '../../lib/base/errors.ts'
import { GrowingBytes } from '../../lib/base/growing-bytes.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import { VarintReader } from '../../lib/base/varint.ts'
import type { VictimFile } from './victim.ts'
import { emptyVictimRecord, type VictimRecord } from './victim-page.ts'
import { VictimRecords } from './victim-records.ts'

/** Those of 40 thousand records with keys of 16 bytes: files of shorter values are not punched. */
const KEPT_BYTES_MAX = 1024 * 1024
/** What any take besides. */
const OBJECT_BYTES = 256
/** A slice ends after so many: less than a millisecond. */
const SLICE_RECORDS = 4096

export interface KeptHeads {
  readonly file: VictimFile
  /** Those that the file holds: each pointer into them must lead to a record. */
  readonly segments: readonly SegmentNumber[]
  readonly bytes: Uint8Array
}

/** Memory that they take, about. */
export function keptBytes({ segments, bytes }: KeptHeads): number {
  return OBJECT_BYTES + 8 * segments.length + bytes.length
}

/**
 * Packs the records of the one file of `records`. Yields 0: nothing is read.
 * Requires: they were not marked yet, which gives them the names that pointers have for them.
 * @returns undefined if they are too many to be kept
 */
export function* packHeads(records: VictimRecords): Generator<number, KeptHeads | undefined> {
  const [file] = records.files
  assert(file !== undefined && records.files.length === 1, 'heads are kept file by file')
  assert(!records.hasLive, 'heads are kept as the file has them')
  const packed = new GrowingBytes(4096)
  const record = emptyVictimRecord()
  let end = 0
  const add = (): void => {
    appendHead(packed, record, end, file)
    end = record.place + record.length
  }
  for (let page = 0; page < records.pageCount; page++) {
    records.visitPage(page, record, add)
    if (packed.length > KEPT_BYTES_MAX) return undefined
    yield 0
  }
  return { file, segments: records.segments, bytes: copyBytes(packed.bytes, 0, packed.length) }
}

function appendHead(
  packed: GrowingBytes,
  record: VictimRecord,
  endBefore: number,
  { kind }: VictimFile,
): void {
  const { keyBytes, keyStart, keyEnd } = record
  packed.appendVarint(record.place - endBefore)
  packed.appendVarint(record.length)
  packed.appendVarint(record.sequence)
  packed.appendVarint(record.kind)
  packed.appendVarint(record.optionBytes)
  packed.appendVarint(keyEnd - keyStart)
  packed.append(keyBytes, keyStart, keyEnd)
  if (kind === 'segment') return
  packed.appendVarint(record.segment)
  packed.appendVarint(record.offset)
}

/** All records of the file, sorted, as a walk finds them. Yields 0: nothing is read. */
export function* unpackHeads(
  { file, segments, bytes }: KeptHeads,
  victim: VictimFile,
): Generator<number, VictimRecords> {
  const isSame = file.number === victim.number && file.salt === victim.salt
  assert(isSame && file.length === victim.length, 'kept heads are those of the file')
  const records = new VictimRecords([victim])
  for (const segment of segments) records.addSegment(segment, 0)
  const heads = new HeadReader(bytes, victim)
  while (heads.next()) {
    records.add(heads.record)
    if (records.count % SLICE_RECORDS === 0) yield 0
  }
  yield* records.sortSlices()
  return records
}

class HeadReader {
  readonly record: VictimRecord = emptyVictimRecord()
  readonly #reader: VarintReader
  readonly #hasAddresses: boolean
  #end = 0

  constructor(bytes: Uint8Array, { kind, number }: VictimFile) {
    this.#reader = new VarintReader(bytes)
    this.#hasAddresses = kind === 'relocation'
    this.record.keyBytes = bytes
    this.record.segment = number
  }

  /** @returns false at the end */
  next(): boolean {
    const reader = this.#reader
    const record = this.record
    if (reader.at === reader.end) return false
    record.place = this.#end + reader.next()
    record.length = reader.next()
    record.sequence = reader.next()
    record.kind = reader.next()
    record.optionBytes = reader.next()
    const keyLength = reader.next()
    record.keyStart = reader.at
    record.keyEnd = reader.at + keyLength
    reader.skip(keyLength)
    if (this.#hasAddresses) {
      record.segment = reader.next()
      record.offset = reader.next()
    } else record.offset = record.place
    this.#end = record.place + record.length
    assert(!reader.failed, 'kept heads are whole')
    return true
  }
}
