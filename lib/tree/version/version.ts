/**
 * Versions: the immutable set of tables and files of the value log that make up the store at one moment. A version
 * shares structure with the one that it was made of (version-builder.ts).
 *
 * Levels are lists of runs, newest first; a run's tables have disjoint key ranges, in order. In one level a higher run
 * id means newer entries (I6).
 *
 * What value pointers name are logical segments. Each file of the value log holds the segment of its own number, and a
 * relocation those of its parts; no segment is held by two files. The order of the log is that of its files' ordinals.
 */
import { compareBytes } from '../../base/bytes.ts'
import type {
  FileNumber,
  LogOrdinal,
  SegmentNumber,
  Sequence,
  VersionNumber,
} from '../../base/ids.ts'
import { LOG_START, type LogPosition } from '../../base/log-position.ts'
import { NumberMap } from '../../base/number-map.ts'
import type { TableMeta } from '../entry.ts'
import { endsBefore, type KeySpan } from '../key-span.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import type {
  AddedTable,
  LogFile,
  RelocationFile,
  StreamFile,
  ValueLogFile,
} from './version-edit.ts'

export interface Run {
  readonly id: FileNumber
  readonly tables: readonly TableMeta[]
}

export interface Level {
  /** Newest first, by descending id. None is empty. */
  readonly runs: readonly Run[]
}

/** See {@link VersionEdit} for the fields that have the same names. */
export interface Version {
  /** Number of the edit that made it. */
  readonly id: VersionNumber
  /** Level 0 first; the last one is not empty. */
  readonly levels: readonly Level[]
  /** The same tables by their numbers. */
  readonly tables: NumberMap<FileNumber, AddedTable>
  /** Those with range tombstones, few as a rule; the same list as long as there are the same. */
  readonly ranged: readonly TableMeta[]
  /** All files of the value log. */
  readonly files: NumberMap<FileNumber, ValueLogFile>
  /** Which file holds a segment. */
  readonly segments: NumberMap<SegmentNumber, FileNumber>
  /** The files of the log, in its order. */
  readonly log: NumberMap<LogOrdinal, FileNumber>
  /** How many of the files are streams. */
  readonly streams: number
  readonly checkpoint: LogPosition
  readonly durable: LogPosition
  readonly cleanEnd: LogPosition | undefined
  /** Entries with a lower sequence were evicted; 0: none were. */
  readonly evictedBelow: Sequence
  readonly lastSequence: Sequence
  readonly nextFileNumber: FileNumber
}

/** What a new database begins with. */
export const EMPTY_VERSION: Version = {
  id: 0,
  levels: [],
  tables: NumberMap.empty(),
  ranged: [],
  files: NumberMap.empty(),
  segments: NumberMap.empty(),
  log: NumberMap.empty(),
  streams: 0,
  checkpoint: LOG_START,
  durable: LOG_START,
  cleanEnd: undefined,
  evictedBelow: 0,
  lastSequence: 0,
  nextFileNumber: 1,
}

/** The file that holds a segment, or undefined if nothing refers to it any more. */
export function fileOf(version: Version, segment: SegmentNumber): ValueLogFile | undefined {
  const number = version.segments.get(segment)
  return number === undefined ? undefined : version.files.get(number)
}

/** The segments that a file holds: those of its parts, and its own. None if it is not in the version. */
export function segmentsOf({ files }: Version, number: FileNumber): SegmentNumber[] {
  const file = files.get(number)
  if (file === undefined) return []
  const parts = file.role === 'relocation' ? file.parts.map(({ segment }) => segment) : []
  return [...parts, number]
}

/** True for a file of the log that is written, or may be, still. */
export function isOpen(file: ValueLogFile): boolean {
  return file.role === 'log' && file.seal === undefined
}

/** Bytes of a file that are a part of the version; undefined for a file of the log that is open. */
export function fileLength(file: ValueLogFile): number | undefined {
  return file.role === 'log' ? file.seal?.length : file.length
}

/** Up to here the records of a file of the log that has some length are in tables. */
export function flushedEnd({ checkpoint }: Version, { ordinal }: LogFile, length: number): number {
  if (ordinal === checkpoint.ordinal) return Math.min(checkpoint.offset, length)
  return ordinal < checkpoint.ordinal ? length : 0
}

/** The files of the log in its order, from one ordinal on. */
export function* logFiles(version: Version, from: LogOrdinal = 0): Generator<LogFile, void> {
  for (const [, number] of version.log.from(from)) {
    const file = version.files.get(number)
    if (file?.role === 'log') yield file
  }
}

/** In ascending order of their numbers. */
export function* relocationFiles({
  files,
}: Pick<Version, 'files'>): Generator<RelocationFile, void> {
  for (const file of files.values()) if (file.role === 'relocation') yield file
}

/** In ascending order of their numbers. */
export function* streamFiles({ files }: Pick<Version, 'files'>): Generator<StreamFile, void> {
  for (const file of files.values()) if (file.role === 'stream') yield file
}

export function relocationCount({ files, log, streams }: Version): number {
  return files.size - log.size - streams
}

/** The ordinal of the next file of the log: above those of all that it has and ever had. */
export function nextOrdinal({ log, checkpoint, durable }: Version): LogOrdinal {
  return 1 + Math.max(log.last?.[0] ?? 0, checkpoint.ordinal, durable.ordinal)
}

/** The table of a run whose range holds `key`, or undefined. */
export function findTable(run: Run, key: Uint8Array): TableMeta | undefined {
  const table = run.tables[firstTableReaching(run.tables, key)]
  return table !== undefined && compareBytes(table.smallestKey, key) <= 0 ? table : undefined
}

/** The tables, in key order and with disjoint spans, that overlap a span. */
export function overlappingTables(
  tables: readonly TableMeta[],
  span: KeySpan,
): readonly TableMeta[] {
  const start = firstTableReaching(tables, span.smallestKey)
  let end = start
  for (; end < tables.length; end++) {
    const { smallestKey } = tables[end]!
    if (endsBefore(span, smallestKey, 0, smallestKey.length)) break
  }
  return tables.slice(start, end)
}
