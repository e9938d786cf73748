/** Waits without a bound in time. */
import { vi } from 'vitest'

/** Below the limit of a test, so that what hangs is told by its own check. */
const LIMIT_MS = 1_100_000

/** Waits until a check passes, however long it takes. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: LIMIT_MS, interval: 5 })
}
