/** Table metadata without tables, for tests of versions and plans. */
import type { TableMeta } from '#dist/lib/tree/entry.js'

export function meta(
  number: number,
  from: string,
  to: string,
  more: Partial<TableMeta> = {},
): TableMeta {
  return {
    number,
    bytes: 1000,
    entries: 10,
    tombstones: 0,
    pointedBytes: 0,
    fragments: 0,
    smallestKey: new TextEncoder().encode(from),
    largestKey: new TextEncoder().encode(to),
    largestExclusive: false,
    smallestSequence: 1,
    largestSequence: 10,
    ...more,
  }
}
