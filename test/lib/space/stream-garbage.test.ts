/** Which streams are counted one by one: the longest, however they come and go. */
import { expect, test } from 'vitest'
import { BlockCache } from '#dist/lib/base/files/block-cache.js'
import type { FileNumber } from '#dist/lib/base/ids.js'
import { StreamGarbage } from '#dist/lib/space/stream-garbage.js'
import { EMPTY_VERSION } from '#dist/lib/tree/version/version.js'
import { applyEdit } from '#dist/lib/tree/version/version-builder.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

const seed = testSeed()
const MAX = 20

test('of very many the longest are counted, but for those whose key cannot be read', () => {
  const prng = new Prng(seed)
  const unreadable = new Set<FileNumber>()
  const streamKey = (number: FileNumber): Uint8Array => {
    if (unreadable.has(number)) throw new Error('damaged')
    return Buffer.from(`key${number}`)
  }
  const tables = { get: () => expect.unreachable('there are no tables') }
  const parts = { tables, cache: new BlockCache(0), values: { streamKey } }
  const pointed = { of: () => ({ records: 1, bytes: 100, fingerprint: 0 }) }
  const streams = new StreamGarbage(parts, pointed, MAX)
  const lengths = new Map<FileNumber, number>()
  let version = EMPTY_VERSION
  for (let id = 1; id <= 400; id++) {
    // There are more and more of them, and then fewer.
    const added = Array.from({ length: prng.below(id < 200 ? 6 : 3) }, (_, i) => 10 * id + i)
    const removed = [...lengths.keys()].filter(() => prng.chance(id < 200 ? 0.01 : 0.03))
    for (const number of added) {
      lengths.set(number, 1000 + prng.below(50))
      if (prng.chance(0.1)) unreadable.add(number)
    }
    for (const number of removed) lengths.delete(number)
    const addedFiles = added.map((number) => {
      return { role: 'stream' as const, number, salt: 1, length: lengths.get(number)! }
    })
    const edit = { nextFileNumber: 10 * id + 10, addedFiles, removedSegments: removed }
    version = applyEdit(version, edit, id)
    streams.update(version, { work: Number.POSITIVE_INFINITY })
    const readable = [...lengths].filter(([number]) => !unreadable.has(number))
    readable.sort(([, left], [, right]) => right - left)
    const counted = readable.filter(([number]) => streams.has(number))
    const hint = `${replayHint(seed)} ${id}`
    expect(streams.all.count, hint).toBe(counted.length)
    expect(counted.length, hint).toBeLessThanOrEqual(2 * MAX)
    // Which keys cannot be read is found out by reading them: with the next change others take their place.
    const least = Math.min(MAX / 2, readable.length) - added.length
    if (added.length + removed.length > 0) {
      expect(counted.length, hint).toBeGreaterThanOrEqual(least)
    }
    // None that is left out is longer.
    const sum = (all: typeof readable): number =>
      all.reduce((total, [, length]) => total + length, 0)
    expect(sum(counted), hint).toBe(sum(readable.slice(0, counted.length)))
  }
  expect(lengths.size).toBeGreaterThan(0)
})
