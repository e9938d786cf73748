/**
 * When a compaction of the whole tree pays by what it gives back of the tables themselves: entries that nobody can see,
 * with their inline values, and tombstones. Pure decisions from figures.
 *
 * A compaction writes what it keeps, as a rewrite of the value log copies what lives, so the same rule serves both: it
 * must free its excess over 1 of the target, as a share of what it writes. A tree at or below that is no reason to go
 * on: its tables are no further above what lives in them than the whole store may be.
 */
import { freedShare } from './costs.ts'

/** Bytes of all tables, and of these what a compaction of them would give back. */
export interface TreeGarbage {
  readonly tableBytes: number
  readonly tableGarbageBytes: number
}

/** At this target the tree is worth a compaction by what its tables hold in vain. */
export function isTreeWorthMerging(
  { tableBytes, tableGarbageBytes }: TreeGarbage,
  targetSpaceAmplification: number,
): boolean {
  const keptBytes = tableBytes - tableGarbageBytes
  return (
    tableGarbageBytes > 0 && tableGarbageBytes >= freedShare(targetSpaceAmplification) * keptBytes
  )
}

/** What is kept of a tree is next to nothing below this share of its garbage. */
const EMPTIED_SHARE = 1 / 8

/** Next to nothing is left in the tree: to give its tables back costs only reading them. */
export function isTreeEmptied({ tableBytes, tableGarbageBytes }: TreeGarbage): boolean {
  return tableBytes - tableGarbageBytes <= EMPTIED_SHARE * tableGarbageBytes
}

/** What a walk over all tables has found, and how large they are. */
export interface TreeWithHidden extends TreeGarbage {
  /** Records of the value log that a compaction would expose. */
  readonly hiddenBytes: number
}

/** Whether a collection that someone asks for compacts the tree first. */
export function isExposureAsked(tree: TreeWithHidden, targetSpaceAmplification: number): boolean {
  return tree.hiddenBytes > 0 || isTreeWorthMerging(tree, targetSpaceAmplification)
}
