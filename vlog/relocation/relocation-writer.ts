/**
 * Writes a relocation: whole records one behind the other, then the index from their old addresses, parts, footer;
 * then syncs the file. Layout: relocation-format.ts.
 *
 * Data plane: nothing is allocated for a record. The index stays in memory until the records are written, for they
 * come in the order of their keys and the index is in that of addresses.
 */

import { giveBuffer, takeBuffer } from '../../lib/base/buffer-pool.ts'
import { assert, CorruptionError, syncFailed, type WiscError } from '../../lib/base/errors.ts'
import { type FileIdentity, writeFileHeader } from '../../lib/base/files/file-header.ts'
import { segmentName } from '../../lib/base/files/file-names.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { frameSeed } from '../../lib/base/files/frame.ts'
import { FILE_BYTES_MAX, FILE_NUMBER_MAX, type SegmentNumber } from '../../lib/base/ids.ts'
import type { GrowingSegmentRecords, SegmentRecords } from '../../lib/base/segment-records.ts'
import { EarlySync } from '../early-sync.ts'
import { RECORD_HEADER_BYTES } from '../record.ts'
import { RelocationAddresses } from './relocation-addresses.ts'
import {
  type BuiltRelocation,
  CHECKSUM_BYTES,
  ENTRY_BYTES,
  encodePart,
  encodeRelocationFooter,
  FENCE_ENTRY_BYTES,
  PAGE_BYTES,
  PAGE_ENTRIES,
  PART_BYTES,
  pageEntries,
  RELOCATION_HEADER_BYTES,
  type RelocationLayout,
  relocationLayout,
  sealRelocationBlock,
  writeU48,
} from './relocation-format.ts'

const BUFFER_BYTES = 1024 * 1024
/** Pages from one yield to the next: half a millisecond to two. */
const PAGES_PER_SLICE = 64

export class RelocationWriter {
  readonly #file: File
  readonly #identity: FileIdentity
  readonly #seed: number
  readonly #earlySync: EarlySync
  readonly #buffer: Uint8Array = takeBuffer(BUFFER_BYTES)
  #filled = 0
  #written = 0

  readonly #addresses: RelocationAddresses = new RelocationAddresses()
  /** In the order in which their first records came. */
  readonly #parts: GrowingSegmentRecords[] = []
  readonly #partNumbers: Map<number, number> = new Map()
  /** The part of the present record, and where the record begins. */
  #part = 0
  #place = 0

