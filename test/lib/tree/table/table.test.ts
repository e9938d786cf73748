/**
 * Tables against a sorted array: lookups at any sequence, cursors both ways, extremes, references,
 * memory.
 */

import { describe, expect, test } from 'vitest'
import { hashRange } from '#dist/lib/base/bytes.js'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { FILE_BYTES_MAX, SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { KEY_BYTES_MAX, KIND } from '#dist/lib/tree/entry.js'
import { TableBuilder } from '#dist/lib/tree/table/table-builder.js'
import { MemoryFileSystem } from '../../../support/files/memory-file-system.ts'
import { keyed } from '../../../support/parts/array-cursor.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import {
  compareEntries,
  describeCursor,
  describeEntry,
  emptyFound,
  inlineEntry,
  type ModelEntry,
  randomKey,
  tombstone,
  walk,
} from '../memtable/memtable-model.ts'
import {
  buildTable,
  DATABASE_ID,
  find,
  identityOf,
  modelFind,
  openTable,
  randomEntries,
  sumFigures,
  sumReferences,
  TABLE_NUMBER,
  tableOptions,
  withRecords,
} from './table-model.ts'

const seed = testSeed()
const hint = replayHint(seed)
const BLOCK_SIZES = [1, 64, 300, 4096]

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function pointer(
  key: Uint8Array,
  sequence: number,
  segment: number,
  offset: number,
  length: number,
): ModelEntry {
  return { key, sequence, kind: KIND.pointer, value: undefined, segment, offset, length }
}

describe('against the model', () => {
  test('I6: lookups at any sequence find the newest entry at or below it', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 60; round++) {
      const model = randomEntries(prng, 1 + prng.below(250))
      const options = tableOptions(prng.pick(BLOCK_SIZES), prng.pick([0, 1, 10]))
      const reader = openTable(buildTable(model, options))
      const cache = new BlockCache(prng.pick([0, 4096, 2 ** 20]))
      const known = model.map((entry) => entry.sequence)
      for (let i = 0; i < 300; i++) {
        const key = prng.chance(0.8) ? prng.pick(model).key : randomKey(prng)
        const sequence = prng.chance(0.2) ? SEQUENCE_MAX : prng.pick(known) - prng.below(2)
        expect(find(reader, cache, key, sequence), hint).toBe(modelFind(model, key, sequence))
      }
    }
  })

  test('cursors pass all entries in order, forward and backward, with and without a cache', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 40; round++) {
      const model = randomEntries(prng, 1 + prng.below(300))
      const reader = openTable(buildTable(model, tableOptions(prng.pick(BLOCK_SIZES))))
      const expected = model.map(describeEntry)
      const cache = new BlockCache(2 ** 20)
      for (const cursor of [reader.cursor(cache), reader.cursor(cache), reader.cursor()]) {
        expect(walk(cursor, false), hint).toEqual(expected)
        expect(walk(cursor, true), hint).toEqual(expected.toReversed())
      }
    }
  })

  test('seek, seekBefore and steps in random order', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 40; round++) {
      const model = randomEntries(prng, 1 + prng.below(200))
      const reader = openTable(buildTable(model, tableOptions(prng.pick(BLOCK_SIZES))))
      const cursor = reader.cursor(prng.chance(0.5) ? new BlockCache(2 ** 20) : undefined)
      let at = -1
      for (let i = 0; i < 400; i++) {
        const near = prng.pick(model)
        const key = prng.chance(0.7) ? near.key : randomKey(prng)
        const sequence = prng.pick([
          SEQUENCE_MAX,
          near.sequence,
          near.sequence - 1,
          near.sequence + 1,
        ])
        const move = prng.below(6)
        if (move === 0) {
          cursor.seek(key, sequence)
          const target = { ...near, key, sequence }
          at = model.findIndex((entry) => compareEntries(entry, target) >= 0)
        } else if (move === 1) {
          cursor.seekBefore(key)
          at = model.findLastIndex((entry) => Buffer.compare(entry.key, key) < 0)
        } else if (move < 4) {
          cursor.next()
          at = at >= 0 && at + 1 < model.length ? at + 1 : -1
        } else {
          cursor.previous()
          at = at > 0 ? at - 1 : -1
        }
        expect(describeCursor(cursor), hint).toBe(at < 0 ? 'invalid' : describeEntry(model[at]!))
      }
    }
  })

  test('I9: counts and references are those of the entries, and verify agrees', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 30; round++) {
      const entries = randomEntries(prng, 1 + prng.below(300))
      const stored = entries.map(() => prng.below(prng.pick([2, 65540, 2 ** 30])))
      const model = withRecords(entries, stored)
      const table = buildTable(model, tableOptions(prng.pick(BLOCK_SIZES)))
      const { meta, ...figures } = table.built
      const sequences = model.map((entry) => entry.sequence)
      expect(meta).toEqual({
        number: TABLE_NUMBER,
        fragments: 0,
        largestExclusive: false,
        bytes: table.fileSystem.contents(`/db/000034.sst`).length,
        entries: model.length,
        tombstones: model.filter((entry) => entry.kind === KIND.tombstone).length,
        pointedBytes: model.reduce(
          (sum, { kind, length }) => sum + (kind === KIND.pointer ? length : 0),
          0,
        ),
        smallestKey: model[0]!.key,
        largestKey: model.at(-1)!.key,
        smallestSequence: Math.min(...sequences),
        largestSequence: Math.max(...sequences),
      })
      expect(figures, hint).toEqual(sumFigures(model, stored))
      const reader = openTable(table)
      expect([...reader.references], hint).toEqual(sumReferences(model))
      expect(reader.properties, hint).toMatchObject({ ...figures, pointedBytes: meta.pointedBytes })
      reader.verify()
    }
  })
})

