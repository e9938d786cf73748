/**
 * Single faults in workloads with streams (fault-runs.ts says what must come of them): each call of the file system
 * that an upload makes fails, once or from then on. A failed upload leaves nothing that a later open could take for a
 * value, and a full disk that passes leaves a store that goes on (I1, I2, I4, I5, I12). A sample of each kind of call.
 */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { countCalls, FAULTS, type Mode, runSample } from './fault-runs.ts'
import { STREAMING_ALL } from './stream-workloads.ts'

const seed = testSeed()
const RUNS_MAX = Number(process.env['WISC_FAULT_RUNS'] ?? 20)
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
      runs += await runSample(run, calls, RUNS_MAX)
    })
  }
}
