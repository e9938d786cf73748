/** Hidden garbage, counted exactly: a walk over all tables, as a job, and its figures by file. */
import type { SegmentNumber } from '../base/ids.ts'
import type { MarkedStore, StepControl } from './act/action.ts'

/** What a walk over all tables has found. Bytes of records that tables point to in vain ... */
export interface WalkedTree {
  readonly hiddenBytes: number
  readonly pinnedBytes: number
  /** ... and of the keys and values that live. */
  readonly liveBytes: number
  /** What a compaction of the tree gives back of the tables themselves: an estimate. */
  readonly tableGarbageBytes: number
  readonly bySegment: ReadonlyMap<SegmentNumber, BytesInVain>
}

/** Bytes that entries point to, but only those that nobody sees, or only old readers. */
export interface BytesInVain {
  readonly hiddenBytes: number
  readonly pinnedBytes: number
}

/** Walks all tables. */
export async function walkTree(
  { context, versions, readers }: Pick<MarkedStore, 'context' | 'versions' | 'readers'>,
  control: StepControl,
): Promise<WalkedTree> {
  const { directory, databaseId, runner } = context
  const pin = versions.pinTables()
  try {
    const runs = pin.version.levels.flatMap((level) => level.runs.map((run) => run.tables))
    const { expiredBy } = readers
    const { evictedBelow } = pin.version
    const seen = { readableSequences: readers.list(), evictedBelow, expiredBy }
    const job = { kind: 'walk' as const, directory, databaseId, runs, ...seen }
    const { segments, liveKeyBytes, liveValueBytes, tableGarbageBytes } = await runner.run(
      job,
      control,
    )
    const bySegment = new Map(segments.map((each) => [each.segment, each]))
    return {
      ...bytesInVain({ bySegment }, bySegment.keys()),
      liveBytes: liveKeyBytes + liveValueBytes,
      tableGarbageBytes,
      bySegment,
    }
  } finally {
    pin.release()
  }
}

/** What these segments hold in vain. */
export function bytesInVain(
  { bySegment }: Pick<WalkedTree, 'bySegment'>,
  segments: Iterable<SegmentNumber>,
): BytesInVain {
  let hiddenBytes = 0
  let pinnedBytes = 0
  for (const segment of segments) {
    hiddenBytes += bySegment.get(segment)?.hiddenBytes ?? 0
    pinnedBytes += bySegment.get(segment)?.pinnedBytes ?? 0
  }
  return { hiddenBytes, pinnedBytes }
}
