/**
 * The pointers of tables into some segments, as jobs go through them: table by table, one open at a time, in key order.
 *
 * The references of a table say how many there are, so that not one can be missed.
 */

import { CorruptionError } from '../../base/errors.ts'
import { joinPath, tableName } from '../../base/files/file-names.ts'
import type { FileSystem } from '../../base/files/file-system.ts'
import type { SegmentNumber } from '../../base/ids.ts'
import { keepUntilNext } from '../../base/kept.ts'
import { type Entry, type EntryCursor, KIND, type TableMeta } from '../entry.ts'
import { TableReader } from '../table/table-reader.ts'

/** A slice ends after so many entries: one to three milliseconds, by what is done with each. */
const SLICE_ENTRIES = 2048

export interface PointingTables {
  readonly directory: string
  readonly databaseId: Uint8Array
  /** All tables that may point into the segments, in any order. */
  readonly tables: readonly TableMeta[]
}

export interface PointedSegments {
  /** True for a logical segment whose pointers are wanted. */
  holdsSegment(segment: SegmentNumber): boolean
}

/** Called with each pointer, whose key is a view until it returns; `table` is the name of a file. */
export type VisitPointer = (pointer: Entry, table: string) => void

/**
 * Visits all pointers into the segments. Yields about how many bytes each slice read.
 * @throws CorruptionError if a table is damaged, WISC_FORMAT_VERSION, IoError
 */
export function visitPointers(
  input: PointingTables,
  fileSystem: FileSystem,
  segments: PointedSegments,
  visit: VisitPointer,
): Generator<number, void> {
  return eachPointingTable(input, fileSystem, segments, (table, name, pointers) =>
    visitTable(table, name, pointers, segments, visit),
  )
}

/** Opens each table, and runs the slices of those that point into the segments, with the count of these pointers. */
export function* eachPointingTable(
  { directory, databaseId, tables }: PointingTables,
  fileSystem: FileSystem,
  segments: PointedSegments,
  slices: (table: TableReader, name: string, pointers: number) => Generator<number, void>,
): Generator<number, void> {
  for (const meta of tables) {
    const name = tableName(meta.number)
    const path = joinPath(directory, name)
    const table = TableReader.open(fileSystem, path, name, meta, databaseId)
    try {
      const pointers = countPointers(table, segments)
      if (pointers > 0) yield* slices(table, name, pointers)
    } finally {
      table.close()
    }
    yield 0
  }
}

/** The error for a table with other pointers than its references count. */
export function miscounted(
  { meta }: TableReader,
  name: string,
  found: number,
  counted: number,
): CorruptionError {
  const reason = `references count other pointers than there are, found=${found} counted=${counted}`
  return new CorruptionError(name, meta.bytes, reason)
}

function countPointers({ references }: TableReader, segments: PointedSegments): number {
  let pointers = 0
  for (const { segment, records } of references) {
    if (segments.holdsSegment(segment)) pointers += records
  }
  return pointers
}

function* visitTable(
  table: TableReader,
  name: string,
  pointers: number,
  segments: PointedSegments,
  visit: VisitPointer,
): Generator<number, void> {
  const slice = new VisitSlice(table, name, segments, visit)
  keepUntilNext('walk over pointers', { table, slice })
  const entryBytes = table.meta.bytes / table.meta.entries
  for (let passed = 0; ; passed = slice.passed) {
    const more = slice.run()
    yield Math.ceil((slice.passed - passed) * entryBytes)
    if (!more) break
  }
  if (slice.found !== pointers) throw miscounted(table, name, slice.found, pointers)
}

class VisitSlice {
  found = 0
  /** Entries. */
  passed = 0
  readonly #cursor: EntryCursor
  readonly #name: string
  readonly #segments: PointedSegments
  readonly #visit: VisitPointer

  constructor(table: TableReader, name: string, segments: PointedSegments, visit: VisitPointer) {
    this.#cursor = table.cursor()
    this.#name = name
    this.#segments = segments
    this.#visit = visit
    this.#cursor.seekToFirst()
  }

  /** Goes on until the slice is full. @returns false at the end */
  run(): boolean {
    const cursor = this.#cursor
    for (let i = 0; i < SLICE_ENTRIES && cursor.valid; i++) {
      const { entry } = cursor
      if (entry.kind === KIND.pointer && this.#segments.holdsSegment(entry.segment)) {
        this.#visit(entry, this.#name)
        this.found++
      }
      this.passed++
      cursor.next()
    }
    return cursor.valid
  }
}
