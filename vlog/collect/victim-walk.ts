/**
 * Collects the records of victims: walks the heads of each file, one file open at a time, and sorts
 * what it found. Values are not read, unless they are so short that reading on is cheaper.
 */

import { CorruptionError } from '../../lib/base/errors.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import type { DatabaseDirectory } from '../../lib/base/files/store-directory.ts'
import type { FileNumber } from '../../lib/base/ids.ts'
import { keepUntilNext } from '../../lib/base/kept.ts'
import { SEGMENT_HEADER_BYTES } from '../log/segment-header.ts'
import { RecordHeads } from '../record-heads.ts'
import { RELOCATION_HEADER_BYTES } from '../relocation/relocation-format.ts'
import { type AddressesByPlace, RelocationReader } from '../relocation/relocation-reader.ts'
import type { ListedDead } from './listed-dead.ts'
import { type CollectorPorts, readVictimHeader, type VictimFile, victimPath } from './victim.ts'
import { emptyVictimRecord } from './victim-page.ts'
import { VictimRecords } from './victim-records.ts'

/** A slice ends after so many records: 1 to 3 ms. */
const SLICE_RECORDS = 2048
/** ... or so many bytes read; a slice of large records takes single blocks. */
const SLICE_BYTES = 2 * 1024 * 1024

export interface VictimInput extends DatabaseDirectory {
  readonly files: readonly VictimFile[]
}

/**
 * Walks all victims and sorts their records. Yields the bytes that each slice read.
 * @param dead records that are left out, and not looked at
 * @throws CorruptionError if anything but a value is damaged, WISC_FORMAT_VERSION,
 * WISC_CODEC_UNAVAILABLE, IoError
 */
export function* collectVictims(
  input: VictimInput,
  ports: Pick<CollectorPorts, 'fileSystem'>,
  dead?: ListedDead,
): Generator<number, VictimRecords> {
  const records = new VictimRecords(input.files)
  for (const [index, victim] of input.files.entries()) {
    if (victim.kind === 'segment') yield* addSegment(records, index, victim, input, ports, dead)
    else yield* addRelocation(records, index, victim, input, ports, dead)
  }
  yield* records.sortSlices()
  return records
}

function* addSegment(
  records: VictimRecords,
  index: number,
  victim: VictimFile,
  place: DatabaseDirectory,
  { fileSystem }: Pick<CollectorPorts, 'fileSystem'>,
  dead: ListedDead | undefined,
): Generator<number, void> {
  const file = fileSystem.open(victimPath(place, victim), 'read')
  try {
    const { identity, firstSequence } = readVictimHeader(file, victim, place)
    const frames = { seed: frameSeed(identity), firstSequence }
    const name = segmentName(victim.number)
    const heads = new RecordHeads(file, name, SEGMENT_HEADER_BYTES, victim.length, frames)
    records.addSegment(victim.number, index)
    yield* addHeads(new HeadSlice(records, heads, index, victim.number, undefined, dead), heads)
  } finally {
    file.close()
  }
}

function* addRelocation(
  records: VictimRecords,
  index: number,
  victim: VictimFile,
  place: DatabaseDirectory,
  { fileSystem }: Pick<CollectorPorts, 'fileSystem'>,
  dead: ListedDead | undefined,
): Generator<number, void> {
  const name = segmentName(victim.number)
  const reader = RelocationReader.open(fileSystem, victimPath(place, victim), name, {
    ...victim,
    databaseId: place.databaseId,
  })
  try {
    const { file, recordsEnd } = reader
    const addresses = yield* reader.addressesSlices()
    const heads = new RecordHeads(file, name, RELOCATION_HEADER_BYTES, recordsEnd, undefined)
    for (const { segment } of reader.parts) records.addSegment(segment, index)
    records.addSegment(victim.number, index)
    const slice = new HeadSlice(records, heads, index, victim.number, addresses, dead)
    yield* addHeads(slice, heads)
    if (slice.count !== addresses.places.length) {
      const reason = 'index of a relocation does not fit its records'
      throw new CorruptionError(name, heads.offset, reason)
    }
  } finally {
    reader.close()
  }
}

function* addHeads(slice: HeadSlice, heads: RecordHeads): Generator<number, void> {
  keepUntilNext('walk over heads', { slice, heads })
  try {
    for (let bytesBefore = 0; ; bytesBefore = heads.bytesRead) {
      const more = slice.run()
      yield heads.bytesRead - bytesBefore
      if (!more) return
    }
  } finally {
    heads.close()
  }
}

class HeadSlice {
  /** Records added or left out. */
  count = 0
  readonly #records: VictimRecords
  readonly #heads: RecordHeads
  readonly #number: FileNumber
  readonly #addresses: AddressesByPlace | undefined
  readonly #dead: ListedDead | undefined
  readonly #record: ReturnType<typeof emptyVictimRecord> = emptyVictimRecord()

  /** @param addresses the old addresses of the records of a relocation, in the order of their places */
  constructor(
    records: VictimRecords,
    heads: RecordHeads,
    index: number,
    number: FileNumber,
    addresses: AddressesByPlace | undefined,
    dead: ListedDead | undefined,
  ) {
    this.#records = records
    this.#heads = heads
    this.#number = number
    this.#addresses = addresses
    this.#dead = dead
    this.#record.file = index
    this.#record.segment = number
  }

  /** Adds records until the slice is full. @returns false if there are no more */
  run(): boolean {
    const heads = this.#heads
    const record = this.#record
    const records = this.#records
    const bytesMax = heads.bytesRead + SLICE_BYTES
    for (let i = 0; i < SLICE_RECORDS && heads.bytesRead < bytesMax; i++) {
      if (this.#dead !== undefined && this.#passDead(this.#dead)) continue
      if (!heads.next()) return false
      const header = heads.header!
      record.keyBytes = heads.keyBytes
      record.keyStart = heads.keyStart
      record.keyEnd = heads.keyEnd
      record.sequence = header.sequence
      record.place = heads.offset
      record.length = header.length
      record.kind = header.kind
      record.optionBytes = header.optionBytes
      if (this.#addresses === undefined) record.offset = heads.offset
      else this.#setAddress(this.#addresses)
      records.add(record)
      this.count++
    }
    return true
  }

  /** @returns true if the next record is dead, and was left out */
  #passDead(dead: ListedDead): boolean {
    const place = this.#heads.nextOffset()
    const addresses = this.#addresses
    const { count } = this
    let length = dead.lengthOf(this.#number, place)
    if (length === undefined && addresses !== undefined && count < addresses.places.length) {
      length = dead.lengthOf(addresses.segments[count]!, addresses.offsets[count]!)
    }
    if (length === undefined) return false
    this.#heads.pass(length)
    this.count = count + 1
    return true
  }

  #setAddress({ segments, offsets, places }: AddressesByPlace): void {
    const record = this.#record
    if (places[this.count] !== record.place) {
      const reason = 'index of a relocation does not fit its records'
      throw new CorruptionError(segmentName(this.#number), record.place, reason)
    }
    record.segment = segments[this.count]!
    record.offset = offsets[this.count]!
  }
}
