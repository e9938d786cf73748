/**
 * What a cache does next: a pure decision from the figures of a look. It keeps within `cache.maxBytes` by giving up
 * what is oldest, first in, first out, and copies nothing:
 *
 *     0 ............... start ............... limit .......... maxBytes      bytes on disk
 *     nothing to do     | the oldest files go | writers wait   |
 *                                             | for that; a reserve for tables and a segment
 *
 * Of what a look sees, files that nothing points to go first: they cost nobody anything. Then the files of the value
 * log go in the order of their sequences, until enough comes back. Where the tree has most of what is oldest, since
 * values lie in it, a quarter of the tree is evicted at a time, which one compaction gives back. Else it is compacted
 * when half of it was evicted.
 */
import type { FileNumber, Sequence } from '../../base/ids.ts'
import type { Space } from '../../space/space.ts'
import { type Decision, freeStep, type LookState } from './decide.ts'
import type { InTurns } from './in-turns.ts'

/** Of a segment: less than that is not evicted by itself, since each eviction takes an edit. */
const LEAST_SHARE = 1 / 4
/** Of a segment: less of the tree is not worth a compaction. */
const EXPOSE_SHARE = 1 / 8
/** Of the tree: so much was evicted when it is compacted, where it is small beside the values ... */
const TREE_GARBAGE_SHARE = 1 / 2
/** ... and where it is most of the store, since values lie in it. So much of it is evicted at a time. */
const LARGE_TREE_GARBAGE_SHARE = 1 / 4
/** Halvings of a span of sequences in search of a bound. */
const HALVINGS = 24

/** A file of the value log, and the last sequence that any of its records may have. */
export interface EvictableFile {
  readonly number: FileNumber
  readonly lastSequence: Sequence
  /** On disk. */
  readonly bytes: number
}

export interface Eviction {
  /** Entries with a lower sequence read as missing. */
  readonly below: Sequence
  /** No record of these has that sequence, or a higher one. Oldest first; none if it is about the tree alone. */
  readonly files: readonly FileNumber[]
}

/** What a cache does next. */
export interface CacheDecision extends Decision {
  readonly eviction?: Eviction
}

export interface CacheState extends LookState {
  /** What writers may use. */
  readonly limitBytes: number
  /** Of `usedBytes`, what goes when nobody reads it any more. */
  readonly leavingBytes: number
  readonly evictedBelow: Sequence
  /** Files that may go, the oldest first. */
  readonly oldest: Iterable<EvictableFile>
  /** Bytes of tables that entries below a sequence take: an estimate. */
  readonly olderTableBytes: (below: Sequence) => number
  /** The newest entry of a table has it: what is not newer is in tables. */
  readonly flushedSequence: Sequence
  /** An eviction is under way. */
  readonly isEvicting: boolean
}

export function* decideInCache(measured: Space, state: CacheState): InTurns<CacheDecision> {
  const { limitBytes, usedBytes, lack, rules, running } = state
  const { segmentBytes } = rules
  const startBytes = Math.max(0, limitBytes - Math.min(2 * segmentBytes, limitBytes / 4))
  const pressure = { boundBytes: limitBytes, limitBytes, startBytes, rewriteBytes: 0 }
  const none = { isStepLate: false, pairsRewrites: false, rewriteBytes: 0, laterBytes: 0 }
  const common = { pressure, ...none }
  if (running.count > 0 || state.isEvicting)
    return { ...common, step: undefined, exposes: false, flushes: false }
  const step = yield* freeStep(measured, state)
  const isTreeLarge = measured.tableBytes * 2 > usedBytes
  const share = isTreeLarge ? LARGE_TREE_GARBAGE_SHARE : TREE_GARBAGE_SHARE
  const evictedTableBytes = state.olderTableBytes(state.evictedBelow)
  const isTreeDue =
    !state.isTreeExposed &&
    measured.tableGarbageBytes >= Math.max(share * measured.tableBytes, segmentBytes * EXPOSE_SHARE)
  const exposes = isTreeDue && !state.isCompacting && state.hasRoom
  const comesBack = state.leavingBytes + (isTreeDue || state.isCompacting ? evictedTableBytes : 0)
  const needBytes = Math.max(
    usedBytes - comesBack - startBytes,
    (lack?.missingBytes ?? 0) - comesBack,
  )
  if (step !== undefined || needBytes <= 0) return { ...common, step, exposes, flushes: false }
  const leastBytes = Math.max(needBytes, segmentBytes * LEAST_SHARE)
  const { eviction, isShort } = chooseEviction(leastBytes, measured.tableBytes, state)
  return { ...common, step, exposes, flushes: isShort, ...(eviction && { eviction }) }
}

/** @returns the eviction that gives so much back; it `isShort` if that is all that can go */
function chooseEviction(
  needBytes: number,
  tableBytes: number,
  state: CacheState,
): { readonly eviction: Eviction | undefined; readonly isShort: boolean } {
  const { evictedBelow, olderTableBytes } = state
  const taken: EvictableFile[] = []
  let behind = evictedBelow
  let bytes = 0
  for (const file of state.oldest) {
    taken.push(file)
    bytes += file.bytes
    behind = Math.max(behind, file.lastSequence + 1)
    if (bytes >= needBytes) break
  }
  const isEnough = bytes >= needBytes
  const treeBytes = olderTableBytes(behind) - olderTableBytes(evictedBelow)
  if (isEnough && treeBytes <= bytes) return { eviction: evictionOf(taken, behind), isShort: false }
  // The tree has more of what is oldest than files: these may stay.
  const wantedBytes = Math.max(needBytes, tableBytes * LARGE_TREE_GARBAGE_SHARE)
  const inTree = boundInTree(evictedBelow, wantedBytes, state)
  const inTreeBytes = olderTableBytes(inTree) - olderTableBytes(evictedBelow)
  const isAll = !isEnough && inTreeBytes < needBytes
  const below = isAll ? Math.max(behind, inTree) : isEnough ? Math.min(behind, inTree) : inTree
  const isShort = isAll && bytes + inTreeBytes < needBytes
  const isNothing = below === evictedBelow && taken.length === 0
  return { eviction: isNothing ? undefined : evictionOf(taken, below), isShort }
}

function evictionOf(files: readonly EvictableFile[], below: Sequence): Eviction {
  const gone = files.filter(({ lastSequence }) => lastSequence < below)
  return { below, files: gone.map(({ number }) => number) }
}

/** The lowest sequence below which entries take so many bytes of tables, about; that behind all tables if none do. */
function boundInTree(
  from: Sequence,
  bytes: number,
  { olderTableBytes, flushedSequence }: CacheState,
): Sequence {
  const before = olderTableBytes(from)
  let low = from
  let high = Math.max(from, flushedSequence + 1)
  if (olderTableBytes(high) - before < bytes) return high
  for (let i = 0; i < HALVINGS && high - low > 1; i++) {
    const middle = Math.floor((low + high) / 2)
    if (olderTableBytes(middle) - before < bytes) low = middle
    else high = middle
  }
  return high
}
