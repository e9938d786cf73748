/**
 * Tables of which range tombstones hide everything, or everything was evicted: they leave the tree by an edit, and
 * nobody reads them. Pure.
 *
 * All keys of such a table lie in fragments that are newer than all of it, and that all readers see. What it hides in
 * older tables they hide, too: they are in tables themselves, and stay as long as anything older is left of their keys
 * (I7). So neither an entry nor a tombstone of it will be missed. They are durable, since a version holds them (I12).
 * What was evicted is gone for everybody, wherever it lies, and so is all that it has hidden.
 */
import { compareBytes } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import type { TableMeta } from '../entry.ts'
import { endsBefore } from '../key-span.ts'
import { highestSeen, type RangeFragment } from '../ranges/range-fragments.ts'
import type { RangeList } from '../ranges/range-list.ts'
import type { Level } from '../version/version.ts'
import type { RunPart } from './compaction-plan.ts'

/**
 * @param ranges those of all tables of the levels @param oldestReadable the oldest sequence at which someone reads
 * @param evictedBelow entries below it were evicted; 0: none were
 * @returns runs with these of their tables, none empty
 */
export function coveredTables(
  levels: readonly Level[],
  ranges: readonly RangeList[],
  oldestReadable: Sequence,
  evictedBelow: Sequence = 0,
): RunPart[] {
  const parts: RunPart[] = []
  if (ranges.length === 0 && evictedBelow === 0) return parts
  levels.forEach(({ runs }, level) => {
    for (const { id, tables } of runs) {
      const covered = tables.filter(
        (table) => table.largestSequence < evictedBelow || isCovered(table, ranges, oldestReadable),
      )
      if (covered.length > 0) parts.push({ level, runId: id, tables: covered })
    }
  })
  return parts
}

/** Every key that it may have lies in a fragment that is newer than all of it. */
function isCovered(
  table: TableMeta,
  ranges: readonly RangeList[],
  oldestReadable: Sequence,
): boolean {
  for (let from = table.smallestKey; ; ) {
    const end = coveredUpTo(from, table.largestSequence, ranges, oldestReadable)
    if (end === from) return false
    if (end === undefined || endsBefore(table, end, 0, end.length)) return true
    from = end
  }
}

/** Where the longest fragment over a key ends that all readers see above a sequence; at the key if there is none. */
function coveredUpTo(
  key: Uint8Array,
  sequence: Sequence,
  ranges: readonly RangeList[],
  oldestReadable: Sequence,
): RangeFragment['end'] {
  let longest: RangeFragment['end'] = key
  for (const list of ranges) {
    const fragment = list.firstReaching(key, 0, key.length)
    if (fragment === undefined || compareBytes(fragment.start, key) > 0) continue
    if (highestSeen(fragment, oldestReadable) <= sequence) continue
    const { end } = fragment
    if (end === undefined) return undefined
    if (compareBytes(end, longest) > 0) longest = end
  }
  return longest
}
