/** Samples of a table's keys: evenly spread, whatever the sizes of entries, and each key once. */
import { expect, test } from 'vitest'
import { compareBytes, hashRange } from '#dist/lib/base/bytes.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import {
  compareEntries,
  inlineEntry,
  type ModelEntry,
  tombstone,
} from '../memtable/memtable-model.ts'
import { buildTable, openTable, randomEntries, tableOptions } from './table-model.ts'

const seed = testSeed()
const hint = replayHint(seed)

function hexKeys(entries: readonly { readonly key: Uint8Array }[]): string[] {
  return entries.map(({ key }) => Buffer.from(key).toString('hex'))
}

function pointer(key: Uint8Array, sequence: number): ModelEntry {
  return { key, sequence, kind: KIND.pointer, value: undefined, segment: 1, offset: 0, length: 999 }
}

test('samples are keys of the table, in order, each once; weights make up for what was left out', () => {
  const prng = new Prng(seed)
  for (let round = 0; round < 60; round++) {
    const model = randomEntries(prng, 1 + prng.below(600))
    const keys = new Set(hexKeys(model))
    const reader = openTable(buildTable(model, tableOptions(prng.pick([1, 60, 500, 4096]))))
    const count = 1 + prng.below(100)
    const samples = reader.sampleKeys(count, new BlockCache(prng.pick([0, 2 ** 20])))
    samples.forEach(({ key, hash }, i) => {
      expect(keys.has(Buffer.from(key).toString('hex')), hint).toBe(true)
      expect(hash).toBe(hashRange(key, 0, key.length, 0))
      if (i > 0) expect(compareBytes(samples[i - 1]!.key, key), hint).toBeLessThan(0)
    })
    expect(samples.length).toBeLessThanOrEqual(2 * count)
    expect(samples.every(({ weight }) => weight >= 1)).toBe(true)
  }
})

test('a table with fewer keys than asked for gives them all', () => {
  const prng = new Prng(seed)
  for (const blockBytes of [1, 60, 4096]) {
    const model = randomEntries(prng, 60)
    const reader = openTable(buildTable(model, tableOptions(blockBytes)))
    const samples = reader.sampleKeys(10_000, new BlockCache(2 ** 20))
    expect(hexKeys(samples), hint).toEqual([...new Set(hexKeys(model))])
    expect(samples.every(({ weight }) => weight === 1)).toBe(true)
  }
})

test('keys with large values or many entries are not preferred', () => {
  const prng = new Prng(seed)
  const model: ModelEntry[] = []
  for (let i = 0; i < 20_000; i++) {
    const key = prng.bytes(8)
    const sequence = 100 * (i + 1)
    if (key[7]! < 64) model.push(inlineEntry(key, sequence, new Uint8Array(1000)))
    else if (key[7]! >= 192) for (let j = 0; j < 20; j++) model.push(tombstone(key, sequence + j))
    else model.push(pointer(key, sequence))
  }
  model.sort(compareEntries)
  const reader = openTable(buildTable(model, tableOptions(4096)))
  const samples = reader.sampleKeys(2048, new BlockCache(2 ** 24))
  const weightOf = (from: number, to: number): number =>
    samples.reduce((sum, { key, weight }) => {
      return sum + (key[7]! >= from && key[7]! < to ? weight : 0)
    }, 0)
  const total = weightOf(0, 256)
  expect(weightOf(0, 64) / total, hint).toBeCloseTo(0.25, 1)
  expect(weightOf(192, 256) / total, hint).toBeCloseTo(0.25, 1)
})
