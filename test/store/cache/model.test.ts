/**
 * A cache against its model: random writes of all kinds beside snapshots, compactions, closes and kills. Whatever the
 * speed of its work, each put is within the bound, what is not older than the evicted is there, and nothing else is.
 */
import { expect, test } from 'vitest'
import type { Snapshot } from '#dist/lib/contract/types.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'
import { CachedStore, MAX_BYTES, type Model } from './cached-store.ts'

const seed = testSeed()
const OPERATIONS = 500
const KEYS = 600

function keyOf(number: number): string {
  return `key${String(number).padStart(3, '0')}`
}

class Run {
  readonly #prng: Prng
  readonly #cached: CachedStore
  #held: { snapshot: Snapshot; model: Model }[] = []
  #evictedBelow = 0

  constructor(cached: CachedStore, prng: Prng) {
    this.#cached = cached
    this.#prng = prng
  }

  get #key(): string {
    return keyOf(this.#prng.below(KEYS))
  }

  get #length(): number {
    const prng = this.#prng
    return prng.pick([prng.below(60), 200 + prng.below(100), prng.below(4000), prng.below(12_000)])
  }

  async operate(): Promise<void> {
    const cached = this.#cached
    const { store } = cached
    const prng = this.#prng
    const kind = prng.below(100)
    if (kind < 55) await cached.put(this.#key, this.#length)
    else if (kind < 65)
      await cached.write([this.#key, keyOf(KEYS + prng.below(9)), keyOf(KEYS + 10)], this.#length)
    else if (kind < 72) await cached.putStream(this.#key, 10_000 + prng.below(40_000))
    else if (kind < 78) await cached.delete(this.#key)
    else if (kind < 80) await this.#deleteRange()
    else if (kind < 90) await this.#checkKey()
    else if (kind < 92) this.#held.push({ snapshot: store.snapshot(), model: cached.model })
    else if (kind < 94) this.#held.splice(prng.below(4), 1)[0]?.snapshot.close()
    else if (kind < 95) await store.flush()
    else if (kind < 96)
      await store.compact(prng.chance(0.5) ? {} : { gte: keyOf(prng.below(KEYS)) })
    else if (kind < 98) await this.#checkAll()
    else if (kind < 99) expect((await store.verify()).damage).toEqual([])
    else await this.#reopen()
    expect(cached.diskBytes).toBeLessThanOrEqual(MAX_BYTES)
    // It never goes back, whatever ends the process.
    expect(cached.evictedBelow).toBeGreaterThanOrEqual(this.#evictedBelow)
    this.#evictedBelow = cached.evictedBelow
  }

  async #deleteRange(): Promise<void> {
    const from = this.#prng.below(KEYS)
    await this.#cached.deleteRange(keyOf(from), keyOf(from + 1 + this.#prng.below(30)))
  }

  async #checkKey(): Promise<void> {
    await this.#cached.checkKey(this.#key)
    const held = this.#held[0]
    if (held) await this.#cached.checkKey(this.#key, held.model, held.snapshot)
  }

  async #checkAll(): Promise<void> {
    await this.#cached.checkAll()
    const held = this.#held.at(-1)
    if (held) await this.#cached.checkAll(held.model, held.snapshot)
  }

  async #reopen(): Promise<void> {
    for (const { snapshot } of this.#held.splice(0)) snapshot.close()
    if (this.#prng.chance(0.5)) await this.#cached.kill()
    else {
      await this.#cached.store.close()
      await this.#cached.open()
    }
  }
}

test.each([0, 1])('a cache holds what its model does (%i)', async (number) => {
  const prng = new Prng(seed + number)
  const cached = await CachedStore.open()
  const run = new Run(cached, prng)
  let at = 0
  try {
    for (; at < OPERATIONS; at++) await run.operate()
    await cached.checkAll()
    expect(cached.evictedBelow).toBeGreaterThan(1)
    expect(cached.fileSystem.violations).toEqual([])
  } catch (error) {
    throw new Error(`operation ${at}: ${(error as Error).message}; ${replayHint(seed)}`, {
      cause: error,
    })
  }
})