  /**
   * @param file a new, empty file; its owner closes it
   * @param earlySyncBytes see EarlySync
   */
  constructor(file: File, identity: FileIdentity, earlySyncBytes?: number) {
    assert(identity.kind === 'relocation', 'a relocation has the header of a relocation')
    this.#file = file
    this.#identity = identity
    this.#seed = frameSeed(identity)
    this.#earlySync = new EarlySync(file, earlySyncBytes)
    writeFileHeader(this.#buffer, 0, identity)
    this.#filled = RELOCATION_HEADER_BYTES
  }

  /**
   * Begins the next record, which pointers know as (segment, offset). Requires: no record had that address before.
   * @returns its offset in this file
   */
  begin(segment: SegmentNumber, offset: number): number {
    assert(offset <= FILE_BYTES_MAX, 'the offset of a record lies in a file')
    this.#endRecord()
    if (this.#parts[this.#part]?.segment !== segment) this.#part = this.#partNumber(segment)
    this.#parts[this.#part]!.records++
    this.#place = this.#written + this.#filled
    this.#addresses.append(this.#part, offset, this.#place)
    return this.#place
  }

  /** Gives up the buffer; nothing may be written any more. The file stays open. */
  close(): void {
    giveBuffer(this.#buffer)
  }

  /** A sync has failed: nothing may be synced or unlinked any more. */
  get syncFailure(): WiscError | undefined {
    return this.#earlySync.failure
  }

  /** Bytes from .. to of the present record, a large one in several calls. They are copied. */
  write(bytes: Uint8Array, from: number, to: number): void {
    let at = from
    while (to - at > BUFFER_BYTES - this.#filled) {
      const count = BUFFER_BYTES - this.#filled
      this.#buffer.set(bytes.subarray(at, at + count), this.#filled)
      this.#filled = BUFFER_BYTES
      this.#flush()
      at += count
    }
    this.#buffer.set(bytes.subarray(at, to), this.#filled)
    this.#filled += to - at
  }

  /**
   * Ends the file: all of it is written and synced, its directory entry is not. Yields the bytes that each slice gave
   * to the file, 0 for slices of the sort, and the early sync that is still under way. Requires: it has a record.
   * @throws CorruptionError if a record was begun twice, WISC_SYNC_FAILED, IoError
   */
  *finishSlices(): Generator<number | Promise<void>, BuiltRelocation> {
    assert(this.#addresses.length > 0, 'a relocation has a record')
    this.#endRecord()
    const recordsEnd = this.#written + this.#filled
    const parts = yield* this.#sortParts()
    const layout = relocationLayout(
      this.#addresses.length,
      recordsEnd - RELOCATION_HEADER_BYTES,
      parts.length,
    )
    assert(layout.fileBytes <= FILE_BYTES_MAX, 'a relocation is a file')
    const fence = yield* this.#appendPages(layout, parts)
    this.#appendBlock(fence, layout.fenceOffset)
    this.#appendBlock(encodeParts(parts), layout.partsOffset)
    const footer = encodeRelocationFooter(layout, this.#seed)
    this.write(footer, 0, footer.length)
    this.#flush()
    yield layout.fileBytes - layout.fenceOffset
    assert(this.#written === layout.fileBytes, 'a relocation has the length of its layout')
    this.#earlySync.check()
    try {
      this.#file.sync()
    } catch (error) {
      throw syncFailed(this.#file.path, error)
    }
    // An early sync may still be heard of: the event loop has not turned since it ended.
    yield* this.#earlySync.endSlices()
    const { number, salt } = this.#identity
    return { number, salt, length: layout.fileBytes, parts }
  }

  #partNumber(segment: SegmentNumber): number {
    assert(segment <= FILE_NUMBER_MAX, 'an address names a segment')
    let part = this.#partNumbers.get(segment)
    if (part === undefined) {
      part = this.#parts.length
      this.#partNumbers.set(segment, part)
      this.#parts.push({ segment, records: 0, bytes: 0 })
    }
    return part
  }

  #endRecord(): void {
    const part = this.#parts[this.#part]
    if (part === undefined) return
    const length = this.#written + this.#filled - this.#place
    assert(length >= RECORD_HEADER_BYTES, 'a record is written whole')
    part.bytes += length
  }

  /** Puts the parts in the order of their segments, and tells the addresses. */
  *#sortParts(): Generator<number, readonly SegmentRecords[]> {
    const parts = this.#parts.toSorted((left, right) => left.segment - right.segment)
    const numbers = new Uint32Array(parts.length)
    for (const [number, { segment }] of parts.entries()) {
      numbers[this.#partNumbers.get(segment)!] = number
    }
    yield* this.#addresses.renumberSlices(numbers)
    return parts
  }

  /** @returns the fence, with room for its checksum */
  *#appendPages(
    layout: RelocationLayout,
    parts: readonly SegmentRecords[],
  ): Generator<number, Uint8Array> {
    const addresses = this.#addresses
    const order = yield* addresses.byAddressSlices()
    const fence = new Uint8Array(layout.pages * FENCE_ENTRY_BYTES + CHECKSUM_BYTES)
    const page = new Uint8Array(PAGE_BYTES)
    let bytes = 0
    let before = -1
    for (let number = 0; number < layout.pages; number++) {
      const first = number * PAGE_ENTRIES
      const count = pageEntries(layout, number)
      for (let i = 0; i < count; i++) {
        const entry = order[first + i]!
        if (before >= 0 && addresses.areSame(before, entry)) throw this.#namedTwice(parts, entry)
        before = entry
        writeU48(page, i * ENTRY_BYTES, addresses.offset(entry))
        writeU48(page, i * ENTRY_BYTES + 6, addresses.place(entry))
      }
      writeU48(fence, number * FENCE_ENTRY_BYTES, addresses.offset(order[first]!))
      const length = count * ENTRY_BYTES + CHECKSUM_BYTES
      this.#appendBlock(page.subarray(0, length), this.#written + this.#filled)
      bytes += length
      if (number % PAGES_PER_SLICE === PAGES_PER_SLICE - 1) {
        yield bytes
        bytes = 0
      }
    }
    yield bytes
    return fence
  }

  /** No pointer is in two entries of the tree: somebody has damaged it. */
  #namedTwice(parts: readonly SegmentRecords[], entry: number): CorruptionError {
    const name = segmentName(parts[this.#addresses.part(entry)]!.segment)
    const offset = this.#addresses.offset(entry)
    return new CorruptionError(name, offset, 'two pointers name the same record')
  }

  /** Appends a block of the index; its last bytes are for the checksum. */
  #appendBlock(bytes: Uint8Array, offset: number): void {
    assert(offset === this.#written + this.#filled, 'the parts of a relocation meet')
    const end = sealRelocationBlock(bytes, 0, bytes.length - CHECKSUM_BYTES, this.#seed, offset)
    this.write(bytes, 0, end)
  }

  #flush(): void {
    this.#file.write(this.#buffer, 0, this.#filled, this.#written)
    this.#written += this.#filled
    this.#filled = 0
    this.#earlySync.written(this.#written)
  }
}

function encodeParts(parts: readonly SegmentRecords[]): Uint8Array {
  const bytes = new Uint8Array(parts.length * PART_BYTES + CHECKSUM_BYTES)
  for (const [i, part] of parts.entries()) encodePart(bytes, i * PART_BYTES, part)
  return bytes
}
