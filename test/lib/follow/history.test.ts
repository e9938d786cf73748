/**
 * A follower beside a writer, whatever the writer does between any two calls of the follower: what it shows after a
 * look is what a reader shows that is opened then, and no read is a false alarm.
 */
import { Readable } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import type { Stats } from '#dist/lib/contract/reports.js'
import type { FollowingEngine } from '#dist/lib/follow/following-engine.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { DIRECTORY } from '../../support/crash/recover-image.ts'
import type { DiskImage } from '../../support/files/disk-model.ts'
import { FaultFileSystem } from '../../support/files/fault-file-system.ts'
import { HistoryFileSystem, recordHistory } from '../../support/files/history-file-system.ts'
import { Prng, replayHint, seededRandom, TESTS_ALL, testSeed } from '../../support/random.ts'
import { stopTimers } from '../../support/store/idle.ts'
import { settled } from '../../support/store/settled.ts'

const seed = testSeed()
const KEYS = 40
const ROUNDS = 18
/** What was shown at so many states of the disk is held against readers that are opened there. */
const COMPARED = TESTS_ALL ? Number.POSITIVE_INFINITY : 120
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 65_536,
  memtableBytes: 131_072,
  // Holes are made in values of 17,000 bytes, inline ones, too.
  valueThreshold: 20_000,
  streamThreshold: 30_000,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 4096, blockBytes: 512 },
  collector: { enabled: false },
}
/** Another threshold than the writer's: what is inline there is a pointer in the memtables of a follower. */
const FOLLOWING: Options = { ...OPTIONS, valueThreshold: 500, readOnly: true, follow: true }

function keyOf(i: number): string {
  return `key${String(i).padStart(2, '0')}`
}

/** Each write has a number of its own, and every later one a higher number. */
function contentOf(i: number, write: number): Buffer {
  const length = [30, 900, 17_000, 24_000, 40_000][write % 5]!
  return Buffer.alloc(length, `${keyOf(i)};${write};`)
}

function writeOf(i: number, value: Buffer): number {
  const [key, write] = value.subarray(0, 40).toString('latin1').split(';')
  const isWhole = key === keyOf(i) && contentOf(i, Number(write)).equals(value)
  if (!isWhole) throw new Error(`wrong value of ${keyOf(i)}: ${value.length} bytes`)
  return Number(write)
}

/** Writes, flushes, compacts, collects; closes, or is killed, and opens again: every step is kept. */
async function makeHistory(): Promise<DiskImage[]> {
  const prng = new Prng(seed)
  const random = seededRandom(seed)
  const states: DiskImage[] = []
  let fileSystem = new FaultFileSystem({ seed })
  let store = await openStore(DIRECTORY, OPTIONS, { fileSystem, random })
  let write = 0
  for (let i = 0; i < KEYS; i++) await store.put(keyOf(i), contentOf(i, write++))
  let recorded = recordHistory(fileSystem)
  const act = async (): Promise<void> => {
    const i = prng.below(KEYS)
    const what = prng.below(20)
    if (what === 0) await store.delete(keyOf(i))
    else if (what === 1) await store.deleteRange({ gte: keyOf(i), lt: keyOf(i + 3) })
    else if (what === 2) {
      const content = contentOf(i, write++)
      const pieces = [content.subarray(0, 9000), content.subarray(9000)]
      await store.putStream(keyOf(i), Readable.from(pieces))
    } else if (what === 3) {
      await store.write([0, 1, 2].map((n) => putOf((i + n) % KEYS, write++)))
    } else await store.put(keyOf(i), contentOf(i, write++), { sync: what === 4 })
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (let n = 0; n < 14; n++) await act()
    if (round % 3 === 0) await store.flush()
    else if (round % 3 === 1) await store.compact()
    const copies = round % 4 === 1 ? { maxCopyBytes: 0 } : {}
    if (round % 2 === 1) await store.collect({ targetSpaceAmplification: 1, ...copies })
    if (round % 5 === 4) {
      // Killed: what it has written stays, and its last write may be one half.
      await act()
      if (round % 2 === 1) {
        await store.close()
        await settled(fileSystem)
      } else if (prng.chance(0.5)) {
        void Promise.allSettled([store.put(keyOf(1), contentOf(1, write++))])
      }
      states.push(...recorded, fileSystem.visibleImage())
      fileSystem = fileSystem.kill({ seed })
      recorded = recordHistory(fileSystem)
      store = await openStore(DIRECTORY, OPTIONS, { fileSystem, random })
    }
  }
  await store.close()
  await settled(fileSystem)
  states.push(...recorded, fileSystem.visibleImage())
  return states
}

function putOf(i: number, write: number): { type: 'put'; key: string; value: Buffer } {
  return { type: 'put', key: keyOf(i), value: contentOf(i, write) }
}

function engine(store: Store): FollowingEngine {
  return engineOf(store) as FollowingEngine
}

async function contents(store: Store): Promise<string[]> {
  const found: string[] = []
  for await (const [key, value] of store.entries()) {
    const i = Number(key.toString().slice(3))
    found.push(`${key} ${writeOf(i, value)}`)
  }
  return found
}

