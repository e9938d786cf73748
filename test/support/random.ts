/**
 * Seeded randomness for tests: every randomized test prints its seed and is replayed with WISC_TEST_SEED=n.
 */
import type { Random } from '#dist/lib/base/random.js'

/** The seed of this run: WISC_TEST_SEED, or a fresh one. Put it into every message of a failure. */
export function testSeed(): number {
  const text = process.env['WISC_TEST_SEED']
  if (text !== undefined && /^\d+$/.test(text)) return Number(text) >>> 0
  return (Math.random() * 2 ** 32) >>> 0
}

/** How to run a failing test again. */
export function replayHint(seed: number): string {
  return `replay with WISC_TEST_SEED=${seed}`
}

/** Whether tests try everything of which they draw a part else: `WISC_TEST_ALL=1`. */
export const TESTS_ALL: boolean = process.env['WISC_TEST_ALL'] === '1'

/** A small, fast generator (mulberry32). Good enough to choose cases, for nothing else. */
export class Prng {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** An unsigned 32-bit integer. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** An integer of 0 to limit - 1. */
  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit)
  }

  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      const word = this.u32()
      bytes[i] = word
      if (i + 1 < length) bytes[i + 1] = word >>> 8
      if (i + 2 < length) bytes[i + 2] = word >>> 16
      if (i + 3 < length) bytes[i + 3] = word >>> 24
    }
    return bytes
  }

  /** A generator of its own, so that more draws here do not move the draws there. */
  fork(): Prng {
    return new Prng(this.u32())
  }
}

/** The store's source of randomness, from a seed. */
export function seededRandom(seed: number): Random {
  const prng = new Prng(seed)
  return { bytes: (length) => prng.bytes(length) }
}

/** Bytes of which no two chunks are alike: what is put to a wrong place is seen. */
export function unlikeBytes(length: number, seed: number = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    bytes[i] = state >>> 16
  }
  return bytes
}
