/**
 * The search for crash states that break a promise: a workload runs once, then every state in which a power cut may
 * leave the disk is opened by the real store, read, closed and opened again (crash-states.ts says which states).
 *
 * An image is opened once; what it held is kept, and held against what each moment that reaches it
 * demands. For a sample the recovery itself is cut off at each of its steps, and must find the same again.
 */
import { expect } from 'vitest'
import { type CrashState, crashStates } from '../support/crash/crash-states.ts'
import { holdAgainst, type Knowledge } from '../support/crash/oracle.ts'
import { type Recovered, recoverImage } from '../support/crash/recover-image.ts'
import { type Collected, Session } from '../support/crash/session.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint } from '../support/random.ts'
import type { Workload } from './workloads.ts'

const COMPOUND_STATES_MAX = 12
const NOTHING: Knowledge = { required: 0, acknowledged: 0, issued: 0, created: false }

export interface EnumerateOptions {
  readonly seed: number
  /** Distinct states that are opened at most. */
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

  const share = statesMax / countDistinct(session.fileSystem, workloadSeed)
  let moments = 0
  let compound = 0
  const found = new Map<string, Recovered['positions']>()
  const reopened = new Map<string, readonly number[]>()
  let opened = 0
  for (const state of crashStates(session.fileSystem.base, session.fileSystem.log, {
    seed: workloadSeed,
  })) {
    const isNew = !found.has(state.hash)
    if (isNew && !isChosen(state, share)) continue
    try {
      if (isNew) {
        opened++
        const verify = opened % verifyEvery === 0
        const recovered = await recoverImage(state.image(), session.oracle, options, seed, {
          verify,
          reopened,
        })
        found.set(state.hash, recovered.positions)
        if (opened % compoundEvery === 0)
          compound += await cutRecovery(recovered, session, workload, seed)
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
  return { distinct: opened, moments, compound, collected: session.collected }
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
