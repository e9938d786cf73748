/** A tree in memory whose tables are arrays of entries: what plans of the picker do to it, carried out. */
import { expect } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import type { CompactionPlan } from '#dist/lib/tree/compaction/compaction-plan.js'
import { pickCompaction } from '#dist/lib/tree/compaction/picker.js'
import type { TableMeta } from '#dist/lib/tree/entry.js'
import type { TreeShapeOptions } from '#dist/lib/tree/version/tree-shape.js'
import { EMPTY_VERSION, type Version } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { meta } from '../../../support/parts/table-metas.ts'

export const OPTIONS: TreeShapeOptions = {
  sizeRatio: 4,
  runsPerLevel: 1,
  runsAtLargestLevel: 1,
  tableBytes: 1000,
  memtableBytes: 2000,
  maxUnflushedLogBytes: 64_000,
}
export const POLICIES = {
  leveling: { runsPerLevel: 1, runsAtLargestLevel: 1 },
  tiering: { runsPerLevel: 3, runsAtLargestLevel: 3 },
  'lazy leveling': { runsPerLevel: 3, runsAtLargestLevel: 1 },
} as const
const ENTRY_BYTES = 40
/** Nobody reads what is older than the newest. */
export const NO_READERS: number = Number.MAX_SAFE_INTEGER
/** Tables of these tests have few entries. */
export const DENSE_MIN = 6

interface Entry {
  readonly key: number
  readonly sequence: number
  readonly tombstone: boolean
}

/**
 * A tree whose tables are arrays of entries. Every table keeps all entries of a key; readers see
 * only the newest.
 */
export class SimulatedTree {
  readonly tables: Map<number, readonly Entry[]> = new Map()
  readonly options: TreeShapeOptions
  readonly pointed: number
  version: Version = EMPTY_VERSION
  #next = 1
  #sequence = 0

  constructor(options: TreeShapeOptions, pointed: number) {
    this.options = options
    this.pointed = pointed
  }

  flush(entries: readonly { readonly key: number; readonly tombstone: boolean }[]): void {
    const numbered = entries.map((entry) => ({ ...entry, sequence: ++this.#sequence }))
    const newest = new Map(numbered.map((entry) => [entry.key, entry]))
    this.#publish([...newest.values()], 0, this.#next++, [])
  }

  /** The number for a plan's new run is given when the plan is made. */
  start(plan: CompactionPlan): { readonly plan: CompactionPlan; readonly runId: number } {
    return { plan, runId: plan.outputRunId === 'new' ? this.#next++ : plan.outputRunId }
  }

  finish({ plan, runId }: { readonly plan: CompactionPlan; readonly runId: number }): void {
    const inputs = plan.inputs.flatMap(({ tables }) => tables)
    const removed = inputs.map(({ number }) => number)
    if (plan.trivialMove) {
      const addedTables = inputs.map((table) => ({ level: plan.outputLevel, runId, meta: table }))
      this.#apply({ removedTables: removed, addedTables })
      return
    }
    const newest = new Map<number, Entry>()
    for (const { number } of inputs) {
      for (const entry of this.tables.get(number)!) {
        if ((newest.get(entry.key)?.sequence ?? 0) < entry.sequence) newest.set(entry.key, entry)
      }
    }
    const kept = [...newest.values()].filter(({ key, tombstone }) => {
      const bytes = keyBytes(key)
      const isCovered = plan.olderRanges.some(
        (range) =>
          compareBytes(range.smallestKey, bytes) <= 0 && compareBytes(bytes, range.largestKey) <= 0,
      )
      return !tombstone || isCovered
    })
    this.#publish(kept, plan.outputLevel, runId, removed)
    for (const number of removed) this.tables.delete(number)
  }

  #publish(
    entries: readonly Entry[],
    level: number,
    runId: number,
    removedTables: readonly number[],
  ): void {
    const sorted = [...entries].sort((left, right) => left.key - right.key)
    const perTable = Math.floor(this.options.tableBytes / ENTRY_BYTES)
    const addedTables = []
    for (let from = 0; from < sorted.length; from += perTable) {
      const part = sorted.slice(from, from + perTable)
      const number = this.#next++
      this.tables.set(number, part)
      const tombstones = part.filter(({ tombstone }) => tombstone).length
      const table: TableMeta = {
        ...meta(number, '', ''),
        bytes: part.length * ENTRY_BYTES,
        entries: part.length,
        tombstones,
        pointedBytes: (part.length - tombstones) * this.pointed,
        smallestKey: keyBytes(part[0]!.key),
        largestKey: keyBytes(part[part.length - 1]!.key),
      }
      addedTables.push({ level, runId, meta: table })
    }
    this.#apply({ removedTables, addedTables })
  }

  #apply(edit: Parameters<typeof applyEdit>[1]): void {
    this.version = applyEdit(
      this.version,
      { ...edit, nextFileNumber: this.#next },
      this.version.id + 1,
    )
  }

  /**
   * I6 and I7: per key the newest entry comes first, and what a reader sees is what was written
   * last.
   */
  check(written: ReadonlyMap<number, boolean>): void {
    const last = new Map<number, number>()
    const seen = new Map<number, boolean>()
    for (const { runs } of this.version.levels) {
      for (const { tables } of runs) {
        for (const { number } of tables) {
          for (const { key, sequence, tombstone } of this.tables.get(number)!) {
            const above = last.get(key)
            expect(above === undefined || above > sequence, `I6: key=${key}`).toBe(true)
            last.set(key, sequence)
            if (above === undefined) seen.set(key, tombstone)
          }
        }
      }
    }
    for (const [key, tombstone] of written) {
      expect(seen.get(key) ?? true, `I7: key=${key}`).toBe(tombstone)
    }
  }
}

export function keyBytes(key: number): Uint8Array {
  return Uint8Array.of(key >> 8, key & 255)
}

export function settle(tree: SimulatedTree): number {
  for (let steps = 0; ; steps++) {
    const plan = pickCompaction(tree.version.levels, tree.options, NO_READERS, DENSE_MIN)
    if (!plan) return steps
    if (steps > 5000) throw new Error('the tree does not converge')
    tree.finish(tree.start(plan))
  }
}
