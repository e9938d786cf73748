/**
 * Crash-state enumeration over workloads that collect (enumerate.ts says how). Every state must open, hold a prefix of
 * the commit order with everything that was promised in it (I1, I2), be proved whole by `verify` (I8), and keep no file
 * that its version does not hold once it was opened and closed (I4, I5). No value is lost to a hole or a file that
 * went for a write that the crash took back (I12).
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open.
 */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { COLLECTING } from './collecting-workloads.ts'
import { enumerate } from './enumerate.ts'

const seed = testSeed()
const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 2300)
const DISTINCT_MIN = Number(process.env['WISC_CRASH_STATES_MIN'] ?? 20_000)
const VERIFY_EVERY = 4

let distinct = 0
let moments = 0
let compound = 0

afterAll(() => {
  console.info(
    `crash states of the collector: ${distinct} distinct images opened, ${moments} moments checked, ` +
      `${compound} inside recoveries; ${replayHint(seed)}`,
  )
})

for (const [index, workload] of COLLECTING.entries()) {
  test(`I4, I5, I8, I12: ${workload.name}`, { timeout: 600_000 }, async () => {
    const options = { seed, statesMax: STATES_MAX, verifyEvery: VERIFY_EVERY }
    const found = await enumerate(workload, seed + index * 7919, options)
    for (const action of workload.expected) {
      expect(found.collected[action], `${action}; ${replayHint(seed)}`).toBeGreaterThan(0)
    }
    distinct += found.distinct
    moments += found.moments
    compound += found.compound
  })
}

test(`at least ${DISTINCT_MIN} distinct states were opened`, () => {
  expect(distinct).toBeGreaterThanOrEqual(DISTINCT_MIN)
})
