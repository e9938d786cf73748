/**
 * What the crash and fault tests do to a store: small, mixed, and deterministic for a seed.
 *
 * A new subject is a new row of the table. Stores are tiny (segments of 4 KiB, memtables of 64 KiB, a log of which
 * 16 KiB fill a memtable), so that a hundred steps rotate, flush and compact many times.
 */
import type { Options } from '#dist/lib/contract/options.js'
import { type OracleWrite, PASSED_MS } from '../support/crash/oracle.ts'
import type { Session } from '../support/crash/session.ts'
import type { Prng } from '../support/random.ts'
import { passTime, stopClock } from '../support/stopped-clock.ts'
import { HAS_ZSTD } from '../support/zstd.ts'

export interface Workload {
  readonly name: string
  readonly options: Options
  /** Distinct states that are opened at most, where fewer than for others will do. */
  readonly statesMax?: number
  run(session: Session, prng: Prng): Promise<void>
}

const TINY: Options = {
  workers: 0,
  segmentBytes: 4096,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 65536,
  maxPendingBytes: 65536,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 256 },
}

/** Below and above the threshold of 256 bytes that most rows use; sometimes larger than a segment. */
function someLength(prng: Prng): number {
  const kind = prng.below(20)
  if (kind < 10) return 4 + prng.below(60)
  if (kind < 17) return 256 + prng.below(800)
  if (kind < 19) return 1024 + prng.below(3000)
  return 4096 + prng.below(6000)
}

function someKey(prng: Prng): string {
  return `key${String(prng.below(24)).padStart(2, '0')}`
}

function someBatch(prng: Prng): OracleWrite[] {
  const writes: OracleWrite[] = []
  for (let i = 1 + prng.below(5); i > 0; i--) {
    if (prng.chance(0.3)) writes.push({ type: 'delete', key: someKey(prng) })
    else writes.push({ type: 'put', key: someKey(prng), length: someLength(prng) })
  }
  return writes
}

/** The same, with a range that is deleted among them. */
function someRanges(prng: Prng): OracleWrite[] {
  const writes = someBatch(prng)
  const key = someKey(prng)
  const end = `key${String(prng.below(24)).padStart(2, '0')}/`
  const upper = prng.chance(0.15) ? {} : { end: end > key ? end : `${key}/` }
  writes.splice(prng.below(writes.length + 1), 0, { type: 'deleteRange', key, ...upper })
  return prng.chance(0.4) ? [{ type: 'deleteRange', key, ...upper }] : writes
}

/** Half of the puts expire, most of them before the store is looked at. */
function someExpiring(prng: Prng): OracleWrite[] {
  return someBatch(prng).map((write) => {
    if (write.type !== 'put' || prng.chance(0.5)) return write
    return { ...write, ttl: prng.chance(0.2) ? 10 * PASSED_MS : 1 + prng.below(PASSED_MS) }
  })
}

/** Writes several batches at once, so that they share groups. */
async function burst(session: Session, prng: Prng, syncShare: number): Promise<void> {
  const writes: Promise<void>[] = []
  for (let i = 1 + prng.below(6); i > 0; i--) {
    writes.push(session.write(someBatch(prng), prng.chance(syncShare)))
  }
  await Promise.all(writes)
}

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'puts, each synced',
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      for (let i = 0; i < 50; i++) await session.put(someKey(prng), someLength(prng), true)
      await session.close()
    },
  },
  {
    name: 'puts without sync, synced now and then',
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      for (let i = 0; i < 90; i++) {
        await session.put(someKey(prng), someLength(prng))
        if (prng.chance(0.15)) await session.sync()
      }
      await session.close()
    },
  },
  {
    name: 'batches in concurrent groups, puts and deletes, mixed sync',
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      for (let i = 0; i < 22; i++) await burst(session, prng, 0.3)
      await session.close()
    },
  },
  {
    name: 'all values inline, flushes and compactions',
    options: { ...TINY, valueThreshold: Number.POSITIVE_INFINITY },
    async run(session, prng) {
      for (let i = 0; i < 16; i++) {
        await burst(session, prng, 0.2)
        if (i % 3 === 2) await session.flush()
        if (i % 6 === 5) await session.compact()
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'all values separated, deletes, compactions, reopens',
    options: { ...TINY, valueThreshold: 0 },
    async run(session, prng) {
      for (let i = 0; i < 16; i++) {
        await burst(session, prng, 0.2)
        await session.delete(someKey(prng), prng.chance(0.5))
        if (i % 3 === 2) await session.compact()
        if (i % 4 === 3) await session.reopen()
      }
      await session.close()
    },
  },
  {
    name: 'range deletes: covered tables go, compactions, reopens, kills',
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      for (let i = 0; i < 14; i++) {
        await burst(session, prng, 0.2)
        await session.write(someRanges(prng), prng.chance(0.4))
        if (i % 3 === 1) await session.flush()
        if (i % 5 === 4) await session.compact()
        if (i % 6 === 5) await session.reopen()
        if (i % 7 === 6) await session.kill()
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'expiry: flushes and compactions meet what has expired, and what will',
    statesMax: 250,
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      stopClock()
      for (let i = 0; i < 12; i++) {
        await session.write(someExpiring(prng), prng.chance(0.3))
        await burst(session, prng, 0.2)
        await session.write(someExpiring(prng), prng.chance(0.3))
        if (i % 2 === 1) passTime(PASSED_MS / 10)
        if (i % 3 === 1) await session.flush()
        if (i % 4 === 3) await session.compact()
      }
      passTime(PASSED_MS)
      await session.kill()
      await session.compact()
      await session.check()
      await session.close()
    },
  },
  {
    name: 'rotation: unsynced batches over many segments',
    options: { ...TINY, valueThreshold: 128, maxUnflushedLogBytes: 262144 },
    async run(session, prng) {
      for (let i = 0; i < 20; i++) {
        await burst(session, prng, 0)
        if (i === 6) await session.sync()
      }
      await session.close()
    },
  },
  {
    name: 'kills and reopens: unproved tails are copied',
    options: { ...TINY, valueThreshold: 256 },
    async run(session, prng) {
      for (let i = 0; i < 7; i++) {
        await burst(session, prng, 0.1)
        await burst(session, prng, 0)
        await session.kill()
        await session.put(someKey(prng), someLength(prng), prng.chance(0.5))
        if (i === 3) await session.reopen()
      }
      await session.close()
    },
  },
  {
    name: 'tiering: many runs, sync by default',
    options: {
      ...TINY,
      valueThreshold: 256,
      sync: true,
      tree: {
        sizeRatio: 3,
        runsPerLevel: 2,
        runsAtLargestLevel: 2,
        tableBytes: 4096,
        blockBytes: 256,
      },
    },
    async run(session, prng) {
      for (let i = 0; i < 24; i++) {
        await burst(session, prng, 1)
        if (i % 2 === 1) await session.flush()
      }
      await session.compact()
      await session.check()
      await session.close()
    },
  },
  {
    name: 'compressed by calls and by jobs, kills, compactions',
    options: {
      ...TINY,
      valueThreshold: 200,
      compression: HAS_ZSTD ? 'zstd' : 'none',
      // Two KiB of a turn are compressed by calls.
      compressionLevel: 19,
    },
    async run(session, prng) {
      for (let i = 0; i < 10; i++) {
        await burst(session, prng, 0.2)
        if (i % 3 === 1) await session.kill()
        if (i % 3 === 2) await session.compact()
      }
      await session.check()
      await session.close()
    },
  },
]
