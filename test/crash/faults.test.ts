/**
 * Exhaustive single faults: a workload runs once for every call that it makes of the file system, and this
 * call fails (EIO, ENOSPC, EMFILE, a write in part), once or from then on.
 *
 * Every run must end in success or in typed errors; then the fault is gone, the process is killed, and the store must
 * open again with a legal state. It must also survive a power cut at that moment. I1: after a failed sync
 * later writes are refused with WISC_SYNC_FAILED and nothing is synced again (the file system checks it).
 */
import { afterAll, expect, test } from 'vitest'
import type { Call, CallKind, Fault } from '../support/fault-calls.ts'
import { FaultFileSystem } from '../support/fault-file-system.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'
import { Session } from '../support/session.ts'
import { WORKLOADS, type Workload } from './workloads.ts'

const seed = testSeed()
let runs = 0

afterAll(() => {
  console.info(`fault runs: ${runs}; ${replayHint(seed)}`)
})

interface FaultKind {
  readonly name: string
  readonly calls: readonly CallKind[]
  readonly fault: (call: Call) => Fault
}

type Mode = 'once' | 'from then on'

const FAULTS: readonly FaultKind[] = [
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
  { name: 'refused opens', calls: ['open', 'create'], fault: () => ({ errno: 'EMFILE' }) },
  { name: 'failed reads', calls: ['read'], fault: () => ({ errno: 'EIO' }) },
  {
    name: 'refused changes of names',
    calls: ['rename', 'unlink', 'makeDirectory', 'list', 'stat', 'lock'],
    fault: () => ({ errno: 'EACCES' }),
  },
]

/** Everything once: batches, flush, compaction, reopen, kill, deletes, rotation. */
export const MIXED: Workload = {
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

for (const kind of FAULTS) {
  for (const mode of ['once', 'from then on'] as Mode[]) {
    test(`I1, I2: ${kind.name}, ${mode}`, { timeout: 300_000 }, async () => {
      const calls = await countCalls(kind)
      expect(calls).toBeGreaterThan(0)
      for (let nth = 1; nth <= calls; nth++) {
        try {
          await runWithFault(kind, nth, mode)
        } catch (error) {
          const { message, stack } = error as Error
          throw new Error(`call ${nth} of ${calls}: ${message}; ${replayHint(seed)}\n${stack}`)
        }
        runs++
      }
    })
  }
}

async function countCalls(kind: FaultKind): Promise<number> {
  let calls = 0
  const count = (call: Call): undefined => {
    if (kind.calls.includes(call.kind)) calls++
  }
  await run(count, false)
  return calls
}

async function runWithFault(kind: FaultKind, nth: number, mode: Mode): Promise<void> {
  let calls = 0
  let healed = false
  const session = await run((call) => {
    if (healed || !kind.calls.includes(call.kind)) return undefined
    calls++
    return calls === nth || (mode === 'from then on' && calls > nth) ? kind.fault(call) : undefined
  }, true)
  healed = true
  const errors = session.errors.length
  // More than a few kinds of power cut would take too long here; enumeration.test.ts has them all.
  await session.powerCuts({ seed, subsets: 1, tornOfNew: 0, tornOfOld: 0 })
  await session.kill()
  await session.put('after', 30, true)
  await session.check()
  await session.close()
  expect(session.errors.slice(errors), 'errors after the fault was gone').toEqual([])
  expect(session.fileSystem.openFiles).toBe(0)
}

async function run(faults: FaultFileSystem['faults'], tolerant: boolean): Promise<Session> {
  const fileSystem = new FaultFileSystem({ seed })
  fileSystem.faults = faults
  const violations: string[] = []
  const session = await Session.open(fileSystem, {
    options: MIXED.options,
    seed,
    tolerant,
    onKill: (next, killed) => {
      violations.push(...killed.violations)
      next.faults = faults
    },
  })
  await MIXED.run(session, new Prng(seed))
  violations.push(...session.fileSystem.violations)
  if (violations.length > 0) throw new Error(`rules of order: ${violations.slice(0, 3).join('; ')}`)
  return session
}
