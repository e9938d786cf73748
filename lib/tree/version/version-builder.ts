/**
 * Edits, applied to a version. A builder touches only what its edits name, whatever else the version holds; what it
 * asserts is local to that, too. One edit of a live version takes a builder of its own; a manifest is replayed by one.
 *
 * Pure, but for the builder itself: the version that it began with stays as it is.
 */
import { compareBytes } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileNumber, LogOrdinal, SegmentNumber, VersionNumber } from '../../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../../base/log-position.ts'
import type { NumberMapBuilder } from '../../base/number-map.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import type { TableMeta } from '../entry.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import type { Level, Run, Version } from './version.ts'
import {
  type AddedFile,
  type AddedTable,
  LEVELS_MAX,
  type ValueLogFile,
  type VersionEdit,
} from './version-edit.ts'

/**
 * The version that an edit makes of another.
 * @throws WiscError (WISC_INTERNAL) if it does not fit: an unknown or duplicate number, tables of a
 *   run that overlap
 */
export function applyEdit(version: Version, edit: VersionEdit, id: VersionNumber): Version {
  const builder = new VersionBuilder(version)
  builder.apply(edit, id)
  return builder.finish()
}

/** After an edit that did not fit it must not be used again. */
export class VersionBuilder {
  readonly #tables: NumberMapBuilder<FileNumber, AddedTable>
  readonly #files: NumberMapBuilder<FileNumber, ValueLogFile>
  readonly #segments: NumberMapBuilder<SegmentNumber, FileNumber>
  readonly #log: NumberMapBuilder<LogOrdinal, FileNumber>
  /** What it began with was the empty version, so the edits with this number bring everything along. */
  #firstId: VersionNumber | undefined
  #lastOrdinal: LogOrdinal
  #last: Version

  constructor(version: Version) {
    this.#tables = version.tables.builder()
    this.#files = version.files.builder()
    this.#segments = version.segments.builder()
    this.#log = version.log.builder()
    this.#lastOrdinal = version.log.last?.[0] ?? 0
    this.#last = version
  }

  /** @throws WiscError (WISC_INTERNAL) if it does not fit */
  apply(edit: VersionEdit, id: VersionNumber): void {
    const last = this.#last
    if (last.id === 0) this.#firstId = id
    const nextFileNumber = Math.max(last.nextFileNumber, edit.nextFileNumber ?? 0)
    const levels = this.#editTables(last.levels, edit, nextFileNumber)
    this.#editValueLog(edit, nextFileNumber, id === this.#firstId)
    this.#last = {
      ...last,
      id,
      levels,
      checkpoint: later(last.checkpoint, edit.checkpoint),
      durable: later(last.durable, edit.durable),
      cleanEnd: edit.cleanEnd,
      lastSequence: Math.max(last.lastSequence, edit.lastSequence ?? 0),
      nextFileNumber,
    }
  }

  /** What the edits have made. The builder is used up. */
  finish(): Version {
    return {
      ...this.#last,
      tables: this.#tables.finish(),
      files: this.#files.finish(),
      segments: this.#segments.finish(),
      log: this.#log.finish(),
    }
  }

  #editTables(levels: readonly Level[], edit: VersionEdit, limit: FileNumber): readonly Level[] {
    const { removedTables = [], addedTables = [] } = edit
    if (removedTables.length + addedTables.length === 0) return levels
    const changes = new RunChanges()
    for (const number of removedTables) {
      const table = this.#tables.get(number)
      assert(table !== undefined, `a removed table exists, number=${number}`)
      this.#tables.delete(number)
      changes.of(table).removed.push(table.meta)
    }
    for (const table of addedTables) {
      const { level, runId, meta } = table
      assert(!this.#tables.has(meta.number), `a table number is used once, number=${meta.number}`)
      assert(meta.number < limit && runId < limit, `numbers are allocated, number=${meta.number}`)
      assert(level < LEVELS_MAX, `levels are bounded, level=${level}`)
      this.#tables.set(meta.number, table)
      changes.of(table).added.push(meta)
    }
    return changes.applyTo(levels)
  }

  /** Removals first: no segment is removed and named by a part. What a file has lost is seen last. */
  #editValueLog(edit: VersionEdit, limit: FileNumber, isFirst: boolean): void {
    const lost = new Set<FileNumber>()
    for (const segment of edit.removedSegments ?? []) {
      const holder = this.#segments.get(segment)
      assert(holder !== undefined, `a removed segment exists, number=${segment}`)
      this.#segments.delete(segment)
      lost.add(holder)
    }
    for (const file of edit.addedFiles ?? []) {
      const { number } = file
      assert(!this.#segments.has(number), `a file number is used once, number=${number}`)
      assert(number < limit, `a file number is allocated, number=${number}`)
      this.#segments.set(number, number)
      if (file.role === 'log') this.#addLogFile(file, isFirst)
      else {
        this.#files.set(number, file)
        for (const part of file.parts) this.#movePart(part, number, lost, isFirst)
      }
    }
    for (const { number, length, lastSequence } of edit.sealedFiles ?? []) {
      const file = this.#files.get(number)
      assert(file?.role === 'log' && !file.seal, `an open file is sealed, number=${number}`)
      this.#files.set(number, { ...file, seal: { length, lastSequence } })
    }
    for (const number of lost) this.#settle(number)
  }

  #addLogFile({ number, salt, ordinal }: AddedFile & { role: 'log' }, isFirst: boolean): void {
    const { checkpoint, durable } = this.#last
    const isNext =
      ordinal > this.#lastOrdinal && ordinal > checkpoint.ordinal && ordinal > durable.ordinal
    const fits = isFirst ? !this.#log.has(ordinal) : isNext
    assert(fits, `a file is added behind the log, number=${number} ordinal=${ordinal}`)
    this.#lastOrdinal = Math.max(this.#lastOrdinal, ordinal)
    this.#log.set(ordinal, number)
    this.#files.set(number, { role: 'log', number, salt, ordinal, seal: undefined })
  }

  #movePart(
    { segment }: SegmentRecords,
    to: FileNumber,
    lost: Set<FileNumber>,
    isFirst: boolean,
  ): void {
    const holder = this.#segments.get(segment)
    if (isFirst) assert(holder === undefined, `a segment is held by one file, number=${segment}`)
    else {
      assert(holder !== undefined && holder !== to, `a part names a segment, number=${segment}`)
      const file = this.#files.get(holder)
      const isOpen = file?.role === 'log' && !file.seal
      assert(!isOpen, `a relocated segment is sealed, number=${segment}`)
      lost.add(holder)
    }
    this.#segments.set(segment, to)
  }

  /** A file that segments have left keeps the others, or goes with its own. */
  #settle(number: FileNumber): void {
    const file = this.#files.get(number)
    assert(file !== undefined, `a segment is held by a file, number=${number}`)
    const isHeld = this.#segments.get(number) === number
    if (file.role === 'relocation') {
      const parts = file.parts.filter(({ segment }) => this.#segments.get(segment) === number)
      assert(isHeld || parts.length === 0, `a file's own segment goes last, number=${number}`)
      if (isHeld) this.#files.set(number, { ...file, parts })
    }
    if (isHeld) return
    this.#files.delete(number)
    if (file.role === 'log') this.#log.delete(file.ordinal)
  }
}

