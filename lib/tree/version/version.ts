/**
 * Versions: the immutable set of tables and segments that make up the store at one moment.
 *
 * Pure: an edit makes a new version of an old one, or throws. Levels are lists of runs, newest
 * first; a run's tables have disjoint key ranges, in order. In one level a higher run id means
 * newer entries (I6).
 */
import { compareBytes } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileNumber, Sequence, VersionNumber } from '../../base/ids.ts'
import { compareLogPositions, LOG_START, type LogPosition } from '../../base/log-position.ts'
import type { TableMeta } from '../entry.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import {
  type AddedTable,
  LEVELS_MAX,
  type RelocationState,
  type VersionEdit,
} from './version-edit.ts'

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
  /** What pointers name. In ascending order of their numbers, which is log order. */
  readonly segments: ReadonlyMap<number, SegmentState>
  /** The files that hold the segments that were moved. */
  readonly relocations: ReadonlyMap<number, RelocationState>
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
  segments: new Map(),
  relocations: new Map(),
  checkpoint: LOG_START,
  durable: LOG_START,
  cleanEnd: undefined,
  lastSequence: 0,
  nextFileNumber: 1,
}

/**
 * The version that an edit makes of another.
 * @throws WiscError (WISC_INTERNAL) if it does not fit: an unknown or duplicate number, tables of a
 *   run that overlap
 */
export function applyEdit(version: Version, edit: VersionEdit, id: number): Version {
  const nextFileNumber = Math.max(version.nextFileNumber, edit.nextFileNumber ?? 0)
  return {
    id,
    levels: editLevels(version.levels, edit, nextFileNumber),
    ...editValueLog(version, edit, nextFileNumber),
    checkpoint: later(version.checkpoint, edit.checkpoint),
    durable: later(version.durable, edit.durable),
    cleanEnd: edit.cleanEnd,
    lastSequence: Math.max(version.lastSequence, edit.lastSequence ?? 0),
    nextFileNumber,
  }
}

