/** Tells callers that their batches are written, or durable. */
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'
import type { EventLoopTurn } from '../base/event-loop-turn.ts'
import type { Batch } from './batch.ts'

/** Settles batches that are in the log and visible: those with `sync` when the log is durable up to there. */
export function settleWritten(batches: readonly Batch[], log: Log, turn: EventLoopTurn): void {
  if (turn.isOld()) {
    turn.later(() => {
      for (const batch of batches) if (!batch.sync) batch.resolve()
    })
  } else for (const batch of batches) if (!batch.sync) batch.resolve()
  if (!batches.some((batch) => batch.sync)) return
  // I1: the position is that of the log now, and the sync that answers it begins later.
  const settle = (error: WiscError | undefined): void => {
    for (const batch of batches) {
      if (!batch.sync) continue
      if (error) batch.reject(error)
      else batch.resolve()
    }
  }
  log.sync().then(
    () => settle(undefined),
    (error: unknown) => settle(toWiscError(error)),
  )
}
