/**
 * Crash-state enumeration over workloads with streams (enumerate.ts says how). Every state must open, hold a prefix of
 * the commit order with everything that was promised in it (I1, I2), which is proved whole by `verify`: each record of
 * a stream finds its file (I4, I12). No file is left that the version does not hold (I5).
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open,
 * WISC_TEST_ALL=1 opens all.
 */
import { afterAll, expect, test } from 'vitest'
import { replayHint, testSeed } from '../support/random.ts'
import { enumerate } from './enumerate.ts'
import { STREAMING } from './stream-workloads.ts'

const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 300)
const DISTINCT_MIN = Number(process.env['WISC_CRASH_STATES_MIN'] ?? 1_500)
const seed = testSeed()
const sum = { distinct: 0, moments: 0, compound: 0 }

afterAll(() => {
  console.info(
    `crash states of streams: ${sum.distinct} distinct images opened, ${sum.moments} moments checked, ` +
      `${sum.compound} inside recoveries; ${replayHint(seed)}`,
  )
})

for (const [index, workload] of STREAMING.entries()) {
  test(`I1, I2, I4, I5, I12: ${workload.name}`, async () => {
    const options = { seed, statesMax: STATES_MAX, verifyEvery: 4, compoundEvery: 90 }
    const found = await enumerate(workload, seed + index * 7919, options)
    for (const name of ['distinct', 'moments', 'compound'] as const) sum[name] += found[name]
  })
}

test(`at least ${DISTINCT_MIN} distinct states were opened`, () => {
  expect(sum.distinct).toBeGreaterThanOrEqual(DISTINCT_MIN)
})