/** What may end with WISC_STALE, because it is bound to a view. */
async function inView(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'WISC_STALE') throw error
  }
}

/** Figures that a follower has as a reader that has just been opened. */
function kept(stats: Stats): Partial<Stats> {
  const { lastSequence, segments, relocations, streams, tables } = stats
  return { lastSequence, segments, relocations, streams, tables }
}

let states: DiskImage[]

beforeAll(async () => {
  states = await makeHistory()
})

describe(`a follower, ${replayHint(seed)}`, () => {
  test('after a look shows what a reader shows that is opened then', async () => {
    stopTimers()
    const prng = new Prng(seed)
    let due = 0
    const disk = new HistoryFileSystem(states, () => {
      const steps = due
      due = 0
      return steps
    })
    const follower = await openStore(DIRECTORY, FOLLOWING, { fileSystem: disk })
    const mean = Math.max(1, states.length / COMPARED)
    let last = 0
    for (let at = 0; at < states.length - 1; ) {
      due = Math.min(states.length - 1 - at, 1 + prng.below(Math.ceil(2 * mean) - 1))
      at += due
      engine(follower).moveOn()
      const there = new HistoryFileSystem([states[at]!], () => 0)
      const reader = await openStore(
        DIRECTORY,
        { ...OPTIONS, readOnly: true },
        { fileSystem: there },
      )
      expect(await contents(follower), `state ${at}`).toEqual(await contents(reader))
      const figures = follower.stats()
      const { lastSequence } = figures
      expect(figures, `state ${at}`).toMatchObject(kept(reader.stats()))
      // What a killed writer has written is kept, so it never goes back.
      expect(lastSequence).toBeGreaterThanOrEqual(last)
      last = lastSequence
      await reader.close()
    }
    // It has gone on by itself, and was not opened anew.
    expect(engine(follower).viewNumber).toBeGreaterThan(1)
    expect((await follower.verify()).damage).toEqual([])
    await follower.close()
    expect(disk.openFiles).toBe(0)
  })

  test('never fails, and never shows what is older, at any speed', async () => {
    stopTimers()
    for (let n = 0; n < 6; n++) {
      const prng = new Prng(seed + n)
      const speed = prng.pick([0.05, 0.3, 1, 4])
      const disk = new HistoryFileSystem(states, () => Math.floor(speed + prng.below(100) / 100))
      const follower = await openStore(DIRECTORY, FOLLOWING, { fileSystem: disk })
      const seen = new Map<number, number>()
      const check = (i: number, value: Buffer | undefined): void => {
        if (!value) return
        const write = writeOf(i, value)
        if (write < (seen.get(i) ?? 0)) throw new Error(`${keyOf(i)} is older: ${write}`)
        seen.set(i, write)
      }
      for (let action = 0; action < 60 && !disk.isOver; action++) {
        if (prng.chance(0.5)) engine(follower).moveOn()
        const i = prng.below(KEYS)
        check(i, follower.getSync(keyOf(i)))
        const j = prng.below(KEYS)
        check(j, await follower.get(keyOf(j)))
        if (prng.chance(0.2)) follower.stats()
        if (prng.chance(0.1)) expect((await follower.verify()).damage).toEqual([])
        if (!prng.chance(0.4)) continue
        await inView(async () => {
          using snapshot = follower.snapshot()
          const keys = Array.from({ length: 8 }, () => prng.below(KEYS))
          const read = (): Promise<(Buffer | undefined)[]> =>
            follower.getMany(keys.map(keyOf), { snapshot })
          const before = await read()
          engine(follower).moveOn()
          const after = await read()
          const writes = (values: (Buffer | undefined)[]): (number | undefined)[] =>
            values.map((value, at) => value && writeOf(keys[at]!, value))
          expect(writes(after)).toEqual(writes(before))
          await using iterator = follower.entries({ highWaterMarkBytes: 1 })
          const first = await iterator.nextMany(3)
          engine(follower).moveOn()
          const rest = await iterator.nextMany(KEYS)
          for (const [key, value] of [...first, ...rest])
            writeOf(Number(key.toString().slice(3)), value)
        })
      }
      expect(engine(follower).readers.count).toBe(0)
      await follower.close()
      expect(disk.openFiles).toBe(0)
    }
  })

  test('goes through one look in steps and is asked meanwhile', async () => {
    const prng = new Prng(seed)
    const disk = new HistoryFileSystem(states, () => (prng.chance(0.4) ? 1 : 0))
    const follower = await openStore(DIRECTORY, FOLLOWING, { fileSystem: disk })
    while (!disk.isOver) {
      const i = prng.below(KEYS)
      const value = await follower.get(keyOf(i))
      if (value) writeOf(i, value)
      if (prng.chance(0.05)) await new Promise((resolve) => setTimeout(resolve, 3))
    }
    const reader = await openStore(DIRECTORY, { ...OPTIONS, readOnly: true }, { fileSystem: disk })
    const { lastSequence } = reader.stats()
    while (follower.stats().lastSequence < lastSequence)
      await new Promise((resolve) => follower.once('advanced', resolve))
    expect(await contents(follower)).toEqual(await contents(reader))
    await reader.close()
    await follower.close()
  })
})
