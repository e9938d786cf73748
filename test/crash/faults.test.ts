/**
 * Single faults (fault-runs.ts says what must come of them): a small workload runs once for every call that it makes of
 * the file system, a larger one for a sample of them.
 */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { countCalls, FAULTS, type Mode, runSample } from './fault-runs.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
const RUNS_MAX = Number(process.env['WISC_FAULT_RUNS'] ?? 20)
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

for (const workload of [SMALL, MIXED]) {
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
