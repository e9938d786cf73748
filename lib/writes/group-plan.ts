/**
 * The plan of the next group: batches from the first of the queue on, as many as fit and may be written together; and
 * whether a memtable begins with it.
 */
import { GROUP_BYTES_MAX } from '../../vlog/log/group.ts'
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import { FRAME_HEADER_BYTES } from '../base/files/frame.ts'
import type { ResolvedOptions } from '../contract/options.ts'
import type { Memtables } from '../state/memtables.ts'
import type { Admission } from './admission.ts'
import { addLastWrites, type Batch, hasOpaque, type LastWrites } from './batch.ts'
import type { BatchQueue } from './batch-queue.ts'
import type { Write } from './write.ts'
import { WritesByKey } from './writes-by-key.ts'

/** The memtables together cover as much log as may lie behind the checkpoint. */
export const MEMTABLES = 4

/** What a group takes. */
export interface GroupPlan {
  readonly count: number
  /** Of its frame. */
  readonly bytes: number
  /** Of a memtable, at most. */
  readonly arenaBytes: number
  /** Of the budget of space. */
  readonly cost: number
}

/** No earlier writes: those before the first batch of a group. */
export const NOTHING: LastWrites = new WritesByKey()

export interface PlanParts {
  readonly memtables: Memtables
  readonly admission: Admission
  readonly turn: EventLoopTurn
}

/**
 * Batches that are composed in their turn are composed here.
 * Requires: the first batch is composed and admitted, has records, and its condition holds.
 * @param countMax beside deletes that are admitted alone another batch may be refused
 * @param compose composes a batch that comes behind others
 */
export function planGroup(
  queue: BatchQueue,
  countMax: number,
  { memtables, admission, turn }: PlanParts,
  compose: (batch: Batch, earlier: LastWrites) => void,
): GroupPlan {
  let bytes = FRAME_HEADER_BYTES
  let arenaBytes = 0
  let cost = 0
  let count = 0
  let earlier: WritesByKey<Write> | undefined
  let added = 0
  let isOpaque = false
  for (; count < countMax; count++) {
    const batch = queue.at(count)
    if (count > 0 && (batch.compose !== undefined || batch.condition !== undefined)) {
      earlier ??= new WritesByKey()
      for (; added < count; added++) {
        addLastWrites(earlier, queue.at(added))
        isOpaque ||= hasOpaque(queue.at(added))
      }
    }
    if (batch.compose !== undefined) {
      // Its callback takes time, and what it might read has to be at hand.
      if (turn.isOld() || isOpaque) break
      compose(batch, earlier ?? NOTHING)
    }
    const arenaMore = arenaBytes + batch.arenaBytes
    const costMore = cost + admission.costOf(batch)
    if (count > 0) {
      const fits =
        bytes + batch.bytes <= GROUP_BYTES_MAX &&
        memtables.active.hasRoom(arenaMore) &&
        admission.hasRoom(bytes + batch.bytes, costMore)
      if (!fits || batch.ready || batch.failure) break
      // As the first of the next group it is judged once more, and refused alone.
      if (judge(batch, earlier ?? NOTHING)) break
    }
    bytes += batch.bytes
    arenaBytes = arenaMore
    cost = costMore
  }
  return { count, bytes, arenaBytes, cost }
}

/** The active memtable covers its share of the log. Segment ends are preferred: a flush needs them synced anyway. */
export function coversItsShare(
  log: Log,
  memtables: Memtables,
  { maxUnflushedLogBytes, segmentBytes }: ResolvedOptions,
  frameBytes: number,
): boolean {
  const share = maxUnflushedLogBytes / MEMTABLES
  const covered = memtables.logBytes
  if (memtables.active.isEmpty || covered >= share) return !memtables.active.isEmpty
  return log.wouldRotate(frameBytes) && covered + segmentBytes / 2 > share
}

/**
 * @param earlier what comes before it in its group
 * @returns why a batch must not be written
 */
export function judge(batch: Batch, earlier: LastWrites): WiscError | undefined {
  if (batch.failure) return batch.failure
  try {
    return batch.condition?.judge(earlier)
  } catch (error) {
    // What it needs to know cannot be read: that concerns nobody else.
    return toWiscError(error)
  }
}
