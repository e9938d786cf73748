/**
 * The picker: decides which tables to merge, purely, from the levels of a version.
 *
 * One picker serves leveling, tiering and lazy leveling (tree-shape.ts). A level that has too many
 * runs or bytes is emptied into the next one as a whole; with one run a level (K = 1) only the
 * tables that it costs least to move are taken. What arrives at a level is merged into its newest
 * run while both together keep the size of one run (always, where only one run is allowed),
 * otherwise it becomes a new run in front. Where nothing is too large, a table that holds many tombstones is drawn
 * down to what they hide: scans step over each of them.
 *
 * Invariant I6: for its key range a plan takes all older runs of the level that it empties, and it
 * merges only into the newest run of the level that it fills. What is flushed or planned later is
 * newer, and lies in front. No table is in two plans, and no two plans that run at the same time
 * fill the same range of the same level.
 */
import { compareBytes } from '../../base/bytes.ts'
import type { TableMeta } from '../entry.ts'
import {
  compensatedBytes,
  compensatedRunBytes,
  LEVEL_0_RUNS_TRIGGER,
  measureTree,
  runCapacity,
  runLimit,
  type TreeShape,
  type TreeShapeOptions,
} from '../version/tree-shape.ts'
import { type Level, overlappingTables, type Run } from '../version/version.ts'
import { LEVELS_MAX } from '../version/version-edit.ts'
import type { PlacedTable } from './fold.ts'
import type { KeySpan } from './retention.ts'

/** Tables of one run that a plan takes, in key order. */
export interface RunPart {
  readonly level: number
  readonly runId: number
  readonly tables: readonly TableMeta[]
}

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
  readonly reason: 'runs' | 'bytes' | 'tombstones' | 'addresses' | 'manual'
  /** How far the level is over its limit: 1 is just full. */
  readonly score: number
}

/** A range of keys to compact; a missing end is open, both ends are inclusive. */
export interface ManualRange {
  readonly from?: Uint8Array
  readonly to?: Uint8Array
}

interface Candidate {
  readonly level: number
  readonly score: number
  readonly reason: Exclude<CompactionPlan['reason'], 'manual'>
}

/** A table with so many tombstones, and at least this share of its entries, is dense. */
const DENSE_TOMBSTONES_MIN = 1024
const DENSE_SHARE = 1 / 2
/**
 * It is left where it overlaps more entries than so many for each of its tombstones: most of them it does not hide.
 * What is deleted here and there goes down when the level is full.
 */
const DENSE_ENTRIES_MAX = 4

/**
 * The most urgent compaction, or undefined. Requires: no other plan is running.
 * @param oldestReadable the oldest sequence at which someone reads: newer tombstones stay, even at the bottom
 * @param tombstonesMin for tests
 */
export function pickCompaction(
  levels: readonly Level[],
  options: TreeShapeOptions,
  oldestReadable: number,
  tombstonesMin: number = DENSE_TOMBSTONES_MIN,
): CompactionPlan | undefined {
  const shape = measureTree(levels, options)
  for (const candidate of candidates(levels, shape, options)) {
    const plan = planLevel(levels, shape, options, candidate)
    if (plan) return plan
  }
  return planDense(levels, shape, options, oldestReadable, tombstonesMin)
}

/**
 * Merges everything that overlaps a range into the deepest level, where tombstones end.
 * Requires: no other plan is running. @returns undefined if no table overlaps the range
 */
export function planFullCompaction(
  levels: readonly Level[],
  options: TreeShapeOptions,
  range: ManualRange = {},
): CompactionPlan | undefined {
  const shape = measureTree(levels, options)
  const inputs = partsInHull(levels, range)
  if (inputs.length === 0) return undefined
  const bytes = partsBytes(inputs, shape)
  let outputLevel = Math.max(1, shape.largestLevel)
  const fits = (): boolean =>
    bytes <= runCapacity(outputLevel, shape, options) * runLimit(outputLevel, shape, options)
  while (outputLevel < LEVELS_MAX - 1 && !fits()) outputLevel++
  const outputRunId = levels[outputLevel]?.runs[0]?.id ?? 'new'
  const olderRanges = rangesBehind(levels, inputs, outputLevel, outputRunId)
  const inputLevel = inputs[0]!.level
  const given = { trivialMove: false, reason: 'manual', score: 1 } as const
  return { inputLevel, outputLevel, inputs, outputRunId, olderRanges, ...given }
}

