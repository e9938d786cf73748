/**
 * What the crash and fault tests do to a store whose collector works: every action (drop, forget, punch, rewrite,
 * relocation of a relocation, a segment that is sealed for it), asked for and by itself, beside snapshots, reopens
 * and kills.
 */
import type { Options } from '#dist/lib/contract/options.js'
import type { Session } from '../support/crash/session.ts'
import { TINY_OPTIONS } from '../support/crash/tiny-options.ts'
import type { Prng } from '../support/random.ts'
import type { Workload } from './workloads.ts'

const ASKED = TINY_OPTIONS
/** Holes are made of 8 KiB or more: these values have room for them. */
const LARGE: Options = { ...ASKED, segmentBytes: 65536, maxUnflushedLogBytes: 262144 }
/** Collects without being asked, whatever pays. */
const BY_ITSELF: Options = { ...ASKED, collector: { targetSpaceAmplification: 1.01 } }

function keyOf(number: number): string {
  return `key${String(number).padStart(2, '0')}`
}

function someKey(prng: Prng, keys: number): string {
  return keyOf(prng.below(keys))
}

function someLength(prng: Prng): number {
  return prng.chance(0.2) ? 4 + prng.below(60) : 400 + prng.below(1400)
}

function largeLength(prng: Prng): number {
  return 16384 + prng.below(24576)
}

/** Overwrites and deletes; batches now and then. */
async function change(session: Session, prng: Prng, count: number, keys: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const sync = prng.chance(0.25)
    const key = someKey(prng, keys)
    const kind = prng.below(5)
    if (kind === 0) await session.delete(key, sync)
    else if (kind === 1) {
      const other = { type: 'delete', key: someKey(prng, keys) } as const
      await session.write([{ type: 'put', key, length: someLength(prng) }, other], sync)
    } else await session.put(key, someLength(prng), sync)
  }
}

/** Every action once, asked for. */
export const COLLECTING_ALL: Workload = {
  name: 'asked for',
  options: LARGE,
  async run(session, prng) {
    for (let i = 0; i < 3; i++) await session.put(`large${i}`, 16_400 + prng.below(3000))
    await session.put('large1', 100, true)
    await session.collect({ targetSpaceAmplification: 1.5 })
    await change(session, prng, 12, 6)
    session.snapshot()
    await session.delete('large0')
    await session.collect()
    await session.reopen()
    await change(session, prng, 8, 6)
    await session.releaseSnapshots()
    await session.delete('large2', true)
    await session.collect()
    await session.check()
    await session.close()
  },
}

/** The same with a collector that works by itself. */
export const COLLECTING_BY_ITSELF: Workload = {
  name: 'by itself',
  options: { ...LARGE, collector: { targetSpaceAmplification: 1.01 } },
  async run(session, prng) {
    for (let i = 0; i < 3; i++) await session.put(`large${i}`, 16_400 + prng.below(3000))
    for (let i = 0; i < 4; i++)
      await session.put(`large${i % 2}`, 16_400 + prng.below(3000), i === 2)
    await session.compact()
    await session.settle()
    await change(session, prng, 12, 6)
    await session.compact()
    await session.settle()
    await session.reopen()
    await session.delete('large2', true)
    await change(session, prng, 8, 6)
    await session.compact()
    await session.settle()
    await session.check()
    await session.close()
  },
}

