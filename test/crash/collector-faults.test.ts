/**
 * Single faults in workloads that collect (fault-runs.ts says what must come of them): reads, writes, syncs, unlinks,
 * punches and opens of the collector fail, once or from then on. After a failed sync nothing is edited, unlinked or
 * punched (I1, I5, I12: the file system looks at the order). A sample of the calls of each kind.
 */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { COLLECTING_ALL, COLLECTING_BY_ITSELF } from './collecting-workloads.ts'
import { countCalls, FAULTS, type FaultKind, type Mode, runSample } from './fault-runs.ts'

const seed = testSeed()
const RUNS_MAX = Number(process.env['WISC_FAULT_RUNS'] ?? 8)
const KINDS: readonly FaultKind[] = [
  ...FAULTS,
  {
    name: 'punches that end in part',
    calls: ['punch'],
    fault: ({ bytes }) => ({ errno: 'EIO', partialBytes: bytes / 2 }),
  },
]
let runs = 0

afterAll(() => {
  console.info(`fault runs of the collector: ${runs}; ${replayHint(seed)}`)
})

for (const workload of [COLLECTING_ALL, COLLECTING_BY_ITSELF]) {
  for (const kind of KINDS) {
    for (const mode of ['once', 'from then on'] as Mode[]) {
      const name = `I1, I5, I12: ${workload.name}, ${kind.name}, ${mode}`
      test(name, async () => {
        // By itself the collector does what suits the sizes that were drawn: sometimes it has no use for a call.
        let run = { workload, kind, mode, seed }
        let calls = await countCalls(run)
        for (let i = 1; calls === 0 && i <= 8; i++) {
          run = { ...run, seed: seed + i }
          calls = await countCalls(run)
        }
        expect(calls).toBeGreaterThan(0)
        runs += await runSample(run, calls, RUNS_MAX)
      })
    }
  }
}
