/**
 * Tables from sorted arrays of plain entries, in memory: what the tests of tables build and
 * compare.
 */
import { expect } from 'vitest'
import { hashRange, placeMark, writeU16, writeU32 } from '#dist/lib/base/bytes.js'
import { checksum, crc32From } from '#dist/lib/base/checksum.js'
import { WiscError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { FILE_HEADER_BYTES, type FileIdentity } from '#dist/lib/base/files/file-header.js'
import { tableName } from '#dist/lib/base/files/file-names.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { noReferences, type Reference } from '#dist/lib/base/segment-records.js'
import type { BuiltTable, TableFigures, TableOptions } from '#dist/lib/tree/entry.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import {
  decodeFooter,
  decodeMetaIndex,
  encodeFooter,
  encodeMetaIndex,
  FOOTER_BYTES,
  type TableLayout,
  type TablePart,
  TRAILER_BYTES,
} from '#dist/lib/tree/table/table-format.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { recordBytes } from '#dist/vlog/record.js'
import { tableBytes } from '#dist/vlog/value-chunks.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { keyed } from '../../../support/parts/array-cursor.ts'
import type { Prng } from '../../../support/random.ts'
import {
  compareEntries,
  describeEntry,
  describeFound,
  emptyFound,
  inlineEntry,
  type ModelEntry,
  randomKey,
  tombstone,
  walk,
} from '../memtable/memtable-model.ts'

export const DATABASE_ID: Uint8Array = new Uint8Array(16).fill(0xd1)
export const TABLE_NUMBER = 34
export const NAME: string = tableName(TABLE_NUMBER)
export const PATH: string = `/db/${NAME}`

export interface ModelTable {
  readonly fileSystem: MemoryFileSystem
  readonly built: BuiltTable
}

export function tableOptions(blockBytes: number, filterBitsPerKey: number = 10): TableOptions {
  return { tableBytes: 2 ** 40, blockBytes, filterBitsPerKey }
}

/** What a lookup finds, described. */
export function find(
  reader: TableReader,
  cache: BlockCache,
  key: Uint8Array,
  sequence: number,
): string {
  const found = emptyFound()
  const hash = hashRange(key, 0, key.length, 0)
  return reader.find(key, hash, sequence, found, cache) ? describeFound(key, found) : 'none'
}

/** What it has to find: the newest of the key at or below the sequence. */
export function modelFind(model: readonly ModelEntry[], key: Uint8Array, sequence: number): string {
  const entry = model.find(
    (each) => Buffer.compare(each.key, key) === 0 && each.sequence <= sequence,
  )
  return entry ? describeEntry(entry) : 'none'
}

export function identityOf(number: number, databaseId: Uint8Array = DATABASE_ID): FileIdentity {
  return { kind: 'table', databaseId, number, salt: 0x5a17 }
}

/** Writes a table. The entries must be sorted. */
export function buildTable(
  entries: readonly ModelEntry[],
  options: TableOptions,
  identity: FileIdentity = identityOf(TABLE_NUMBER),
): ModelTable {
  const fileSystem = new MemoryFileSystem()
  const base = entries.reduce((least, { sequence }) => Math.min(least, sequence), Infinity)
  const file = fileSystem.open(PATH, 'create')
  const builder = new TableBuilder(file, identity, options, base)
  for (const entry of entries) builder.add(keyed(entry))
  const built = builder.finish()
  return { fileSystem, built }
}

export function openTable({ fileSystem, built }: ModelTable): TableReader {
  return TableReader.open(fileSystem, PATH, NAME, built.meta, DATABASE_ID)
}

const FILE_SEED = frameSeed(identityOf(TABLE_NUMBER))

/** Where the parts of a table of {@link identityOf} TABLE_NUMBER lie. */
export function layoutOf(bytes: Uint8Array): TableLayout {
  const at = bytes.length - FOOTER_BYTES
  const { offset, length } = decodeFooter(bytes, at, FILE_SEED, at, NAME)
  return decodeMetaIndex(bytes.subarray(offset, offset + length), NAME, offset)
}

