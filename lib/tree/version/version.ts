/**
 * Versions: the immutable set of tables and segments that make up the store at one moment.
 *
 * Pure: an edit makes a new version of an old one, or throws. Levels are lists of runs, newest
 * first; a run's tables have disjoint key ranges, in order. In one level a higher run id means
 * newer entries (I6).
 */
import { compareBytes } from '../../base/bytes.ts'
import type { FileNumber, SegmentNumber, Sequence, VersionNumber } from '../../base/ids.ts'
import { LOG_START, type LogPosition } from '../../base/log-position.ts'
import { NumberMap } from '../../base/number-map.ts'
import type { TableMeta } from '../entry.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import type { AddedTable, RelocationState, VersionEdit } from './version-edit.ts'

export interface Run {
  readonly id: number
  readonly tables: readonly TableMeta[]
}

export interface Level {
  /** Newest first, by descending id. None is empty. */
  readonly runs: readonly Run[]
}

export interface OpenSegmentState {
  readonly number: number
  readonly salt: number
  readonly state: 'open'
}

export interface SealedSegmentState {
  readonly number: number
  readonly salt: number
  readonly state: 'sealed'
  readonly length: number
  readonly lastSequence: number
  /** The relocation that holds what survives of it; undefined: its own file. */
  readonly relocation: number | undefined
}

export type SegmentState = OpenSegmentState | SealedSegmentState

/** See {@link VersionEdit} for the fields that have the same names. */
export interface Version {
  /** Number of the edit that made it. */
  readonly id: VersionNumber
  /** Level 0 first; the last one is not empty. */
  readonly levels: readonly Level[]
  /** The same tables by their numbers. */
  readonly tables: NumberMap<FileNumber, AddedTable>
  /** What pointers name. In ascending order of their numbers, which is log order. */
  readonly segments: NumberMap<SegmentNumber, SegmentState>
  /** The files that hold what was moved. Pointers may name them, too: by their own number, with places in them. */
  readonly relocations: NumberMap<FileNumber, RelocationState>
  /** Relocations that have gone, and pointers still name: the one that holds what survives of each. */
  readonly formerRelocations: NumberMap<SegmentNumber, FileNumber>
  readonly checkpoint: LogPosition
  readonly durable: LogPosition
  readonly cleanEnd: LogPosition | undefined
  readonly lastSequence: Sequence
  readonly nextFileNumber: FileNumber
}

/** What a new database begins with. */
export const EMPTY_VERSION: Version = {
  id: 0,
  levels: [],
  tables: NumberMap.empty(),
  segments: NumberMap.empty(),
  relocations: NumberMap.empty(),
  formerRelocations: NumberMap.empty(),
  checkpoint: LOG_START,
  durable: LOG_START,
  cleanEnd: undefined,
  lastSequence: 0,
  nextFileNumber: 1,
}

/** The edit that makes this version of {@link EMPTY_VERSION}. */
export function snapshotEdit(version: Version): VersionEdit {
  const segments = [...version.segments.values()]
  return {
    nextFileNumber: version.nextFileNumber,
    lastSequence: version.lastSequence,
    checkpoint: version.checkpoint,
    durable: version.durable,
    ...(version.cleanEnd && { cleanEnd: version.cleanEnd }),
    addedTables: [...version.tables.values()],
    addedSegments: segments.map(({ number, salt }) => ({ number, salt })),
    sealedSegments: segments.flatMap((segment) => (segment.state === 'sealed' ? [segment] : [])),
    addedRelocations: [...version.relocations.values()],
  }
}

/** True if a value-log file is part of the version: a segment in its own file, or a relocation. */
export function holdsValueLogFile(version: Version, number: number): boolean {
  const segment = version.segments.get(number)
  const hasOwnFile = segment !== undefined && !isRelocated(segment)
  return hasOwnFile || version.relocations.has(number)
}

/** All that pointers may name. */
export function knownSegments({
  segments,
  relocations,
  formerRelocations,
}: Pick<Version, 'segments' | 'relocations' | 'formerRelocations'>): SegmentNumber[] {
  const files: Iterable<number> = relocations.keys()
  return [...segments.keys(), ...files, ...formerRelocations.keys()]
}

/** The file that holds what pointers know as `segment`: its own, or a relocation. undefined: nothing knows it. */
export function holderOf(
  { segments, relocations, formerRelocations }: Version,
  segment: SegmentNumber,
): FileNumber | undefined {
  const own: number = segment
  const state = segments.get(segment)
  if (state !== undefined) return relocationOf(state) ?? own
  return relocations.has(own) ? own : formerRelocations.get(segment)
}

/** The relocation that holds what survives of a segment. */
export function relocationOf(segment: SegmentState): FileNumber | undefined {
  return segment.state === 'sealed' ? segment.relocation : undefined
}

/** True if what survives of a segment lies in another file. */
export function isRelocated(segment: SegmentState): boolean {
  return relocationOf(segment) !== undefined
}

/** The table of a run whose range holds `key`, or undefined. */
export function findTable(run: Run, key: Uint8Array): TableMeta | undefined {
  const table = run.tables[firstTableReaching(run.tables, key)]
  return table !== undefined && compareBytes(table.smallestKey, key) <= 0 ? table : undefined
}

/**
 * The tables, in key order and with disjoint ranges, that overlap a range; both ends are inclusive.
 */
export function overlappingTables(
  tables: readonly TableMeta[],
  smallestKey: Uint8Array,
  largestKey: Uint8Array,
): readonly TableMeta[] {
  const start = firstTableReaching(tables, smallestKey)
  let end = start
  while (end < tables.length && compareBytes(tables[end]!.smallestKey, largestKey) <= 0) end++
  return tables.slice(start, end)
}