/** The edit that makes this version of {@link EMPTY_VERSION}. */
export function snapshotEdit(version: Version): VersionEdit {
  const addedTables: AddedTable[] = []
  version.levels.forEach(({ runs }, level) => {
    for (const { id: runId, tables } of runs) {
      for (const meta of tables) addedTables.push({ level, runId, meta })
    }
  })
  const segments = [...version.segments.values()]
  return {
    nextFileNumber: version.nextFileNumber,
    lastSequence: version.lastSequence,
    checkpoint: version.checkpoint,
    durable: version.durable,
    ...(version.cleanEnd && { cleanEnd: version.cleanEnd }),
    addedTables,
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

/** True if what survives of a segment lies in another file. */
export function isRelocated(segment: SegmentState): boolean {
  return segment.state === 'sealed' && segment.relocation !== undefined
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

function later(old: LogPosition, position: LogPosition | undefined): LogPosition {
  return position !== undefined && compareLogPositions(position, old) > 0 ? position : old
}

function editLevels(levels: readonly Level[], edit: VersionEdit, limit: number): readonly Level[] {
  const added = edit.addedTables ?? []
  const removed = new Set(edit.removedTables)
  assert(removed.size === (edit.removedTables?.length ?? 0), 'a table is removed once')
  if (added.length === 0 && removed.size === 0) return levels
  const numbers = new Set<number>()
  const edited = levels.map((level) => removeTables(level, removed, numbers))
  assert(removed.size === 0, `removed tables exist, missing=${[...removed].join()}`)

  const byRun = new Map<number, Map<number, TableMeta[]>>()
  for (const { level, runId, meta } of added) {
    assert(!numbers.has(meta.number), `a table number is used once, number=${meta.number}`)
    assert(meta.number < limit && runId < limit, `numbers are allocated, number=${meta.number}`)
    assert(level < LEVELS_MAX, `levels are bounded, level=${level}`)
    numbers.add(meta.number)
    let runs = byRun.get(level)
    if (!runs) {
      runs = new Map()
      byRun.set(level, runs)
    }
    const tables = runs.get(runId)
    if (tables) tables.push(meta)
    else runs.set(runId, [meta])
  }
  for (const [level, runs] of byRun) {
    while (edited.length <= level) edited.push({ runs: [] })
    edited[level] = addTables(edited[level]!, runs)
  }
  while (edited.length > 0 && edited[edited.length - 1]!.runs.length === 0) edited.pop()
  return edited
}

/** Takes what it finds out of `removed`; the numbers of what stays go to `numbers`. */
function removeTables(level: Level, removed: Set<number>, numbers: Set<number>): Level {
  const runs: Run[] = []
  for (const run of level.runs) {
    const tables = run.tables.filter(({ number }) => !removed.delete(number))
    for (const { number } of tables) numbers.add(number)
    if (tables.length === run.tables.length) runs.push(run)
    else if (tables.length > 0) runs.push({ id: run.id, tables })
  }
  return { runs }
}

function addTables(level: Level, added: ReadonlyMap<number, TableMeta[]>): Level {
  const runs = level.runs.filter(({ id }) => !added.has(id))
  for (const [id, newTables] of added) {
    const old = level.runs.find((run) => run.id === id)
    const tables = [...(old?.tables ?? []), ...newTables]
    tables.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
    for (let i = 1; i < tables.length; i++) {
      assert(
        compareBytes(tables[i - 1]!.largestKey, tables[i]!.smallestKey) < 0,
        `tables of a run do not overlap, numbers=${tables[i - 1]!.number},${tables[i]!.number}`,
      )
    }
    runs.push({ id, tables })
  }
  runs.sort((left, right) => right.id - left.id)
  return { runs }
}

type ValueLogState = Pick<Version, 'segments' | 'relocations'>

/** Segments first: what a relocation takes over must be sealed, what it loses must be gone or moved. */
function editValueLog(version: ValueLogState, edit: VersionEdit, limit: number): ValueLogState {
  const { addedSegments = [], sealedSegments = [], removedSegments = [] } = edit
  const { addedRelocations = [], removedRelocations = [] } = edit
  const segmentEdits = addedSegments.length + sealedSegments.length + removedSegments.length
  if (segmentEdits + addedRelocations.length + removedRelocations.length === 0) {
    return { segments: version.segments, relocations: version.relocations }
  }
  const edited = new Map(version.segments)
  for (const { number, salt } of addedSegments) {
    assert(!edited.has(number), `a segment number is used once, number=${number}`)
    assert(number < limit, `segment number is allocated, number=${number}`)
    edited.set(number, { number, salt, state: 'open' })
  }
  for (const { number, length, lastSequence } of sealedSegments) {
    const segment = edited.get(number)
    assert(segment?.state === 'open', `an open segment is sealed, number=${number}`)
    const { salt } = segment
    const state = 'sealed' as const
    edited.set(number, { number, salt, state, length, lastSequence, relocation: undefined })
  }
  const relocations = editRelocations(version.relocations, edited, edit, limit)
  return { segments: new Map([...edited].sort(([left], [right]) => left - right)), relocations }
}

/** Changes `segments` too: which file holds them, and which are gone. */
function editRelocations(
  relocations: ReadonlyMap<number, RelocationState>,
  segments: Map<number, SegmentState>,
  { addedRelocations = [], removedRelocations = [], removedSegments = [] }: VersionEdit,
  limit: number,
): ReadonlyMap<number, RelocationState> {
  const edited = new Map(relocations)
  const shrunk = new Set<number>()
  for (const number of removedSegments) {
    const segment = segments.get(number)
    assert(segment !== undefined, `a removed segment exists, number=${number}`)
    segments.delete(number)
    if (segment.state === 'sealed' && segment.relocation !== undefined) {
      shrunk.add(segment.relocation)
    }
  }
  for (const relocation of addedRelocations) {
    const { number, parts } = relocation
    assert(!edited.has(number) && number < limit, `a relocation is new, number=${number}`)
    edited.set(number, relocation)
    for (const part of parts) {
      const segment = segments.get(part.segment)
      assert(segment?.state === 'sealed', `a relocated segment is sealed, number=${part.segment}`)
      if (segment.relocation !== undefined) shrunk.add(segment.relocation)
      segments.set(part.segment, { ...segment, relocation: number })
    }
  }
  for (const number of removedRelocations) {
    assert(edited.delete(number), `a removed relocation exists, number=${number}`)
  }
  for (const number of shrunk) {
    const relocation = edited.get(number)
    if (relocation === undefined) continue
    const parts = relocation.parts.filter(({ segment }) => isHeldBy(segments.get(segment), number))
    assert(parts.length > 0, `an empty relocation is removed, number=${number}`)
    edited.set(number, { ...relocation, parts })
  }
  for (const segment of segments.values()) {
    if (segment.state !== 'sealed' || segment.relocation === undefined) continue
    assert(edited.has(segment.relocation), `a segment is held by a file, number=${segment.number}`)
  }
  return edited
}

function isHeldBy(segment: SegmentState | undefined, relocation: number): boolean {
  return segment?.state === 'sealed' && segment.relocation === relocation
}