/** A table in pieces that can be changed one by one: checksums and lengths come when it is put together. */
export interface TablePieces {
  header: Uint8Array
  firstBlock: Piece | undefined
  /** With their trailers. */
  otherBlocks: Uint8Array
  parts: (Piece & { tag: number })[]
  ignoreFlags: number
  refuseFlags: number
}

interface Piece {
  content: Uint8Array
  codec: number
}

/** Requires: a table of {@link identityOf} TABLE_NUMBER whose first bound is the empty key. */
export function takeApart(bytes: Uint8Array): TablePieces {
  const { dataEnd, index, parts } = layoutOf(bytes)
  const content = ({ offset, length }: { offset: number; length: number }): Uint8Array =>
    bytes.slice(offset, offset + length)
  const length = firstBlockLength(bytes, index.offset)
  const firstEnd = FILE_HEADER_BYTES + length + TRAILER_BYTES
  return {
    header: bytes.slice(0, FILE_HEADER_BYTES),
    firstBlock: { content: content({ offset: FILE_HEADER_BYTES, length }), codec: 0 },
    otherBlocks: bytes.slice(firstEnd, dataEnd),
    parts: Array.from(parts.values(), (part) => ({
      tag: part.tag,
      content: content(part),
      codec: 0,
    })),
    ignoreFlags: 0,
    refuseFlags: 0,
  }
}

/** The bytes of a table of these pieces, under right checksums. */
export function putTogether(pieces: TablePieces): Uint8Array {
  const { header, firstBlock, otherBlocks } = pieces
  writeU32(header, 60, crc32From(0, header.subarray(0, 60)))
  let bytes: Uint8Array = header
  const append = (more: Uint8Array): void => {
    bytes = Buffer.concat([bytes, more])
  }
  if (firstBlock) append(sealed(firstBlock, bytes.length))
  append(otherBlocks)
  const parts: TablePart[] = []
  for (const { tag, content, codec } of pieces.parts) {
    parts.push({ tag, offset: bytes.length, length: content.length })
    append(sealed({ content, codec }, bytes.length))
  }
  const list = encodeMetaIndex(parts)
  const metaIndex = { offset: bytes.length, length: list.length }
  append(sealed({ content: list.bytes.slice(0, list.length), codec: 0 }, bytes.length))
  const footer = encodeFooter(metaIndex, FILE_SEED, bytes.length)
  writeU16(footer, 12, pieces.ignoreFlags)
  writeU16(footer, 14, pieces.refuseFlags)
  writeU32(footer, 16, crc32From(FILE_SEED, footer.subarray(0, 16)))
  append(footer)
  return new Uint8Array(bytes)
}

function sealed({ content, codec }: Piece, offset: number): Uint8Array {
  const bytes = new Uint8Array(content.length + TRAILER_BYTES)
  bytes.set(content)
  bytes[content.length] = codec
  const sum = checksum(bytes.subarray(0, content.length + 1)) ^ placeMark(FILE_SEED, offset)
  writeU32(bytes, content.length + 1, sum)
  return bytes
}

/** From the first bound of the index: sequence 0, empty key, length. */
export function firstBlockLength(bytes: Uint8Array, indexOffset: number): number {
  let at = indexOffset
  while (bytes[at]! >= 128) at++
  at += 3
  const low = bytes[at]!
  return low < 128 ? low : (low & 127) + bytes[at + 1]! * 128
}

/** An entry of any kind that a table takes. Sequences are given. */
function randomTableEntry(prng: Prng, key: Uint8Array, sequence: number): ModelEntry {
  const kind = prng.below(3)
  if (kind === KIND.tombstone) return tombstone(key, sequence)
  if (kind === KIND.inline) return inlineEntry(key, sequence, prng.bytes(prng.below(60)))
  const segment = prng.pick([1, 2, 127, 128, 70_000, 2 ** 32 - 1])
  const offset = prng.chance(0.5) ? prng.below(1000) : prng.u32() * 2 ** 15
  return {
    key,
    sequence,
    kind: KIND.pointer,
    value: undefined,
    segment,
    offset,
    length: prng.u32(),
  }
}

