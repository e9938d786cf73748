/**
 * The items of a relocation (vlog/FORMAT.md, section 9): records, the pages of the index with their entries, fence,
 * parts, footer. Without a footer there are only records, found one by one.
 */

import {
  CHECKSUM_BYTES,
  checkRelocationBlock,
  decodeRelocationFooter,
  ENTRY_BYTES,
  FENCE_ENTRY_BYTES,
  FOOTER_BYTES,
  PART_BYTES,
  pageEntries,
  pageOffset,
  RELOCATION_HEADER_BYTES,
  type RelocationLayout,
  readU48,
  unknownPart,
} from '../../../vlog/relocation/relocation-format.ts'
import { isNewerVersion, toWiscError, type WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import type { File } from '../../base/files/file-system.ts'
import { frameSeed } from '../../base/files/frame.ts'
import { type DumpContext, readRange } from './dump-context.ts'
import { scannedItems } from './dump-log.ts'
import { errorFrom, errorItem, headerItems } from './file-identity.ts'
import { FieldReader, type Item } from './items.ts'
import { scanRecords } from './scan-log.ts'

export function* dumpRelocation(
  context: DumpContext,
  identity: FileIdentity,
  error: WiscError | undefined,
): Generator<Item> {
  const { file, name, size, start } = context
  if (start === 0) yield* headerItems(readRange(file, 0, FILE_HEADER_BYTES), error)
  const seed = frameSeed(identity)
  const ends = readFooter(file, name, size, seed)
  if (ends.layout === undefined && isNewerVersion(ends.error)) {
    // Where its parts lie nobody knows.
    yield errorItem(ends.error, RELOCATION_HEADER_BYTES, size)
    return
  }
  const recordsEnd = ends.layout?.recordsEnd ?? ends.footerOffset
  const places = ends.layout && readPlaces(file, name, seed, ends.layout)
  const from = Math.max(start, RELOCATION_HEADER_BYTES)
  yield* scannedItems(
    context,
    scanRecords(file, from, recordsEnd, places, ends.layout !== undefined),
  )
  if (ends.layout === undefined) {
    yield errorItem(ends.error, ends.footerOffset, size)
    return
  }
  const { layout } = ends
  for (let page = 0; page < layout.pages; page++) {
    const offset = pageOffset(layout, page)
    const fields = pageEntries(layout, page)
    yield* blockItems(file, name, seed, offset, fields * ENTRY_BYTES, 'entry', ENTRY_BYTES, 'page')
  }
  const { fenceOffset, partsOffset, pages, parts } = layout
  const fenceBytes = pages * FENCE_ENTRY_BYTES
  yield* blockItems(file, name, seed, fenceOffset, fenceBytes, 'fence', FENCE_ENTRY_BYTES, 'fence')
  yield* blockItems(file, name, seed, partsOffset, parts * PART_BYTES, 'part', PART_BYTES, 'parts')
  yield footerItem(readRange(file, layout.footerOffset, FOOTER_BYTES), layout.footerOffset)
}

type FoundFooter =
  | { readonly layout: RelocationLayout; readonly footerOffset: number }
  | { readonly layout: undefined; readonly footerOffset: number; readonly error: WiscError }

/** The layout that the footer tells. Without one, everything up to the end may be records. */
export function readFooter(file: File, name: string, size: number, seed: number): FoundFooter {
  const footerOffset = Math.max(RELOCATION_HEADER_BYTES, size - FOOTER_BYTES)
  try {
    const bytes = readRange(file, footerOffset, FOOTER_BYTES)
    return { layout: decodeRelocationFooter(bytes, 0, seed, footerOffset, name), footerOffset }
  } catch (error) {
    return { layout: undefined, footerOffset: size, error: toWiscError(error) }
  }
}

/** The first part with unknown flags, if the parts are whole. */
export function findUnknownPart(
  file: File,
  name: string,
  seed: number,
  { partsOffset, parts }: RelocationLayout,
): WiscError | undefined {
  const length = parts * PART_BYTES
  const bytes = readRange(file, partsOffset, length + CHECKSUM_BYTES)
  if (
    errorFrom(() => checkRelocationBlock(bytes, 0, length, seed, partsOffset, name)) !== undefined
  )
    return undefined
  for (let at = 0; at < length; at += PART_BYTES) {
    const unknown = unknownPart(bytes, at, name, partsOffset + at)
    if (unknown) return unknown
  }
  return undefined
}

/** Where records begin, ascending, if all pages of the index are whole. */
export function readPlaces(
  file: File,
  name: string,
  seed: number,
  layout: RelocationLayout,
): Float64Array | undefined {
  const places = new Float64Array(layout.records)
  let count = 0
  for (let page = 0; page < layout.pages; page++) {
    const offset = pageOffset(layout, page)
    const length = pageEntries(layout, page) * ENTRY_BYTES
    const bytes = readRange(file, offset, length + CHECKSUM_BYTES)
    if (errorFrom(() => checkRelocationBlock(bytes, 0, length, seed, offset, name)) !== undefined)
      return undefined
    for (let at = 6; at < length; at += ENTRY_BYTES) places[count++] = readU48(bytes, at)
  }
  return places.sort()
}

/** A page, the fence or the parts: their entries, the checksum behind them, and whether it fits. */
function* blockItems(
  file: File,
  name: string,
  seed: number,
  offset: number,
  length: number,
  what: 'entry' | 'fence' | 'part',
  entryBytes: number,
  block: string,
): Generator<Item> {
  const bytes = readRange(file, offset, length + CHECKSUM_BYTES)
  for (let at = 0; at < length; at += entryBytes) {
    const reader = new FieldReader(bytes, at, offset + at)
    if (what === 'part') {
      reader.u32('segment')
      reader.u16('ignoreFlags', true)
      reader.u16('refuseFlags', true)
      reader.u64('records')
      reader.u64('bytes')
    } else {
      reader.u48('offset')
      if (what === 'entry') reader.u48('place')
    }
    yield reader.item(what)
    const unknown = what === 'part' ? unknownPart(bytes, at, name, offset + at) : undefined
    if (unknown) yield errorItem(unknown, offset + at, offset + at + entryBytes)
  }
  const end = new FieldReader(bytes, length, offset + length)
  end.hex32('checksum')
  yield end.item(`${block}Checksum`)
  const error = errorFrom(() => checkRelocationBlock(bytes, 0, length, seed, offset, name))
  if (error) yield errorItem(error, offset, offset + length + CHECKSUM_BYTES)
}

function footerItem(bytes: Uint8Array, offset: number): Item {
  const reader = new FieldReader(bytes, 0, offset)
  reader.u64('recordsEnd')
  reader.u64('fenceOffset')
  reader.u64('partsOffset')
  reader.u64('records')
  reader.u32('parts')
  reader.u32('zero', true)
  reader.u64('fileBytes')
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.hex32('checksum')
  reader.hex('magic', 8)
  return reader.item('footer')
}
