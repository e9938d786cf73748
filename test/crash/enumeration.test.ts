/**
 * Crash-state enumeration: after every step of every workload, states in which a power cut may leave the disk are
 * opened by the real store (enumerate.ts).
 *
 * I1 and I2: what survives is a prefix of the commit order with everything that was promised in it.
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open, WISC_TEST_ALL=1
 * opens all.
 */
import { afterAll, afterEach, expect, test } from 'vitest'
import { crashStates } from '../support/crash/crash-states.ts'
import { holdAgainst, type Knowledge } from '../support/crash/oracle.ts'
import { type Recovered, recoverImage } from '../support/crash/recover-image.ts'
import { Session } from '../support/crash/session.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'
import { startClock } from '../support/stopped-clock.ts'
import { enumerate } from './enumerate.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 350)
const DISTINCT_MIN = Number(process.env['WISC_CRASH_STATES_MIN'] ?? 3_000)

let distinct = 0
let moments = 0
let compound = 0

afterAll(() => {
  console.info(
    `crash states: ${distinct} distinct images opened, ${moments} moments checked, ` +
      `${compound} inside recoveries; ${replayHint(seed)}`,
  )
})

afterEach(startClock)

for (const [index, workload] of WORKLOADS.entries()) {
  test(`I1, I2: ${workload.name}`, async () => {
    const statesMax = Math.min(STATES_MAX, workload.statesMax ?? STATES_MAX)
    const options = { seed, statesMax, verifyEvery: 24, compoundEvery: 90 }
    const found = await enumerate(workload, seed + index * 7919, options)
    distinct += found.distinct
    moments += found.moments
    compound += found.compound
  })
}

test(`at least ${DISTINCT_MIN} distinct states were opened`, () => {
  expect(distinct).toBeGreaterThanOrEqual(DISTINCT_MIN)
})

/** Negative controls: on a disk that lies about one kind of sync the same search must find a loss. */
test.each([
  ['segments', /\.vlog$/],
  ['manifests', /MANIFEST/],
  ['tables', /\.sst$/],
  ['CURRENT', /CURRENT/],
  ['the directory', /^\/db$/],
  ['the directory above', /^\/$/],
] as const)('negative control, no syncs of %s: is caught', async (_, pattern) => {
  const ignoreSync = (path: string): boolean => pattern.test(path)
  const fileSystem = new FaultFileSystem({ seed, ignoreSync })
  const workload = WORKLOADS.find(({ name }) => name.startsWith('tiering'))!
  const session = await Session.open(fileSystem, { options: workload.options, seed })
  await workload.run(session, new Prng(seed))
  expect(await findLoss(session, workload), replayHint(seed)).toBe(true)
})

/** @returns whether any crash state breaks a promise */
async function findLoss({ fileSystem, oracle }: Session, { options }: Workload): Promise<boolean> {
  const found = new Map<string, Recovered['positions']>()
  for (const state of crashStates(fileSystem.base, fileSystem.log, { seed, tornOfNew: 0 })) {
    // What was left out shows when nothing else persists; the other choices would only take time.
    if (state.choice !== 'nothing' || state.mark === undefined) continue
    try {
      if (!found.has(state.hash)) {
        const { positions } = await recoverImage(state.image(), oracle, options, seed)
        found.set(state.hash, positions)
      }
      holdAgainst(found.get(state.hash), state.mark as Knowledge, state.complete)
    } catch {
      return true
    }
  }
  return false
}
