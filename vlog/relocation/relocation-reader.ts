/**
 * An open relocation: lookups of single addresses for gets, the whole index for jobs, its verification.
 *
 * Opening reads the header and the end of the file and holds them against the manifest. Records are read by the
 * callers, through `file`: they prove themselves.
 */

import type { BlockCache } from '../../lib/base/files/block-cache.ts'
import type { File, FileSystem } from '../../lib/base/files/file-system.ts'
import type { SegmentNumber } from '../../lib/base/ids.ts'
import type { SegmentRecords } from '../../lib/base/segment-records.ts'
import { type ExpectedRelocation, readRelocationEnds } from './relocation-ends.ts'
import { RelocationIndex } from './relocation-index.ts'
import { sortedAddresses, verifyRecords } from './relocation-verify.ts'

/** Addresses that are gathered from one yield to the next. */
const GATHERED_PER_SLICE = 2 ** 14

/** A whole index, sorted by place: record i was at (segments[i], offsets[i]) and lies at places[i]. */
export interface AddressesByPlace {
  readonly segments: Float64Array
  readonly offsets: Float64Array
  readonly places: Float64Array
}

export class RelocationReader {
  /** For the records. */
  readonly file: File
  /** Ascending by segment. */
  readonly parts: readonly SegmentRecords[]
  /** Records lie in [RELOCATION_HEADER_BYTES, recordsEnd), without gaps. */
  readonly recordsEnd: number
  readonly #name: string
  readonly #expected: ExpectedRelocation
  readonly #index: RelocationIndex

  private constructor(
    file: File,
    name: string,
    expected: ExpectedRelocation,
    parts: readonly SegmentRecords[],
    index: RelocationIndex,
  ) {
    this.file = file
    this.parts = parts
    this.recordsEnd = index.layout.recordsEnd
    this.#name = name
    this.#expected = expected
    this.#index = index
  }

  /**
   * Opens a relocation: two reads, three if it has many pages or segments.
   * @param path where it lies, `name` its name in the database directory, for messages
   * @throws CorruptionError if it is damaged or not what the manifest says, WISC_FORMAT_VERSION, IoError
   */
  static open(
    fileSystem: FileSystem,
    path: string,
    name: string,
    expected: ExpectedRelocation,
  ): RelocationReader {
    const file = fileSystem.open(path, 'read')
    try {
      const ends = readRelocationEnds(file, name, expected)
      const index = new RelocationIndex(expected.number, file, name, ends)
      return new RelocationReader(file, name, expected, ends.parts, index)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Memory that the index takes beside its pages in the cache. */
  get pinnedBytes(): number {
    return this.#index.pinnedBytes
  }

  /**
   * The offset in this file of the record that was at `offset` of `segment`; -1 if it holds none. What lies there may
   * be a dead record of which only the head is left.
   * @throws CorruptionError if the page of the index is damaged, IoError
   */
  locate(segment: SegmentNumber, offset: number, cache: BlockCache): number {
    return this.#index.locate(segment, offset, cache)
  }

  /** {@link addressesSlices}, all at once. */
  addresses(): AddressesByPlace {
    return runToEnd(this.addressesSlices())
  }

  /**
   * Reads the whole index and proves it. Yields the bytes that each slice read, 0 for slices of the sort.
   * @throws CorruptionError, IoError
   */
  *addressesSlices(): Generator<number, AddressesByPlace> {
    const { addresses, order } = yield* sortedAddresses(this.file, this.#name, this.#index)
    const segments = new Float64Array(order.length)
    const offsets = new Float64Array(order.length)
    const places = new Float64Array(order.length)
    for (let i = 0; i < order.length; i++) {
      const at = order[i]!
      segments[i] = this.parts[addresses.part(at)]!.segment
      offsets[i] = addresses.offset(at)
      places[i] = addresses.place(at)
      if (i % GATHERED_PER_SLICE === GATHERED_PER_SLICE - 1) yield 0
    }
    return { segments, offsets, places }
  }

  /** {@link verifySlices}, all at once. */
  verify(): void {
    runToEnd(this.verifySlices())
  }

  /**
   * Reads the file anew and proves all of it but the values, which may be holes: header, footer, parts, fence, index,
   * heads of records, and that the index has one address for each record. Yields the bytes that each slice passed.
   * @throws CorruptionError, WISC_FORMAT_VERSION, WISC_CODEC_UNAVAILABLE, IoError
   */
  *verifySlices(): Generator<number, void> {
    const { file } = this
    const ends = readRelocationEnds(file, this.#name, this.#expected)
    const index = new RelocationIndex(this.#expected.number, file, this.#name, ends)
    const sorted = yield* sortedAddresses(file, this.#name, index)
    yield* verifyRecords(file, this.#name, ends, sorted)
  }

  /** Closes the file and takes its pages out of the cache. A second call does nothing. */
  close(): void {
    this.#index.drop()
    this.file.close()
  }
}

function runToEnd<Result>(slices: Generator<number, Result>): Result {
  for (;;) {
    const slice = slices.next()
    if (slice.done) return slice.value
  }
}
