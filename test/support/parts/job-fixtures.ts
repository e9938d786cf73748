/** Memtables, jobs and tables for tests of flush, compaction and the runners. */
import { joinPath, tableName } from '#dist/lib/base/files/file-names.js'
import { FileNumbers } from '#dist/lib/base/files/file-numbers.js'
import type { FileSystem } from '#dist/lib/base/files/file-system.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import type { CompactionJob, FlushJob } from '#dist/lib/jobs/messages.js'
import type { RunResult } from '#dist/lib/tree/compaction/retained-run.js'
import { KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { type Arena, createArena } from '#dist/lib/tree/memtable/arena.js'
import { type FrozenMemtable, Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { TableReader } from '#dist/lib/tree/table/table-reader.js'
import { memoryDisk } from '../files/memory-directory.ts'
import { entryUnder, keyed, type TestEntry } from './array-cursor.ts'

export const DATABASE_ID: Uint8Array = new Uint8Array(16).fill(9)
export const TABLE_OPTIONS = { tableBytes: 4096, blockBytes: 512, filterBitsPerKey: 10 } as const

export interface Frozen {
  readonly arena: Arena
  readonly frozen: FrozenMemtable
}

/** A range tombstone as it is written. */
export interface TestRange {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
  readonly sequence: number
}

/** A frozen memtable with entries and range tombstones, which must come in ascending order of sequences. */
export function freeze(
  arenaId: number,
  entries: readonly (TestEntry | TestRange)[],
  bytes: number = 1 << 20,
): Frozen {
  const arena = createArena(arenaId, bytes)
  const memtable = new Memtable(arena, LOG_START)
  for (const entry of entries) {
    if ('start' in entry) {
      memtable.insertRange(entry.start, entry.end, entry.sequence, () => true)
      continue
    }
    memtable.insert(entry.key, keyed(entry))
  }
  return { arena, frozen: memtable.freeze() }
}

const NUMBERS = new FileNumbers()

export function flushJob(
  directory: string,
  frozen: FrozenMemtable,
  readable: readonly number[],
): FlushJob {
  const base = {
    directory,
    databaseId: DATABASE_ID,
    fileNumbers: NUMBERS.memory,
    expiredBy: 0,
    tableOptions: TABLE_OPTIONS,
  }
  return { kind: 'flush', ...base, readableSequences: readable, memtable: frozen }
}

export function compactionJob(
  directory: string,
  inputs: CompactionJob['inputs'],
  readable: readonly number[],
  olderRanges: CompactionJob['olderRanges'] = [],
): CompactionJob {
  const base = {
    directory,
    databaseId: DATABASE_ID,
    fileNumbers: NUMBERS.memory,
    evictedBelow: 0,
    expiredBy: 0,
    tableOptions: TABLE_OPTIONS,
  }
  return {
    kind: 'compaction',
    ...base,
    readableSequences: readable,
    inputs,
    olderRanges,
    folds: [],
  }
}

export function openJobTable(
  directory: string,
  meta: TableMeta,
  fileSystem: FileSystem = memoryDisk,
): TableReader {
  const name = tableName(meta.number)
  return TableReader.open(fileSystem, joinPath(directory, name), name, meta, DATABASE_ID)
}

/** All entries of tables, after each has been verified. */
export function readTables(
  directory: string,
  tables: readonly TableMeta[],
  fileSystem?: FileSystem,
): TestEntry[] {
  const entries: TestEntry[] = []
  for (const meta of tables) {
    const reader = openJobTable(directory, meta, fileSystem)
    reader.verify()
    const cursor = reader.cursor()
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) entries.push(entryUnder(cursor)!)
    reader.close()
  }
  return entries
}

/**
 * What must survive of entries, sorted, by the words of the rule; `keepsTombstone` says when one
 * stays anyhow.
 */
export function surviving(
  entries: readonly TestEntry[],
  readable: readonly number[],
  keepsTombstone: (entry: TestEntry) => boolean,
): TestEntry[] {
  const highest = readable[readable.length - 1]!
  const same = (left: TestEntry, right: TestEntry): boolean =>
    Buffer.compare(left.key, right.key) === 0
  return entries.filter((entry) => {
    const newerAt = (sequence: number): boolean =>
      entries.some((e) => same(e, entry) && e.sequence <= sequence && e.sequence > entry.sequence)
    const isNeeded =
      entry.sequence > highest || readable.some((r) => entry.sequence <= r && !newerAt(r))
    const ends =
      entry.kind === KIND.tombstone && entry.sequence <= readable[0]! && !keepsTombstone(entry)
    return isNeeded && !ends
  })
}

export function deadPlaces({ dead }: RunResult): string[] {
  const segments = [...dead.segments].flatMap((segment, i) =>
    Array.from({ length: dead.counts[i]! }, () => segment),
  )
  return segments.map((segment, i) => `${segment} ${dead.offsets[i]} ${dead.lengths[i]}`).sort()
}