/**
 * Sorted entries with many versions of the same keys; sequences lie around 2^32 and above in some.
 */
export function randomEntries(prng: Prng, count: number): ModelEntry[] {
  const base = prng.pick([1, 2 ** 32 - 20, 2 ** 40])
  const jump = prng.chance(0.3) ? 2 ** 32 : 0
  const entries: ModelEntry[] = []
  for (let i = 0; i < count; i++) {
    const sequence = base + i + (i > count / 2 ? jump : 0)
    entries.push(randomTableEntry(prng, randomKey(prng), sequence))
  }
  return entries.sort(compareEntries)
}

/** The model with pointers to records of values that have the given lengths. */
export function withRecords(model: readonly ModelEntry[], stored: readonly number[]): ModelEntry[] {
  return model.map((entry, i) =>
    entry.kind === KIND.pointer
      ? { ...entry, length: recordBytes(entry.key.length, stored[i]!) }
      : entry,
  )
}

/** `stored[i]`: the length of the value of entry i if it is a pointer. */
export function sumFigures(model: readonly ModelEntry[], stored: readonly number[]): TableFigures {
  let valueBytes = 0
  let keyBytes = 0
  model.forEach(({ kind, key, value }, i) => {
    if (kind === KIND.tombstone) return
    keyBytes += key.length
    // Of a pointed one as it is stored: with the table of its chunks.
    valueBytes += kind === KIND.inline ? value!.length : stored[i]! + tableBytes(stored[i]!)
  })
  const distinctKeys = new Set(model.map(({ key }) => Buffer.from(key).toString('hex'))).size
  return { distinctKeys, valueBytes, keyBytes }
}

/** What its pointers name, in the order of first use. */
export function sumReferences(model: readonly ModelEntry[]): Reference[] {
  const sums = new Map<number, Reference>()
  for (const { kind, segment, offset, length } of model) {
    if (kind !== KIND.pointer) continue
    const { records, bytes, fingerprint } = sums.get(segment) ?? noReferences()
    sums.set(segment, {
      segment,
      records: records + 1,
      bytes: bytes + length,
      fingerprint: (fingerprint + fingerprintOf(BigInt(offset), BigInt(length))) | 0,
    })
  }
  return [...sums.values()]
}

/** F-T27, in numbers of any length. */
function fingerprintOf(offset: bigint, length: bigint): number {
  const low = (value: bigint): bigint => BigInt.asUintN(32, value)
  let mark = low(length * 0xc2b2ae35n) ^ low(offset) ^ low((offset >> 32n) * 0x9e3779b1n)
  mark = low((mark ^ (mark >> 16n)) * 0x85ebca6bn)
  mark = low((mark ^ (mark >> 13n)) * 0xc2b2ae35n)
  return Number(mark ^ (mark >> 16n))
}

/** Reads a table in every way. @returns the error, or undefined when all that was read is right */
export function readEverything(
  table: ModelTable,
  model: readonly ModelEntry[],
  hint: string,
): unknown {
  const expected = model.map(describeEntry)
  try {
    const reader = openTable(table)
    const cache = new BlockCache(2 ** 20)
    const found = emptyFound()
    for (const [i, { key, sequence }] of model.entries()) {
      const hash = hashRange(key, 0, key.length, 0)
      expect(reader.find(key, hash, sequence, found, cache), hint).toBe(true)
      expect(describeFound(key, found), hint).toBe(expected[i])
    }
    expect(walk(reader.cursor(cache), false), hint).toEqual(expected)
    expect(walk(reader.cursor(), true), hint).toEqual(expected.toReversed())
    expect([...reader.references], hint).toEqual(sumReferences(model))
    return undefined
  } catch (error) {
    if (error instanceof WiscError && error.code !== 'WISC_INTERNAL') return error
    throw error
  }
}

/** What verify finds wrong. */
export function verifyError(table: ModelTable): unknown {
  try {
    openTable(table).verify()
    return undefined
  } catch (error) {
    return error
  }
}
