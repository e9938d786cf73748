/**
 * The items of a table (lib/tree/FORMAT.md, section 2): entries, block by block, and the blocks at its end.
 *
 * With a whole index its blocks are found through it. Without one they are found one behind the other: entries tell
 * where they end, and only the checksum of a block fits behind the right one.
 */
import { readU32 } from '../../base/bytes.ts'
import { WiscError } from '../../base/errors.ts'
import { FILE_HEADER_BYTES, type FileIdentity } from '../../base/files/file-header.ts'
import { frameSeed } from '../../base/files/frame.ts'
import { KIND } from '../../tree/entry.ts'
import { EXPIRES_TAG, TAG_MASK } from '../../tree/table/block-format.ts'
import {
  type BlockHandle,
  checkBlock,
  checkBlockSum,
  FOOTER_BYTES,
  PART,
  TRAILER_BYTES,
} from '../../tree/table/table-format.ts'
import { PROPERTY_NAMES } from '../../tree/table/table-properties.ts'
import { FINGERPRINTS_TAG } from '../../tree/table/table-references.ts'
import { type DumpContext, isWanted, readRange } from './dump-context.ts'
import { errorFrom, errorItem, headerItems } from './file-identity.ts'
import { damageItem, FieldReader, type Item } from './items.ts'
import { readTableParts, type TableParts } from './table-parts.ts'

const WORD_BYTES = 4
const KIND_NAMES = ['tombstone', 'inline', 'pointer']
/** What is read at once where the index does not tell the length of a block. */
const GUESSED_BLOCK_BYTES_MAX = 32 * 1024 * 1024

export function* dumpTable(
  context: DumpContext,
  identity: FileIdentity,
  error: WiscError | undefined,
): Generator<Item> {
  const { file, name, size, start } = context
  const head = start === 0 ? readRange(file, 0, FILE_HEADER_BYTES) : new Uint8Array(0)
  if (start === 0) yield* headerItems(head, error)
  if (start > 0 || head.length < FILE_HEADER_BYTES) return
  const seed = frameSeed(identity)
  const parts = readTableParts(file, name, identity.number, size, seed)
  const { metaIndex, layout, index } = parts
  if (index) {
    for (let block = 0; block < index.blockCount; block++) {
      const offset = index.offsets[block]!
      const end = index.offsets[block + 1]!
      if (!isWanted(context, { offset, length: end - offset })) continue
      const bytes = readRange(file, offset, end - offset)
      yield* dataBlockItems(bytes, bytes.length - TRAILER_BYTES, offset, parts, name, seed)
    }
  } else yield* foundBlocks(context, parts, seed)
  for (const part of layout?.parts.values() ?? []) {
    const [what, items] = PART_ITEMS.get(part.tag) ?? ['part', unknownPartItems(part.tag)]
    yield* endBlockItems(context, seed, what, part, items)
  }
  if (metaIndex) {
    yield* endBlockItems(context, seed, 'metaIndex', metaIndex, metaIndexItems)
    yield footerItem(readRange(file, size - FOOTER_BYTES, FOOTER_BYTES), size - FOOTER_BYTES)
  }
  for (const wrong of parts.errors) yield errorItem(wrong, FILE_HEADER_BYTES, size)
}

/** Blocks from the first one on, while each can be made out. */
function* foundBlocks(context: DumpContext, parts: TableParts, seed: number): Generator<Item> {
  const { file, name, size } = context
  const end = parts.layout?.dataEnd ?? parts.metaIndex?.offset ?? size
  for (let offset = FILE_HEADER_BYTES; offset < end; ) {
    const bytes = readRange(file, offset, Math.min(end - offset, GUESSED_BLOCK_BYTES_MAX))
    const length = findBlockEnd(bytes, seed, offset, name)
    if (length === undefined) {
      // Where there is no footer the parts at the end of the table look like this, too.
      yield damageItem(offset, end, 'no data block can be made out here')
      return
    }
    const block = bytes.subarray(0, length + TRAILER_BYTES)
    yield* dataBlockItems(block, length, offset, parts, name, seed)
    offset += length + TRAILER_BYTES
  }
}

/** Length of the content of the data block that begins with bytes[0], or undefined. */
function findBlockEnd(
  bytes: Uint8Array,
  seed: number,
  offset: number,
  name: string,
): number | undefined {
  let whole = 0
  const reader = new FieldReader(bytes, 0, offset)
  while (reader.left > 0) {
    const fields = reader.fields.length
    if (readEntryFields(reader) !== 'whole') return undefined
    // Restart points are entries whose key is whole: one of each 16 at least, or as many as have one.
    if (reader.fields[fields]!.value === 0) whole++
    reader.fields.length = 0
    const found = endBehind(bytes, reader.at, whole)
    if (found !== undefined && blockError(bytes, found, seed, offset, name) === undefined)
      return found
  }
  return undefined
}

