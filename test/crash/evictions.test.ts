/**
 * Crash states of a cache around evictions: a full store is opened, and written to until it has evicted several times.
 * Whatever a power cut leaves, the store opens, holds a prefix of what was written, at least up to what was synced
 * (I2), of which exactly that is missing which is older than its bound, and keeps no file that its version does not
 * (I5). What is younger than the bound is whole (I8, I12), and a second open finds the same.
 *
 * A sample of the states is opened; WISC_TEST_SEED replays it.
 */
import { expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { type CrashState, crashStates } from '../support/crash/crash-states.ts'
import { checkNoOrphans, DIRECTORY } from '../support/crash/recover-image.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../support/random.ts'

const STATES_MAX = 40
const VERIFY_EVERY = 5
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 65536,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 131072,
  streamThreshold: 16384,
  valueThreshold: 256,
  cache: { maxBytes: 1024 * 1024 },
}

interface Write {
  readonly key: string
  /** Undefined: a delete. */
  readonly value: Buffer | undefined
}

/** What was written, by its sequence, from 1 on. */
type History = Write[]

class Writer {
  readonly history: History = []
  readonly #prng: Prng
  /** The last sequence that must survive. */
  synced = 0

  constructor(prng: Prng) {
    this.#prng = prng
  }

  async writeOne(store: Store): Promise<void> {
    const prng = this.#prng
    const number = this.history.length + 1
    const key = `key${prng.below(300)}`
    const value = Buffer.alloc(prng.chance(0.2) ? 100 : 8000 + prng.below(20_000), `${number};`)
    const sync = prng.chance(0.2)
    const kind = prng.below(8)
    this.history.push({ key, value: kind === 0 ? undefined : value })
    if (kind === 0) await store.delete(key, { sync })
    else if (kind > 5) await store.putStream(key, new Blob([value]), { sync })
    else await store.put(key, value, { sync })
    if (sync) this.synced = number
  }
}

function open(fileSystem: FaultFileSystem): Promise<Store> {
  return openStore(DIRECTORY, OPTIONS, { fileSystem, random: seededRandom(1) })
}

/** What a store must hold of so many writes if what is older than its bound is gone. */
function expectedOf(history: History, count: number, evictedBelow: number): Map<string, Buffer> {
  const expected = new Map<string, Buffer>()
  for (const [i, { key, value }] of history.slice(0, count).entries()) {
    if (value && i + 1 >= evictedBelow) expected.set(key, value)
    else expected.delete(key)
  }
  return expected
}

/** @returns how many of the writes it holds @throws if it is no prefix of them */
async function positionOf(store: Store, history: History, from: number): Promise<number> {
  const before = engineOf(store).version.evictedBelow
  const found = new Map<string, Buffer>()
  for await (const [key, value] of store.entries()) found.set(String(key), value)
  // An open store evicts when it comes to that: what goes meanwhile was given out, or not.
  const after = engineOf(store).version.evictedBelow
  for (let count = history.length; count >= from; count--) {
    const most = expectedOf(history, count, before)
    const least = expectedOf(history, count, after)
    const isPart = [...found].every(([key, value]) => most.get(key)?.equals(value))
    if (isPart && [...least.keys()].every((key) => found.has(key))) return count
  }
  throw new Error(`no prefix of what was written, evictedBelow=${before} to ${after}`)
}

test('I2, I5, I8, I12: crash states of evictions', async () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const writer = new Writer(prng)
  const filling = new FaultFileSystem({ seed })
  const first = await open(filling)
  while (engineOf(first).version.evictedBelow === 0) await writer.writeOne(first)
  await first.close()

  const fileSystem = new FaultFileSystem({ seed }, filling.visibleImage())
  const store = await open(fileSystem)
  writer.synced = writer.history.length
  let evictions = 0
  store.on('evicted', () => evictions++)
  while (evictions < 4) {
    await writer.writeOne(store)
    fileSystem.mark({ synced: writer.synced, floor: engineOf(store).version.evictedBelow })
  }
  await positionOf(store, writer.history, writer.history.length)
  expect(fileSystem.violations, replayHint(seed)).toEqual([])

  const states = (): Generator<CrashState> => crashStates(fileSystem.base, fileSystem.log, { seed })
  const hashes = new Set<string>()
  for (const { hash } of states()) hashes.add(hash)
  const share = STATES_MAX / hashes.size
  let opened = 0
  let evicted = 0
  // An image is there while its state is the one at hand.
  for (const state of states()) {
    if (!hashes.delete(state.hash) || !prng.chance(share)) continue
    try {
      const left = new FaultFileSystem({ seed }, state.image())
      const { synced, floor } = (state.mark ?? { synced: 0, floor: 0 }) as Record<string, number>
      const bounds: number[] = []
      const positions: number[] = []
      for (const isVerified of [opened++ % VERIFY_EVERY === 0, false]) {
        const recovered = await open(left)
        const { version } = engineOf(recovered)
        bounds.push(version.evictedBelow)
        // The edit of an eviction that was told of is durable.
        expect(version.evictedBelow).toBeGreaterThanOrEqual(floor!)
        positions.push(await positionOf(recovered, writer.history, synced!))
        if (isVerified) expect((await recovered.verify()).damage).toEqual([])
        await recovered.close()
        checkNoOrphans(left)
      }
      // The more was evicted, the fewer prefixes can be told from longer ones.
      expect(positions[1]).toBeGreaterThanOrEqual(positions[0]!)
      if (bounds[0]! > floor!) evicted++
      expect(left.violations).toEqual([])
    } catch (error) {
      const place = `step ${state.step} of ${fileSystem.log.length}, ${state.choice}`
      throw new Error(`${place}: ${(error as Error).message}; ${replayHint(seed)}`, {
        cause: error,
      })
    }
  }
  console.info(`crash states of evictions: ${opened}, ${evicted} with one that nobody was told of`)
  await store.close()
})
