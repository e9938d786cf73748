/** The rule of retention against its own words, by brute force. */
import { expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { Retention } from '#dist/lib/tree/compaction/retention.js'
import { KIND } from '#dist/lib/tree/entry.js'
import type { KeySpan } from '#dist/lib/tree/key-span.js'
import { Prng, replayHint, testSeed } from '../../../support/random.ts'

interface Entry {
  readonly sequence: number
  readonly kind: number
}

/** What a reader at `sequence` sees of a key: nothing, or the sequence of a value. */
function visible(entries: readonly Entry[], sequence: number): number | undefined {
  const seen = entries.find((entry) => entry.sequence <= sequence)
  return seen && seen.kind !== KIND.tombstone ? seen.sequence : undefined
}

function survivors(retention: Retention, key: Uint8Array, entries: readonly Entry[]): Entry[] {
  retention.startKey()
  return entries.filter(
    ({ sequence, kind }) =>
      retention.keeps(sequence) &&
      !(kind === KIND.tombstone && retention.dropsTombstone(sequence, key, 0, key.length)),
  )
}

test('I7: readers see the same, nothing unneeded stays, tombstones outlive their elders', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 400; round++) {
    const readable = [
      ...new Set(Array.from({ length: 1 + prng.below(4) }, () => 1 + prng.below(30))),
    ]
    readable.sort((left, right) => left - right)
    const highest = readable[readable.length - 1]!
    const ranges: KeySpan[] = Array.from({ length: prng.below(4) }, () => {
      const from = prng.below(20)
      const largestKey = Uint8Array.of(from + prng.below(6))
      return { smallestKey: Uint8Array.of(from), largestKey, largestExclusive: false }
    })
    ranges.sort((left, right) => compareBytes(left.smallestKey, right.smallestKey))
    const isFlush = prng.chance(0.3)
    const retention = new Retention(readable, isFlush ? undefined : ranges)
    for (let k = 0; k < 20; k++) {
      const key = Uint8Array.of(k)
      const entries = [...new Set(Array.from({ length: prng.below(8) }, () => 1 + prng.below(35)))]
        .sort((left, right) => right - left)
        .map((sequence) => ({ sequence, kind: prng.chance(0.4) ? KIND.tombstone : KIND.pointer }))
      const kept = survivors(retention, key, entries)
      const hint = `round=${round} key=${k} ${replayHint(seed)}`

      // Readers of today, and of any later sequence.
      for (let sequence = 1; sequence <= 40; sequence++) {
        if (sequence <= highest && !readable.includes(sequence)) continue
        expect(visible(kept, sequence), hint).toBe(visible(entries, sequence))
      }
      const hasOlder =
        isFlush ||
        ranges.some(
          ({ smallestKey, largestKey }) =>
            compareBytes(smallestKey, key) <= 0 && compareBytes(key, largestKey) <= 0,
        )
      for (const entry of entries) {
        const isNeeded =
          entry.sequence > highest ||
          readable.some((r) => entries.find(({ sequence }) => sequence <= r) === entry)
        const isDropped =
          entry.kind === KIND.tombstone && entry.sequence <= readable[0]! && !hasOlder
        expect(kept.includes(entry), hint).toBe(isNeeded && !isDropped)
        // A dropped tombstone leaves no older entry of its key behind.
        if (isNeeded && isDropped) {
          expect(
            kept.every(({ sequence }) => sequence > entry.sequence),
            hint,
          ).toBe(true)
        }
      }
    }
  }
})
