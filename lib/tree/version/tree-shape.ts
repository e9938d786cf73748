/**
 * The shape that a tree should have: compensated sizes, capacities and limits of runs, after
 * Dostoevsky (Dayan and Idreos, SIGMOD 2018). T = sizeRatio, K = runsPerLevel, Z =
 * runsAtLargestLevel.
 *
 *   level 0      flushed runs, all merged together when there are LEVEL_0_RUNS_TRIGGER
 *   level i      at most K runs (Z at the largest level) of base * T^(i-1) compensated bytes each
 *
 * K = Z = 1 is leveling, K = Z = T - 1 tiering, K = T - 1 with Z = 1 lazy leveling.
 * A compensated size counts the bytes that entries point to, and a tombstone as an average record:
 * the tree is small beside its values, and it is compacting it that exposes their garbage.
 */
import type { TableMeta } from '../entry.ts'
import type { Level, Run } from './version.ts'

/** Level 0 is compacted from this many runs on. */
export const LEVEL_0_RUNS_TRIGGER = 4
/** Writers are slowed from this many runs in level 0 on. */
export const LEVEL_0_RUNS_SLOW = 8
/** Writers wait while level 0 has this many runs. */
export const LEVEL_0_RUNS_STOP = 16

export interface TreeShapeOptions {
  /** T, at least 2. */
  readonly sizeRatio: number
  /** K, at least 1. */
  readonly runsPerLevel: number
  /** Z, at least 1. */
  readonly runsAtLargestLevel: number
  readonly tableBytes: number
  readonly memtableBytes: number
  readonly maxUnflushedLogBytes: number
}

/** A tree measured once, for one decision. */
export interface TreeShape {
  /** Compensated bytes of each level. */
  readonly levelBytes: readonly number[]
  /** The deepest level with a run; 0 if only level 0 has any. */
  readonly largestLevel: number
  /** Bytes that a tombstone counts for. */
  readonly tombstoneBytes: number
  /** Compensated bytes of one run of level 1. */
  readonly baseBytes: number
}

/** Table bytes, bytes pointed to, and `tombstoneBytes` for each tombstone. */
export function compensatedBytes(table: TableMeta, tombstoneBytes: number): number {
  return table.bytes + table.pointedBytes + table.tombstones * tombstoneBytes
}

export function compensatedRunBytes(run: Run, tombstoneBytes: number): number {
  let sum = 0
  for (const table of run.tables) sum += compensatedBytes(table, tombstoneBytes)
  return sum
}

export function measureTree(levels: readonly Level[], options: TreeShapeOptions): TreeShape {
  let tableBytes = 0
  let recordBytes = 0
  let puts = 0
  for (const { runs } of levels) {
    for (const { tables } of runs) {
      for (const table of tables) {
        tableBytes += table.bytes
        recordBytes += table.bytes + table.pointedBytes
        puts += table.entries - table.tombstones
      }
    }
  }
  const tombstoneBytes = puts === 0 ? 0 : recordBytes / puts
  const levelBytes = levels.map(({ runs }) =>
    runs.reduce((sum, run) => sum + compensatedRunBytes(run, tombstoneBytes), 0),
  )
  // The base grows with the weight of the values, so that large ones do not make a deep tree of
  // tiny levels; but not beyond what the log may hold unflushed, which is what four flushes then
  // amount to.
  const compensated = levelBytes.reduce((sum, bytes) => sum + bytes, 0)
  const least = 4 * options.memtableBytes
  const scaled = tableBytes === 0 ? least : least * (compensated / tableBytes)
  const baseBytes = Math.min(Math.max(least, options.maxUnflushedLogBytes), Math.max(least, scaled))
  return { levelBytes, largestLevel: Math.max(0, levels.length - 1), tombstoneBytes, baseBytes }
}

/** Runs that a level (1 or deeper) may have. */
export function runLimit(level: number, shape: TreeShape, options: TreeShapeOptions): number {
  return level >= shape.largestLevel ? options.runsAtLargestLevel : options.runsPerLevel
}

/** Compensated bytes that one run of a level (1 or deeper) may have. */
export function runCapacity(level: number, shape: TreeShape, options: TreeShapeOptions): number {
  return shape.baseBytes * options.sizeRatio ** (level - 1)
}