describe('extremes', () => {
  test('empty keys, keys of 64 KiB, empty values, the largest pointers and sequences', () => {
    const long = new Uint8Array(KEY_BYTES_MAX).fill(0xff)
    const longer = long.slice()
    longer[KEY_BYTES_MAX - 1] = 0xfe
    const model = [
      tombstone(new Uint8Array(0), 9),
      inlineEntry(new Uint8Array(0), 3, new Uint8Array(0)),
      inlineEntry(Uint8Array.of(0), SEQUENCE_MAX - 1, utf8('v')),
      pointer(longer, 2 ** 33, 2 ** 32 - 1, FILE_BYTES_MAX - 1, 1),
      pointer(longer, 7, 0, 0, FILE_BYTES_MAX),
      tombstone(long, 2 ** 32),
    ].sort(compareEntries)
    for (const blockBytes of [1, 4096, 2 ** 20]) {
      const reader = openTable(buildTable(model, tableOptions(blockBytes)))
      const cache = new BlockCache(2 ** 24)
      expect(walk(reader.cursor(cache), false)).toEqual(model.map(describeEntry))
      expect(walk(reader.cursor(), true)).toEqual(model.map(describeEntry).toReversed())
      for (const entry of model) {
        expect(find(reader, cache, entry.key, entry.sequence)).toBe(describeEntry(entry))
        expect(find(reader, cache, entry.key, entry.sequence - 1)).toBe(
          modelFind(model, entry.key, entry.sequence - 1),
        )
      }
      reader.verify()
    }
  })

  test('an inline value of 16 MiB has a block of its own', () => {
    const prng = new Prng(seed)
    const value = prng.bytes(16 * 2 ** 20)
    const model = [
      inlineEntry(utf8('a'), 1, utf8('before')),
      inlineEntry(utf8('b'), 2, value),
      inlineEntry(utf8('c'), 3, utf8('after')),
    ]
    const reader = openTable(buildTable(model, tableOptions(4096)))
    reader.verify()
    const cache = new BlockCache(2 ** 20)
    const found = emptyFound()
    const key = utf8('b')
    expect(reader.find(key, hashRange(key, 0, 1, 0), SEQUENCE_MAX, found, cache)).toBe(true)
    const bytes = found.valueBytes.subarray(found.valueStart, found.valueEnd)
    expect(Buffer.compare(bytes, value)).toBe(0)
    expect(find(reader, cache, utf8('a'), SEQUENCE_MAX)).toBe(describeEntry(model[0]!))
    expect(cache.stats.bytes).toBeLessThan(2048)
  })

  test('thousands of versions of one key: a lookup reads one block', () => {
    const key = utf8('key')
    const model: ModelEntry[] = []
    for (let sequence = 5000; sequence > 0; sequence -= 2)
      model.push(pointer(key, sequence, 1, sequence, 5))
    const { fileSystem, built } = buildTable(model, tableOptions(256))
    const reader = openTable({ fileSystem, built })
    const cache = new BlockCache(2 ** 22)
    reader.cursor()
    for (let sequence = 5001; sequence > 0; sequence -= 37) {
      const misses = cache.stats.misses
      const hits = cache.stats.hits
      expect(find(reader, cache, key, sequence)).toBe(modelFind(model, key, sequence))
      expect(cache.stats.misses + cache.stats.hits - misses - hits).toBe(1)
    }
    expect(find(reader, cache, key, 1)).toBe('none')
  })
})

