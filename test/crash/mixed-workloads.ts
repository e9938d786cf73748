/**
 * What the crash and fault tests do to a store with everything at once: batches, transactions, range deletes, values
 * that expire, values of several chunks, uploads beside writers, snapshots, collections asked for and by itself,
 * reopens and kills. What each of them does by itself the other workloads have; here they meet.
 */
import type { Options } from '#dist/lib/contract/options.js'
import { type OracleWrite, PASSED_MS } from '../support/crash/oracle.ts'
import type { Session } from '../support/crash/session.ts'
import { TINY_OPTIONS } from '../support/crash/tiny-options.ts'
import type { Prng } from '../support/random.ts'
import { passTime, stopClock } from '../support/stopped-clock.ts'
import type { Workload } from './workloads.ts'

const KEYS = 16
const ROUNDS = 10
const ASKED: Options = { ...TINY_OPTIONS, streamThreshold: 2000 }

function keyOf(number: number): string {
  return `key${String(number).padStart(2, '0')}`
}

function someKey(prng: Prng): string {
  return keyOf(prng.below(KEYS))
}

/** Mostly within the time that passes before the store is looked at. */
function someExpiry(prng: Prng): { readonly ttl?: number } {
  if (prng.chance(0.75)) return {}
  return { ttl: prng.chance(0.2) ? 1000 * PASSED_MS : 1 + prng.below(PASSED_MS) }
}

function someWrite(prng: Prng): OracleWrite {
  const key = someKey(prng)
  const kind = prng.below(10)
  if (kind < 2) return { type: 'delete', key }
  if (kind < 4) {
    const end = keyOf(prng.below(KEYS + 1))
    return { type: 'deleteRange', key, end: end > key ? end : `${key}/` }
  }
  // Now and then of two chunks.
  const length = prng.chance(0.02) ? 70_000 : prng.pick([10, 40, 300, 900, 1900, 4500, 9000])
  return { type: 'put', key, length, ...someExpiry(prng) }
}

function someWrites(prng: Prng): OracleWrite[] {
  return Array.from({ length: 1 + prng.below(4) }, () => someWrite(prng))
}

/** Several batches at once, so that they share groups; or a transaction that takes its time, alone. */
async function change(session: Session, prng: Prng): Promise<void> {
  if (prng.chance(0.2)) return session.write(someWrites(prng), prng.chance(0.2), 'transaction')
  await Promise.all(
    Array.from({ length: 1 + prng.below(5) }, () =>
      session.write(
        someWrites(prng),
        prng.chance(0.15),
        prng.chance(0.3) ? 'transactionSync' : 'write',
      ),
    ),
  )
}

async function upload(session: Session, prng: Prng): Promise<void> {
  await session.putStream(someKey(prng), prng.pick([500, 2500, 20_000, 70_000]), {
    sync: prng.chance(0.3),
    fails: prng.chance(0.2),
    ...someExpiry(prng),
    ...(prng.chance(0.5) && { between: () => change(session, prng) }),
  })
}

/** What has to be the case before a store is looked at. */
function expire(): void {
  passTime(PASSED_MS)
}

async function maintain(session: Session, prng: Prng): Promise<void> {
  const kind = prng.below(12)
  if (kind < 2) await session.flush()
  else if (kind < 4) await session.compact()
  else if (kind < 7) await session.collect()
  else if (kind === 7) await session.collect({ maxCopyBytes: 0 })
  else if (kind === 8) await session.releaseSnapshots()
  else if (kind === 9) await session.settle()
  else {
    expire()
    if (kind === 10) await session.reopen()
    else await session.kill()
  }
}

async function run(session: Session, prng: Prng): Promise<void> {
  stopClock()
  for (let round = 0; round < ROUNDS; round++) {
    await change(session, prng)
    if (prng.chance(0.5)) await upload(session, prng)
    if (prng.chance(0.3)) {
      expire()
      session.snapshot()
    }
    await change(session, prng)
    if (prng.chance(0.5)) passTime(PASSED_MS / 10)
    await maintain(session, prng)
  }
  expire()
  await session.kill()
  await session.compact()
  await session.collect()
  await session.check()
  await session.close()
}

export const MIXED: readonly Workload[] = [
  { name: 'everything, collections asked for', options: ASKED, run },
  {
    name: 'everything, a collector that works by itself',
    options: { ...ASKED, collector: { targetSpaceAmplification: 1.01 } },
    run,
  },
  {
    name: 'everything, tiny segments, tiering',
    options: {
      ...ASKED,
      valueThreshold: 0,
      segmentBytes: 4096,
      collector: { targetSpaceAmplification: 1.1 },
      tree: { ...ASKED.tree, runsPerLevel: 2, runsAtLargestLevel: 2 },
    },
    run,
  },
]

/** A few rounds of it, to be run again and again. */
export const MIXED_SHORT: Workload = {
  name: 'everything',
  options: { ...ASKED, collector: { targetSpaceAmplification: 1.05 } },
  async run(session, prng) {
    stopClock()
    const maintenance = [
      () => session.flush(),
      () => session.compact(),
      () => session.reopen(),
      () => session.collect(),
      () => session.kill(),
    ]
    for (const maintainNow of maintenance) {
      await change(session, prng)
      await upload(session, prng)
      await change(session, prng)
      expire()
      await maintainNow()
    }
    await session.check()
    await session.close()
  },
}
