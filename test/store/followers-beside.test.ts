/**
 * Followers beside a busy writer of another process, on the real file system: it flushes, compacts, collects, uploads,
 * deletes ranges, closes and opens again, and is killed. No get may fail or show what is older than it has shown.
 *
 * WISC_READER_SECONDS says how long each writer goes on; by default for some hundred actions of the followers.
 */
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { open, type Store, WiscError } from '#dist/lib/index.js'
import { temporaryDirectory } from '../support/files/temporary-directory.ts'
import {
  closeWriter,
  endWrites,
  KEPT_KEYS,
  KEYS,
  keyOf,
  startBusyWriter,
  writeOf,
} from '../support/processes/busy-writer.ts'
import { Prng, replayHint, testSeed } from '../support/random.ts'

const seed = testSeed()
const seconds = Number(process.env['WISC_READER_SECONDS'] ?? 0)
/** Of each writer, the last of which ends by itself. */
const ACTIONS = 120
const WRITERS = 3
const OPEN_FILES = 32

/** What one follower has seen, and what must not have come of it. */
class Follower {
  readonly alarms: string[] = []
  readonly stale: Map<string, number> = new Map()
  actions = 0
  readonly #store: Store
  readonly #prng: Prng
  /** Of each key, the last write that was seen. */
  readonly #seen: number[] = Array.from({ length: KEYS }, () => -1)

  constructor(store: Store, prng: Prng) {
    this.#store = store
    this.#prng = prng
    store.on('error', (error) => this.alarms.push(`error: ${error}`))
  }

