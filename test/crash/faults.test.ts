/** Exhaustive single faults: a workload runs once for every call that it makes of the file system (fault-runs.ts). */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { countCalls, FAULTS, type Mode, runSample } from './fault-runs.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
let runs = 0

afterAll(() => {
  console.info(`fault runs: ${runs}; ${replayHint(seed)}`)
})

/** Everything once: batches, flush, compaction, reopen, kill, deletes, rotation. */
const MIXED: Workload = {
  name: 'mixed',
  options: WORKLOADS[0]!.options,
  async run(session, prng) {
    const lengths = [20, 300, 900, 2000]
    for (let round = 0; round < 4; round++) {
      const writes: Promise<void>[] = []
      for (let i = 0; i < 5; i++) {
        writes.push(session.put(`key${prng.below(12)}`, prng.pick(lengths), i === 3))
      }
      writes.push(
        session.write([
          { type: 'delete', key: `key${prng.below(12)}` },
          { type: 'put', key: `key${prng.below(12)}`, length: 40 },
        ]),
      )
      await Promise.all(writes)
      if (round === 0) await session.flush()
      if (round === 1) await session.compact()
      if (round === 1) await session.reopen()
      if (round === 2) await session.kill()
    }
    await session.check()
    await session.close()
  },
}

for (const kind of FAULTS) {
  for (const mode of ['once', 'from then on'] as Mode[]) {
    test(`I1, I2: ${kind.name}, ${mode}`, async () => {
      const run = { workload: MIXED, kind, mode, seed }
      const calls = await countCalls(run)
      expect(calls).toBeGreaterThan(0)
      runs += await runSample(run, calls, calls)
    })
  }
}