/** Where a content ends whose entries end at `at`, by its restarts; undefined if none are there. */
function endBehind(bytes: Uint8Array, at: number, restartsMax: number): number | undefined {
  if (at + 2 * WORD_BYTES + TRAILER_BYTES > bytes.length || readU32(bytes, at) !== 0)
    return undefined
  for (let count = 1; count <= restartsMax; count++) {
    const end = at + (count + 1) * WORD_BYTES
    if (end + TRAILER_BYTES > bytes.length) return undefined
    if (readU32(bytes, end - WORD_BYTES) === count) return end
  }
  return undefined
}

function blockError(
  bytes: Uint8Array,
  length: number,
  seed: number,
  offset: number,
  name: string,
  check: typeof checkBlock = checkBlock,
): WiscError | undefined {
  if (bytes.length < length + TRAILER_BYTES) {
    return new WiscError('WISC_CORRUPTION', 'block is cut off')
  }
  return errorFrom(() => check(bytes, 0, length, seed, offset, name))
}

function* dataBlockItems(
  bytes: Uint8Array,
  length: number,
  offset: number,
  parts: TableParts,
  name: string,
  seed: number,
): Generator<Item> {
  const error = blockError(bytes, length, seed, offset, name)
  if (error) {
    yield errorItem(error, offset, offset + bytes.length)
    return
  }
  const restarts = readU32(bytes, length - WORD_BYTES)
  const entriesEnd = length - (restarts + 1) * WORD_BYTES
  let key: Uint8Array = new Uint8Array(0)
  for (let at = 0; at < entriesEnd; ) {
    const reader = new FieldReader(bytes, at, offset + at, entriesEnd)
    const found = readEntryFields(reader)
    if (found !== 'whole') {
      const isUnknown = found === 'unknown'
      const reason = isUnknown ? 'entry is of an unknown kind' : 'entry is malformed'
      const code = isUnknown ? 'WISC_FORMAT_VERSION' : 'WISC_CORRUPTION'
      yield damageItem(offset + at, offset + entriesEnd, reason, code)
      break
    }
    key = addMeaning(reader, key, parts)
    yield reader.item('entry', reader.at - at)
    at = reader.at
  }
  const reader = new FieldReader(bytes, entriesEnd, offset + entriesEnd)
  for (let i = 0; i < restarts; i++) reader.u32('restart', true)
  reader.u32('restartCount', true)
  trailerFields(reader)
  yield reader.item('blockEnd')
}

/** `unknown`: its length cannot be told, nor where the next entry begins. */
function readEntryFields(reader: FieldReader): 'whole' | 'malformed' | 'unknown' {
  reader.varint('shared', true)
  const unshared = reader.varint('unshared', true)
  const tag = reader.u8('tag', true) & TAG_MASK
  reader.varint('distance', true)
  reader.bytes('unsharedKey', unshared, true)
  const expires = (tag & EXPIRES_TAG) !== 0 && (tag & ~EXPIRES_TAG) !== KIND.tombstone
  if (expires) reader.varint('expiresAt')
  const kind = expires ? tag & ~EXPIRES_TAG : tag
  if (kind === KIND.inline) {
    const length = reader.varint('length', true)
    reader.payload('value', length)
  } else if (kind === KIND.pointer) {
    reader.varint('segmentIndex', true)
    reader.varint('offset')
    reader.varint('length')
  } else if (tag !== KIND.tombstone && !reader.failed) {
    return tag === KIND.deferred ? 'malformed' : 'unknown'
  }
  return reader.failed ? 'malformed' : 'whole'
}

/** Adds what an entry means together with the one before it and the ends of the table. @returns its key */
function addMeaning(reader: FieldReader, previous: Uint8Array, parts: TableParts): Uint8Array {
  const number = (name: string): number =>
    reader.fields.find((field) => field.name === name)?.value as number
  const unshared = reader.fields.find(({ name }) => name === 'unsharedKey')!.value as Uint8Array
  const key = Buffer.concat([previous.subarray(0, number('shared')), unshared])
  const kind = number('tag') & TAG_MASK & ~EXPIRES_TAG
  const { properties, references } = parts
  if (kind === KIND.pointer) {
    const place = number('segmentIndex')
    const segment = references?.segments[place]
    reader.lead(segment === undefined ? 'segmentIndex' : 'segment', segment ?? place)
  }
  if (properties) reader.lead('sequence', properties.baseSequence + number('distance'))
  else reader.lead('distance', number('distance'))
  reader.lead('kindName', KIND_NAMES[kind])
  reader.lead('key', key)
  return key
}

function trailerFields(reader: FieldReader): void {
  reader.u8('codec', true)
  reader.hex32('checksum')
}

