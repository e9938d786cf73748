/** Waits until a store does nothing any more, not even when its timers have run. */
import { onTestFinished, vi } from 'vitest'
import { settled } from './settled.ts'

/** Longer than every pause that a store makes by itself. */
const IDLE_MS = 1200

/** In this test `idle` runs the timers that begin from now on, and waits for none. Else time passes as it does. */
export function runTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true })
  onTestFinished(() => {
    vi.useRealTimers()
  })
}

/** In this test no timer that begins from now on ends. */
export function stopTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
}

/** Waits until a store on a file system in memory has done nothing for longer than it ever waits. */
export async function idle(fileSystem: { readonly calls: number }): Promise<void> {
  for (let calls = -1; calls !== fileSystem.calls; ) {
    calls = fileSystem.calls
    if (vi.isFakeTimers()) await vi.advanceTimersByTimeAsync(IDLE_MS)
    else await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    await settled(fileSystem)
  }
}
