/** What a validation costs, in steps: it holds what was read against what was written, and both may be many. */
import { expect, test } from 'vitest'
import { NO_BYTES } from '#dist/lib/base/bytes.js'
import type { Given } from '#dist/lib/contract/arguments.js'
import { ReadSet } from '#dist/lib/transactions/read-set.js'
import { SortedReads } from '#dist/lib/transactions/sorted-reads.js'
import { Steps } from '#dist/lib/transactions/steps.js'
import { Validation } from '#dist/lib/transactions/validation.js'
import { keyWithin } from '#dist/lib/writes/key-strings.js'
import { bytesOf } from '#dist/lib/writes/walk-range.js'
import { WritesByKey } from '#dist/lib/writes/writes-by-key.js'
import { RECORD_KIND } from '#dist/vlog/record.js'
import { listOf } from '../../support/parts/range-lists.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const MANY = 20_000
const seed = testSeed()

function keyOf(number: number): string {
  return `k${String(number).padStart(6, '0')}`
}

/** Each look at an element is counted. */
function counting<T>(items: readonly T[], counter: { count: number }): readonly T[] {
  return new Proxy(items, {
    get(target, name) {
      if (typeof name === 'string' && /^\d/.test(name)) counter.count++
      return Reflect.get(target, name) as unknown
    },
  })
}

/** An event loop that always wants to turn. */
function busyTurn(counter: { count: number }): ConstructorParameters<typeof Steps>[0] {
  return {
    isOld: () => true,
    later: (action) => {
      counter.count++
      setImmediate(action)
    },
  }
}

/** A cursor over nothing. */
const NO_ENTRIES = { valid: false, seek: () => {} }

test('20,000 reads beside 20,000 deleted ranges: a search for each, and the event loop turns', async () => {
  const [looks, finds, turns] = [{ count: 0 }, { count: 0 }, { count: 0 }]
  const reads = new ReadSet(Number.MAX_SAFE_INTEGER)
  for (let i = 0; i < MANY; i++) {
    reads.addKey(keyOf(4 * i))
    const span = { lower: keyOf(4 * i + 2), lowerOpen: false, upper: keyOf(4 * i + 3) }
    reads.addRange({ ...span, upperOpen: true, reverse: false }, undefined).coverAll()
  }
  const list = Array.from({ length: MANY }, (_, i) => ({
    start: bytesOf(keyOf(4 * i + 1)),
    end: bytesOf(keyOf(4 * i + 2)),
    sequences: [100],
  }))
  const ranges = listOf(counting(list, looks))
  const state = { memtables: [], runs: [], version: { evictedBelow: 0 } }
  const tree = {
    state,
    evictions: 0,
    find: () => {
      finds.count++
      return false
    },
    rangesAbove: () => [ranges],
    cursorAbove: () => NO_ENTRIES,
  }
  const steps = new Steps(busyTurn(turns), () => false)
  const sorted = await SortedReads.of(reads, steps)
  const validation = new Validation(tree as never, 10, sorted!, steps)
  await validation.prepare()
  expect(validation.conflict).toBe(undefined)
  expect(finds.count).toBe(MANY)
  expect(looks.count).toBeGreaterThan(MANY)
  expect(looks.count).toBeLessThan(MANY * 40)
  expect(turns.count).toBeGreaterThan((2 * MANY) / 128 - 2)

  // What others delete while it is looked at is told to it, group by group.
  for (let i = 0; i < MANY; i++) {
    const writes = new WritesByKey<Given>()
    const [key, value] = [bytesOf(keyOf(4 * i + 1)), bytesOf(keyOf(4 * i + 2))]
    writes.set({ kind: RECORD_KIND.deleteRange, key, value })
    validation.committed(writes as never)
  }
  expect(validation.conflict).toBe(undefined)
  const counter = { count: 0 }
  const keys = counting(sorted!.keys, counter)
  for (let i = 0; i < MANY; i++)
    expect(keyWithin(keys, { start: keyOf(4 * i + 1), end: keyOf(4 * i + 4) })).toBe(undefined)
  expect(counter.count).toBeLessThan(MANY * 20)
})

test(`what was written is found among what was read, whatever was; ${replayHint(seed)}`, async () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 300; round++) {
    const reads = new ReadSet(Number.MAX_SAFE_INTEGER)
    const read = new Set<string>()
    const isRead: ((key: string) => boolean)[] = [(key) => read.has(key)]
    for (let i = prng.below(4); i > 0; i--) {
      const key = keyOf(prng.below(50))
      read.add(key)
      reads.addKey(key)
    }
    for (let i = prng.below(4); i > 0; i--) {
      const [lower, upper] = [prng.below(50), prng.below(50)].sort((a, b) => a - b).map(keyOf)
      const [lowerOpen, upperOpen, reverse] = [prng.chance(0.5), prng.chance(0.5), prng.chance(0.5)]
      const range = reads.addRange({ lower, lowerOpen, upper, upperOpen, reverse }, undefined)
      if (prng.chance(0.2)) continue
      const isIn = (key: string): boolean =>
        (lowerOpen ? key > lower! : key >= lower!) && (upperOpen ? key < upper! : key <= upper!)
      const to = keyOf(prng.below(50))
      if (prng.chance(0.5) || !isIn(to)) {
        range.coverAll()
        isRead.push(isIn)
      } else {
        range.coverTo(to)
        isRead.push((key) => isIn(key) && (reverse ? key >= to : key <= to))
      }
    }
    const sorted = await SortedReads.of(reads, new Steps(busyTurn({ count: 0 }), () => false))
    const wasRead = (key: string): boolean => isRead.some((is) => is(key))
    for (let i = 0; i < 20; i++) {
      const writes = new WritesByKey<Given>()
      const first = prng.below(50)
      const isRange = prng.chance(0.5)
      const count = isRange ? 1 + prng.below(6) : 1
      const [key, end] = [bytesOf(keyOf(first)), bytesOf(keyOf(first + count))]
      writes.set(
        isRange
          ? { kind: RECORD_KIND.deleteRange, key, value: end }
          : { kind: RECORD_KIND.delete, key, value: NO_BYTES },
      )
      const touched = Array.from({ length: count }, (_, at) => keyOf(first + at)).filter(wasRead)
      const found = sorted!.findIn(writes as never)
      if (touched.length > 0) expect(found, replayHint(seed)).not.toBe(undefined)
      // Between two keys of the test lie others, that a range may hold.
      if (touched.length === 0 && !isRange) expect(found, replayHint(seed)).toBe(undefined)
    }
  }
})

test('reads are sorted in steps, and not to the end if nobody waits for it', async () => {
  const reads = new ReadSet(Number.MAX_SAFE_INTEGER)
  const prng = new Prng(seed)
  for (let i = 0; i < 10_000; i++) reads.addKey(keyOf(prng.below(1_000_000)))
  const turns = { count: 0 }
  const sorted = await SortedReads.of(reads, new Steps(busyTurn(turns), () => false))
  expect(sorted!.keys).toEqual([...reads.keys].sort())
  expect(turns.count).toBeGreaterThan(100)
  const given = await SortedReads.of(reads, new Steps(busyTurn(turns), () => true))
  expect(given).toBe(undefined)
})
