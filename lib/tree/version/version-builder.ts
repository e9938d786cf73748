/**
 * Edits, applied to a version. A builder touches only what its edits name, whatever else the version holds; what it
 * asserts is local to that, too. One edit of a live version takes a builder of its own; a manifest is replayed by one.
 *
 * Pure, but for the builder itself: the version that it began with stays as it is.
 */
import { compareBytes } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileNumber, SegmentNumber, VersionNumber } from '../../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../../base/log-position.ts'
import type { NumberMapBuilder } from '../../base/number-map.ts'
import type { TableMeta } from '../entry.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import { type Level, type Run, relocationOf, type SegmentState, type Version } from './version.ts'
import {
  type AddedTable,
  LEVELS_MAX,
  type RelocationState,
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
  readonly #segments: NumberMapBuilder<SegmentNumber, SegmentState>
  readonly #relocations: NumberMapBuilder<FileNumber, RelocationState>
  readonly #former: NumberMapBuilder<SegmentNumber, FileNumber>
  #last: Version

  constructor(version: Version) {
    this.#tables = version.tables.builder()
    this.#segments = version.segments.builder()
    this.#relocations = version.relocations.builder()
    this.#former = version.formerRelocations.builder()
    this.#last = version
  }

  /** @throws WiscError (WISC_INTERNAL) if it does not fit */
  apply(edit: VersionEdit, id: VersionNumber): void {
    const last = this.#last
    const nextFileNumber = Math.max(last.nextFileNumber, edit.nextFileNumber ?? 0)
    const levels = this.#editTables(last.levels, edit, nextFileNumber)
    this.#editValueLog(edit, nextFileNumber)
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
    const tables = this.#tables.finish()
    const segments = this.#segments.finish()
    const relocations = this.#relocations.finish()
    const formerRelocations = this.#former.finish()
    return { ...this.#last, tables, segments, relocations, formerRelocations }
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

  /** Segments first: what a relocation takes over must be sealed, what it loses must be gone or moved. */
  #editValueLog(edit: VersionEdit, limit: FileNumber): void {
    const segments = this.#segments
    for (const { number, salt } of edit.addedSegments ?? []) {
      assert(!segments.has(number), `a segment number is used once, number=${number}`)
      assert(number < limit, `segment number is allocated, number=${number}`)
      segments.set(number, { number, salt, state: 'open' })
    }
    for (const { number, length, lastSequence } of edit.sealedSegments ?? []) {
      const segment = segments.get(number)
      assert(segment?.state === 'open', `an open segment is sealed, number=${number}`)
      const { salt } = segment
      const state = 'sealed' as const
      segments.set(number, { number, salt, state, length, lastSequence, relocation: undefined })
    }
    this.#editRelocations(edit, limit)
  }

  #editRelocations(edit: VersionEdit, limit: FileNumber): void {
    const { addedRelocations = [], removedRelocations = [], removedSegments = [] } = edit
    const relocations = this.#relocations
    const shrunk = new Set<FileNumber | undefined>()
    for (const number of removedSegments) {
      shrunk.add(this.#relocationOf(number))
      const wasThere = this.#segments.delete(number) || this.#former.delete(number)
      assert(wasThere, `a removed segment exists, number=${number}`)
    }
    const removed = new Set(removedRelocations)
    assert(removed.size === removedRelocations.length, 'a relocation is removed once')
    for (const relocation of addedRelocations) {
      const { number, parts } = relocation
      assert(!relocations.has(number) && number < limit, `a relocation is new, number=${number}`)
      relocations.set(number, relocation)
      for (const { segment } of parts) {
        shrunk.add(this.#relocationOf(segment))
        this.#relocate(segment, number, removed)
      }
    }
    for (const number of removed) {
      const relocation = relocations.get(number)
      assert(relocation !== undefined, `a removed relocation exists, number=${number}`)
      const held = relocation.parts.find(({ segment }) => this.#relocationOf(segment) === number)
      assert(held === undefined, `a segment is held by a file, number=${held?.segment}`)
      relocations.delete(number)
    }
    for (const number of shrunk) {
      const relocation = number === undefined ? undefined : relocations.get(number)
      if (relocation === undefined) continue
      const parts = relocation.parts.filter(({ segment }) => this.#relocationOf(segment) === number)
      relocations.set(relocation.number, { ...relocation, parts })
    }
  }

  /** A part of a new relocation: a sealed segment, or a relocation that has gone or goes by this edit. */
  #relocate(number: SegmentNumber, holder: FileNumber, removed: ReadonlySet<FileNumber>): void {
    const segment = this.#segments.get(number)
    if (segment !== undefined) {
      assert(segment.state === 'sealed', `a relocated segment is sealed, number=${number}`)
      this.#segments.set(number, { ...segment, relocation: holder })
      return
    }
    const own: number = number
    const goes = this.#relocations.has(own) && own !== holder && removed.has(own)
    // The first edit of a manifest says itself which there were.
    const isKnown = goes || this.#former.has(number) || this.#last.id === 0
    assert(isKnown, `a part names what was there, number=${number}`)
    this.#former.set(number, holder)
  }

  #relocationOf(number: SegmentNumber): FileNumber | undefined {
    const segment = this.#segments.get(number)
    return segment ? relocationOf(segment) : this.#former.get(number)
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

/**
 * The tables of a run in key order. What lies between those that go and those that come is copied piece by piece: a run
 * may have ten thousand tables, and a change names a few neighbours.
 */
function editRun(
  tables: readonly TableMeta[],
  { removed, added }: RunChange,
): readonly TableMeta[] {
  const kept = removed.length === 0 ? tables : without(tables, removed.sort(byKey))
  if (added.length === 0) return kept
  const pieces: (readonly TableMeta[])[] = []
  let last: TableMeta | undefined
  let copied = 0
  const push = (piece: readonly TableMeta[]): void => {
    const first = piece[0]
    if (first === undefined) return
    assert(
      last === undefined || compareBytes(last.largestKey, first.smallestKey) < 0,
      `tables of a run do not overlap, numbers=${last?.number},${first.number}`,
    )
    pieces.push(piece)
    last = piece[piece.length - 1]
  }
  for (const table of added.sort(byKey)) {
    const place = firstTableReaching(kept, table.smallestKey)
    push(kept.slice(copied, place))
    push([table])
    copied = place
  }
  push(kept.slice(copied))
  return joined(pieces)
}

/** `removed` are some of the tables, in their order. */
function without(
  tables: readonly TableMeta[],
  removed: readonly TableMeta[],
): readonly TableMeta[] {
  const pieces: (readonly TableMeta[])[] = []
  let copied = 0
  for (const { smallestKey } of removed) {
    const place = firstTableReaching(tables, smallestKey)
    if (place > copied) pieces.push(tables.slice(copied, place))
    copied = place + 1
  }
  pieces.push(tables.slice(copied))
  return joined(pieces)
}

function joined(pieces: readonly (readonly TableMeta[])[]): readonly TableMeta[] {
  return ([] as readonly TableMeta[]).concat(...pieces)
}

function byKey(left: TableMeta, right: TableMeta): number {
  return compareBytes(left.smallestKey, right.smallestKey)
}