  /** @returns the number of the write; undefined if there is no value */
  #writeOf(i: number, value: Buffer | undefined): number | undefined {
    if (value === undefined) {
      if (i < KEPT_KEYS) this.alarms.push(`${keyOf(i)} is missing`)
      return undefined
    }
    const write = writeOf(i, value)
    if (write === undefined)
      this.alarms.push(`${keyOf(i)} has a wrong value of ${value.length} bytes`)
    return write
  }

  #check(i: number, value: Buffer | undefined): void {
    const write = this.#writeOf(i, value)
    if (write === undefined) return
    if (write < this.#seen[i]!) this.alarms.push(`${keyOf(i)}: ${write} after ${this.#seen[i]}`)
    this.#seen[i] = write
  }

  async act(): Promise<void> {
    const store = this.#store
    const prng = this.#prng
    const i = prng.below(KEYS)
    this.actions++
    const actions: (() => Promise<unknown>)[] = [
      async () => this.#check(i, await store.get(keyOf(i))),
      async () => this.#check(i, store.getSync(keyOf(i))),
      async () => {
        const keys = Array.from({ length: 12 }, () => prng.below(KEYS))
        const values = await store.getMany(keys.map(keyOf))
        for (const [at, value] of values.entries()) this.#check(keys[at]!, value)
      },
      async () => store.stat(keyOf(i)),
      async () => store.stats(),
      () => new Promise((resolve) => setTimeout(resolve, prng.below(20))),
      () => this.#inView('stream', () => this.#readStream(i)),
      () => this.#inView('iterator', () => this.#iterate()),
      () => this.#inView('snapshot', () => this.#readTwice()),
    ]
    try {
      await (prng.chance(0.5) ? actions[0]! : prng.pick(actions))()
    } catch (error) {
      this.alarms.push(`${error}`)
    }
  }

  async #inView(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof WiscError) || error.code !== 'WISC_STALE') throw error
      this.stale.set(name, (this.stale.get(name) ?? 0) + 1)
    }
  }

  async #readStream(i: number): Promise<void> {
    const stream = await this.#store.getStream(keyOf(i))
    if (!stream) return
    this.#writeOf(i, Buffer.from(await new Response(stream as never).arrayBuffer()))
  }

  async #iterate(): Promise<void> {
    let last = ''
    let count = 0
    for await (const [key, value] of this.#store.entries({ highWaterMarkBytes: 100_000 })) {
      const name = key.toString()
      if (name <= last) this.alarms.push(`${name} after ${last}`)
      last = name
      count++
      this.#writeOf(Number(name.slice(4)), value)
      if (this.#prng.chance(0.02)) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (count < KEPT_KEYS) this.alarms.push(`an iterator found ${count} entries`)
  }

  async #readTwice(): Promise<void> {
    using snapshot = this.#store.snapshot()
    const keys = Array.from({ length: 10 }, () => this.#prng.below(KEYS))
    const read = async (): Promise<(number | undefined)[]> => {
      const values = await this.#store.getMany(keys.map(keyOf), { snapshot })
      return values.map((value, at) => this.#writeOf(keys[at]!, value))
    }
    const before = await read()
    await new Promise((resolve) => setTimeout(resolve, this.#prng.below(80)))
    const after = await read()
    if (String(before) !== String(after)) this.alarms.push(`a snapshot moved: ${before} ${after}`)
  }

  /** Waits until a sequence is shown. */
  async caughtUp(sequence: number): Promise<void> {
    while (this.#store.stats().lastSequence < sequence) await once(this.#store, 'advanced')
  }

  async newest(): Promise<(number | undefined)[]> {
    const values = await this.#store.getMany(Array.from({ length: KEYS }, (_, i) => keyOf(i)))
    return values.map((value, i) => this.#writeOf(i, value))
  }
}

/** Descriptors that this process has open below a directory. */
function openBelow(directory: string): number {
  const names = fs.readdirSync('/proc/self/fd').map((name) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${name}`)
    } catch {
      return ''
    }
  })
  return names.filter((name) => name.startsWith(directory)).length
}

test(`I11: ${replayHint(seed)}`, { timeout: seconds * 3000 + 600_000 }, async () => {
  const directory = path.join(temporaryDirectory(), 'store')
  const prng = new Prng(seed)
  let writer = await startBusyWriter(directory, seed)
  const following = { readOnly: true, follow: true, maxOpenFiles: OPEN_FILES }
  const stores = [
    await open(directory, following),
    await open(directory, { ...following, valueThreshold: 5000, memtableBytes: 65_536 }),
  ]
  const followers = stores.map((store) => new Follower(store, prng.fork()))
  for (let number = 1; number <= WRITERS; number++) {
    const deadline = performance.now() + seconds * 1000
    const isEnough = (): boolean =>
      seconds > 0
        ? performance.now() > deadline
        : followers.every(({ actions }) => actions >= number * ACTIONS)
    await Promise.all(
      followers.map(async (follower) => {
        while (!isEnough()) await follower.act()
      }),
    )
    if (number === WRITERS) break
    const gone = once(writer, 'exit')
    writer.kill('SIGKILL')
    await gone
    // Nobody writes: what is there is shown.
    for (const follower of followers) await follower.newest()
    writer = await startBusyWriter(directory, seed + number, number * 1e9)
  }
  const sequence = await endWrites(writer)
  for (const follower of followers) await follower.caughtUp(sequence)
  const shown = await Promise.all(followers.map((follower) => follower.newest()))
  await closeWriter(writer)
  const reader = await open(directory, { readOnly: true })
  const newest = await new Follower(reader, prng).newest()
  await reader.close()
  expect(shown).toEqual([newest, newest])
  if (fs.existsSync('/proc/self/fd'))
    expect(openBelow(directory)).toBeLessThanOrEqual(stores.length * (OPEN_FILES + 2))
  if (seconds > 0) {
    for (const { actions, stale } of followers)
      process.stdout.write(`${actions} actions, stale ${JSON.stringify([...stale])}\n`)
  }
  expect(followers.flatMap(({ alarms }) => alarms)).toEqual([])
  for (const store of stores) await store.close()
  if (fs.existsSync('/proc/self/fd')) expect(openBelow(directory)).toBe(0)
})
