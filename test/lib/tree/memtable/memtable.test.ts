/**
 * Memtables against a sorted array: order, lookups at any sequence, cursors, room, reuse, another
 * thread.
 */

import { describe, expect, test } from 'vitest'
import { hashRange } from '#dist/lib/base/bytes.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { KEY_BYTES_MAX, KIND } from '#dist/lib/tree/entry.js'
import { ARENA_BYTES_MAX, createArena } from '#dist/lib/tree/memtable/arena.js'
import { frozenCursor, Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { keyed } from '../../../support/parts/array-cursor.ts'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import type { ModelEntry } from './memtable-model.ts'
import {
  compareEntries,
  describeEntry,
  describeFound,
  emptyFound,
  fillRandom,
  inlineEntry,
  insertEntry,
  randomEntry,
  randomKey,
  tombstone,
  walk,
} from './memtable-model.ts'

const seed = testSeed()
const hint = replayHint(seed)

function newMemtable(bytes: number): Memtable {
  return new Memtable(createArena(1, bytes), LOG_START)
}

function find(memtable: Memtable, key: Uint8Array, sequence: number): string {
  const found = emptyFound()
  if (!memtable.find(key, hashRange(key, 0, key.length, 0), sequence, found)) return 'none'
  return describeFound(key, found)
}

function modelFind(model: readonly ModelEntry[], key: Uint8Array, sequence: number): string {
  const entry = model.find(
    (each) => Buffer.compare(each.key, key) === 0 && each.sequence <= sequence,
  )
  return entry ? describeEntry(entry) : 'none'
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

describe('against the model', () => {
  test('I6: lookups at any sequence find the newest entry at or below it', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 30; round++) {
      const memtable = newMemtable(1 << 16)
      const count = prng.below(300)
      const model = fillRandom(memtable, prng, count)
      for (let i = 0; i < 300; i++) {
        const key = model.length > 0 && prng.chance(0.7) ? prng.pick(model).key : randomKey(prng)
        const sequence = prng.chance(0.3) ? SEQUENCE_MAX : prng.below(count + 2)
        expect(find(memtable, key, sequence), hint).toBe(modelFind(model, key, sequence))
      }
    }
  })

  test('ascending, descending and interleaved runs of keys stay in order', () => {
    const runs: Record<string, (i: number) => string> = {
      ascending: (i) => `a${String(i).padStart(6, '0')}`,
      descending: (i) => `a${String(9999 - i).padStart(6, '0')}`,
      interleaved: (i) => `${'cab'[i % 3]}${String(i).padStart(6, '0')}`,
      repeated: (i) => `a${String(i % 50).padStart(6, '0')}`,
    }
    for (const [name, keyOf] of Object.entries(runs)) {
      const memtable = newMemtable(1 << 20)
      const model: ModelEntry[] = []
      for (let i = 0; i < 3000; i++) {
        const entry = tombstone(utf8(keyOf(i)), i + 1)
        insertEntry(memtable, entry)
        model.push(entry)
      }
      const expected = model.sort(compareEntries).map(describeEntry)
      expect(walk(memtable.cursor(), false), name).toEqual(expected)
    }
  })
})

