/**
 * Reads all of a relocation's index, and proves that it has one address for each record.
 *
 * Bodies are slices of about a millisecond: generators that yield how many bytes a slice passed.
 */
import { CorruptionError } from '../../lib/base/errors.ts'
import type { File } from '../../lib/base/files/file-system.ts'
import { FileWindow } from '../../lib/base/files/file-window.ts'
import { RECORD_HEADER_BYTES, RECORD_KIND } from '../record.ts'
import { viewProvedHead } from '../record-window.ts'
import { RelocationAddresses } from './relocation-addresses.ts'
import type { RelocationEnds } from './relocation-ends.ts'
import {
  ENTRY_BYTES,
  PAGE_ENTRIES,
  PART_BYTES,
  pageEntries,
  RELOCATION_HEADER_BYTES,
  readU48,
} from './relocation-format.ts'
import type { RelocationIndex } from './relocation-index.ts'

/** The window of a walk over heads: small, so that large values are passed over. */
const WALK_WINDOW_BYTES = 64 * 1024
const PAGES_PER_SLICE = 64
const RECORDS_PER_SLICE = 1024
const COMPARED_PER_SLICE = 2 ** 14

/** A whole index, packed; `order` has the indexes of the addresses by place. */
export interface SortedAddresses {
  readonly addresses: RelocationAddresses
  readonly order: Uint32Array
}

/** Reads all pages, and proves that no two addresses lead to one place. */
export function* sortedAddresses(
  file: File,
  name: string,
  index: RelocationIndex,
): Generator<number, SortedAddresses> {
  const { layout } = index
  const window = new FileWindow(file, layout.fenceOffset)
  const addresses = new RelocationAddresses()
  let part = 0
  let passed = 0
  try {
    for (let page = 0; page < layout.pages; page++) {
      const start = index.view(page, window)
      const end = start + pageEntries(layout, page) * ENTRY_BYTES
      for (let at = start, entry = page * PAGE_ENTRIES; at < end; at += ENTRY_BYTES, entry++) {
        if (entry === index.partEnd(part)) part++
        addresses.append(part, readU48(window.bytes, at), readU48(window.bytes, at + 6))
      }
      passed += end - start
      if (page % PAGES_PER_SLICE === PAGES_PER_SLICE - 1) {
        yield passed
        passed = 0
      }
    }
  } finally {
    window.close()
  }
  yield passed
  const order = yield* addresses.byPlaceSlices()
  for (let i = 1; i < order.length; i++) {
    const place = addresses.place(order[i]!)
    if (place - addresses.place(order[i - 1]!) < RECORD_HEADER_BYTES) {
      throw new CorruptionError(name, place, 'two addresses lead to one record of a relocation')
    }
    if (i % COMPARED_PER_SLICE === 0) yield 0
  }
  return { addresses, order }
}

/** Walks the records: each is where an address leads, and those of each part add up to it. */
export function* verifyRecords(
  file: File,
  name: string,
  ends: RelocationEnds,
  sorted: SortedAddresses,
): Generator<number, void> {
  const { recordsEnd } = ends.layout
  const { addresses, order } = sorted
  const window = new FileWindow(file, recordsEnd, WALK_WINDOW_BYTES)
  const partBytes = new Float64Array(ends.parts.length)
  let offset = RELOCATION_HEADER_BYTES
  let sliceStart = offset
  for (let i = 0; i < order.length; i++) {
    if (addresses.place(order[i]!) !== offset) {
      throw new CorruptionError(name, offset, 'index of a relocation does not fit its records')
    }
    const length = verifyRecord(window, name, offset, recordsEnd)
    partBytes[addresses.part(order[i]!)]! += length
    offset += length
    if (i % RECORDS_PER_SLICE === RECORDS_PER_SLICE - 1) {
      yield offset - sliceStart
      sliceStart = offset
    }
  }
  if (offset !== recordsEnd) {
    throw new CorruptionError(name, offset, 'index of a relocation does not fit its records')
  }
  for (const [i, part] of ends.parts.entries()) {
    if (partBytes[i] !== part.bytes) {
      const reason = `records do not add up to the part, segment=${part.segment}`
      throw new CorruptionError(name, ends.layout.partsOffset + i * PART_BYTES, reason)
    }
  }
  yield offset - sliceStart
}

/** Proves the head of the record at `offset`. @returns the length of the record */
function verifyRecord(window: FileWindow, name: string, offset: number, end: number): number {
  const header = viewProvedHead(window, offset, end)
  if (typeof header === 'string') throw new CorruptionError(name, offset, header)
  if (header.kind !== RECORD_KIND.put) {
    throw new CorruptionError(
      name,
      offset,
      'a relocation holds a record that no entry can point to',
    )
  }
  return header.length
}
