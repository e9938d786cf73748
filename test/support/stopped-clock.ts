/**
 * The clock of the process for tests of what expires: `Date` stands still at the same moment in every run, and goes on
 * by a call alone. Timers do not.
 */
import { vi } from 'vitest'

export function stopClock(): void {
  startClock()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
}

export function passTime(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

export function startClock(): void {
  vi.useRealTimers()
}
