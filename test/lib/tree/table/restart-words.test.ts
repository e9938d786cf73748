/** Lookups in a cached block that is used again, which has words for its restart points. */
import { expect, test } from 'vitest'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import { SEQUENCE_MAX } from '#dist/lib/base/ids.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'
import { compareEntries, inlineEntry } from '../memtable/memtable-model.ts'
import { buildTable, find, modelFind, openTable, tableOptions } from './table-model.ts'

const seed = testSeed()
const hint = replayHint(seed)

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

test('I6: again and again they find the newest entry at or below a sequence, whatever keys have in common', () => {
  const prng = new Prng(seed)
  const text = (family: number, i: number): string => {
    // All within four bytes; nothing but length; the first ones apart from the others, or the last one; versions.
    const families = [
      `key ${100 + i}`,
      'a'.repeat(i),
      i < 9 ? `first zzzzzzz ${i}` : `same same ${1000 + i}`,
    ]
    return [...families, i === 99 ? 'z' : `many ${1000 + i}`, `few ${i >> 5}`][family]!
  }
  for (let family = 0; family < 5; family++) {
    const keys = Array.from({ length: 100 }, (_, i) => utf8(text(family, i)))
    const entries = keys.map((key, i) =>
      inlineEntry(key, 1 + prng.below(50) + 50 * (i % 32), utf8(`${i}`)),
    )
    const model = entries.sort(compareEntries)
    const reader = openTable(buildTable(model, tableOptions(65536, 0)))
    const cache = new BlockCache(2 ** 20)
    const asked = [
      ...keys,
      ...keys.map((key) => utf8(`${Buffer.from(key)}\0`)),
      utf8('b'),
      utf8('zz'),
    ]
    for (let round = 0; round < 3; round++) {
      for (const key of asked) {
        const sequence = prng.pick([SEQUENCE_MAX, prng.below(1700)])
        expect(find(reader, cache, key, sequence), hint).toBe(modelFind(model, key, sequence))
      }
    }
  }
})
