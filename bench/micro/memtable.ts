/**
 * Micro-benchmark of the memtable: insert, find, scan. Not a part of `npm run bench`; run it alone
 * on an idle machine: `node dist/bench/micro/memtable.js`. It prints microseconds for one
 * operation, the best of its rounds.
 *
 * It looks below the public face, as micro-benchmarks do: what it measures has none.
 */

import { hashRange } from '../../lib/base/bytes.ts'
import { SEQUENCE_MAX } from '../../lib/base/ids.ts'
import { LOG_START } from '../../lib/base/log-position.ts'
import { Entry, KIND } from '../../lib/tree/entry.ts'
import type { Arena } from '../../lib/tree/memtable/arena.ts'
import { createArena } from '../../lib/tree/memtable/arena.ts'
import { Memtable } from '../../lib/tree/memtable/memtable.ts'
import { measure } from './best-of-rounds.ts'

const KEY_BYTES = 16
const FINDS = 500_000

type KeyShape = 'random' | 'ascending' | 'shared prefix'

/**
 * Keys one behind the other: a million small arrays would themselves miss the processor's caches.
 */
function makeKeys(count: number, shape: KeyShape): Uint8Array {
  const keys = new Uint8Array(count * KEY_BYTES)
  const encoder = new TextEncoder()
  let state = 0x9e3779b9
  for (let i = 0; i < count; i++) {
    const at = i * KEY_BYTES
    state = nextState(state)
    if (shape === 'random') {
      for (let byte = 0; byte < KEY_BYTES; byte++) keys[at + byte] = state = nextState(state)
    } else {
      const number = shape === 'ascending' ? i : (state >>> 0) % 1_000_000_000
      encoder.encodeInto(`user${String(number).padStart(12, '0')}`, keys.subarray(at))
    }
  }
  return keys
}

function copyKey(keys: Uint8Array, index: number, key: Uint8Array): void {
  const at = index * KEY_BYTES
  for (let i = 0; i < KEY_BYTES; i++) key[i] = keys[at + i]!
}

function nextState(state: number): number {
  let next = state
  next ^= next << 13
  next ^= next >>> 17
  next ^= next << 5
  return next | 0
}

function fill(arena: Arena, keys: Uint8Array): Memtable {
  const memtable = new Memtable(arena, LOG_START)
  const key = new Uint8Array(KEY_BYTES)
  const entry = Object.assign(new Entry(), { kind: KIND.pointer, segment: 7, length: 4096 })
  const count = keys.length / KEY_BYTES
  for (let i = 0; i < count; i++) {
    copyKey(keys, i, key)
    entry.sequence = i + 1
    entry.offset = i * 4096
    memtable.insert(key, entry)
  }
  return memtable
}

function findAll(memtable: Memtable, keys: Uint8Array, expected: boolean): void {
  const found = new Entry()
  const key = new Uint8Array(KEY_BYTES)
  const count = keys.length / KEY_BYTES
  for (let i = 0, at = 0; i < FINDS; i++) {
    at = (at + 7919) % count
    copyKey(keys, at, key)
    const hash = hashRange(key, 0, key.length, 0)
    if (memtable.find(key, hash, SEQUENCE_MAX, found) !== expected) throw new Error('wrong result')
  }
}

function scan(memtable: Memtable, reverse: boolean): void {
  const cursor = memtable.cursor()
  let count = 0
  if (reverse) for (cursor.seekToLast(); cursor.valid; cursor.previous()) count++
  else for (cursor.seekToFirst(); cursor.valid; cursor.next()) count++
  if (count !== memtable.entries) throw new Error('wrong count')
}

function seekAll(memtable: Memtable, keys: Uint8Array): void {
  const cursor = memtable.cursor()
  const key = new Uint8Array(KEY_BYTES)
  const count = keys.length / KEY_BYTES
  for (let i = 0, at = 0; i < FINDS; i++) {
    at = (at + 7919) % count
    copyKey(keys, at, key)
    cursor.seek(key, SEQUENCE_MAX)
    if (!cursor.valid) throw new Error('not found')
  }
}

function runCase(arena: Arena, count: number, shape: KeyShape): void {
  const keys = makeKeys(count, shape)
  const missing = makeKeys(count, 'random').map((byte) => byte ^ 0xff)
  let memtable = fill(arena, keys)
  const results = {
    insert: measure(count, () => {
      memtable = fill(arena, keys)
    }),
    find: measure(FINDS, () => findAll(memtable, keys, true)),
    miss: measure(FINDS, () => findAll(memtable, missing, false)),
    seek: measure(FINDS, () => seekAll(memtable, keys)),
    next: measure(count, () => scan(memtable, false)),
    previous: measure(count, () => scan(memtable, true)),
  }
  const cells = Object.entries(results).map(([name, us]) => `${name} ${us.toFixed(3)}`)
  const bytesPerEntry = (memtable.usedBytes / memtable.entries).toFixed(1)
  console.log(`${count} ${shape}: ${cells.join('  ')}  (${bytesPerEntry} bytes an entry)`)
}

const arena = createArena(1, 96 * 1024 * 1024)
const shapes: readonly KeyShape[] = ['random', 'shared prefix', 'ascending']
for (const count of [100_000, 1_000_000]) {
  for (const shape of shapes) runCase(arena, count, shape)
}
