/** The option `syncIntervalMs`: the log is synced in the background. */
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError, type WiscError } from '../base/errors.ts'

/**
 * @param failed takes what a sync failed with: it reaches every writer from there
 * @returns a timer that does not keep the process alive; undefined without an interval
 */
export function syncAtIntervals(
  log: Log,
  intervalMs: number | undefined,
  failed: (error: WiscError) => void,
): NodeJS.Timeout | undefined {
  if (intervalMs === undefined) return undefined
  const timer = setInterval(() => {
    log.sync().catch((error: unknown) => {
      if (toWiscError(error).code !== 'WISC_NOT_OPEN') failed(toWiscError(error))
    })
  }, intervalMs)
  return timer.unref()
}
