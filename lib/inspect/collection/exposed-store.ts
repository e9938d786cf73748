/**
 * A store as it will be when a collection has flushed and compacted it: one walk over memtables and tables, and the
 * figures that follow. Exact on a quiet store but for bytes of tables. Writes nothing (I11).
 */
import { wallTime } from '../../base/clock.ts'
import type { SegmentNumber, Sequence } from '../../base/ids.ts'
import { systemRandom } from '../../base/random.ts'
import { isExposureAsked } from '../../collector/plan/tree-garbage.ts'
import { bytesInVain } from '../../collector/walked-tree.ts'
import { Ballast } from '../../engine/ballast.ts'
import type { ReadingEngine } from '../../reads/reading-engine.ts'
import { type CollectibleFile, heldSegments } from '../../space/figures.ts'
import type { Space } from '../../space/space.ts'
import { tablesOf } from '../../state/tables.ts'
import {
  type SegmentShadows,
  type ShadowWalkResult,
  shadowWalkSlices,
} from '../../tree/compaction/shadow-walk.ts'
import { interruptibly } from './interruptible.ts'

/** What is in memtables counts, too. */
export interface ExposedTree {
  readonly tree: ShadowWalkResult
  readonly bySegment: ReadonlyMap<SegmentNumber, SegmentShadows>
  /** Of the keys and values that live. */
  readonly liveBytes: number
  readonly hiddenBytes: number
  readonly pinnedBytes: number
}

/**
 * Walks memtables and tables.
 * @param readable what someone may read, ascending; the last one is the newest
 * @param wantsPlaces whether the places of records in this segment are wanted
 */
export async function walkExposed(
  { context, version, memtables }: ReadingEngine,
  readable: readonly Sequence[],
  wantsPlaces: (segment: SegmentNumber) => boolean,
  signal: AbortSignal,
): Promise<ExposedTree> {
  const { evictedBelow } = version
  const runs = version.levels.flatMap((level) => level.runs.map((run) => run.tables))
  const listed = memtables.list(version.checkpoint)
  const unflushed = listed.map((memtable) => memtable.cursor())
  const unflushedRanges = listed.map(({ ranges }) => ranges.fragments)
  const { fileSystem } = context
  const slices = shadowWalkSlices(
    { ...context, runs, readableSequences: readable, evictedBelow, expiredBy: wallTime() },
    { fileSystem, unflushed, unflushedRanges, wantsPlaces },
  )
  const tree = await interruptibly(slices, signal)
  const bySegment = new Map(tree.segments.map((each) => [each.segment, each]))
  return {
    tree,
    bySegment,
    liveBytes: tree.liveKeyBytes + tree.liveValueBytes,
    ...bytesInVain({ bySegment }, bySegment.keys()),
  }
}

/** A collection compacts the tree before it plans. */
export function isCompacted(
  { tree, hiddenBytes }: ExposedTree,
  { tableBytes }: Space,
  target: number,
): boolean {
  const tableGarbageBytes = tableBytes * (tree.garbageWeight / Math.max(1, tree.weight))
  return isExposureAsked({ hiddenBytes, tableBytes, tableGarbageBytes }, target)
}

/** By which all tables grow when memtables are in them and what is garbage is not. */
export function tableGrowth(
  engine: ReadingEngine,
  { tree }: ExposedTree,
  { tableBytes }: Space,
): number {
  const { version, space } = engine
  const { totals } = space.references
  const flushed = totals.putWeight + totals.tombstoneWeight
  const perWeight = flushed === 0 ? 1 : tableBytes / flushed
  const allocated = tablesOf(version).reduce(
    (sum, { number }) => sum + space.usage.ofTable(number),
    0,
  )
  return inBlocks(engine, (tree.weight - tree.garbageWeight) * perWeight) - allocated
}

/** By which the ballast grows: who opens a store makes it as large as its own options ask. */
export function ballastGrowth(engine: ReadingEngine, { diskBytes }: Space): number {
  const { context, options } = engine
  const ballast = new Ballast({ ...context, random: systemRandom }, options.segmentBytes)
  const wanted = ballast.wanted({ storeBytes: diskBytes, tableBytesToCome: 0 })
  const isEnough = ballast.bytes * 2 > wanted
  return isEnough ? 0 : inBlocks(engine, wanted) - inBlocks(engine, ballast.bytes)
}

function inBlocks({ context }: ReadingEngine, bytes: number): number {
  const block = context.fileSystem.statPath(context.directory)?.blockBytes ?? 1
  return Math.ceil(bytes / block) * block
}

/** A file of the value log behind the flush and the compaction: sealed, and with what is kept of its records. */
export function exposedFile(
  { blocked, needsSeal: _now, ...figures }: CollectibleFile,
  { bySegment }: ExposedTree,
): CollectibleFile {
  let [referencedRecords, referencedBytes, pinnedBytes] = [0, 0, 0]
  const deadSegments: SegmentNumber[] = []
  for (const segment of heldSegments(figures)) {
    const kept = bySegment.get(segment)
    const records = kept ? kept.liveRecords + kept.pinnedRecords : 0
    if (records === 0) deadSegments.push(segment)
    referencedRecords += records
    referencedBytes += kept ? kept.liveBytes + kept.pinnedBytes : 0
    pinnedBytes += kept?.pinnedBytes ?? 0
  }
  return {
    ...figures,
    deadSegments,
    referencedRecords,
    referencedBytes,
    pinnedBytes,
    needsSeal: false,
    ...(blocked === 'corrupt' && { blocked }),
  }
}
