/**
 * Crash states of a cache around evictions, with everything else that a store does: a full one is opened, and written
 * to (batches, range deletes, values that expire, inline ones, streams, transactions; kills in between) until it has
 * evicted several times. Whatever a power cut leaves, the store opens, holds a prefix of what was written, batches
 * whole, at least up to what was synced (I2), of which exactly that is missing which is older than its bound, and keeps
 * no file that its version does not (I5). What is younger than the bound is whole (I8, I12), nothing older comes back
 * (I7), and a second open finds the same.
 *
 * A sample of the states is opened; WISC_TEST_SEED replays it.
 */
import { afterEach, expect, test } from 'vitest'
import type { Options } from '#dist/lib/contract/options.js'
import { engineOf } from '#dist/lib/store/engine-of.js'
import { openStore } from '#dist/lib/store/open-store.js'
import type { Store } from '#dist/lib/store/store.js'
import { type CrashState, crashStates } from '../support/crash/crash-states.ts'
import type { StoreOperation } from '../support/crash/oracle.ts'
import { checkNoOrphans, DIRECTORY } from '../support/crash/recover-image.ts'
import { writeBatch } from '../support/crash/write-batch.ts'
import { FaultFileSystem } from '../support/files/fault-file-system.ts'
import { Prng, replayHint, seededRandom, testSeed } from '../support/random.ts'
import { passTime, startClock, stopClock } from '../support/stopped-clock.ts'
import { settled } from '../support/store/settled.ts'

const STATES_MAX = 40
const VERIFY_EVERY = 5
const EVICTIONS = 4
const KILLS_MAX = 2
const KEYS = 300
/** No workload takes so long. */
const TTL = 86_400_000
const OPTIONS: Options = {
  workers: 0,
  segmentBytes: 65536,
  memtableBytes: 65536,
  maxUnflushedLogBytes: 131072,
  streamThreshold: 16384,
  valueThreshold: 256,
  blockCacheBytes: 65536,
  tree: { sizeRatio: 3, tableBytes: 8192, blockBytes: 512 },
  cache: { maxBytes: 1024 * 1024 },
}

interface Written {
  readonly operation: StoreOperation
  sequence: number
}

/** What a cache holds, by key. */
type Contents = ReadonlyMap<string, Buffer>

function keyOf(number: number): Buffer {
  return Buffer.from(`key${String(number).padStart(3, '0')}`)
}

class Writer {
  readonly #prng: Prng
  readonly #written: Written[] = []
  /** How many records there are behind each batch. */
  readonly #ends: Set<number> = new Set([0])
  /** Of the records, so many must survive. */
  synced = 0

  constructor(prng: Prng) {
    this.#prng = prng
  }

  get count(): number {
    return this.#written.length
  }