describe('limits', () => {
  test('the empty key and keys of 64 KiB are keys like others', () => {
    const memtable = newMemtable(1 << 20)
    const long = new Uint8Array(KEY_BYTES_MAX).fill(7)
    const longer = long.with(KEY_BYTES_MAX - 1, 8)
    const model = [
      inlineEntry(long, 1, utf8('long')),
      inlineEntry(new Uint8Array(0), 2, utf8('empty')),
      inlineEntry(longer, 3, new Uint8Array(0)),
      inlineEntry(long.subarray(1), 4, new Uint8Array(65536).fill(9)),
      inlineEntry(Uint8Array.of(0), 5, utf8('zero')),
    ]
    for (const entry of model) insertEntry(memtable, entry)
    for (const entry of model) {
      expect(find(memtable, entry.key, SEQUENCE_MAX)).toBe(describeEntry(entry))
    }
    expect(find(memtable, Uint8Array.of(0, 0), SEQUENCE_MAX)).toBe('none')
    model.sort(compareEntries)
    expect(walk(memtable.cursor(), false)).toEqual(model.map(describeEntry))
  })

  test('an empty memtable has nothing', () => {
    const memtable = newMemtable(0)
    expect(find(memtable, new Uint8Array(0), SEQUENCE_MAX)).toBe('none')
    expect(walk(memtable.cursor(), false)).toEqual([])
    expect(walk(memtable.cursor(), true)).toEqual([])
    const cursor = memtable.cursor()
    cursor.next()
    cursor.previous()
    expect(cursor.valid).toBe(false)
    expect(memtable.freeze()).toMatchObject({ entries: 0, usedBytes: 0, largestSequence: 0 })
  })

  test('sequences above 2^32 and 2^52 and the largest pointers come back exactly', () => {
    const memtable = newMemtable(1 << 16)
    const key = utf8('k')
    const sequences = [
      0,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      2 ** 32 + 1,
      2 ** 52,
      2 ** 52 + 1,
      SEQUENCE_MAX - 1,
      SEQUENCE_MAX,
    ]
    for (const sequence of sequences) {
      const place = { segment: 2 ** 32 - 1, offset: sequence % 2 ** 48, length: 1 }
      memtable.insert(key, keyed({ key, sequence, kind: KIND.pointer, ...place }))
    }
    for (const [i, sequence] of sequences.entries()) {
      const expected = `6b@${sequence} pointer ${2 ** 32 - 1}:${sequence % 2 ** 48}+1`
      expect(find(memtable, key, sequence)).toBe(expected)
      const later = sequences[i + 1]
      if (later !== undefined) expect(find(memtable, key, later - 1)).toBe(expected)
    }
    const other = newMemtable(1 << 10)
    const place = { offset: 2 ** 48 - 1, length: 2 ** 48 - 1 }
    other.insert(key, keyed({ key, sequence: 1, kind: KIND.deferred, ...place }))
    expect(find(other, key, 1)).toBe(`6b@1 deferred 0:${2 ** 48 - 1}+${2 ** 48 - 1}`)
    expect(other.pointedBytes).toBe(2 ** 48 - 1)
  })

  test('a key of many versions is found at each of its sequences', () => {
    const memtable = newMemtable(1 << 20)
    for (let sequence = 1; sequence <= 5000; sequence++) {
      insertEntry(memtable, tombstone(utf8('ahead'.slice(0, 1 + (sequence % 2) * 4)), sequence))
    }
    for (let sequence = 1; sequence <= 5000; sequence++) {
      const newest = sequence % 2 === 1 ? sequence : sequence - 1
      const expected = newest > 0 ? describeEntry(tombstone(utf8('ahead'), newest)) : 'none'
      expect(find(memtable, utf8('ahead'), sequence)).toBe(expected)
    }
    expect(find(memtable, utf8('ahead'), 0)).toBe('none')
  })
})

