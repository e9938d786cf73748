/**
 * The search for crash states that break a promise: a workload runs once, then states in which a power cut may leave
 * the disk are opened by the real store, read, closed and opened again (crash-states.ts says which states).
 *
 * Of the states of each moment that were not met before as many are drawn by the seed as are left to it; all of them
 * with WISC_TEST_ALL. An image is opened once; what it held is kept, and held against what each moment that reaches
 * it demands. For a sample the recovery itself is cut off at each of its steps, and must find the same again.
 */
import { expect } from 'vitest'
import { type CrashState, crashMoments, crashStates } from '../support/crash/crash-states.ts'
import { holdAgainst, type Knowledge } from '../support/crash/oracle.ts'
import { KnownImages, type Recovered, recoverImage } from '../support/crash/recover-image.ts'
import { type Collected, Session } from '../support/crash/session.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, TESTS_ALL } from '../support/random.ts'
import type { Workload } from './workloads.ts'

const COMPOUND_STATES_MAX = 12
const NOTHING: Knowledge = { required: 0, acknowledged: 0, issued: 0, created: false }

export interface EnumerateOptions {
  readonly seed: number
  /** Distinct states that are opened, where there are as many. */
  readonly statesMax: number
  /** One of so many is proved by `verify`. */
  readonly verifyEvery: number
  /** The recovery of one of so many is cut off itself, at states of its own. */
  readonly compoundEvery: number
}

/** How much was looked at. */
export interface Enumerated {
  readonly distinct: number
  readonly moments: number
  /** States inside recoveries. */
  readonly compound: number
  readonly collected: Readonly<Collected>
}

/** Runs the workload, and opens what may be left of it. @throws for the first state that breaks a promise */
export async function enumerate(
  workload: Workload,
  workloadSeed: number,
  { seed, statesMax, verifyEvery, compoundEvery }: EnumerateOptions,
): Promise<Enumerated> {
  const fileSystem = new FaultFileSystem({ seed: workloadSeed })
  const { options } = workload
  const session = await Session.open(fileSystem, { options, seed: workloadSeed })
  await workload.run(session, new Prng(workloadSeed))
  expect(session.fileSystem.violations, replayHint(seed)).toEqual([])

  const { base, log } = session.fileSystem
  const prng = new Prng(workloadSeed)
  let moments = 0
  let compound = 0
  const found = new Map<string, Recovered['positions']>()
  const known = new KnownImages()
  let opened = 0
  const open = async (state: CrashState): Promise<void> => {
    opened++
    const verify = opened % verifyEvery === 0
    const recovered = await recoverImage(state.image(), session.oracle, options, seed, {
      verify,
      known,
    })
    found.set(state.hash, recovered.positions)
    if (opened % compoundEvery === 0)
      compound += await cutRecovery(recovered, session, workload, seed)
  }
  /** How many may have been opened by this step. */
  const budgetAt = (step: number): number =>
    TESTS_ALL ? Number.POSITIVE_INFINITY : (statesMax * (step + 1)) / (log.length + 1)
  for (const moment of crashMoments(base, log, { seed: workloadSeed })) {
    const states = [...moment]
    const fresh = new Map<string, CrashState>()
    for (const state of states)
      if (!found.has(state.hash) && !fresh.has(state.hash)) fresh.set(state.hash, state)
    const left = Math.floor(budgetAt(states[0]!.step) - opened)
    const opening = new Set(drawn([...fresh.values()], left, prng))
    for (const state of states) {
      try {
        if (opening.has(state)) await open(state)
        if (!found.has(state.hash)) continue
        const knowledge = (state.mark ?? NOTHING) as Knowledge
        holdAgainst(found.get(state.hash), knowledge, state.complete)
      } catch (error) {
        const step = `${state.step} of ${log.length}`
        const place = `workload "${workload.name}", step ${step}, ${state.choice}`
        const { message, stack } = error as Error
        throw new Error(`${place}: ${message}; ${replayHint(seed)}\n${stack}`, { cause: error })
      }
      moments++
    }
  }
  return { distinct: opened, moments, compound, collected: session.collected }
}

/** So many of them, each as likely as the others. */
function drawn(states: readonly CrashState[], count: number, prng: Prng): CrashState[] {
  let wanted = Math.max(0, Math.min(count, states.length))
  return states.filter((_, index) => {
    const isDrawn = prng.below(states.length - index) < wanted
    if (isDrawn) wanted--
    return isDrawn
  })
}

/** Cuts a recovery off at states of its own; the recovery after it must find the same. @returns how many states */
async function cutRecovery(
  { positions, fileSystem, steps }: Recovered,
  session: Session,
  workload: Workload,
  seed: number,
): Promise<number> {
  if (positions === undefined) return 0
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
    if (seen.size >= COMPOUND_STATES_MAX) break
  }
  return seen.size
}