function later(old: LogPosition, position: LogPosition | undefined): LogPosition {
  return position !== undefined && compareLogPositions(position, old) > 0 ? position : old
}

interface RunChange {
  readonly removed: TableMeta[]
  readonly added: TableMeta[]
}

/** What one edit does to the runs that it names, by level and id. */
class RunChanges {
  readonly #byLevel = new Map<number, Map<number, RunChange>>()

  of({ level, runId }: AddedTable): RunChange {
    let runs = this.#byLevel.get(level)
    if (runs === undefined) {
      runs = new Map()
      this.#byLevel.set(level, runs)
    }
    let change = runs.get(runId)
    if (change === undefined) {
      change = { removed: [], added: [] }
      runs.set(runId, change)
    }
    return change
  }

  applyTo(levels: readonly Level[]): readonly Level[] {
    const edited = [...levels]
    for (const [level, changes] of this.#byLevel) {
      while (edited.length <= level) edited.push({ runs: [] })
      edited[level] = editLevel(edited[level]!, changes)
    }
    while (edited.length > 0 && edited[edited.length - 1]!.runs.length === 0) edited.pop()
    return edited
  }
}

function editLevel(level: Level, changes: ReadonlyMap<number, RunChange>): Level {
  const runs: Run[] = level.runs.filter(({ id }) => !changes.has(id))
  for (const [id, change] of changes) {
    const tables = editRun(level.runs.find((run) => run.id === id)?.tables ?? [], change)
    if (tables.length > 0) runs.push({ id, tables })
  }
  runs.sort((left, right) => right.id - left.id)
  return { runs }
}

/** Neighbours of a run that go, and what comes in their place. */
interface Gap {
  readonly at: number
  removed: number
  readonly added: TableMeta[]
}

/** A run may have ten thousand tables, and a change names a few neighbours: the list is copied once. */
function editRun(tables: readonly TableMeta[], change: RunChange): readonly TableMeta[] {
  const gaps = gapsOf(tables, change)
  const edited = tables.slice()
  for (const { at, removed, added } of gaps.toReversed()) edited.splice(at, removed, ...added)
  let moved = 0
  for (const { at, removed, added } of gaps) {
    const from = at + moved
    // The last of them against the first behind them, too.
    for (let i = Math.max(1, from); i <= from + added.length && i < edited.length; i++) {
      const [left, right] = [edited[i - 1]!, edited[i]!]
      if (compareBytes(left.largestKey, right.smallestKey) < 0) continue
      assert(false, `tables of a run do not overlap, numbers=${left.number},${right.number}`)
    }
    moved += added.length - removed
  }
  return edited
}

/** In order, none next to another. */
function gapsOf(tables: readonly TableMeta[], { removed, added }: RunChange): readonly Gap[] {
  removed.sort(byKey)
  added.sort(byKey)
  const gaps: Gap[] = []
  const gapAt = (place: number): Gap => {
    const last = gaps[gaps.length - 1]
    if (last !== undefined && place <= last.at + last.removed) return last
    const gap = { at: place, removed: 0, added: [] }
    gaps.push(gap)
    return gap
  }
  let next = 0
  for (const table of added) {
    for (; next < removed.length && byKey(removed[next]!, table) <= 0; next++) {
      gapAt(placeOf(tables, removed[next]!)).removed++
    }
    gapAt(placeOf(tables, table)).added.push(table)
  }
  for (; next < removed.length; next++) gapAt(placeOf(tables, removed[next]!)).removed++
  return gaps
}

/** Index of a table of a run, or of the one before which another belongs. */
function placeOf(tables: readonly TableMeta[], { smallestKey }: TableMeta): number {
  return firstTableReaching(tables, smallestKey)
}

function byKey(left: TableMeta, right: TableMeta): number {
  return compareBytes(left.smallestKey, right.smallestKey)
}
