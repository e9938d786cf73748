/**
 * Crash-state enumeration: after every step of every workload, every state in which a power cut may leave the
 * disk is opened by the real store, read, closed and opened again (crash-states.ts says which states).
 *
 * I1 and I2: what survives is a prefix of the commit order with everything that was promised in it.
 * An image is opened once; what it held is kept, and held against what each moment that reaches it
 * demands. For a sample the recovery itself is cut off at each of its steps, and must find the same again.
 *
 * WISC_TEST_SEED replays a run; WISC_CRASH_STATES sets how many distinct states a workload may open.
 */
import { afterAll, expect, test } from 'vitest'
import type { CrashState } from '../support/crash-states.ts'
import { crashStates } from '../support/crash-states.ts'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import { holdAgainst, type Knowledge } from '../support/oracle.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'
import { type Recovered, recoverImage } from '../support/recover-image.ts'
import { Session } from '../support/session.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
const STATES_MAX = Number(process.env['WISC_CRASH_STATES'] ?? 3000)
const DISTINCT_MIN = Number(process.env['WISC_CRASH_STATES_MIN'] ?? 20_000)
/** One recovery of so many is cut off itself, at states of its own. */
const COMPOUND_EVERY = 60
const COMPOUND_STATES_MAX = 12
const VERIFY_EVERY = 16
const NOTHING: Knowledge = { required: 0, acknowledged: 0, issued: 0, created: false }

let distinct = 0
let moments = 0
let compound = 0

afterAll(() => {
  console.info(
    `crash states: ${distinct} distinct images opened, ${moments} moments checked, ` +
      `${compound} inside recoveries; ${replayHint(seed)}`,
  )
})

for (const [index, workload] of WORKLOADS.entries()) {
  test(`I1, I2: ${workload.name}`, { timeout: 600_000 }, async () => {
    await enumerate(workload, seed + index * 7919)
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
] as const)(
  'negative control, no syncs of %s: is caught',
  { timeout: 300_000 },
  async (_, pattern) => {
    const ignoreSync = (path: string): boolean => pattern.test(path)
    const fileSystem = new FaultFileSystem({ seed, ignoreSync })
    const workload = WORKLOADS.find(({ name }) => name.startsWith('tiering'))!
    const session = await Session.open(fileSystem, { options: workload.options, seed })
    await workload.run(session, new Prng(seed))
    expect(await findLoss(session, workload), replayHint(seed)).toBe(true)
  },
)

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

async function enumerate(workload: Workload, workloadSeed: number): Promise<void> {
  const fileSystem = new FaultFileSystem({ seed: workloadSeed })
  const { options } = workload
  const session = await Session.open(fileSystem, { options, seed: workloadSeed })
  await workload.run(session, new Prng(workloadSeed))
  expect(session.fileSystem.violations, replayHint(seed)).toEqual([])

  const share = STATES_MAX / countDistinct(session.fileSystem, workloadSeed)
  const found = new Map<string, Recovered['positions']>()
  let opened = 0
  for (const state of crashStates(session.fileSystem.base, session.fileSystem.log, {
    seed: workloadSeed,
  })) {
    const isNew = !found.has(state.hash)
    if (isNew && !isChosen(state, share)) continue
    try {
      if (isNew) {
        opened++
        const verify = opened % VERIFY_EVERY === 0
        const recovered = await recoverImage(state.image(), session.oracle, options, seed, verify)
        found.set(state.hash, recovered.positions)
        if (opened % COMPOUND_EVERY === 0) await cutRecovery(recovered, session, workload)
      }
      const knowledge = (state.mark ?? NOTHING) as Knowledge
      holdAgainst(found.get(state.hash), knowledge, state.complete)
    } catch (error) {
      const step = `${state.step} of ${session.fileSystem.log.length}`
      const place = `workload "${workload.name}", step ${step}, ${state.choice}`
      const { message, stack } = error as Error
      throw new Error(`${place}: ${message}; ${replayHint(seed)}\n${stack}`, { cause: error })
    }
    moments++
  }
  distinct += opened
}

function countDistinct(fileSystem: FaultFileSystem, stateSeed: number): number {
  const hashes = new Set<string>()
  for (const state of crashStates(fileSystem.base, fileSystem.log, { seed: stateSeed })) {
    hashes.add(state.hash)
  }
  return hashes.size
}

/** A choice by the image itself, so that the same images are chosen at every moment. */
function isChosen(state: CrashState, share: number): boolean {
  if (share >= 1) return true
  const hash = Buffer.from(state.hash.slice(state.hash.indexOf('.') + 1), 'base64')
  return hash.readUInt32BE(0) / 2 ** 32 < share
}

/** Cuts a recovery off at states of its own; the recovery after it must find the same. */
async function cutRecovery(
  { positions, fileSystem, steps }: Recovered,
  session: Session,
  workload: Workload,
): Promise<void> {
  if (positions === undefined) return
  const seen = new Set<string>()
  const states = crashStates(fileSystem.base, fileSystem.log.slice(0, steps), {
    seed,
    tornOfNew: 4,
    tornOfOld: 1,
  })
  const prng = new Prng(seed + steps)
  for (const state of states) {
    if (seen.has(state.hash) || !prng.chance(0.15)) continue
    seen.add(state.hash)
    const again = await recoverImage(state.image(), session.oracle, workload.options, seed)
    if (again.positions?.join() !== positions.join()) {
      throw new Error(
        `cut at step ${state.step} of a recovery (${state.choice}): ` +
          `found ${again.positions ?? 'no store'}, without the cut ${positions}`,
      )
    }
    compound++
    if (seen.size >= COMPOUND_STATES_MAX) return
  }
}
