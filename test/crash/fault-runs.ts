/**
 * Workloads with single faults: one call of the file system fails (EIO, ENOSPC, EMFILE, a write in part), or every one
 * from there on.
 *
 * Every run must end in success or in typed errors; then the fault is gone, the process is killed, and the store must
 * open again with a legal state. It must also survive a power cut at that moment. I1: after a failed sync
 * later writes are refused with WISC_SYNC_FAILED and nothing is synced again (the file system checks it).
 */
import { expect } from 'vitest'
import { KnownImages } from '../support/crash/recover-image.ts'
import { Session } from '../support/crash/session.ts'
import type { Call, CallKind, Fault } from '../support/files/fault-calls.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, TESTS_ALL } from '../support/random.ts'
import type { Workload } from './workloads.ts'

export interface FaultRun {
  readonly workload: Workload
  readonly kind: FaultKind
  readonly mode: Mode
  readonly seed: number
}

export interface FaultKind {
  readonly name: string
  readonly calls: readonly CallKind[]
  readonly fault: (call: Call) => Fault
}

/** When calls fail: one of them, or all from there on. */
export type Mode = 'once' | 'from then on'

export const FAULTS: readonly FaultKind[] = [
  { name: 'failed syncs', calls: ['sync', 'syncDirectory'], fault: () => ({ errno: 'EIO' }) },
  { name: 'writes on a full disk', calls: ['write'], fault: () => ({ errno: 'ENOSPC' }) },
  {
    name: 'writes that end in part',
    calls: ['write'],
    fault: (call) => ({ errno: 'ENOSPC', partialBytes: Math.floor(call.bytes * 0.6) }),
  },
  {
    name: 'failed writes that got through',
    calls: ['write'],
    fault: (call) => ({ errno: 'EIO', partialBytes: call.bytes }),
  },
  {
    name: 'refused opens',
    calls: ['open', 'create', 'openDirectory'],
    fault: () => ({ errno: 'EMFILE' }),
  },
  { name: 'failed reads', calls: ['read'], fault: () => ({ errno: 'EIO' }) },
  {
    name: 'refused changes of names',
    calls: ['rename', 'unlink', 'makeDirectory', 'list', 'stat', 'lock'],
    fault: () => ({ errno: 'EACCES' }),
  },
]

/** The calls of a workload that has one seed, of each kind, when none fails. */
const counted: Map<string, ReadonlyMap<CallKind, number>> = new Map()
/** What the faults of a workload have left. */
const known: Map<string, KnownImages> = new Map()

/** How many calls of this kind a workload makes. */
export async function countCalls({
  workload,
  kind,
  seed,
}: Omit<FaultRun, 'mode'>): Promise<number> {
  const name = `${workload.name} ${seed}`
  const calls = counted.get(name) ?? (await countAll(workload, seed))
  counted.set(name, calls)
  return kind.calls.reduce((sum, each) => sum + (calls.get(each) ?? 0), 0)
}

async function countAll(workload: Workload, seed: number): Promise<Map<CallKind, number>> {
  const calls = new Map<CallKind, number>()
  const count = ({ kind }: Call): undefined => {
    calls.set(kind, (calls.get(kind) ?? 0) + 1)
  }
  await run(workload, seed, count, false)
  return calls
}

/** Runs a workload whose nth call fails. @throws for whatever must not come of it */
async function runWithFault(
  nth: number,
  { workload, kind, mode, seed }: FaultRun,
): Promise<Session> {
  let calls = 0
  let healed = false
  const session = await run(
    workload,
    seed,
    (call) => {
      if (healed || !kind.calls.includes(call.kind)) return undefined
      calls++
      return calls === nth || (mode === 'from then on' && calls > nth)
        ? kind.fault(call)
        : undefined
    },
    true,
  )
  healed = true
  const errors = session.errors.length
  const images = known.get(`${workload.name} ${seed}`) ?? new KnownImages()
  known.set(`${workload.name} ${seed}`, images)
  // More than a few kinds of power cut would take too long here; enumeration.test.ts has them all.
  await session.powerCuts({ seed, subsets: 1, tornOfNew: 0, tornOfOld: 0 }, images)
  await session.kill()
  await session.put('after', 30, true)
  await session.check()
  await session.close()
  expect(session.errors.slice(errors), 'errors after the fault was gone').toEqual([])
  expect(session.fileSystem.openFiles).toBe(0)
  return session
}

/**
 * A sample of the calls fails, one in each run; another one for each seed. All of them do with WISC_TEST_ALL.
 * @returns how many runs that were
 */
export async function runSample(run: FaultRun, calls: number, runsMax: number): Promise<number> {
  const { seed } = run
  const step = TESTS_ALL ? 1 : Math.max(1, calls / runsMax)
  const first = 1 + new Prng(seed).below(Math.ceil(step))
  let runs = 0
  for (let nth = first; nth <= calls; nth += step) {
    try {
      await runWithFault(Math.floor(nth), run)
    } catch (error) {
      const { message, stack } = error as Error
      const place = `call ${Math.floor(nth)} of ${calls}`
      throw new Error(`${place}: ${message}; ${replayHint(seed)}\n${stack}`)
    }
    runs++
  }
  return runs
}

async function run(
  workload: Workload,
  seed: number,
  faults: FaultFileSystem['faults'],
  tolerant: boolean,
): Promise<Session> {
  const fileSystem = new FaultFileSystem({ seed })
  fileSystem.faults = faults
  const violations: string[] = []
  const session = await Session.open(fileSystem, {
    options: workload.options,
    seed,
    tolerant,
    onKill: (next, killed) => {
      violations.push(...killed.violations)
      next.faults = faults
    },
  })
  await workload.run(session, new Prng(seed))
  violations.push(...session.fileSystem.violations)
  if (violations.length > 0) throw new Error(`rules of order: ${violations.slice(0, 3).join('; ')}`)
  return session
}