describe('the builder', () => {
  function builder(base: number): TableBuilder {
    const file = new MemoryFileSystem().open('/db/x', 'create')
    return new TableBuilder(file, identityOf(1), tableOptions(4096), base)
  }

  test('refuses disorder, sequences below the base, deferred values, and an empty table', () => {
    const b = tombstone(utf8('b'), 5)
    const wrong = [tombstone(utf8('a'), 4), tombstone(utf8('b'), 5), tombstone(utf8('b'), 6)]
    for (const second of [...wrong, tombstone(utf8(''), 6)]) {
      const table = builder(1)
      table.add(keyed(b))
      expect(() => table.add(keyed(second))).toThrow(/entries of a table are in order/)
    }
    expect(() => builder(6).add(keyed(b))).toThrow(/base sequence/)
    expect(() => builder(1).add(keyed({ ...b, kind: KIND.deferred }))).toThrow(/deferred/)
    expect(() => builder(1).add(keyed(pointer(b.key, 5, 1, FILE_BYTES_MAX, 1)))).toThrow(/pointer/)
    expect(() => builder(1).finish()).toThrow(/has an entry/)
  })

  test('I4: the file is synced when it is finished; the estimate of its length is near', () => {
    const prng = new Prng(seed)
    const fileSystem = new MemoryFileSystem()
    const file = fileSystem.open('/db/x', 'create')
    const table = new TableBuilder(file, identityOf(1), tableOptions(4096), 1)
    for (const entry of randomUniqueEntries(prng, 20_000)) table.add(keyed(entry))
    const estimate = table.estimatedBytes
    const { meta } = table.finish()
    expect(file.syncs).toBe(1)
    expect(file.size).toBe(meta.bytes)
    expect(Math.abs(estimate - meta.bytes)).toBeLessThan(meta.bytes / 50)
  })

  test('tells whether an entry has the key of the last one', () => {
    const table = builder(1)
    expect(table.hasLastKey(keyed(tombstone(new Uint8Array(0), 5)))).toBe(false)
    table.add(keyed(tombstone(utf8('b'), 5)))
    expect(table.hasLastKey(keyed(tombstone(utf8('b'), 4)))).toBe(true)
    expect(table.hasLastKey(keyed(tombstone(utf8('bb'), 4)))).toBe(false)
    expect(table.hasLastKey(keyed(tombstone(utf8('c'), 4)))).toBe(false)
  })
})

function randomUniqueEntries(prng: Prng, count: number): ModelEntry[] {
  const entries: ModelEntry[] = []
  for (let i = 0; i < count; i++) entries.push(pointer(prng.bytes(16), i + 1, 1, i * 4096, 4096))
  return entries.sort(compareEntries)
}

