/** Relocations for tests: made of records that a test lists, in a file system in memory. */
import { expect } from 'vitest'
import { CorruptionError, WiscError } from '#dist/lib/base/errors.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import type { FileIdentity } from '#dist/lib/base/files/file-header.js'
import { segmentName } from '#dist/lib/base/files/file-names.js'
import type { File, FileSystem } from '#dist/lib/base/files/file-system.js'
import { frameSeed } from '#dist/lib/base/files/frame.js'
import { plainRecord, RECORD_KIND, recordBytes, writeRecordHead } from '#dist/vlog/record.js'
import {
  type BuiltRelocation,
  decodeRelocationFooter,
  FOOTER_BYTES,
  type RelocationLayout,
} from '#dist/vlog/relocation/relocation-format.js'
import { RelocationReader } from '#dist/vlog/relocation/relocation-reader.js'
import { RelocationWriter } from '#dist/vlog/relocation/relocation-writer.js'
import { plainTable, VALUE_CHUNK_BYTES } from '#dist/vlog/value-chunks.js'
import { MemoryFileSystem } from '../../support/files/memory-file-system.ts'
import type { Prng } from '../../support/random.ts'
import { runSlices } from '../../support/run-slices.ts'

export const NUMBER = 4711
export const NAME: string = segmentName(NUMBER)
export const PATH: string = `/store/${NAME}`
export const DATABASE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i)
export const IDENTITY: FileIdentity = {
  kind: 'relocation',
  databaseId: DATABASE_ID,
  number: NUMBER,
  salt: 0xfedcba98,
}
export const FILE_SEED: number = frameSeed(IDENTITY)

/** A record and the address that pointers know. */
export interface ModelRecord {
  readonly segment: number
  readonly offset: number
  readonly bytes: Uint8Array
}

export interface ModelRelocation {
  readonly fileSystem: MemoryFileSystem
  readonly records: readonly ModelRecord[]
  /** Where `begin` said that records[i] lies. */
  readonly places: readonly number[]
  readonly built: BuiltRelocation
}

export function makeRecord(key: Uint8Array, sequence: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(recordBytes(key.length, value.length))
  const table = value.length > VALUE_CHUNK_BYTES ? plainTable(value) : new Uint8Array(0)
  const given = table.length > 0 ? table : undefined
  const record = { ...plainRecord(RECORD_KIND.put, key, value), table: given }
  const valueStart = writeRecordHead(bytes, 0, record, sequence)
  bytes.set(table, valueStart)
  bytes.set(value, valueStart + table.length)
  return bytes
}

/** `count` records of up to `segments` segments, in no order of addresses; some offsets are above 2^32. */
export function randomRecords(prng: Prng, count: number, segments: number): ModelRecord[] {
  const numbers = Array.from({ length: segments }, (_, i) => 1 + i * 3 + prng.below(3))
  const ends = numbers.map(() => 160 + (prng.chance(0.2) ? 2 ** 32 * prng.below(1000) : 0))
  const records: ModelRecord[] = []
  for (let i = 0; i < count; i++) {
    const at = prng.below(segments)
    const bytes = makeRecord(prng.bytes(prng.below(12)), 1 + i, prng.bytes(prng.below(40)))
    records.push({ segment: numbers[at]!, offset: ends[at]!, bytes })
    ends[at]! += bytes.length + (prng.chance(0.01) ? 2 ** 31 : prng.below(200))
  }
  for (let i = count - 1; i > 0; i--) {
    const other = prng.below(i + 1)
    const record = records[i]!
    records[i] = records[other]!
    records[other] = record
  }
  return records
}

export function finish(writer: RelocationWriter): BuiltRelocation {
  return runSlices(writer.finishSlices())
}

/** Writes records to a new file. Large ones go in two calls. @returns where each lies */
export function writeRecords(
  writer: RelocationWriter,
  records: readonly ModelRecord[],
): readonly number[] {
  return records.map(({ segment, offset, bytes }) => {
    const place = writer.begin(segment, offset)
    const middle = bytes.length >>> 1
    writer.write(bytes, 0, middle)
    writer.write(bytes, middle, bytes.length)
    return place
  })
}

export function buildRelocation(
  records: readonly ModelRecord[],
  identity: FileIdentity = IDENTITY,
): ModelRelocation {
  const fileSystem = new MemoryFileSystem()
  const writer = new RelocationWriter(fileSystem.open(PATH, 'create'), identity)
  const places = writeRecords(writer, records)
  return { fileSystem, records, places, built: finish(writer) }
}

function openBuilt(fileSystem: FileSystem, built: BuiltRelocation): RelocationReader {
  return RelocationReader.open(fileSystem, PATH, NAME, { ...built, databaseId: DATABASE_ID })
}

export function openRelocation(relocation: ModelRelocation): RelocationReader {
  return openBuilt(relocation.fileSystem, relocation.built)
}

export function layoutOf(bytes: Uint8Array): RelocationLayout {
  const at = bytes.length - FOOTER_BYTES
  return decodeRelocationFooter(bytes, at, FILE_SEED, at, NAME)
}

export function readAt(file: File, place: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  if (file.read(bytes, 0, length, place) < length) throw new CorruptionError(NAME, place, 'short')
  return bytes
}

/** The error of `run` if it is one that users may see. */
export function errorOf(run: () => void): WiscError | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof WiscError && error.code !== 'WISC_INTERNAL') return error
    throw error
  }
}

/** Locates all records. @returns the error, or undefined when all answers are right */
export function lookupError(relocation: ModelRelocation): WiscError | undefined {
  return errorOf(() => {
    const reader = openRelocation(relocation)
    const cache = new BlockCache(2 ** 20)
    const places = relocation.records.map(({ segment, offset }) =>
      reader.locate(segment, offset, cache),
    )
    expect(places).toEqual(relocation.places)
  })
}

export function verifyError(relocation: ModelRelocation): WiscError | undefined {
  return errorOf(() => openRelocation(relocation).verify())
}

/** Other bytes in place of the file's; the manifest believes in their length. */
export function replaced(relocation: ModelRelocation, bytes: Uint8Array): ModelRelocation {
  relocation.fileSystem.replace(PATH, bytes)
  return { ...relocation, built: { ...relocation.built, length: bytes.length } }
}
