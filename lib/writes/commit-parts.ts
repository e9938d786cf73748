/** What the commit queue needs of its store. */
import type { Log } from '../../vlog/log/log.ts'
import type { WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { Memtables } from '../state/memtables.ts'

export interface CommitParts {
  readonly log: Log
  readonly memtables: Memtables
  readonly turn: EventLoopTurn
  readonly valueThreshold: number
  readonly segmentBytes: number
  readonly maxUnflushedLogBytes: number
  readonly maxPendingBytes: number
  /** Sequence of the last record in the log. */
  readonly lastSequence: number
  /** Sequence of the next one. */
  readonly nextSequence: number
  /** What makes a write of so many bytes impossible now, if anything does. Deletes may be possible all the same. */
  readonly refusal: (deletesOnly: boolean, bytes: number) => WiscError | undefined
  /** A promise to wait for before the next group, if background work is too far behind. */
  readonly pace: (deletesOnly: boolean, bytes: number) => Promise<void> | undefined
  /** A memtable was frozen: it wants to be flushed. */
  readonly frozen: () => void
  /** Resolves when an arena may be free. */
  readonly flushed: () => Promise<void>
  /** Why no flush will end, if that is so. */
  readonly stuck: () => WiscError | undefined
  /** A wait for background work has ended. */
  readonly stalled: (ms: number) => void
  /** A write to the log failed; its group has been rejected. */
  readonly writeFailed: (error: WiscError) => void
}

/** Waits for background work. */
export interface StallCounts {
  count: number
  ms: number
}

/** The active memtable covers its share of the log. Segment ends are preferred: a flush needs them synced anyway. */
export function logPartIsFull(parts: CommitParts, frameBytes: number): boolean {
  const { log, memtables, maxUnflushedLogBytes, segmentBytes } = parts
  const share = maxUnflushedLogBytes / 4
  const covered = memtables.logBytes
  if (memtables.active.entries === 0) return false
  if (covered >= share) return true
  return log.wouldRotate(frameBytes) && covered + segmentBytes / 2 > share
}
