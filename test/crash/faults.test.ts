/**
 * Single faults (fault-runs.ts says what must come of them): a small workload runs once for every call that it makes of
 * the file system, a larger one, in which everything meets, for a sample of them.
 */
import { afterAll, afterEach, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { startClock } from '../support/stopped-clock.ts'
import { countCalls, FAULTS, type Mode, runSample } from './fault-runs.ts'
import { MIXED_SHORT } from './mixed-workloads.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
const RUNS_MAX = Number(process.env['WISC_FAULT_RUNS'] ?? 12)
let runs = 0

afterAll(() => {
  console.info(`fault runs: ${runs}; ${replayHint(seed)}`)
})

/** A store is made, written to, flushed, opened again and closed. */
const SMALL: Workload = {
  name: 'small',
  options: WORKLOADS[0]!.options,
  async run(session) {
    await Promise.all([session.put('key1', 300, true), session.put('key2', 20)])
    await session.flush()
    await session.reopen()
    await session.delete('key2')
    await session.close()
  },
}

afterEach(startClock)

for (const workload of [SMALL, MIXED_SHORT]) {
  for (const kind of FAULTS) {
    for (const mode of ['once', 'from then on'] as Mode[]) {
      test(`I1, I2: ${workload.name}, ${kind.name}, ${mode}`, async () => {
        const run = { workload, kind, mode, seed }
        const calls = await countCalls(run)
        expect(calls).toBeGreaterThan(0)
        runs += await runSample(run, calls, workload === SMALL ? calls : RUNS_MAX)
      })
    }
  }
}
