/**
 * What the crash and fault tests do to a store with streams: uploads that end, fail and are cut off, beside other
 * writers and at each place of a flush; streams that are overwritten, deleted, and dropped by the collector.
 */
import type { Options } from '#dist/lib/contract/options.js'
import type { Session } from '../support/crash/session.ts'
import { TINY_OPTIONS } from '../support/crash/tiny-options.ts'
import type { Prng } from '../support/random.ts'
import type { Workload } from './workloads.ts'

/** Whatever is no put is a stream, and is written a chunk at a time. */
const STREAMS: Options = { ...TINY_OPTIONS, streamThreshold: 2000 }
const BY_ITSELF: Options = { ...STREAMS, collector: { targetSpaceAmplification: 1.01 } }

function someKey(prng: Prng): string {
  return `key${prng.below(6)}`
}

/** Becomes a put, one chunk, or a few of them; none of these is a whole number of chunks for sure. */
function someLength(prng: Prng): number {
  const kind = prng.below(8)
  if (kind === 0) return 4 + prng.below(1900)
  if (kind < 6) return 2000 + prng.below(20_000)
  if (kind < 7) return 65536 * (1 + prng.below(2))
  return 65537 + prng.below(90_000)
}

async function change(session: Session, prng: Prng, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const sync = prng.chance(0.25)
    const kind = prng.below(5)
    if (kind === 0) await session.delete(someKey(prng), sync)
    else if (kind === 1) await session.put(someKey(prng), 4 + prng.below(900), sync)
    else await session.putStream(someKey(prng), someLength(prng), { sync })
  }
}

/** Everything once: uploads that end and fail beside writers, a flush, a collection, a reopen and a kill. */
export const STREAMING_ALL: Workload = {
  name: 'streams',
  options: STREAMS,
  async run(session, prng) {
    await change(session, prng, 4)
    await session.putStream('key0', 66_000 + prng.below(70_000), {
      between: () => session.put(someKey(prng), 300, true),
      sync: true,
    })
    await session.flush()
    await session.putStream('key0', 66_000 + prng.below(70_000), { fails: true })
    await session.putStream('key1', 5000)
    await session.delete('key0', true)
    await session.collect()
    await session.reopen()
    await session.putStream('key2', 66_000, { between: () => session.flush() })
    await session.kill()
    await change(session, prng, 3)
    await session.check()
    await session.close()
  },
}

export const STREAMING: readonly Workload[] = [
  {
    name: 'streams, puts and deletes, mixed sync',
    options: STREAMS,
    async run(session, prng) {
      await change(session, prng, 16)
      await session.check()
      await session.close()
    },
  },
  {
    name: 'uploads beside writers, flushes and compactions',
    options: STREAMS,
    async run(session, prng) {
      for (let round = 0; round < 6; round++) {
        const between = async (): Promise<void> => {
          for (let i = 0; i < 3; i++) await session.put(someKey(prng), 4 + prng.below(900), i === 1)
          if (round % 3 === 0) await session.flush()
          if (round % 3 === 1) await session.compact()
        }
        const length = 66_000 + prng.below(70_000)
        await session.putStream(someKey(prng), length, { between, sync: prng.chance(0.3) })
        if (round % 2 === 0) await session.flush()
        if (round === 3) await session.reopen()
      }
      await session.close()
    },
  },
  {
    name: 'uploads that fail, and collections',
    options: STREAMS,
    async run(session, prng) {
      for (let round = 0; round < 6; round++) {
        await change(session, prng, 3)
        await session.putStream(someKey(prng), 66_000 + prng.below(70_000), {
          fails: true,
          between: () => session.put(someKey(prng), 300, prng.chance(0.5)),
        })
        await session.collect()
        if (round % 3 === 2) await session.reopen()
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'a collector that works by itself',
    options: BY_ITSELF,
    async run(session, prng) {
      for (let round = 0; round < 6; round++) {
        await change(session, prng, 4)
        const between = (): Promise<void> => session.flush()
        await session.putStream(someKey(prng), 66_000 + prng.below(40_000), { between })
        await session.compact()
        await session.settle()
        if (round === 3) await session.reopen()
      }
      await session.settle()
      await session.close()
    },
  },
  {
    name: 'snapshots keep the streams that they see',
    options: STREAMS,
    async run(session, prng) {
      for (let round = 0; round < 4; round++) {
        await change(session, prng, 4)
        session.snapshot()
        await change(session, prng, 3)
        await session.collect()
        if (round % 2 === 1) await session.releaseSnapshots()
        if (round % 2 === 1) await session.collect()
      }
      await session.close()
    },
  },
  {
    name: 'kills in the middle of uploads',
    options: BY_ITSELF,
    async run(session, prng) {
      for (let round = 0; round < 7; round++) {
        await change(session, prng, 3)
        // Its store is cut off from the disk: it fails and changes nothing any more.
        const value = Buffer.alloc(66_000 + prng.below(70_000))
        const upload = Promise.allSettled([session.store!.putStream('killed', pieces(value))])
        for (let turns = prng.below(12); turns > 0; turns--) await nextTurn()
        await session.kill()
        await upload
      }
      await session.close()
    },
  },
]

/** It never comes to its end. */
async function* pieces(value: Buffer): AsyncGenerator<Uint8Array, void> {
  yield value
  for (;;) {
    await nextTurn()
    yield value.subarray(0, 1000)
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
