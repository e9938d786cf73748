/**
 * Calls at a steady pace, whether or not the ones before have been answered: an engine that stands still makes all wait
 * that come meanwhile. A latency counts from the moment at which the call should have been made ("coordinated
 * omission" is what leaves these waits out, by making no calls while one is late).
 */
import { type Latencies, percentiles, turn } from './measure.ts'

/**
 * @param perSecond calls a second
 * @param call what it returns is awaited if it is a promise
 */
export async function paceCalls(
  perSecond: number,
  seconds: number,
  call: () => unknown,
): Promise<{
  readonly operations: number
  readonly seconds: number
  readonly latenciesUs: Latencies
}> {
  const count = Math.max(1, Math.floor(perSecond * seconds))
  const latencies = new Float64Array(count)
  const pending: Promise<void>[] = []
  const start = performance.now()
  const note = (i: number, intendedAt: number): void => {
    latencies[i] = (performance.now() - intendedAt) * 1000
  }
  for (let i = 0; i < count; ) {
    const intendedAt = start + (i * 1000) / perSecond
    if (performance.now() < intendedAt) {
      // Timers are a thousand times too coarse.
      await turn()
      continue
    }
    const place = i++
    const result = call()
    if (isThenable(result))
      pending.push(Promise.resolve(result).then(() => note(place, intendedAt)))
    else note(place, intendedAt)
    // Answers come between two turns of the event loop: a caller who is late lets them.
    if (i % CALLS_IN_A_TURN === 0) await turn()
  }
  await Promise.all(pending)
  const took = (performance.now() - start) / 1000
  return { operations: count, seconds: took, latenciesUs: percentiles(latencies) }
}

const CALLS_IN_A_TURN = 16

function isThenable(result: unknown): result is PromiseLike<unknown> {
  return typeof (result as { then?: unknown } | undefined)?.then === 'function'
}
