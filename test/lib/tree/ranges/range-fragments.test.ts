/** Range tombstones against their own words, by brute force over few keys. */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import {
  type FragmentList,
  insertFragment,
  mergeFragments,
  type RangeFragment,
} from '#dist/lib/tree/ranges/range-fragments.js'
import { deletedAt } from '../../../support/parts/range-lists.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const KEYS = 24

interface Range {
  readonly start: number
  readonly end: number | undefined
  readonly sequence: number
}

function keyOf(number: number): Uint8Array {
  return Uint8Array.of(number)
}

function randomRange(prng: Prng, sequence: number): Range {
  const start = prng.below(KEYS)
  return { start, end: prng.chance(0.1) ? undefined : start + 1 + prng.below(8), sequence }
}

function fragmentOf({ start, end, sequence }: Range): RangeFragment {
  return {
    start: keyOf(start),
    end: end === undefined ? undefined : keyOf(end),
    sequences: [sequence],
  }
}

function expected(ranges: readonly Range[], key: number, at: number): number {
  const covering = ranges
    .filter(({ start, end, sequence }) => start <= key && (end ?? KEYS * 2) > key && sequence <= at)
    .map(({ sequence }) => sequence)
  return Math.max(0, ...covering)
}

function found(list: FragmentList, key: number, at: number): number {
  return deletedAt(list, keyOf(key), at)
}

function checkOrder(list: FragmentList): void {
  for (const [i, { start, end, sequences }] of list.entries()) {
    expect(sequences.length).toBeGreaterThan(0)
    expect([...sequences].sort((left, right) => right - left)).toEqual(sequences)
    if (end) expect(compareBytes(start, end)).toBeLessThan(0)
    const next = list[i + 1]
    if (next) expect(end !== undefined && compareBytes(end, next.start) <= 0).toBe(true)
  }
}

test('a list into which ranges are inserted covers what each of them covers, for every reader', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 300; round++) {
    const ranges: Range[] = []
    const list: RangeFragment[] = []
    for (let sequence = 1; sequence <= 1 + prng.below(14); sequence++) {
      const range = randomRange(prng, sequence)
      ranges.push(range)
      insertFragment(list, fragmentOf(range), () => true)
    }
    checkOrder(list)
    for (let key = 0; key < KEYS + 9; key++) {
      for (let at = 0; at <= 15; at++)
        expect(found(list, key, at), replayHint(seed)).toBe(expected(ranges, key, at))
    }
  }
})

test('what no reader needs is left out, what one needs is there', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 300; round++) {
    const ranges: Range[] = []
    const list: RangeFragment[] = []
    const held: number[] = []
    let sequence = 0
    for (let i = 1 + prng.below(14); i > 0; i--) {
      if (prng.chance(0.3)) held.push(sequence)
      const range = randomRange(prng, ++sequence)
      ranges.push(range)
      const isNeeded = (older: number, newer: number): boolean =>
        held.some((at) => at >= older && at < newer)
      insertFragment(list, fragmentOf(range), isNeeded)
    }
    checkOrder(list)
    for (let key = 0; key < KEYS + 9; key++) {
      for (const at of [...held, sequence])
        expect(found(list, key, at), replayHint(seed)).toBe(expected(ranges, key, at))
    }
    for (const { sequences } of list)
      expect(sequences.length, replayHint(seed)).toBeLessThanOrEqual(1 + new Set(held).size)
  }
})

test('lists of several tables, merged, are the list of all', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 300; round++) {
    const ranges: Range[] = []
    const lists: RangeFragment[][] = [[], [], [], []]
    for (let sequence = 1; sequence <= 12; sequence++) {
      const range = randomRange(prng, sequence)
      ranges.push(range)
      insertFragment(prng.pick(lists), fragmentOf(range), () => true)
    }
    const merged = mergeFragments(lists)
    checkOrder(merged)
    for (let key = 0; key < KEYS + 9; key++) {
      for (let at = 0; at <= 12; at++)
        expect(found(merged, key, at), replayHint(seed)).toBe(expected(ranges, key, at))
    }
  }
})

test('one range deleted again and again is one fragment', () => {
  const list: RangeFragment[] = []
  for (let sequence = 1; sequence <= 1000; sequence++)
    insertFragment(list, fragmentOf({ start: 3, end: 9, sequence }), () => false)
  expect(list).toEqual([fragmentOf({ start: 3, end: 9, sequence: 1000 })])
  insertFragment(list, fragmentOf({ start: 9, end: undefined, sequence: 1001 }), () => false)
  expect(list.length).toBe(2)
})
