/**
 * When a compaction patches the tables of its oldest run (table/table-patcher.ts) instead of merging all, and how.
 *
 * A tree is compacted again and again to let go of what was overwritten here and there: thirty entries are there for
 * one that is newer. A patch costs a fifth of a merge then, or less. It is for the plain case, and a merge for every
 * other: nobody reads at an older sequence, nothing is deleted, evicted or folded, each old table has one put for each
 * key. And now and then for this one, too: tables that have grown, whose filter has been filled up, or whose references
 * name segments of which nothing is left are merged, which makes them anew.
 */
import { compareRange } from '../../base/bytes.ts'
import { DeadRecordsBuilder } from '../../base/dead-records.ts'
import { joinPath, tableName } from '../../base/files/file-names.ts'
import { keepUntilNext } from '../../base/kept.ts'
import { type EntryCursor, KIND, type TableMeta } from '../entry.ts'
import { TablePatcher } from '../table/table-patcher.ts'
import { TableReader } from '../table/table-reader.ts'
import type { CompactionInput } from './input-run.ts'
import type { PassedTables } from './passed-tables.ts'
import type { RunResult, RunSlice } from './retained-run.ts'
import type { JobPorts, RunWriter } from './run-writer.ts'

/** There may be so many newer entries for each entry of a table: with more of them little of it is copied. */
const NEWER_SHARE = 1 / 4
/** What a newer entry may add to a table, beside its key and an inline value. */
const ENTRY_BYTES = 32
/** A table may grow to so many times the size at which tables end ... */
const GROWTH_MAX = 3 / 2
/** ... and on average have no less than this part of it, or they had better be joined. */
const SIZE_MIN = 1 / 4
/** The filter may have this part of the bits that it should have for its keys. */
const FILTER_MIN = 7 / 8
/** So many references may be there in vain, or half of all. */
const SPENT_REFERENCES = 32
/** A slice ends after so many blocks: a millisecond or two. */
const SLICE_BLOCKS = 64

/**
 * True if the oldest run of the inputs can be patched with the others.
 * @param newer the others; is left where it may be
 * @throws CorruptionError, WISC_FORMAT_VERSION, IoError
 */
export function canPatch(input: CompactionInput, newer: EntryCursor, ports: JobPorts): boolean {
  const { inputs, readableSequences, evictedBelow, tableOptions } = input
  const oldest = inputs[inputs.length - 1]!
  const tables = inputs.flat()
  const others = tables.length - oldest.length
  if (others === 0 || readableSequences.length !== 1) return false
  const [readable] = readableSequences
  if (tables.some(({ tombstones, fragments }) => tombstones + fragments > 0)) return false
  if (tables.some(({ largestSequence }) => largestSequence > readable!)) return false
  if (tables.some(({ smallestSequence }) => smallestSequence < evictedBelow)) return false
  const entries = countEntries(oldest)
  if (countEntries(tables) - entries > NEWER_SHARE * entries) return false
  const bytes = oldest.reduce((sum, table) => sum + table.bytes, 0)
  if (oldest.length > 1 && bytes < SIZE_MIN * tableOptions.tableBytes * oldest.length) return false
  const smallest = Math.min(...tables.map(({ smallestSequence }) => smallestSequence))
  const sums = sumByTable(newer, oldest)
  return oldest.every((table, i) => isPatchable(table, sums[i]!, smallest, input, ports))
}

function countEntries(tables: readonly TableMeta[]): number {
  return tables.reduce((sum, { entries }) => sum + entries, 0)
}

/** Newer entries that belong into a table: how many, and about how large. */
interface NewerSum {
  entries: number
  bytes: number
}

function sumByTable(newer: EntryCursor, tables: readonly TableMeta[]): NewerSum[] {
  const sums = tables.map(() => ({ entries: 0, bytes: 0 }))
  let table = 0
  for (newer.seekToFirst(); newer.valid; newer.next()) {
    const { keyBytes, keyStart, keyEnd, kind, valueStart, valueEnd, expiresAt } = newer.entry
    for (let next = tables[table + 1]; next !== undefined; next = tables[table + 1]) {
      const { smallestKey } = next
      if (compareRange(keyBytes, keyStart, keyEnd, smallestKey, 0, smallestKey.length) < 0) break
      table++
    }
    const sum = sums[table]!
    sum.entries++
    sum.bytes += ENTRY_BYTES + keyEnd - keyStart
    if (kind === KIND.inline) sum.bytes += valueEnd - valueStart
    // References of a patched table would have to know which of its pointers expires last.
    if (expiresAt !== 0) sum.entries = Number.POSITIVE_INFINITY
  }
  return sums
}

function isPatchable(
  table: TableMeta,
  newer: Readonly<NewerSum>,
  smallestSequence: number,
  input: CompactionInput,
  ports: JobPorts,
): boolean {
  const { tableBytes, filterBitsPerKey } = input.tableOptions
  const entries = table.entries + newer.entries
  if (newer.entries > NEWER_SHARE * table.entries) return false
  if (table.bytes + newer.bytes > GROWTH_MAX * tableBytes) return false
  const reader = openTable(table, input, ports)
  try {
    const { properties, references, filter } = reader.contents()
    if (
      reader.hasUnknownParts ||
      properties.tags.length > 0 ||
      properties.distinctKeys !== table.entries
    )
      return false
    if (properties.baseSequence > smallestSequence) return false
    const spent = references.length - reader.references.length
    if (spent > SPENT_REFERENCES && spent > references.length / 2) return false
    if (filter === undefined) return filterBitsPerKey === 0
    const bits = (filter.length - 1) * 8
    return filterBitsPerKey > 0 && bits >= FILTER_MIN * filterBitsPerKey * entries
  } finally {
    reader.close()
  }
}

/** Patches each table of the oldest run, and finishes the writer. Requires: {@link canPatch}. */
export function* patchSlices(
  input: CompactionInput,
  newer: EntryCursor,
  ports: JobPorts,
  writer: RunWriter,
  passed: PassedTables,
): Generator<RunSlice, RunResult> {
  const oldest = input.inputs[input.inputs.length - 1]!
  const dead = new DeadRecordsBuilder()
  let entriesIn = countEntries(oldest)
  newer.seekToFirst()
  for (const [i, table] of oldest.entries()) {
    const end = oldest[i + 1]?.smallestKey
    passed.begun(input.inputs.length - 1, table)
    const reader = openTable(table, input, ports)
    let patcher: TablePatcher | undefined
    try {
      const { file, identity } = writer.create()
      const died = (segment: number, offset: number, length: number): void =>
        dead.add(segment, offset, length)
      patcher = new TablePatcher(reader.contents(), file, identity, input.tableOptions, died)
      keepUntilNext('table that is patched', { reader, patcher })
      while (!patcher.isDone) {
        for (let block = 0; block < SLICE_BLOCKS && !patcher.isDone; block++)
          entriesIn += patcher.patchBlock(newer, end)
        yield undefined
      }
      writer.end(patcher)
    } finally {
      patcher?.close()
      reader.close()
    }
    yield* writer.syncSlices()
  }
  const tables = writer.finish()
  yield* writer.syncSlices()
  const { bytesWritten, entries: entriesOut } = writer
  return { tables, bytesWritten, entriesIn, entriesOut, foldedPointers: 0, dead: dead.finish() }
}

function openTable(meta: TableMeta, input: CompactionInput, ports: JobPorts): TableReader {
  const { directory, databaseId } = input
  const name = tableName(meta.number)
  return TableReader.open(ports.fileSystem, joinPath(directory, name), name, meta, databaseId)
}
