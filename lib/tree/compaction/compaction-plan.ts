/**
 * Plans of compactions: what is merged, into which run, and what older lies around it. Pure.
 *
 * What arrives at a level is merged into its newest run while both together keep the size of one run (always, where
 * only one run is allowed), otherwise it becomes a new run in front.
 *
 * Invariant I6: a plan merges only into the newest run of the level that it fills. What is flushed or planned later is
 * newer, and lies in front.
 */
import { compareBytes } from '../../base/bytes.ts'
import type { TableMeta } from '../entry.ts'
import { compareSpanEnds, endsBefore, type KeySpan } from '../key-span.ts'
import {
  compensatedBytes,
  compensatedRunBytes,
  runCapacity,
  runLimit,
  type TreeShape,
  type TreeShapeOptions,
} from '../version/tree-shape.ts'
import { type Level, overlappingTables } from '../version/version.ts'

/** Tables of one run that a plan takes, in key order. */
export interface RunPart {
  readonly level: number
  readonly runId: number
  readonly tables: readonly TableMeta[]
}

/** Why a level is compacted, or a table of it. */
export type LevelReason = 'runs' | 'bytes' | 'tombstones' | 'addresses'
/** Why all of a range is: somebody asked for it, or garbage is to be exposed. */
export type FullReason = 'manual' | 'garbage'

export interface CompactionPlan {
  readonly inputLevel: number
  readonly outputLevel: number
  /** Newest first; none is empty. */
  readonly inputs: readonly RunPart[]
  /**
   * The run that takes the output; `new`: one with a number that is allocated for this plan, now.
   */
  readonly outputRunId: number | 'new'
  /** Ranges of all older tables outside the inputs, in order of their first keys. */
  readonly olderRanges: readonly KeySpan[]
  /** Nothing is to be merged: one edit moves the tables as they are. */
  readonly trivialMove: boolean
  readonly reason: LevelReason | FullReason
  /** How far the level is over its limit: 1 is just full. */
  readonly score: number
}

/** Why a level, or a table of it, is compacted. */
export interface Candidate {
  readonly level: number
  readonly score: number
  readonly reason: LevelReason
}

/** Lets parts of one level arrive at the next one. */
export function planInto(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  candidate: Candidate,
  parts: readonly RunPart[],
  outputLevel: number,
): CompactionPlan {
  const newest = levels[outputLevel]?.runs[0]
  if (!newest) return planMerge(levels, options, candidate, parts, outputLevel, 'new')
  const together = partsBytes(parts, shape) + compensatedRunBytes(newest, shape.tombstoneBytes)
  const merges =
    runLimit(outputLevel, shape, options) === 1 ||
    together <= runCapacity(outputLevel, shape, options)
  if (!merges) return planMerge(levels, options, candidate, parts, outputLevel, 'new')
  const tables = overlappingTables(newest.tables, hull(parts))
  const inputs =
    tables.length === 0 ? parts : [...parts, { level: outputLevel, runId: newest.id, tables }]
  return planMerge(levels, options, candidate, inputs, outputLevel, newest.id)
}

/** Merges the inputs into a run, or moves them there if nothing is to be merged. */
export function planMerge(
  levels: readonly Level[],
  options: TreeShapeOptions,
  candidate: Candidate,
  inputs: readonly RunPart[],
  outputLevel: number,
  outputRunId: number | 'new',
): CompactionPlan {
  const { level: inputLevel, score, reason } = candidate
  const olderRanges = rangesBehind(levels, inputs, outputLevel, outputRunId)
  const trivialMove =
    inputLevel !== outputLevel && canMove(inputs, inputLevel, olderRanges.length > 0, options)
  return { inputLevel, outputLevel, inputs, outputRunId, olderRanges, trivialMove, reason, score }
}

/**
 * Tables that overlap nothing may move as they are. Not where a rewrite would be of use: to drop
 * tombstones at the bottom, to make large tables of small ones.
 */
function canMove(
  inputs: readonly RunPart[],
  inputLevel: number,
  isAboveOthers: boolean,
  options: TreeShapeOptions,
): boolean {
  const tables: TableMeta[] = []
  let bytes = 0
  for (const part of inputs) {
    if (part.level !== inputLevel) return false
    for (const table of part.tables) {
      if (table.tombstones + table.fragments > 0 && !isAboveOthers) return false
      tables.push(table)
      bytes += table.bytes
    }
  }
  if (tables.length > 1 && bytes / tables.length < options.tableBytes / 4) return false
  tables.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
  for (let i = 1; i < tables.length; i++) {
    const { smallestKey } = tables[i]!
    if (!endsBefore(tables[i - 1]!, smallestKey, 0, smallestKey.length)) return false
  }
  return true
}

/** The smallest range that holds all tables of the parts. */
export function hull(parts: readonly RunPart[]): KeySpan {
  let begins: KeySpan = parts[0]!.tables[0]!
  let ends = begins
  for (const { tables } of parts) {
    const first = tables[0]!
    const last = tables[tables.length - 1]!
    if (compareBytes(first.smallestKey, begins.smallestKey) < 0) begins = first
    if (compareSpanEnds(last, ends) > 0) ends = last
  }
  const { largestKey, largestExclusive } = ends
  return { smallestKey: begins.smallestKey, largestKey, largestExclusive }
}

/** Compensated. */
export function partsBytes(parts: readonly RunPart[], shape: TreeShape): number {
  let sum = 0
  for (const { tables } of parts) {
    for (const table of tables) sum += compensatedBytes(table, shape.tombstoneBytes)
  }
  return sum
}

/** Tables that are older than the output and outside the inputs, in order of their first keys. */
export function rangesBehind(
  levels: readonly Level[],
  inputs: readonly RunPart[],
  outputLevel: number,
  outputRunId: number | 'new',
): readonly KeySpan[] {
  const taken = new Set(inputs.flatMap(({ tables }) => tables.map(({ number }) => number)))
  const ranges: KeySpan[] = []
  levels.forEach(({ runs }, level) => {
    if (level < outputLevel) return
    for (const run of runs) {
      // Other tables of the run that takes the output share no key with it.
      if (level === outputLevel && run.id === outputRunId) continue
      for (const { number, smallestKey, largestKey, largestExclusive } of run.tables) {
        if (!taken.has(number)) ranges.push({ smallestKey, largestKey, largestExclusive })
      }
    }
  })
  return ranges.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
}