describe('the arena', () => {
  test('I10: entries stay within the room that was announced, to the brim', () => {
    const prng = new Prng(seed)
    for (let round = 0; round < 60; round++) {
      const bytes = prng.below(20_000)
      const memtable = newMemtable(bytes)
      const model: ModelEntry[] = []
      for (let sequence = 1; ; sequence++) {
        const key = prng.chance(0.1) ? prng.bytes(prng.below(2000)) : randomKey(prng)
        const entry = randomEntry(prng, key, sequence, prng.chance(0.1) ? 3000 : 30)
        const needed = Memtable.bytesNeeded(key.length, entry.value?.length ?? 0)
        const free = memtable.freeBytes
        if (!memtable.hasRoom(needed)) {
          expect(() => insertEntry(memtable, entry), hint).toThrow('room in the arena')
          break
        }
        insertEntry(memtable, entry)
        model.push(entry)
        expect(free - memtable.freeBytes, hint).toBeLessThanOrEqual(needed)
      }
      expect(memtable.usedBytes + memtable.freeBytes, hint).toBe(bytes & ~3)
      model.sort(compareEntries)
      expect(walk(memtable.cursor(), false), hint).toEqual(model.map(describeEntry))
    }
  })

  test('an entry that needs all of the room fits', () => {
    const needed = Memtable.bytesNeeded(16, 1000)
    const memtable = newMemtable(needed)
    expect(memtable.hasRoom(needed)).toBe(true)
    const entry = inlineEntry(new Uint8Array(16), 1, new Uint8Array(1000).fill(1))
    insertEntry(memtable, entry)
    expect(find(memtable, entry.key, 1)).toBe(describeEntry(entry))
  })

  test('the announced room of an entry is what the highest node takes', () => {
    const memtable = newMemtable(32 << 20)
    const key = new Uint8Array(5)
    const entry = keyed({ key, sequence: 0, kind: KIND.pointer, expiresAt: 4 })
    let largest = 0
    for (let sequence = 1; memtable.hasRoom(200); sequence++) {
      new DataView(key.buffer).setUint32(0, sequence)
      const used = memtable.usedBytes
      entry.sequence = sequence
      memtable.insert(key, entry)
      largest = Math.max(largest, memtable.usedBytes - used)
    }
    expect(largest).toBe(Memtable.bytesNeeded(key.length, 0))
  })

  test('the next memtable in an arena holds nothing of the one before', () => {
    const prng = new Prng(seed)
    const arena = createArena(3, 1 << 18)
    const first = new Memtable(arena, LOG_START)
    const old = fillRandom(first, prng, 2000)
    const frozen = first.freeze()
    const second = new Memtable(arena, { ordinal: 9, offset: 64 })
    expect(second).toMatchObject({ entries: 0, tombstones: 0, pointedBytes: 0, usedBytes: 0 })
    expect(walk(second.cursor(), false)).toEqual([])
    for (const { key } of old) expect(find(second, key, SEQUENCE_MAX), hint).toBe('none')
    const model = fillRandom(second, prng, 500)
    expect(walk(second.cursor(), false), hint).toEqual(model.map(describeEntry))
    expect(walk(second.cursor(), true), hint).toEqual(model.map(describeEntry).toReversed())
    for (const { key } of old) {
      expect(find(second, key, SEQUENCE_MAX), hint).toBe(modelFind(model, key, SEQUENCE_MAX))
    }
    // Whoever still holds the first one is told so.
    expect(() => frozenCursor(arena.buffer, frozen)).toThrow('broken invariant')
    expect(() => first.cursor()).toThrow('broken invariant')
  })

  test('is refused in impossible sizes', () => {
    expect(() => createArena(1, ARENA_BYTES_MAX + 1)).toThrow('broken invariant')
    expect(() => createArena(1, -1)).toThrow('broken invariant')
  })
})

describe('freezing', () => {
  test('counts are those of the entries', () => {
    const memtable = newMemtable(1 << 18)
    const model = fillRandom(memtable, new Prng(seed), 1000)
    const pointed = model.reduce((sum, entry) => sum + entry.length, 0)
    const tombstones = model.filter((entry) => entry.kind === KIND.tombstone).length
    const deferred = model
      .filter((entry) => entry.kind === KIND.deferred)
      .reduce((sum, entry) => sum + entry.length, 0)
    const frozen = memtable.freeze()
    expect(frozen, hint).toEqual({
      arenaId: 1,
      generation: 1,
      start: LOG_START,
      entries: 1000,
      tombstones,
      pointedBytes: pointed,
      deferredBytes: deferred,
      usedBytes: memtable.usedBytes,
      ranges: new Uint8Array(0),
      smallestSequence: 1,
      largestSequence: 1000,
    })
    expect(memtable).toMatchObject({ entries: 1000, tombstones, pointedBytes: pointed })
  })

  test('a frozen memtable takes nothing more and is read as before', () => {
    const memtable = newMemtable(1 << 12)
    insertEntry(memtable, tombstone(utf8('a'), 5))
    memtable.freeze()
    expect(() => insertEntry(memtable, tombstone(utf8('b'), 6))).toThrow('frozen')
    expect(find(memtable, utf8('a'), 5)).toBe(describeEntry(tombstone(utf8('a'), 5)))
    expect(walk(memtable.cursor(), false)).toHaveLength(1)
  })

  test('sequences must ascend', () => {
    const memtable = newMemtable(1 << 12)
    insertEntry(memtable, tombstone(utf8('a'), 5))
    expect(() => insertEntry(memtable, tombstone(utf8('b'), 5))).toThrow('sequences ascend')
  })
})
