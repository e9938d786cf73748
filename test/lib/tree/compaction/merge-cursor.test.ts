/** Merge and run cursors against a sorted array, walked at random in both directions. */

import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { MergeCursor } from '#dist/lib/tree/compaction/merge-cursor.js'
import { type EntryCursor, KIND, type TableMeta } from '#dist/lib/tree/entry.js'
import { RunCursor } from '#dist/lib/tree/table/run-cursor.js'
import {
  ArrayCursor,
  compareEntries,
  entryUnder,
  type TestEntry,
} from '../../../support/parts/array-cursor.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

function randomEntries(prng: Prng, count: number, keys: number): TestEntry[] {
  const entries: TestEntry[] = []
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`k${String(prng.below(keys)).padStart(prng.below(3), '0')}`)
    const value = Uint8Array.of(i & 255, i >> 8)
    entries.push({ key: Uint8Array.from(key), sequence: i + 1, kind: KIND.inline, value })
  }
  return entries.sort(compareEntries)
}

function walk(prng: Prng, cursor: EntryCursor, all: readonly TestEntry[], steps: number): void {
  let at = -1
  for (let step = 0; step < steps; step++) {
    const choice = prng.below(14)
    const target = all[prng.below(Math.max(1, all.length))]
    if (choice === 0 || !cursor.valid) {
      cursor.seekToFirst()
      at = 0
    } else if (choice === 1) {
      cursor.seekToLast()
      at = all.length - 1
    } else if (choice === 2 && target) {
      const sequence = prng.chance(0.5) ? SEQUENCE_MAX : prng.below(all.length)
      cursor.seek(target.key, sequence)
      at = all.findIndex((e) => (compareBytes(e.key, target.key) || sequence - e.sequence) >= 0)
      if (at < 0) at = all.length
    } else if (choice === 3 && target) {
      cursor.seekBefore(target.key)
      at = all.findLastIndex((e) => compareBytes(e.key, target.key) < 0)
    } else if (choice < 9) {
      cursor.next()
      at++
    } else {
      cursor.previous()
      at--
    }
    expect(entryUnder(cursor)).toEqual(all[at])
  }
}

test('a merge of any number of sources equals the sorted array in both directions', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 150; round++) {
    const all = randomEntries(prng, prng.below(60), 1 + prng.below(20))
    const sources: TestEntry[][] = Array.from(
      { length: prng.below(10) + (all.length > 0 ? 1 : 0) },
      () => [],
    )
    for (const entry of all) prng.pick(sources).push(entry)
    const cursor = new MergeCursor(sources.map((entries) => new ArrayCursor(entries)))
    try {
      walk(prng, cursor, all, 80)
    } catch (error) {
      throw new Error(`round=${round} ${replayHint(seed)}`, { cause: error })
    }
  }
})

test('a run of tables equals the sorted array, and opens one table at a time', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 150; round++) {
    const all = randomEntries(prng, 1 + prng.below(60), 1 + prng.below(30))
    const tables: { meta: TableMeta; entries: TestEntry[] }[] = []
    for (let from = 0; from < all.length; ) {
      let to = Math.min(all.length, from + 1 + prng.below(12))
      while (to < all.length && compareBytes(all[to]!.key, all[to - 1]!.key) === 0) to++
      const meta = {
        number: tables.length + 1,
        smallestKey: all[from]!.key,
        largestKey: all[to - 1]!.key,
      } as TableMeta
      tables.push({ meta, entries: all.slice(from, to) })
      from = to
    }
    const cursor = new RunCursor(
      tables.map(({ meta }) => meta),
      ({ number }) => new ArrayCursor(tables[number - 1]!.entries),
    )
    try {
      walk(prng, cursor, all, 80)
    } catch (error) {
      throw new Error(`round=${round} ${replayHint(seed)}`, { cause: error })
    }
  }
})

test('a merge of nothing is never valid', () => {
  const cursor = new MergeCursor([])
  cursor.seekToFirst()
  expect(cursor.valid).toBe(false)
  cursor.seekToLast()
  cursor.next()
  expect(cursor.valid).toBe(false)
})

test('an error of a source leaves the merge invalid', () => {
  const broken = new ArrayCursor([{ key: Uint8Array.of(1), sequence: 1, kind: KIND.tombstone }])
  const cursor = new MergeCursor([broken, new ArrayCursor([])])
  cursor.seekToFirst()
  expect(cursor.valid).toBe(true)
  broken.next = () => {
    throw new Error('read failed')
  }
  expect(() => cursor.next()).toThrow('read failed')
  expect(cursor.valid).toBe(false)
})
