/**
 * The index of a memtable under keys that were chosen to collide: whatever it leaves out is found
 * through the list.
 */

import { expect, test } from 'vitest'
import { hashRange, writeU32 } from '#dist/lib/base/bytes.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { KIND } from '#dist/lib/tree/entry.js'
import { createArena } from '#dist/lib/tree/memtable/arena.js'
import { Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { keyed } from '../../../support/parts/array-cursor.ts'
import { emptyFound } from './memtable-model.ts'

/** Slots of a fresh index, and how far from its home a key is looked for. */
const SLOTS = 4096
const PROBES = 512

/** The odd number that undoes a multiplication modulo 2^32. */
function inverse(factor: number): number {
  let result = factor
  for (let i = 0; i < 5; i++) result = Math.imul(result, 2 - Math.imul(factor, result))
  return result
}

/** The key of four bytes that has this hash: MurmurHash3 backwards. */
function keyOfHash(hash: number): Uint8Array {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, inverse(0xc2b2ae35))
  h ^= (h >>> 13) ^ (h >>> 26)
  h = Math.imul(h, inverse(0x85ebca6b))
  h ^= h >>> 16
  h = Math.imul((h ^ 4) - 0xe6546b64, inverse(5))
  h = (h >>> 13) | (h << 19)
  h = Math.imul(h, inverse(0x1b873593))
  h = (h >>> 15) | (h << 17)
  const key = new Uint8Array(4)
  writeU32(key, 0, Math.imul(h, inverse(0xcc9e2d51)))
  return key
}

/** Keys whose home in the index is this slot, also when it has doubled four times. */
function keysAt(slot: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => keyOfHash((slot | (i << 16)) >>> 0))
}

function insertAll(memtable: Memtable, keys: readonly Uint8Array[], sequence: number): void {
  for (const [i, key] of keys.entries()) {
    memtable.insert(key, keyed({ key, sequence: sequence + i, kind: KIND.tombstone }))
  }
}

/** The sequence of the newest entry at or below `sequence`, or -1. */
function findSequence(memtable: Memtable, key: Uint8Array, sequence: number): number {
  const found = emptyFound()
  memtable.find(key, hashRange(key, 0, key.length, 0), sequence, found)
  return found.sequence
}

/** Checks that the newest entries of the keys have the sequences from `sequence` on. */
function expectAll(memtable: Memtable, keys: readonly Uint8Array[], sequence: number): void {
  for (const [i, key] of keys.entries()) {
    expect(findSequence(memtable, key, SEQUENCE_MAX)).toBe(sequence + i)
  }
}

function newMemtable(): Memtable {
  return new Memtable(createArena(1, 1 << 20), LOG_START)
}

test('a key can be made for a hash', () => {
  for (const hash of [0, 1, 0xffff, 0x12345678, 0xffffffff]) {
    expect(hashRange(keyOfHash(hash), 0, 4, 0)).toBe(hash)
  }
})

test('more keys of one home than the index looks for are found, old and new', () => {
  const memtable = newMemtable()
  const keys = keysAt(7, PROBES + 200)
  insertAll(memtable, keys, 1)
  expectAll(memtable, keys, 1)
  expect(findSequence(memtable, keysAt(7, 2000)[1999]!, SEQUENCE_MAX)).toBe(-1)
  insertAll(memtable, keys, 5000)
  expectAll(memtable, keys, 5000)
  for (const [i, key] of keys.entries()) {
    expect(findSequence(memtable, key, 4999)).toBe(1 + i)
    expect(findSequence(memtable, key, i)).toBe(-1)
  }
})

test('keys that lose their place when the index grows are found', () => {
  const memtable = newMemtable()
  // The first keys fill the end of the slots, the second ones start there and wrap around. Moved in
  // the order of the slots, the second ones come first and push the first ones out of reach.
  const first = keysAt(SLOTS - 400, 400)
  const second = keysAt(SLOTS - 10, 500)
  insertAll(memtable, first, 1)
  insertAll(memtable, second, 1000)
  const others = Array.from({ length: 2500 }, (_, i) => keyOfHash(600 + i))
  insertAll(memtable, others, 2000)
  expectAll(memtable, first, 1)
  expectAll(memtable, second, 1000)
  expectAll(memtable, others, 2000)
})

test('the index grows with its keys and is empty again for the next memtable', () => {
  const arena = createArena(1, 8 << 20)
  const keys = Array.from({ length: 50_000 }, (_, i) => keyOfHash(Math.imul(i, 0x9e3779b9) >>> 0))
  const memtable = new Memtable(arena, LOG_START)
  insertAll(memtable, keys, 1)
  expectAll(memtable, keys, 1)
  const next = new Memtable(arena, LOG_START)
  for (const key of keys) expect(findSequence(next, key, SEQUENCE_MAX)).toBe(-1)
})