  #someOperation(): StoreOperation {
    const prng = this.#prng
    const number = prng.below(KEYS)
    const key = keyOf(number)
    const kind = prng.below(20)
    if (kind === 0) return { type: 'deleteRange', gte: key, lt: keyOf(number + 1 + prng.below(12)) }
    if (kind < 3) return { type: 'delete', key }
    const length = prng.pick([60, 200, 3000, 8000, 20_000])
    const value = Buffer.alloc(length, `${this.count}.${prng.u32()};`)
    return { type: 'put', key, value, ...(prng.chance(0.2) && { ttl: TTL }) }
  }

  async write(store: Store): Promise<void> {
    const prng = this.#prng
    const sync = prng.chance(0.15)
    const count = prng.chance(0.3) ? 1 + prng.below(4) : 1
    const operations = Array.from({ length: count }, () => this.#someOperation())
    for (const operation of operations) this.#written.push({ operation, sequence: 0 })
    this.#ends.add(this.count)
    const [only] = count === 1 ? operations : []
    if (only?.type === 'put' && only.value.length >= 8000) {
      const { key, value, ttl } = only
      await store.putStream(key, new Blob([value]), { sync, ...(ttl !== undefined && { ttl }) })
    } else {
      const way = only && prng.chance(0.3) ? 'transactionSync' : 'write'
      await writeBatch(store, operations, sync, way)
    }
    if (sync) this.synced = this.count
    // Its records have the last sequences, in their order.
    const first = engineOf(store).visibleSequence - count + 1
    for (const [i, one] of this.#written.slice(-count).entries()) one.sequence = first + i
  }

  /** What a store must hold of so many records if what is older than its bound is gone. */
  #expected(count: number, evictedBelow: number, hasExpired: boolean): Map<string, Buffer> {
    const expected = new Map<string, Buffer>()
    for (const { operation, sequence } of this.#written.slice(0, count)) {
      if (operation.type === 'deleteRange') {
        const [from, to] = [String(operation.gte), String(operation.lt)]
        for (const key of expected.keys()) if (key >= from && key < to) expected.delete(key)
        continue
      }
      const isThere =
        operation.type === 'put' && sequence >= evictedBelow && !(operation.ttl && hasExpired)
      if (isThere) expected.set(String(operation.key), operation.value)
      else expected.delete(String(operation.key))
    }
    return expected
  }

  /**
   * @param bounds below which was evicted before the contents were read, and behind that
   * @returns how many records they are of @throws if these are no prefix of whole batches
   */
  position(found: Contents, bounds: readonly number[], from: number, hasExpired: boolean): number {
    const [before, after] = bounds
    for (let count = this.count; count >= from; count--) {
      if (!this.#ends.has(count)) continue
      const most = this.#expected(count, before!, hasExpired)
      const least = this.#expected(count, after!, hasExpired)
      const isPart = [...found].every(([key, value]) => most.get(key)?.equals(value))
      if (isPart && [...least.keys()].every((key) => found.has(key))) return count
    }
    throw new Error(`no prefix of what was written, evictedBelow=${before} to ${after}`)
  }
}

function open(fileSystem: FaultFileSystem): Promise<Store> {
  return openStore(DIRECTORY, OPTIONS, { fileSystem, random: seededRandom(1) })
}

/** Reads all; an open store evicts when it comes to that: what goes meanwhile was given out, or not. */
async function positionOf(
  store: Store,
  writer: Writer,
  from: number,
  hasExpired: boolean = false,
): Promise<number> {
  const engine = engineOf(store)
  const before = engine.version.evictedBelow
  const found = new Map<string, Buffer>()
  for await (const [key, value] of store.entries()) found.set(String(key), value)
  return writer.position(found, [before, engine.version.evictedBelow], from, hasExpired)
}

/** What transactions in one go see, one after the other, is what there is. */
async function checkInTransaction(store: Store, writer: Writer): Promise<void> {
  await store.transactionSync((tx) => {
    const { evictedBelow } = engineOf(store).version
    const found = new Map([...tx.entries()].map(([key, value]) => [String(key), value]))
    writer.position(found, [evictedBelow, evictedBelow], writer.count, false)
  })
}

afterEach(startClock)

test('I2, I5, I7, I8, I12: crash states of evictions', async () => {
  stopClock()
  const seed = testSeed()
  const prng = new Prng(seed)
  const writer = new Writer(prng)
  const filling = new FaultFileSystem({ seed })
  let store = await open(filling)
  while (engineOf(store).version.evictedBelow === 0) await writer.write(store)
  await store.close()

  let fileSystem = new FaultFileSystem({ seed }, filling.visibleImage())
  let evictions = 0
  const openFull = async (): Promise<void> => {
    store = await open(fileSystem)
    store.on('evicted', () => evictions++)
    // What an open serves is durable.
    writer.synced = writer.count
    await positionOf(store, writer, writer.count)
  }
  await openFull()
  for (let kills = 0; evictions < EVICTIONS; ) {
    await writer.write(store)
    if (prng.chance(0.02)) await store.compact()
    if (prng.chance(0.02)) await store.flush()
    if (prng.chance(0.1)) {
      await checkInTransaction(store, writer)
      // It may have evicted meanwhile, and nobody has written.
      await settled(fileSystem)
      await checkInTransaction(store, writer)
    }
    if (kills < KILLS_MAX && prng.chance(0.01)) {
      kills++
      expect(fileSystem.violations, replayHint(seed)).toEqual([])
      fileSystem = fileSystem.kill({ seed })
      await openFull()
    }
    fileSystem.mark({ synced: writer.synced, floor: engineOf(store).version.evictedBelow })
  }
  await positionOf(store, writer, writer.count)
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
      stopClock()
      const hasExpired = prng.chance(0.5)
      if (hasExpired) passTime(TTL)
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
        positions.push(await positionOf(recovered, writer, synced!, hasExpired))
        if (isVerified) {
          expect((await recovered.verify()).damage).toEqual([])
          await recovered.compact()
          await positionOf(recovered, writer, synced!, hasExpired)
        }
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