export const COLLECTING: readonly Workload[] = [
  {
    name: 'drops and rewrites, asked for',
    options: ASKED,
    async run(session, prng) {
      for (let round = 0; round < 7; round++) {
        await change(session, prng, 10, 12)
        await session.collect()
      }
      await session.write([{ type: 'deleteRange', key: keyOf(3), end: keyOf(8) }], prng.chance(0.5))
      await session.collect()
      for (let key = 0; key < 12; key++) await session.delete(keyOf(key))
      await session.collect()
      await session.close()
    },
  },
  {
    name: 'relocations of relocations, with reopens',
    options: ASKED,
    async run(session, prng) {
      // Whatever is drawn later: a relocation of many blocks of which half dies, twice.
      for (let key = 0; key < 24; key++) await session.put(keyOf(key), 900 + prng.below(200))
      for (const every of [3, 2]) {
        for (let key = 0; key < 24; key += every) await session.delete(keyOf(key))
        await session.collect()
      }
      for (let round = 0; round < 6; round++) {
        // The few that change make the relocation of the many others worth another copy.
        await change(session, prng, 7, 24)
        await session.collect({ targetSpaceAmplification: 1.01 })
        if (round % 3 === 2) await session.reopen()
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'punches',
    options: LARGE,
    async run(session, prng) {
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 4; i++) await session.put(`kept${round}${i}`, 600)
        for (let i = 0; i < 3; i++) await session.put(`key${i}`, 16_400 + prng.below(3000))
        await session.put(`key${round}`, 16_400 + prng.below(3000), true)
        await session.collect({ targetSpaceAmplification: 1.5 })
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'punched files are rewritten and dropped',
    options: LARGE,
    async run(session, prng) {
      const last = `key${prng.below(2)}`
      for (let round = 0; round < 2; round++) {
        for (const key of ['key0', 'key1', 'key2', 'key3']) {
          await session.put(key, 18_000 + prng.below(4000), prng.chance(0.3))
        }
        // Kept in the tree.
        await session.put('key1', 100)
        await session.delete('key3', true)
        await session.collect({ targetSpaceAmplification: 1.6 })
        await session.put(last, 100)
        await session.put('key2', 700)
        await session.collect({ targetSpaceAmplification: 1.01 })
      }
      for (const key of ['key0', 'key1', 'key2', 'key3']) await session.delete(key, key === 'key3')
      await session.collect()
      await session.close()
    },
  },
  {
    name: 'segments that a relocation holds are forgotten',
    options: ASKED,
    async run(session, prng) {
      for (let round = 0; round < 3; round++) {
        // Each segment gets a few of the many keys that stay, and one that goes.
        for (let i = 0; i < 14; i++) {
          await session.put(`kept${round}${i % 7}`, 500 + prng.below(500), i === 13)
        }
        await session.put(`once${round}`, 600)
        for (let i = 0; i < 12; i++) await session.put(`other${i % 3}`, 800)
        await session.collect({ targetSpaceAmplification: 1.01 })
        await session.delete(`once${round}`)
        await session.compact()
        await session.collect({ targetSpaceAmplification: 100 })
      }
      await session.close()
    },
  },
  {
    name: 'segments that are sealed on demand',
    options: { ...ASKED, segmentBytes: 32768 },
    async run(session, prng) {
      for (let round = 0; round < 7; round++) {
        await change(session, prng, 9, 5)
        await session.flush()
        await session.compact()
        await session.collect()
        if (round === 3) await session.reopen()
      }
      await session.close()
    },
  },
  {
    name: 'snapshots keep what they see',
    options: ASKED,
    async run(session, prng) {
      for (let round = 0; round < 6; round++) {
        await change(session, prng, 7, 10)
        session.snapshot()
        await change(session, prng, 4, 10)
        await session.collect()
        if (round % 2 === 1) await session.releaseSnapshots()
        if (round % 2 === 1) await session.collect()
      }
      await session.check()
      await session.close()
    },
  },
  {
    name: 'collected by itself, beside writers',
    options: BY_ITSELF,
    async run(session, prng) {
      for (let round = 0; round < 9; round++) {
        await Promise.all([change(session, prng, 4, 10), change(session, prng, 5, 10)])
        if (round % 2 === 0) await session.flush()
        if (round % 3 === 2) await session.settle()
        if (round === 5) await session.reopen()
      }
      await session.settle()
      await session.close()
    },
  },
  {
    name: 'punched by itself, with reopens',
    options: { ...LARGE, collector: { targetSpaceAmplification: 1.01 } },
    async run(session, prng) {
      for (let i = 0; i < 4; i++) await session.put(`kept${i}`, 20_000)
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 4; i++) await session.put(someKey(prng, 3), largeLength(prng), i === 3)
        await session.put(`kept${prng.below(4)}`, 20_000)
        await session.compact()
        await session.settle()
        if (round === 2) await session.reopen()
      }
      await session.close()
    },
  },
  {
    name: 'kills in the middle of collections',
    options: ASKED,
    async run(session, prng) {
      for (let round = 0; round < 7; round++) {
        await change(session, prng, 9, 10)
        // Its store is cut off from the disk: it fails and changes nothing any more.
        const collection = Promise.allSettled([
          session.store!.collect({ targetSpaceAmplification: 1 }),
        ])
        for (let turns = prng.below(40); turns >= 0; turns--) await nextTurn()
        await session.kill()
        await collection
      }
      await session.collect()
      await session.close()
    },
  },
]

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
