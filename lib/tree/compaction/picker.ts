/**
 * The picker: decides which tables to merge, purely, from the levels of a version.
 *
 * One picker serves leveling, tiering and lazy leveling (tree-shape.ts). A level that has too many
 * runs or bytes is emptied into the next one as a whole; with one run a level (K = 1) only the
 * tables that it costs least to move are taken. Where nothing is too large, a table that holds many tombstones is
 * drawn down to what they hide: scans step over each of them.
 *
 * Invariant I6: for its key range a plan takes all older runs of the level that it empties (where they arrive says
 * compaction-plan.ts). No table is in two plans, and no two plans that run at the same time fill the same range of the
 * same level.
 */
import { compareBytes } from '../../base/bytes.ts'
import type { TableMeta } from '../entry.ts'
import { compareSpanEnds, type KeySpan } from '../key-span.ts'
import {
  compensatedBytes,
  LEVEL_0_RUNS_TRIGGER,
  measureTree,
  runCapacity,
  runLimit,
  type TreeShape,
  type TreeShapeOptions,
} from '../version/tree-shape.ts'
import { type Level, overlappingTables, type Run } from '../version/version.ts'
import { LEVELS_MAX } from '../version/version-edit.ts'
import {
  type Candidate,
  type CompactionPlan,
  type FullReason,
  hull,
  partsBytes,
  planInto,
  planMerge,
  type RunPart,
  rangesBehind,
} from './compaction-plan.ts'
import type { PlacedTable } from './fold.ts'

/** A range of keys to compact; a missing end is open, both ends are inclusive. */
export interface ManualRange {
  readonly from?: Uint8Array
  readonly to?: Uint8Array
}

/** A table with so many tombstones, and at least this share of its entries, is dense. */
const DENSE_TOMBSTONES_MIN = 1024
const DENSE_SHARE = 1 / 2
/**
 * It is left where it overlaps more entries than so many for each of its tombstones: most of them it does not hide.
 * What is deleted here and there goes down when the level is full.
 */
const DENSE_ENTRIES_MAX = 4
/** One with range tombstones goes down whatever it holds, where it overlaps so few tables. */
const RANGED_TABLES_MAX = 4

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
  reason: FullReason = 'manual',
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
  const given = { trivialMove: false, reason, score: 1 }
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
    ? planMerge(levels, options, candidate, parts, level, runs[0]!.id)
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
    const below = overlappingTables(target, hull([{ level, runId: run.id, tables }]))
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
  const ranged = planRanged(levels, shape, options, tombstonesMin)
  if (ranged) return ranged
  for (let level = 1; level < levels.length; level++) {
    const { runs } = levels[level]!
    const isBottom = level === shape.largestLevel
    for (const table of runs.length === 1 ? runs[0]!.tables : []) {
      const { entries, fragments } = table
      // A piece of a range tombstone hides a key at least, as a rule.
      const tombstones = table.tombstones + fragments
      const isDense = tombstones >= Math.max(tombstonesMin, entries * DENSE_SHARE)
      // Range tombstones end at the bottom, however few they are: each costs every read a little.
      if (!isDense && fragments === 0) continue
      const parts = [{ level, runId: runs[0]!.id, tables: [table] }]
      const candidate = { level, score: 1, reason: 'tombstones' as const }
      if (!isBottom) {
        const target = levels[level + 1]!.runs[0]?.tables ?? []
        const below = overlappingTables(target, table)
        const belowEntries = below.reduce((sum, each) => sum + each.entries, 0)
        const isFew = below.length <= RANGED_TABLES_MAX && fragments > 0
        if (!isFew && belowEntries > DENSE_ENTRIES_MAX * tombstones) continue
        return planInto(levels, shape, options, candidate, parts, level + 1)
      }
      if (table.largestSequence > oldestReadable) continue
      return planMerge(levels, options, candidate, parts, level, runs[0]!.id)
    }
  }
  return undefined
}

/**
 * Level 0 goes down before it is full where it has very many range tombstones: as long as they are there each read
 * searches among them, and they take half a KiB of memory each.
 */
function planRanged(
  levels: readonly Level[],
  shape: TreeShape,
  options: TreeShapeOptions,
  tombstonesMin: number,
): CompactionPlan | undefined {
  const parts = (levels[0]?.runs ?? []).map(({ id, tables }) => ({ level: 0, runId: id, tables }))
  let fragments = 0
  for (const { tables } of parts) for (const table of tables) fragments += table.fragments
  if (fragments < tombstonesMin) return undefined
  const below = overlappingTables(levels[1]?.runs[0]?.tables ?? [], hull(parts))
  const belowEntries = below.reduce((sum, table) => sum + table.entries, 0)
  if (belowEntries > DENSE_ENTRIES_MAX * fragments) return undefined
  return planInto(levels, shape, options, { level: 0, score: 1, reason: 'tombstones' }, parts, 1)
}

/** Writes a table anew where it is, to fold what it points to (fold.ts). */
export function planInPlace(
  levels: readonly Level[],
  options: TreeShapeOptions,
  { level, runId, table }: PlacedTable,
): CompactionPlan {
  const candidate = { level, score: 1, reason: 'addresses' as const }
  return planMerge(levels, options, candidate, [{ level, runId, tables: [table] }], level, runId)
}

/**
 * All tables that overlap a range, or others that are taken, until nothing more does: what stays
 * shares no key.
 */
function partsInHull(levels: readonly Level[], range: ManualRange): readonly RunPart[] {
  const { from, to } = range
  let parts: RunPart[] = []
  let low = from
  let high = to && inclusiveEnd(to)
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
    if (high && compareSpanEnds(grown, high) > 0) high = grown
  }
}

function tablesWithin(
  run: Run,
  low: Uint8Array | undefined,
  high: KeySpan | undefined,
): readonly TableMeta[] {
  const smallestKey = low ?? run.tables[0]!.smallestKey
  const { largestKey, largestExclusive } = high ?? run.tables[run.tables.length - 1]!
  return overlappingTables(run.tables, { smallestKey, largestKey, largestExclusive })
}

/** A span that ends with this key. */
function inclusiveEnd(key: Uint8Array): KeySpan {
  return { smallestKey: key, largestKey: key, largestExclusive: false }
}
