/**
 * Single faults in workloads with streams (fault-runs.ts says what must come of them): each call of the file system
 * that an upload makes fails, once or from then on. A failed upload leaves nothing that a later open could take for a
 * value, and a full disk that passes leaves a store that goes on (I1, I2, I4, I5, I12). A sample of each kind of call.
 */
import { afterAll, expect, test } from 'vitest'
import { Prng, replayHint, testSeed } from '../support/random.ts'
import { countCalls, FAULTS, type Mode, runWithFault } from './fault-runs.ts'
import { STREAMING_ALL } from './stream-workloads.ts'

const seed = testSeed()
const RUNS_MAX = Number(process.env['WISC_FAULT_RUNS'] ?? 40)
let runs = 0

afterAll(() => {
  console.info(`fault runs of streams: ${runs}; ${replayHint(seed)}`)
})

for (const kind of FAULTS) {
  for (const mode of ['once', 'from then on'] as Mode[]) {
    test(`I1, I2, I4, I5, I12: ${kind.name}, ${mode}`, async () => {
      const run = { workload: STREAMING_ALL, kind, mode, seed }
      const calls = await countCalls(run)
      expect(calls).toBeGreaterThan(0)
      const step = Math.max(1, calls / RUNS_MAX)
      // Another sample each time.
      const first = 1 + new Prng(seed).below(Math.ceil(step))
      for (let nth = first; nth <= calls; nth += step) {
        try {
          await runWithFault(Math.floor(nth), run)
        } catch (error) {
          const { message, stack } = error as Error
          const place = `call ${Math.floor(nth)} of ${calls}`
          throw new Error(`${place}: ${message}; ${replayHint(seed)}\n${stack}`)
        }
        runs++
      }
    })
  }
}
