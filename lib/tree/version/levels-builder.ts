/**
 * Edits of the levels of a version. A builder copies each run that it changes once, however many of its edits name the
 * run: a run may have ten thousand tables, and an edit names a few neighbours.
 */
import { compareBytes } from '../../base/bytes.ts'
import { assert } from '../../base/errors.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { TableMeta } from '../entry.ts'
import { endsBefore } from '../key-span.ts'
import { firstTableReaching } from '../table/run-cursor.ts'
import type { Level } from './version.ts'
import type { AddedTable } from './version-edit.ts'

interface RunChange {
  readonly removed: TableMeta[]
  readonly added: TableMeta[]
}

/** What one edit does to the runs that it names, by level and id. */
export class RunChanges {
  readonly byLevel: Map<number, Map<FileNumber, RunChange>> = new Map()

  of({ level, runId }: AddedTable): RunChange {
    let runs = this.byLevel.get(level)
    if (runs === undefined) {
      runs = new Map()
      this.byLevel.set(level, runs)
    }
    let change = runs.get(runId)
    if (change === undefined) {
      change = { removed: [], added: [] }
      runs.set(runId, change)
    }
    return change
  }
}

/** A run of this builder's own, which may be changed in place; the other ones belong to a version. */
interface OwnRun {
  readonly id: FileNumber
  readonly tables: TableMeta[]
}

interface OwnLevel {
  readonly runs: OwnRun[]
}

export class LevelsBuilder {
  readonly #before: readonly Level[]
  #levels: OwnLevel[] | undefined
  /** Lists of runs and of tables that are copies of its own. */
  readonly #own: Set<readonly unknown[]> = new Set()

  constructor(before: readonly Level[]) {
    this.#before = before
  }

  /** @throws WiscError (WISC_INTERNAL) if tables of a run overlap then */
  apply({ byLevel }: RunChanges): void {
    const levels = this.#ownLevels()
    for (const [level, changes] of byLevel) {
      while (levels.length <= level) levels.push({ runs: [] })
      const runs = this.#ownRuns(levels, level)
      for (const [id, change] of changes) this.#editRun(runs, id, change)
    }
    while (levels.length > 0 && levels[levels.length - 1]!.runs.length === 0) levels.pop()
  }

  /** The levels as they are now; those that it was made of if nothing was changed. The builder is used up. */
  finish(): readonly Level[] {
    return this.#levels ?? this.#before
  }

  #ownLevels(): OwnLevel[] {
    // What is not its own is copied before it is changed.
    this.#levels ??= [...(this.#before as OwnLevel[])]
    return this.#levels
  }

  #ownRuns(levels: OwnLevel[], level: number): OwnRun[] {
    let { runs } = levels[level]!
    if (!this.#own.has(runs)) {
      runs = runs.slice()
      this.#own.add(runs)
      levels[level] = { runs }
    }
    return runs
  }

  #editRun(runs: OwnRun[], id: FileNumber, change: RunChange): void {
    const at = placeOfRun(runs, id)
    if (runs[at]?.id !== id) runs.splice(at, 0, { id, tables: [] })
    let { tables } = runs[at]!
    if (!this.#own.has(tables)) {
      tables = tables.slice()
      this.#own.add(tables)
      runs[at] = { id, tables }
    }
    editTables(tables, change)
    if (tables.length === 0) runs.splice(at, 1)
  }
}

/** Index of a run of a level, newest first, or of the one before which another belongs. */
function placeOfRun(runs: readonly OwnRun[], id: FileNumber): number {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (runs[middle]!.id > id) low = middle + 1
    else high = middle
  }
  return low
}

/** Neighbours of a run that go, and what comes in their place. */
interface Gap {
  readonly at: number
  removed: number
  readonly added: TableMeta[]
}

function editTables(tables: TableMeta[], change: RunChange): void {
  const gaps = gapsOf(tables, change)
  for (const { at, removed, added } of gaps.toReversed()) tables.splice(at, removed, ...added)
  let moved = 0
  for (const { at, removed, added } of gaps) {
    const from = at + moved
    // The last of them against the first behind them, too.
    for (let i = Math.max(1, from); i <= from + added.length && i < tables.length; i++) {
      const [left, right] = [tables[i - 1]!, tables[i]!]
      if (endsBefore(left, right.smallestKey, 0, right.smallestKey.length)) continue
      assert(false, `tables of a run do not overlap, numbers=${left.number},${right.number}`)
    }
    moved += added.length - removed
  }
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