/** A block behind the data, of footer or meta index: its items, then its trailer. */
function* endBlockItems(
  context: DumpContext,
  seed: number,
  what: string,
  handle: BlockHandle,
  items: (reader: FieldReader) => Iterable<Item>,
): Generator<Item> {
  const { offset, length } = handle
  if (!isWanted(context, { offset, length: length + TRAILER_BYTES })) return
  const bytes = readRange(context.file, offset, length + TRAILER_BYTES)
  if (bytes.length < length + TRAILER_BYTES) return
  yield* items(new FieldReader(bytes, 0, offset, length))
  const trailer = new FieldReader(bytes, length, offset + length)
  trailerFields(trailer)
  yield trailer.item(`${what}End`)
  // The other parts are proved when they are read (table-parts.ts). An unknown one may have an unknown codec, too.
  if (what !== 'filter' && what !== 'part') return
  const check = what === 'part' ? checkBlockSum : checkBlock
  const error = blockError(bytes, length, seed, offset, context.name, check)
  if (error) yield errorItem(error, offset, offset + bytes.length)
}

function* filterItems(reader: FieldReader): Generator<Item> {
  reader.u8('probes')
  reader.absent('bits', reader.left)
  yield reader.item('filter', reader.at + reader.left)
}

/** Items of equal shape, as many as there are, at most `count`. */
function* repeated(
  reader: FieldReader,
  what: string,
  read: (reader: FieldReader) => void,
  count: number = Number.POSITIVE_INFINITY,
): Generator<Item> {
  for (let i = 0; i < count && reader.left > 0 && !reader.failed; i++) {
    const at = reader.at
    const one = reader.behind()
    read(one)
    yield one.item(what, one.at - at)
    reader.skipTo(one)
  }
}

function* indexItems(reader: FieldReader): Generator<Item> {
  reader.varint('blockCount')
  yield reader.item('index')
  yield* repeated(reader, 'bound', (bound) => {
    bound.varint('sequence')
    const length = bound.varint('keyLength', true)
    bound.bytes('key', length)
    bound.varint('length')
  })
}

function* referenceItems(reader: FieldReader): Generator<Item> {
  const count = reader.varint('count')
  yield reader.item('references')
  const readReference = (reference: FieldReader): void => {
    reference.varint('segment')
    reference.varint('records')
    reference.varint('bytes')
  }
  yield* repeated(reader, 'reference', readReference, count)
  yield* repeated(reader, 'field', (field) => {
    const tag = field.varint('tag')
    const length = field.varint('length', true)
    if (tag !== FINGERPRINTS_TAG || length !== count * WORD_BYTES) field.bytes('content', length)
    else for (let i = 0; i < count; i++) field.hex32('fingerprint')
  })
}

/** Of an end without bytes: there is none. */
function* rangeItems(reader: FieldReader): Generator<Item> {
  reader.varint('count')
  yield reader.item('rangeTombstones')
  yield* repeated(reader, 'rangeTombstone', (fragment) => {
    fragment.bytes('start', fragment.varint('startLength', true))
    fragment.bytes('end', fragment.varint('endLength', true))
    for (let count = fragment.varint('count', true); count > 0 && fragment.left > 0; count--)
      fragment.varint('distance')
  })
}

function* propertyItems(reader: FieldReader): Generator<Item> {
  while (reader.left > 0 && !reader.failed) {
    const tag = reader.varint('tag', true)
    const length = reader.varint('length', true)
    const name = PROPERTY_NAMES.get(tag)
    if (name === undefined || name.endsWith('Key')) reader.bytes(name ?? `property ${tag}`, length)
    else if (name === 'tags') reader.hex(name, length, false)
    else if (name === 'expiries') readExpiries(reader, reader.at + length)
    else if (length === 0) reader.derived(name, 'yes')
    else reader.varint(name)
  }
  yield reader.item('properties')
}

function readExpiries(reader: FieldReader, end: number): void {
  while (reader.at < end && !reader.failed) {
    for (const name of ['expiresAt', 'puts', 'bytes', 'pointedBytes']) reader.varint(name)
  }
}

/** The part of an odd tag that this version leaves out. */
function unknownPartItems(tag: number): (reader: FieldReader) => Generator<Item> {
  return function* items(reader) {
    reader.derived('tag', tag)
    reader.absent('content', reader.left)
    yield reader.item('part', reader.at + reader.left)
  }
}

function* metaIndexItems(reader: FieldReader): Generator<Item> {
  yield* repeated(reader, 'metaIndex', (part) => {
    part.varint('tag')
    part.varint('length')
  })
}

const PART_ITEMS: ReadonlyMap<number, [string, (reader: FieldReader) => Iterable<Item>]> = new Map([
  [PART.filter, ['filter', filterItems]],
  [PART.index, ['index', indexItems]],
  [PART.references, ['references', referenceItems]],
  [PART.properties, ['properties', propertyItems]],
  [PART.ranges, ['rangeTombstones', rangeItems]],
])

function footerItem(bytes: Uint8Array, offset: number): Item {
  const reader = new FieldReader(bytes, 0, offset)
  reader.u64('fileBytes')
  reader.u32('metaIndexLength')
  reader.u16('ignoreFlags', true)
  reader.u16('refuseFlags', true)
  reader.hex32('checksum')
  reader.hex('magic', 8)
  return reader.item('footer')
}
