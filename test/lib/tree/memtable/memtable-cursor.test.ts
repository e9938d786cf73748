/**
 * Cursors over memtables against a sorted array: order, boundaries, growth between moves, another
 * thread.
 */

import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { LOG_START } from '#dist/lib/base/log-position.js'
import { createArena } from '#dist/lib/tree/memtable/arena.js'
import type { FrozenMemtable } from '#dist/lib/tree/memtable/memtable.js'
import { frozenCursor, Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import type { ModelEntry } from './memtable-model.ts'
import {
  compareEntries,
  describeCursor,
  describeEntry,
  fillRandom,
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

test('cursors pass every entry in order, forwards and backwards', () => {
  const prng = new Prng(seed)
  for (const count of [0, 1, 2, 10, 2000]) {
    const memtable = newMemtable(1 << 18)
    const expected = fillRandom(memtable, prng, count).map(describeEntry)
    expect(walk(memtable.cursor(), false), hint).toEqual(expected)
    expect(walk(memtable.cursor(), true), hint).toEqual(expected.toReversed())
  }
})

test('seek and seekBefore stop at the right place at all boundaries', () => {
  // All keys of up to three of these bytes; every second one is there, in four versions or so.
  const keys = [new Uint8Array(0)]
  for (const key of keys) {
    if (key.length < 3) keys.push(...[0, 1, 0x80, 0xff].map((byte) => Uint8Array.of(...key, byte)))
  }
  const memtable = newMemtable(1 << 16)
  const model: ModelEntry[] = []
  for (let sequence = 1; sequence <= keys.length * 2; sequence++) {
    const key = keys[2 * ((sequence * 5) % 42)]!
    insertEntry(memtable, tombstone(key, sequence))
    model.push(tombstone(key, sequence))
  }
  model.sort(compareEntries)
  const cursor = memtable.cursor()
  for (const key of keys) {
    for (const sequence of [SEQUENCE_MAX, 80, 20, 1, 0]) {
      const at = model.findIndex((entry) => compareEntries(entry, tombstone(key, sequence)) >= 0)
      cursor.seek(key, sequence)
      expect(describeCursor(cursor)).toBe(at < 0 ? 'invalid' : describeEntry(model[at]!))
      if (!cursor.valid) continue
      cursor.previous()
      expect(describeCursor(cursor)).toBe(at === 0 ? 'invalid' : describeEntry(model[at - 1]!))
    }
    const before = model.findLast((entry) => Buffer.compare(entry.key, key) < 0)
    cursor.seekBefore(key)
    expect(describeCursor(cursor)).toBe(before ? describeEntry(before) : 'invalid')
  }
})

test('a cursor moves either way, also while entries are added around it', () => {
  const prng = new Prng(seed)
  const memtable = newMemtable(1 << 20)
  const cursor = memtable.cursor()
  const model: ModelEntry[] = []
  let at = -1 // in the model; -1 is an invalid cursor
  for (let step = 1; step <= 6000; step++) {
    const action = prng.below(10)
    if (action < 2) {
      const entry = randomEntry(prng, randomKey(prng), step, 10)
      insertEntry(memtable, entry)
      const place = model.findIndex((each) => compareEntries(each, entry) > 0)
      model.splice(place < 0 ? model.length : place, 0, entry)
      if (at >= 0 && place >= 0 && place <= at) at++
    } else if (action < 5) {
      cursor.previous()
      if (at >= 0) at--
    } else if (action < 8) {
      cursor.next()
      if (at >= 0) at = at + 1 < model.length ? at + 1 : -1
    } else if (action === 8) {
      const key = randomKey(prng)
      cursor.seek(key, SEQUENCE_MAX)
      at = model.findIndex((each) => Buffer.compare(each.key, key) >= 0)
    } else {
      cursor.seekToLast()
      at = model.length - 1
    }
    expect(describeCursor(cursor), hint).toBe(at < 0 ? 'invalid' : describeEntry(model[at]!))
  }
})

test('another thread sees what this one sees', async () => {
  const memtable = newMemtable(1 << 20)
  fillRandom(memtable, new Prng(seed), 5000)
  const frozen = memtable.freeze()
  const [forwards, backwards] = await walkInWorker(memtable.arena.buffer, frozen)
  expect(forwards).toHaveLength(5000)
  expect(forwards, hint).toEqual(walk(memtable.cursor(), false))
  expect(backwards, hint).toEqual(walk(memtable.cursor(), true))
  expect(walk(frozenCursor(memtable.arena.buffer, frozen), false)).toEqual(forwards)
})

/**
 * Walks a frozen memtable in a worker thread, which describes entries in the words of {@link walk}.
 */
async function walkInWorker(
  buffer: SharedArrayBuffer,
  frozen: FrozenMemtable,
): Promise<string[][]> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const hex = (bytes, start, end) => Buffer.from(bytes.subarray(start, end)).toString('hex')
    function describe(e) {
      const value = hex(e.valueBytes, e.valueStart, e.valueEnd)
      const pointer = e.segment + ':' + e.offset + '+' + e.length
      const kinds = { 0: 'tombstone', 1: 'inline ' + value, 2: 'pointer ' + pointer, 15: 'deferred ' + pointer }
      return hex(e.keyBytes, e.keyStart, e.keyEnd) + '@' + e.sequence + ' ' + kinds[e.kind]
    }
    import(workerData.module).then(({ frozenCursor }) => {
      const cursor = frozenCursor(workerData.buffer, workerData.frozen)
      const walks = [[], []]
      for (cursor.seekToFirst(); cursor.valid; cursor.next()) walks[0].push(describe(cursor.entry))
      for (cursor.seekToLast(); cursor.valid; cursor.previous()) walks[1].push(describe(cursor.entry))
      parentPort.postMessage(walks)
    })`
  const module = new URL('../../../../dist/lib/tree/memtable/memtable.js', import.meta.url).href
  const worker = new Worker(code, { eval: true, workerData: { module, buffer, frozen } })
  try {
    return await new Promise<string[][]>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
  } finally {
    await worker.terminate()
  }
}