/** Levels over their limits, the most urgent first. */
function candidates(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
): readonly Candidate[] {
  const found: Candidate[] = []
  levels.forEach(({ runs }, level) => {
    if (level === 0) {
      const score = runs.length / LEVEL_0_RUNS_TRIGGER
      if (score >= 1) found.push({ level, score, reason: 'runs' })
      return
    }
    const limit = runLimit(level, shape, options)
    const bytesScore = shape.levelBytes[level]! / (runCapacity(level, shape, options) * limit)
    const runsScore = runs.length / limit
    if (bytesScore > 1 && level < LEVELS_MAX - 1) {
      found.push({ level, score: Math.max(bytesScore, runsScore), reason: 'bytes' })
    } else if (runsScore > 1) found.push({ level, score: runsScore, reason: 'runs' })
  })
  return found.sort((left, right) => right.score - left.score)
}

function planLevel(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  candidate: Candidate,
): CompactionPlan | undefined {
  const { level } = candidate
  const { runs } = levels[level]!
  if (options.runsPerLevel === 1 && level > 0 && runs.length === 1) {
    return planCheapestTables(levels, shape, options, candidate)
  }
  const parts = runs.map(({ id, tables }) => ({ level, runId: id, tables }))
  // Too many runs at the bottom, but room for their bytes: merging them needs no deeper level.
  const inPlace = level > 0 && level === shape.largestLevel && candidate.reason === 'runs'
  return inPlace
    ? makePlan(levels, options, candidate, parts, level, runs[0]!.id)
    : planInto(levels, shape, options, candidate, parts, level + 1)
}

/**
 * Tables of a level's only run, neighbours, that cost the fewest bytes written for each byte moved.
 */
function planCheapestTables(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  candidate: Candidate,
): CompactionPlan | undefined {
  const { level } = candidate
  const run = levels[level]!.runs[0]!
  const target = levels[level + 1]?.runs[0]?.tables ?? []
  let best: readonly TableMeta[] | undefined
  let bestCost = Number.POSITIVE_INFINITY
  for (let start = 0; start < run.tables.length; start++) {
    let end = start
    let bytes = 0
    let moved = 0
    while (end < run.tables.length && bytes < options.tableBytes) {
      bytes += run.tables[end]!.bytes
      moved += compensatedBytes(run.tables[end]!, shape.tombstoneBytes)
      end++
    }
    const tables = run.tables.slice(start, end)
    const below = overlappingTables(
      target,
      tables[0]!.smallestKey,
      tables[tables.length - 1]!.largestKey,
    )
    const cost = below.reduce((sum, table) => sum + table.bytes, bytes) / moved
    if (cost < bestCost) {
      best = tables
      bestCost = cost
    }
  }
  if (!best) return undefined
  const parts = [{ level, runId: run.id, tables: best }]
  return planInto(levels, shape, options, candidate, parts, level + 1)
}

/**
 * A dense table moves down until its tombstones meet what they hide, or the bottom, where they end. At the bottom it is
 * written anew when no reader needs them: each plan leaves one dense table less, or leaves it a level deeper.
 * Where a level may have several runs, moving one table would need them all: there the sizes decide alone.
 */
function planDense(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  oldestReadable: number,
  tombstonesMin: number,
): CompactionPlan | undefined {
  if (options.runsPerLevel > 1) return undefined
  for (let level = 1; level < levels.length; level++) {
    const { runs } = levels[level]!
    const isBottom = level === shape.largestLevel
    for (const table of runs.length === 1 ? runs[0]!.tables : []) {
      const { tombstones, entries, smallestKey, largestKey } = table
      if (tombstones < Math.max(tombstonesMin, entries * DENSE_SHARE)) continue
      const parts = [{ level, runId: runs[0]!.id, tables: [table] }]
      const candidate = { level, score: 1, reason: 'tombstones' as const }
      if (!isBottom) {
        const target = levels[level + 1]!.runs[0]?.tables ?? []
        const below = overlappingTables(target, smallestKey, largestKey)
        const belowEntries = below.reduce((sum, each) => sum + each.entries, 0)
        if (belowEntries > DENSE_ENTRIES_MAX * tombstones) continue
        return planInto(levels, shape, options, candidate, parts, level + 1)
      }
      if (table.largestSequence > oldestReadable) continue
      return makePlan(levels, options, candidate, parts, level, runs[0]!.id)
    }
  }
  return undefined
}