describe('the reader', () => {
  test('opens with two reads, and reads index and filter at the first use only', () => {
    const model = randomUniqueEntries(new Prng(seed), 20_000)
    const { fileSystem, built } = buildTable(model, tableOptions(4096))
    const file = fileSystem.open('/db/000034.sst', 'read')
    const reader = openTable({ fileSystem, built })
    expect([...reader.references]).toEqual(sumReferences(model))
    expect(file.reads).toBe(2)
    expect(reader.pinnedBytes).toBe(0)
    const cache = new BlockCache(2 ** 24)
    expect(find(reader, cache, model[0]!.key, SEQUENCE_MAX)).toBe(describeEntry(model[0]!))
    expect(file.reads).toBe(4)
    find(reader, cache, model[0]!.key, SEQUENCE_MAX)
    expect(file.reads).toBe(4)
    expect(reader.pinnedBytes).toBeGreaterThan((20_000 * 10) / 8)
    expect(reader.pinnedBytes).toBeLessThan(20_000 * 2)
  })

  test('a table of one page is opened with one read', () => {
    const model = randomUniqueEntries(new Prng(seed), 100)
    const { fileSystem, built } = buildTable(model, tableOptions(4096))
    expect(built.meta.bytes).toBeLessThan(4096)
    const file = fileSystem.open('/db/000034.sst', 'read')
    openTable({ fileSystem, built })
    expect(file.reads).toBe(1)
  })

  test('the filter passes each present key, of absent ones at most 1.2 %, and counts', () => {
    const prng = new Prng(seed)
    const model = randomUniqueEntries(prng, 50_000)
    const reader = openTable(buildTable(model, tableOptions(4096)))
    const cache = new BlockCache(2 ** 24)
    const found = emptyFound()
    const isFound = (key: Uint8Array): boolean =>
      reader.find(key, hashRange(key, 0, key.length, 0), SEQUENCE_MAX, found, cache)
    expect(model.every(({ key }) => isFound(key))).toBe(true)
    expect(reader.filterRejections).toBe(0)
    for (let i = 0; i < 100_000; i++) if (isFound(prng.bytes(16))) throw new Error(hint)
    expect(reader.filterChecks).toBe(150_000)
    expect(1 - reader.filterRejections / 100_000, hint).toBeLessThanOrEqual(0.012)
  })

  test('closing takes its blocks out of the cache', () => {
    const model = randomUniqueEntries(new Prng(seed), 2000)
    const table = buildTable(model, tableOptions(1024))
    const cache = new BlockCache(2 ** 24)
    const reader = openTable(table)
    const cursor = reader.cursor(cache)
    for (cursor.seekToFirst(); cursor.valid; cursor.next());
    expect(cache.stats.bytes).toBeGreaterThan(table.built.meta.bytes / 2)
    reader.close()
    reader.close()
    expect(cache.stats.bytes).toBe(0)
  })

  test('a cursor without a cache reads large chunks and leaves the cache alone', () => {
    const model = randomUniqueEntries(new Prng(seed), 40_000)
    const { fileSystem, built } = buildTable(model, tableOptions(4096))
    const file = fileSystem.open('/db/000034.sst', 'read')
    const reader = openTable({ fileSystem, built })
    const cursor = reader.cursor()
    const before = file.reads
    let count = 0
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) count++
    expect(count).toBe(40_000)
    // The first reads are smaller: they grow while they follow each other.
    expect(file.reads - before).toBeLessThan(7 + built.meta.bytes / (200 * 1024))
  })

  test('a file of another database, of another number or of another length is refused', () => {
    const model = randomUniqueEntries(new Prng(seed), 10)
    const other = buildTable(
      model,
      tableOptions(4096),
      identityOf(TABLE_NUMBER, new Uint8Array(16)),
    )
    expect(() => openTable(other)).toThrow(/another database/)
    const { fileSystem, built } = buildTable(model, tableOptions(4096), identityOf(35))
    const meta = { ...built.meta, number: TABLE_NUMBER }
    expect(() => openTable({ fileSystem, built: { ...built, meta } })).toThrow(/another number/)
    const table = buildTable(model, tableOptions(4096))
    for (const change of [
      { bytes: 5000 },
      { entries: 11 },
      { largestKey: DATABASE_ID },
      { pointedBytes: 0 },
    ]) {
      const changed = { ...table.built, meta: { ...table.built.meta, ...change } }
      expect(() => openTable({ ...table, built: changed })).toThrow(/WISC_CORRUPTION|another/)
    }
  })
})
