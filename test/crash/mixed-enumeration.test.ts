/**
 * Crash-state enumeration over workloads in which everything meets (enumerate.ts says how). Every state must open, hold
 * a prefix of the commit order with everything that was promised in it, of which what was deleted, one by one or by
 * ranges, and what has expired does not come back (I1, I2, I7), be proved whole by `verify` (I4, I6, I8, I12), and keep
 * no file that its version does not hold (I5).
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open,
 * WISC_TEST_ALL=1 opens all.
 */
import { afterAll, afterEach, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { startClock } from '../support/stopped-clock.ts'
import { enumerate } from './enumerate.ts'
import { MIXED } from './mixed-workloads.ts'

const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 120)
const DISTINCT_MIN = Math.min(STATES_MAX, 100) * MIXED.length
const seed = testSeed()
const sum = { distinct: 0, moments: 0, compound: 0 }

afterAll(() => {
  console.info(
    `crash states of everything at once: ${sum.distinct} distinct images opened, ${sum.moments} moments checked, ` +
      `${sum.compound} inside recoveries; ${replayHint(seed)}`,
  )
})

afterEach(startClock)

for (const [index, workload] of MIXED.entries()) {
  test(`I1, I2, I4 to I8, I12: ${workload.name}`, async () => {
    const options = { seed, statesMax: STATES_MAX, verifyEvery: 8, compoundEvery: 60 }
    const found = await enumerate(workload, seed + index * 7919, options)
    for (const name of ['distinct', 'moments', 'compound'] as const) sum[name] += found[name]
  })
}

test(`at least ${DISTINCT_MIN} distinct states were opened`, () => {
  expect(sum.distinct).toBeGreaterThanOrEqual(DISTINCT_MIN)
})