/** Writes a table anew where it is, to fold what it points to (fold.ts). */
export function planInPlace(
  levels: readonly Level[],
  options: TreeShapeOptions,
  { level, runId, table }: PlacedTable,
): CompactionPlan {
  const candidate = { level, score: 1, reason: 'addresses' as const }
  return makePlan(levels, options, candidate, [{ level, runId, tables: [table] }], level, runId)
}

/** Lets parts of one level arrive at the next one. */
function planInto(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  candidate: Candidate,
  parts: readonly RunPart[],
  outputLevel: number,
): CompactionPlan {
  const newest = levels[outputLevel]?.runs[0]
  if (!newest) return makePlan(levels, options, candidate, parts, outputLevel, 'new')
  const together = partsBytes(parts, shape) + compensatedRunBytes(newest, shape.tombstoneBytes)
  const merges =
    runLimit(outputLevel, shape, options) === 1 ||
    together <= runCapacity(outputLevel, shape, options)
  if (!merges) return makePlan(levels, options, candidate, parts, outputLevel, 'new')
  const { smallestKey, largestKey } = hull(parts)
  const tables = overlappingTables(newest.tables, smallestKey, largestKey)
  const inputs =
    tables.length === 0 ? parts : [...parts, { level: outputLevel, runId: newest.id, tables }]
  return makePlan(levels, options, candidate, inputs, outputLevel, newest.id)
}

function makePlan(
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
      if (table.tombstones > 0 && !isAboveOthers) return false
      tables.push(table)
      bytes += table.bytes
    }
  }
  if (tables.length > 1 && bytes / tables.length < options.tableBytes / 4) return false
  tables.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
  for (let i = 1; i < tables.length; i++) {
    if (compareBytes(tables[i - 1]!.largestKey, tables[i]!.smallestKey) >= 0) return false
  }
  return true
}

/** The smallest range that holds all tables of the parts. */
function hull(parts: readonly RunPart[]): KeySpan {
  let { smallestKey } = parts[0]!.tables[0]!
  let { largestKey } = parts[0]!.tables[0]!
  for (const { tables } of parts) {
    const first = tables[0]!
    const last = tables[tables.length - 1]!
    if (compareBytes(first.smallestKey, smallestKey) < 0) smallestKey = first.smallestKey
    if (compareBytes(last.largestKey, largestKey) > 0) largestKey = last.largestKey
  }
  return { smallestKey, largestKey }
}

function partsBytes(parts: readonly RunPart[], shape: TreeShape): number {
  let sum = 0
  for (const { tables } of parts) {
    for (const table of tables) sum += compensatedBytes(table, shape.tombstoneBytes)
  }
  return sum
}

/** Tables that are older than the output and outside the inputs, in order of their first keys. */
function rangesBehind(
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
      for (const { number, smallestKey, largestKey } of run.tables) {
        if (!taken.has(number)) ranges.push({ smallestKey, largestKey })
      }
    }
  })
  return ranges.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
}

/**
 * All tables that overlap a range, or others that are taken, until nothing more does: what stays
 * shares no key.
 */
function partsInHull(levels: readonly Level[], range: ManualRange): readonly RunPart[] {
  const { from, to } = range
  let parts: RunPart[] = []
  let low = from
  let high = to
  for (let count = -1; ; ) {
    parts = []
    levels.forEach(({ runs }, level) => {
      for (const run of runs) {
        const tables = tablesWithin(run, low, high)
        if (tables.length > 0) parts.push({ level, runId: run.id, tables })
      }
    })
    const found = parts.reduce((sum, { tables }) => sum + tables.length, 0)
    if (found === count || found === 0) return parts
    count = found
    const grown = hull(parts)
    if (low && compareBytes(grown.smallestKey, low) < 0) low = grown.smallestKey
    if (high && compareBytes(grown.largestKey, high) > 0) high = grown.largestKey
  }
}

function tablesWithin(
  run: Run,
  low: Uint8Array | undefined,
  high: Uint8Array | undefined,
): readonly TableMeta[] {
  const first = run.tables[0]!.smallestKey
  const last = run.tables[run.tables.length - 1]!.largestKey
  return overlappingTables(run.tables, low ?? first, high ?? last)
}
