/**
 * Crash-state enumeration over workloads that collect (enumerate.ts says how). Every state must open, hold a prefix of
 * the commit order with everything that was promised in it (I1, I2), be proved whole by `verify` (I8), and keep no file
 * that its version does not hold once it was opened and closed (I4, I5). No value is lost to a hole or a file that
 * went for a write that the crash took back (I12).
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open,
 * WISC_TEST_ALL=1 opens all.
 */
import { afterAll, expect, test } from 'vitest'
import type { Collected } from '../support/crash/session.ts'
import { replayHint, testSeed } from '../support/random.ts'
import { COLLECTING } from './collecting-workloads.ts'
import { enumerate } from './enumerate.ts'

const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 600)
/** Of each half. */
const DISTINCT_MIN = Number(process.env['WISC_CRASH_STATES_MIN'] ?? 5_000) / 2

/** Every second workload, from this one on. */
export function enumerateCollecting(first: 0 | 1): void {
  const seed = testSeed()
  const sum = { distinct: 0, moments: 0, compound: 0 }
  const collected: Collected = { drop: 0, forget: 0, punch: 0, rewrite: 0, again: 0 }

  afterAll(() => {
    console.info(
      `crash states of the collector: ${sum.distinct} distinct images opened, ${sum.moments} moments checked, ` +
        `${sum.compound} inside recoveries; ${replayHint(seed)}`,
    )
  })

  for (const [index, workload] of COLLECTING.entries()) {
    if (index % 2 !== first) continue
    test(`I4, I5, I8, I12: ${workload.name}`, async () => {
      const options = { seed, statesMax: STATES_MAX, verifyEvery: 4, compoundEvery: 120 }
      const found = await enumerate(workload, seed + index * 7919, options)
      for (const name of ['distinct', 'moments', 'compound'] as const) sum[name] += found[name]
      for (const name of Object.keys(collected) as (keyof Collected)[]) {
        collected[name] += found.collected[name]
      }
    })
  }

  test(`at least ${DISTINCT_MIN} distinct states were opened, of collections of every kind`, () => {
    expect(sum.distinct).toBeGreaterThanOrEqual(DISTINCT_MIN)
    for (const [name, count] of Object.entries(collected)) {
      // Which segments are forgotten alone is a matter of luck.
      if (name !== 'forget') expect(count, `${name}; ${replayHint(seed)}`).toBeGreaterThan(0)
    }
  })
}
