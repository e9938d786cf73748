/**
 * How late the event loop is: for how long an event that comes at any moment waits for its turn.
 *
 * A timer fires each millisecond. Where the loop stood still for longer, all ticks that were due meanwhile have waited,
 * the first one longest: each of them counts ("coordinated omission" is what counts such a stand once).
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const TICK_MS = 1
const NANOSECONDS_PER_MS = 1e6

/** Milliseconds. */
export interface LoopDelay {
  /** Older results have not all of these. */
  readonly p50?: number
  readonly p99?: number
  readonly p999?: number
  readonly max: number
}

/** Watches from its creation on until {@link LoopDelayWatch.finish}. */
export class LoopDelayWatch {
  readonly #delays: RecordableHistogram = createHistogram()
  readonly #timer: NodeJS.Timeout
  #lastTickAt: number = performance.now()

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  finish(): Required<LoopDelay> {
    clearInterval(this.#timer)
    this.#tick()
    const ms = (nanoseconds: number): number => nanoseconds / NANOSECONDS_PER_MS
    const at = (percent: number): number => ms(this.#delays.percentile(percent))
    return { p50: at(50), p99: at(99), p999: at(99.9), max: ms(this.#delays.max) }
  }

  #tick(): void {
    const now = performance.now()
    const longest = Math.max(0, now - this.#lastTickAt - TICK_MS)
    // What a histogram holds begins at 1.
    for (let late = longest; late >= 0; late -= TICK_MS) {
      this.#delays.record(Math.max(1, Math.round(late * NANOSECONDS_PER_MS)))
    }
    this.#lastTickAt = now
  }
}

/** Of several rounds the worst, each by itself. @param rounds one at least */
export function worstDelays(rounds: readonly LoopDelay[]): LoopDelay {
  const worst = (part: 'p50' | 'p99' | 'p999'): Partial<LoopDelay> => {
    const known = rounds.flatMap((delay) => delay[part] ?? [])
    return known.length === 0 ? {} : { [part]: Math.max(...known) }
  }
  const max = Math.max(...rounds.map((delay) => delay.max))
  return { ...worst('p50'), ...worst('p99'), ...worst('p999'), max }
}

/** What {@link showDelays} shows. */
export const DELAYS = 'p50 / p99 / p99.9 / max, ms'

export function showDelays({ p50, p99, p999, max }: LoopDelay): string {
  return [p50, p99, p999, max]
    .map((ms) => (ms === undefined ? '-' : ms.toFixed(ms < 10 ? 1 : 0)))
    .join(' / ')
}
