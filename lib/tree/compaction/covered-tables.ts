/**
 * Tables of which range tombstones hide everything: they leave the tree by an edit, and nobody reads them. Pure.
 *
 * All keys of such a table lie in fragments that are newer than all of it, and that all readers see. What it hides in
 * older tables they hide, too: they are in tables themselves, and stay as long as anything older is left of their keys
 * (I7). So neither an entry nor a tombstone of it will be missed. They are durable, since a version holds them (I12).
 */
import { compareBytes } from '../../base/bytes.ts'
import type { Sequence } from '../../base/ids.ts'
import type { TableMeta } from '../entry.ts'
import { endsBefore } from '../key-span.ts'
import { type FragmentList, firstFragmentReaching, highestSeen } from '../ranges/range-fragments.ts'
import type { Level } from '../version/version.ts'
import type { RunPart } from './compaction-plan.ts'

/**
 * @param fragments of all tables of the levels @param oldestReadable the oldest sequence at which someone reads
 * @returns runs with these of their tables, none empty
 */
export function coveredTables(
  levels: readonly Level[],
  fragments: FragmentList,
  oldestReadable: Sequence,
): RunPart[] {
  const parts: RunPart[] = []
  if (fragments.length === 0) return parts
  levels.forEach(({ runs }, level) => {
    for (const { id, tables } of runs) {
      const covered = tables.filter((table) => isCovered(table, fragments, oldestReadable))
      if (covered.length > 0) parts.push({ level, runId: id, tables: covered })
    }
  })
  return parts
}

/** Every key that it may have lies in a fragment that is newer than all of it. */
function isCovered(table: TableMeta, fragments: FragmentList, oldestReadable: Sequence): boolean {
  let from = table.smallestKey
  let at = firstFragmentReaching(fragments, from, 0, from.length)
  for (let fragment = fragments[at]; fragment !== undefined; fragment = fragments[++at]) {
    const { start, end } = fragment
    if (compareBytes(start, from) > 0) return false
    if (highestSeen(fragment, oldestReadable) <= table.largestSequence) return false
    if (end === undefined || endsBefore(table, end, 0, end.length)) return true
    from = end
  }
  return false
}
