/** The option `syncIntervalMs`: the log is synced in the background. */
import type { Log } from '../../vlog/log/log.ts'
import { toWiscError } from '../base/errors.ts'
import type { Health } from './health.ts'

/** @returns a timer that does not keep the process alive; undefined without an interval */
export function syncAtIntervals(
  log: Log,
  intervalMs: number | undefined,
  health: Health,
): NodeJS.Timeout | undefined {
  if (intervalMs === undefined) return undefined
  const timer = setInterval(() => {
    log.sync().catch((error: unknown) => {
      if (toWiscError(error).code !== 'WISC_NOT_OPEN') health.end(toWiscError(error))
    })
  }, intervalMs)
  return timer.unref()
}
