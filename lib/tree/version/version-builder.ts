/**
 * Edits, applied to a version. A builder touches only what its edits name, whatever else the version holds; what it
 * asserts is local to that, too. One edit of a live version takes a builder of its own; a manifest is replayed by one.
 *
 * Pure, but for the builder itself: the version that it began with stays as it is.
 */
import { assert } from '../../base/errors.ts'
import type { FileNumber, LogOrdinal, SegmentNumber, VersionNumber } from '../../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../../base/log-position.ts'
import type { NumberMapBuilder } from '../../base/number-map.ts'
import type { SegmentRecords } from '../../base/segment-records.ts'
import type { TableMeta } from '../entry.ts'
import { LevelsBuilder, RunChanges } from './levels-builder.ts'
import type { Version } from './version.ts'
import {
  type AddedFile,
  type AddedTable,
  LEVELS_MAX,
  type LogFile,
  type LogSeal,
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

/** Those of a version that are no collections. */
type SingleFields = Omit<
  Version,
  'levels' | 'tables' | 'ranged' | 'files' | 'segments' | 'log' | 'streams'
>

/** After an edit that did not fit it must not be used again. */
export class VersionBuilder {
  readonly #levels: LevelsBuilder
  readonly #tables: NumberMapBuilder<FileNumber, AddedTable>
  readonly #files: NumberMapBuilder<FileNumber, ValueLogFile>
  readonly #segments: NumberMapBuilder<SegmentNumber, FileNumber>
  readonly #log: NumberMapBuilder<LogOrdinal, FileNumber>
  #streams: number
  #ranged: readonly TableMeta[]
  /** What it began with was the empty version, so the edits with this number bring everything along. */
  #firstId: VersionNumber | undefined
  #lastOrdinal: LogOrdinal
  #last: SingleFields

  constructor(version: Version) {
    this.#levels = new LevelsBuilder(version.levels)
    this.#tables = version.tables.builder()
    this.#files = version.files.builder()
    this.#segments = version.segments.builder()
    this.#log = version.log.builder()
    this.#streams = version.streams
    this.#ranged = version.ranged
    this.#lastOrdinal = version.log.last?.[0] ?? 0
    this.#last = version
  }

  /** @throws WiscError (WISC_INTERNAL) if it does not fit */
  apply(edit: VersionEdit, id: VersionNumber): void {
    const last = this.#last
    if (last.id === 0) this.#firstId = id
    const nextFileNumber = Math.max(last.nextFileNumber, edit.nextFileNumber ?? 0)
    this.#editTables(edit, nextFileNumber)
    this.#editValueLog(edit, nextFileNumber, id === this.#firstId)
    this.#last = {
      id,
      checkpoint: later(last.checkpoint, edit.checkpoint),
      durable: later(last.durable, edit.durable),
      cleanEnd: edit.cleanEnd,
      evictedBelow: Math.max(last.evictedBelow, edit.evictedBelow ?? 0),
      lastSequence: Math.max(last.lastSequence, edit.lastSequence ?? 0),
      nextFileNumber,
    }
  }

  /** What the edits have made. The builder is used up. */
  finish(): Version {
    return {
      ...this.#last,
      levels: this.#levels.finish(),
      tables: this.#tables.finish(),
      files: this.#files.finish(),
      segments: this.#segments.finish(),
      log: this.#log.finish(),
      streams: this.#streams,
      ranged: this.#ranged,
    }
  }

  #editTables(edit: VersionEdit, limit: FileNumber): void {
    const { removedTables = [], addedTables = [] } = edit
    if (removedTables.length + addedTables.length === 0) return
    const changes = new RunChanges()
    for (const number of removedTables) {
      const table = this.#tables.get(number)
      if (table === undefined) unfit(`a removed table exists, number=${number}`)
      this.#tables.delete(number)
      changes.of(table).removed.push(table.meta)
      if (table.meta.fragments > 0)
        this.#ranged = this.#ranged.filter((meta) => meta !== table.meta)
    }
    for (const table of addedTables) {
      const { level, runId, meta } = table
      const { number } = meta
      if (this.#tables.has(number)) unfit(`a table number is used once, number=${number}`)
      if (number >= limit || runId >= limit) unfit(`numbers are allocated, number=${number}`)
      if (level >= LEVELS_MAX) unfit(`levels are bounded, level=${level}`)
      this.#tables.set(number, table)
      changes.of(table).added.push(meta)
      if (meta.fragments > 0) this.#ranged = [...this.#ranged, meta]
    }
    this.#levels.apply(changes)
  }

  /** Removals first: no segment is removed and named by a part. What a file has lost is seen last. */
  #editValueLog(edit: VersionEdit, limit: FileNumber, isFirst: boolean): void {
    const lost = new Set<FileNumber>()
    for (const segment of edit.removedSegments ?? []) {
      const holder = this.#segments.get(segment)
      if (holder === undefined) unfit(`a removed segment exists, number=${segment}`)
      this.#segments.delete(segment)
      lost.add(holder)
    }
    for (const file of edit.addedFiles ?? []) {
      const { number } = file
      if (this.#segments.has(number)) unfit(`a file number is used once, number=${number}`)
      if (number >= limit) unfit(`a file number is allocated, number=${number}`)
      this.#segments.set(number, number)
      if (file.role === 'log') this.#addLogFile(file, isFirst)
      else {
        this.#files.set(number, file)
        if (file.role === 'stream') this.#streams++
        else for (const part of file.parts) this.#movePart(part, number, lost, isFirst)
      }
    }
    for (const { number, length, lastSequence } of edit.sealedFiles ?? []) {
      const file = this.#files.get(number)
      if (file?.role !== 'log' || file.seal) unfit(`an open file is sealed, number=${number}`)
      this.#files.set(number, logFile(file, { length, lastSequence }))
    }
    for (const number of lost) this.#settle(number)
  }

  #addLogFile({ number, salt, ordinal }: AddedFile & { role: 'log' }, isFirst: boolean): void {
    const { checkpoint, durable } = this.#last
    const isNext =
      ordinal > this.#lastOrdinal && ordinal > checkpoint.ordinal && ordinal > durable.ordinal
    const fits = isFirst ? !this.#log.has(ordinal) : isNext
    if (!fits) unfit(`a file is added behind the log, number=${number} ordinal=${ordinal}`)
    this.#lastOrdinal = Math.max(this.#lastOrdinal, ordinal)
    this.#log.set(ordinal, number)
    this.#files.set(number, logFile({ number, salt, ordinal }, undefined))
  }

  #movePart(
    { segment }: SegmentRecords,
    to: FileNumber,
    lost: Set<FileNumber>,
    isFirst: boolean,
  ): void {
    const holder = this.#segments.get(segment)
    if (isFirst) {
      if (holder !== undefined) unfit(`a segment is held by one file, number=${segment}`)
    } else {
      if (holder === undefined || holder === to) unfit(`a part names a segment, number=${segment}`)
      const file = this.#files.get(holder)
      const isOpen = file?.role === 'log' && !file.seal
      if (isOpen) unfit(`a relocated segment is sealed, number=${segment}`)
      if (file?.role === 'stream') unfit(`a stream is never moved, number=${segment}`)
      lost.add(holder)
    }
    this.#segments.set(segment, to)
  }

  /** A file that segments have left keeps the others, or goes with its own. */
  #settle(number: FileNumber): void {
    const file = this.#files.get(number)
    if (file === undefined) unfit(`a segment is held by a file, number=${number}`)
    const isHeld = this.#segments.get(number) === number
    if (file.role === 'relocation') {
      const parts = file.parts.filter(({ segment }) => this.#segments.get(segment) === number)
      if (!isHeld && parts.length > 0) unfit(`a file's own segment goes last, number=${number}`)
      if (isHeld) this.#files.set(number, { ...file, parts })
    }
    if (isHeld) return
    this.#files.delete(number)
    if (file.role === 'log') this.#log.delete(file.ordinal)
    if (file.role === 'stream') this.#streams--
  }
}

/** Says what must be so. Only called when it is not: a replay checks millions of these, and texts take longer. */
function unfit(rule: string): never {
  assert(false, rule)
}

/** Made here alone: what goes through thousands of them is slower where they differ in shape. */
function logFile(
  { number, salt, ordinal }: Pick<LogFile, 'number' | 'salt' | 'ordinal'>,
  seal: LogSeal | undefined,
): LogFile {
  return { role: 'log', number, salt, ordinal, seal }
}

function later(old: LogPosition, position: LogPosition | undefined): LogPosition {
  return position !== undefined && compareLogPositions(position, old) > 0 ? position : old
}
