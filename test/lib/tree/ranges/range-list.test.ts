/** Range tombstones in chunks, packed for searches, against their own words. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import {
  insertFragment,
  mergeFragments,
  type RangeFragment,
} from '#dist/lib/tree/ranges/range-fragments.js'
import { RangeChunk, RangeList } from '#dist/lib/tree/ranges/range-list.js'
import { deletedAt, listOf } from '../../../support/parts/range-lists.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

const seed = testSeed()

/** Keys with long equal beginnings, short ones, and none of all. */
function keyOf(number: number): Uint8Array {
  if (number === 0) return new Uint8Array(0)
  const text = number % 5 === 0 ? `${number}` : `some/long/beginning/${number}`
  return Buffer.from(number % 7 === 0 ? `${text}\0` : text)
}

function randomRange(prng: Prng, keys: number, sequence: number): RangeFragment {
  const [start, end] = [keyOf(prng.below(keys)), keyOf(prng.below(keys))].sort(compareBytes)
  const isEndless = prng.chance(0.02) || compareBytes(start!, end!) === 0
  return { start: start!, end: isEndless ? undefined : end, sequences: [sequence] }
}

function check(list: RangeList, fragments: readonly RangeFragment[], key: Uint8Array): void {
  const first = fragments.findIndex(({ end }) => end === undefined || compareBytes(end, key) > 0)
  const [reaching, before] = [
    list.firstReaching(key, 0, key.length),
    list.lastBefore(key, 0, key.length),
  ]
  expect(reaching, replayHint(seed)).toEqual(fragments[first < 0 ? fragments.length : first])
  expect(before, replayHint(seed)).toEqual(fragments[first < 0 ? fragments.length - 1 : first - 1])
}

test(`every key has what covers it, for every reader, in lists of all lengths; ${replayHint(seed)}`, () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 60; round++) {
    const keys = prng.pick([5, 40, 3000])
    const ranges: RangeFragment[] = []
    let list = RangeList.EMPTY
    for (let sequence = 1; sequence <= prng.below(round < 55 ? 60 : 400); sequence++) {
      const range = randomRange(prng, keys, sequence)
      ranges.push(range)
      const before = list
      const { fragments } = before
      list = list.with(range, () => true)
      // A cursor may have begun with it.
      expect(before.fragments).toEqual(fragments)
    }
    const { fragments } = list
    expect(list.count).toBe(fragments.length)
    const whole = listOf(fragments)
    expect(list.bytes, replayHint(seed)).toBe(whole.bytes)
    for (let i = 0; i < 60; i++) {
      const key = keyOf(prng.below(keys + 5))
      const at = prng.below(ranges.length + 2)
      const given = Buffer.concat([Buffer.from('xy'), key, Buffer.from('z')])
      for (const each of [list, whole]) {
        const found = each.coveringSequence(given, 2, 2 + key.length, at)
        expect(found, replayHint(seed)).toBe(deletedAt(ranges, key, at))
        check(each, fragments, key)
      }
    }
  }
})

test('many small ones, in any order, are those of one list; chunks are short', () => {
  const prng = new Prng(seed)
  const order = Array.from({ length: 3000 }, (_, i) => i)
  for (let i = order.length - 1; i > 0; i--) {
    const j = prng.below(i + 1)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  const keyAt = (number: number): Uint8Array => Buffer.from(String(number).padStart(6, '0'))
  let list = RangeList.EMPTY
  const plain: RangeFragment[] = []
  for (const [i, number] of order.entries()) {
    const range = { start: keyAt(3 * number), end: keyAt(3 * number + 2), sequences: [i + 1] }
    list = list.with(range, () => false)
    insertFragment(plain, range, () => false)
  }
  expect(list.fragments).toEqual(plain)
  // One over many of them takes their place.
  const wide = { start: keyAt(301), end: keyAt(8400), sequences: [5000] }
  insertFragment(plain, wide, () => false)
  list = list.with(wide, () => false)
  expect(list.fragments).toEqual(plain)
  expect(list.count).toBeLessThan(400)
  for (let i = 0; i < 200; i++) {
    const key = keyAt(prng.below(9100))
    check(list, plain, key)
  }
})

/** In a process of its own: nothing but the list comes and goes in its heap. */
function measured(keyLength: number): { readonly bytes: number; readonly taken: number } {
  const list = new URL('../../../../dist/lib/tree/ranges/range-list.js', import.meta.url).href
  const code = `
    const { RangeList } = await import(${JSON.stringify(list)})
    const keyAt = (i) => new Uint8Array(Buffer.from(String(i).padStart(${keyLength}, '0')))
    const used = () => {
      for (let i = 0; i < 3; i++) gc()
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    const make = (count) => {
      let list = RangeList.EMPTY
      for (let i = 0; i < count; i++) {
        list = list.with({ start: keyAt(2 * i), end: keyAt(2 * i + 1), sequences: [i + 1] }, () => false)
      }
      for (let i = 0; i < 2 * count; i++) list.coveringSequence(keyAt(i), 0, ${keyLength}, 1e9)
      return list
    }
    make(1000)
    const before = used()
    const list = make(20_000)
    console.log(JSON.stringify({ bytes: list.bytes, taken: used() - before, count: list.count }))`
  const words = ['--expose-gc', '--input-type=module', '-e', code]
  return JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }))
}

test.each([8, 16, 200])(
  'I10: the memory that it tells of is what it takes, keys of %i bytes',
  (length) => {
    const { bytes, taken } = measured(length)
    // Between versions of Node it differs by a tenth.
    expect(bytes / taken).toBeGreaterThan(0.7)
    expect(bytes / taken).toBeLessThan(1.5)
  },
)

test('a range that is deleted again takes no more memory', () => {
  const range = { start: keyOf(1), end: keyOf(2), sequences: [1] }
  const list = RangeList.EMPTY.with(range, () => false)
  const again = list.with({ ...range, sequences: [2] }, () => false)
  expect(again.bytes).toBe(list.bytes)
  expect(again.with({ ...range, sequences: [3] }, () => true).bytes).toBeGreaterThan(list.bytes)
})

test('chunks are those of tables, too: none has what is between them', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 50; round++) {
    const parts = Array.from({ length: 1 + prng.below(4) }, () => {
      const list: RangeFragment[] = []
      for (let sequence = 1; sequence < 1 + prng.below(9); sequence++)
        insertFragment(list, { ...randomRange(prng, 40, sequence) }, () => true)
      return list
    })
    const merged = mergeFragments(parts)
    const cuts = Array.from({ length: 4 }, () => prng.below(merged.length + 1)).sort(
      (a, b) => a - b,
    )
    const chunks = [0, ...cuts].map((from, i) => merged.slice(from, cuts[i] ?? merged.length))
    const list = new RangeList(
      chunks.filter(({ length }) => length > 0).map((each) => new RangeChunk(each)),
    )
    for (let number = 0; number < 45; number++) {
      const key = keyOf(number)
      const found = list.coveringSequence(key, 0, key.length, 20)
      expect(found, replayHint(seed)).toBe(deletedAt(merged, key, 20))
      check(list, merged, key)
    }
  }
})
