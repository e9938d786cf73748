/** Runs of tables from sorted plain entries, in memory, without memtables and jobs. */
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import { RunWriter } from '#dist/lib/tree/compaction/run-writer.js'
import type { TableMeta, TableOptions } from '#dist/lib/tree/entry.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { memoryDisk } from '../files/memory-directory.ts'
import { seededRandom } from '../random.ts'
import { ArrayCursor, compareEntries, type TestEntry } from './array-cursor.ts'

export const RUN_DATABASE_ID: Uint8Array = new Uint8Array(16).fill(5)

const NUMBERS = new FileNumbers()

/** The number after those of all runs so far. */
export function numberAfterRuns(): number {
  return NUMBERS.next
}

/** Writes entries, which come in any order, as one run. */
export function writeRun(
  directory: string,
  entries: readonly TestEntry[],
  tableOptions: TableOptions,
): readonly TableMeta[] {
  const ports = { fileSystem: memoryDisk, random: seededRandom(NUMBERS.next) }
  const fileNumbers = NUMBERS.memory
  const target = { directory, databaseId: RUN_DATABASE_ID, fileNumbers, tableOptions }
  const base = entries.reduce((least, { sequence }) => Math.min(least, sequence), Infinity)
  const writer = new RunWriter(ports, target, base)
  const cursor = new ArrayCursor([...entries].sort(compareEntries))
  for (cursor.seekToFirst(); cursor.valid; cursor.next()) writer.add(cursor.entry)
  return writer.finish().map(({ meta }) => meta)
}

export function openRunTable(directory: string, meta: TableMeta): TableReader {
  const name = tableName(meta.number)
  return TableReader.open(memoryDisk, joinPath(directory, name), name, meta, RUN_DATABASE_ID)
}
