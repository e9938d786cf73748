/** Sums of records by segment against a map, over any order of what comes and goes. */
import { expect, test } from 'vitest'
import {
  addSum,
  noReferences,
  ReferenceList,
  type ReferenceSum,
} from '#dist/lib/base/segment-records.js'
import { SegmentSums } from '#dist/lib/space/segment-sums.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

function listOf(segment: number, { records, bytes, fingerprint }: ReferenceSum): ReferenceList {
  const list = new ReferenceList(1)
  list.segments[0] = segment
  list.records[0] = records
  list.bytes[0] = bytes
  list.fingerprints[0] = fingerprint
  return list
}

test('I9: sums and changes are those of a map, however many segments come and go', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const sums = new SegmentSums()
  const model = new Map<number, ReferenceSum>()
  const changed = new Set<number>()
  const drawSegment = (): number =>
    // Close together, far apart, and as large as a number may be.
    prng.chance(0.5) ? 1 + prng.below(300) : 2 ** 32 - 1 - 65_536 * prng.below(300)
  for (let i = 0; i < 20_000; i++) {
    const segment = drawSegment()
    const known = model.get(segment)
    if (known !== undefined && prng.chance(0.6)) {
      sums.add(listOf(segment, known), 0, -1)
      model.delete(segment)
    } else {
      const bytes = prng.below(2 ** 30) * 2 ** 10
      const added = { records: 1 + prng.below(9), bytes, fingerprint: prng.below(2 ** 32) | 0 }
      sums.add(listOf(segment, added), 0, 1)
      const sum = known ?? noReferences()
      addSum(sum, added)
      model.set(segment, sum)
    }
    changed.add(segment)
    for (let takes = prng.chance(0.02) ? prng.below(400) : 0; takes > 0; takes--) {
      const taken = sums.takeChanged()
      if (taken === undefined) expect(changed.size, replayHint(seed)).toBe(0)
      else expect(changed.delete(taken), replayHint(seed)).toBe(true)
    }
    const asked = drawSegment()
    expect(sums.of(asked), replayHint(seed)).toEqual(model.get(asked))
    const added = { records: 0, bytes: 0 }
    expect(sums.addTo(added, asked), replayHint(seed)).toBe(model.has(asked))
    const { records, bytes } = model.get(asked) ?? noReferences()
    expect(added, replayHint(seed)).toEqual({ records, bytes })
  }
  for (const [segment, sum] of model) expect(sums.of(segment), replayHint(seed)).toEqual(sum)
})
