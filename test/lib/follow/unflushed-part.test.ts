/** The part of a memtable behind a checkpoint, against a list of what lies there. */
import { describe, expect, test } from 'vitest'
import { hashRange } from '#dist/lib/base/bytes.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { UnflushedPart } from '#dist/lib/follow/unflushed-part.js'
import { Entry, type EntryCursor, KIND } from '#dist/lib/tree/entry.js'
import { createArena } from '#dist/lib/tree/memtable/arena.js'
import { Memtable } from '#dist/lib/tree/memtable/memtable.js'
import { keyed } from '../../support/parts/array-cursor.ts'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const seed = testSeed()

describe(`a part of a memtable, ${replayHint(seed)}`, () => {
  const prng = new Prng(seed)
  const memtable = new Memtable(createArena(0, 1024 * 1024), { ordinal: 1, offset: 0 })
  const flushed = 150
  const all: { key: string; sequence: number }[] = []
  for (let sequence = 1; sequence <= 300; sequence++) {
    const key = `key${prng.below(40)}`
    const entry = { key: Buffer.from(key), sequence, kind: KIND.inline, value: Buffer.from('v') }
    memtable.insert(entry.key, keyed(entry))
    if (sequence > flushed) all.push({ key, sequence })
  }
  all.sort((a, b) => (a.key === b.key ? b.sequence - a.sequence : a.key < b.key ? -1 : 1))
  const part = new UnflushedPart(memtable, flushed)

  const shown = ({ entry }: EntryCursor): { key: string; sequence: number } => ({
    key: Buffer.from(entry.keyBytes.subarray(entry.keyStart, entry.keyEnd)).toString(),
    sequence: entry.sequence,
  })

  test('shows it from either end', () => {
    const cursor = part.cursor()
    const found: unknown[] = []
    for (cursor.seekToFirst(); cursor.valid; cursor.next()) found.push(shown(cursor))
    expect(found).toEqual(all)
    found.length = 0
    for (cursor.seekToLast(); cursor.valid; cursor.previous()) found.push(shown(cursor))
    expect(found).toEqual(all.toReversed())
  })

  test('finds and seeks in it alone', () => {
    const cursor = part.cursor()
    for (let i = 0; i < 200; i++) {
      const name = `key${prng.below(42)}`
      const key = Buffer.from(name)
      const at = prng.below(320)
      const found = new Entry()
      const expected = all.find(({ key, sequence }) => key === name && sequence <= at)
      const isFound = part.find(key, hashRange(key, 0, key.length, 0), at, found)
      expect(isFound && found.sequence).toBe(expected?.sequence ?? false)
      if (!isFound) expect(found).toEqual(new Entry())
      cursor.seek(key, SEQUENCE_MAX)
      expect(cursor.valid && shown(cursor)).toEqual(all.find(({ key }) => key >= name) ?? false)
      cursor.seekBefore(key)
      expect(cursor.valid && shown(cursor)).toEqual(all.findLast(({ key }) => key < name) ?? false)
    }
  })
})
