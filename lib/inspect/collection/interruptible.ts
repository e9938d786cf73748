/** Long walks on the calling thread, for the command: the event loop turns now and then, so that Ctrl-C is heard. */
import { setImmediate } from 'node:timers/promises'
import { WiscError } from '../../base/errors.ts'

/** Between two turns of the event loop. */
const TURN_MS = 10

/** Runs all slices of a walk. @throws WISC_ABORTED when the signal fires, and what the slices throw */
export async function interruptibly<T>(
  slices: Generator<unknown, T>,
  signal: AbortSignal,
): Promise<T> {
  let began = performance.now()
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
    if (performance.now() - began < TURN_MS) continue
    await setImmediate()
    began = performance.now()
    if (!signal.aborted) continue
    slices.return(undefined as T)
    throw new WiscError('WISC_ABORTED', 'the walk was cancelled')
  }
}
