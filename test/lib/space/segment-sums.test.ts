/** Sums of records by segment against a map, over any order of what comes and goes. */
import { expect, test } from 'vitest'
import { SegmentSums } from '#dist/lib/space/segment-sums.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

test('I9: sums and changes are those of a map, however many segments come and go', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  const sums = new SegmentSums()
  const model = new Map<number, { records: number; bytes: number }>()
  const changed = new Set<number>()
  const drawSegment = (): number =>
    // Close together, far apart, and as large as a number may be.
    prng.chance(0.5) ? 1 + prng.below(300) : 2 ** 32 - 1 - 65_536 * prng.below(300)
  for (let i = 0; i < 20_000; i++) {
    const segment = drawSegment()
    const known = model.get(segment)
    if (known !== undefined && prng.chance(0.6)) {
      sums.add(segment, known.records, known.bytes, -1)
      model.delete(segment)
    } else {
      const [records, bytes] = [1 + prng.below(9), prng.below(2 ** 30) * 2 ** 10]
      sums.add(segment, records, bytes, 1)
      const before = known ?? { records: 0, bytes: 0 }
      model.set(segment, { records: before.records + records, bytes: before.bytes + bytes })
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
    expect(added, replayHint(seed)).toEqual(model.get(asked) ?? { records: 0, bytes: 0 })
  }
  for (const [segment, sum] of model) expect(sums.of(segment), replayHint(seed)).toEqual(sum)
})
