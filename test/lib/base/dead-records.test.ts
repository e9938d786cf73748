/** Lists of dead records against a plain list, and their bound. */
import { expect, test } from 'vitest'
import { type DeadRecords, DeadRecordsBuilder, NO_DEAD } from '#dist/lib/base/dead-records.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

interface Place {
  readonly segment: number
  readonly offset: number
  readonly length: number
}

function build(places: readonly Place[], recordsMax?: number): DeadRecords {
  const builder = new DeadRecordsBuilder(recordsMax)
  for (const { segment, offset, length } of places) builder.add(segment, offset, length)
  return builder.finish()
}

function unpack({ segments, counts, offsets, lengths }: DeadRecords): Place[] {
  const places: Place[] = []
  segments.forEach((segment, i) => {
    for (let n = 0; n < counts[i]!; n++) {
      const at = places.length
      places.push({ segment, offset: offsets[at]!, length: lengths[at]! })
    }
  })
  expect([offsets.length, lengths.length]).toEqual([places.length, places.length])
  return places
}

const bySegment = (left: Place, right: Place): number => left.segment - right.segment

test('records are grouped by their segments, each as it was added', () => {
  const seed = testSeed()
  const prng = new Prng(seed)
  for (let round = 0; round < 30; round++) {
    const segments = Array.from({ length: 1 + prng.below(40) }, () => 1 + prng.below(2 ** 32 - 1))
    const places = Array.from({ length: prng.below(5000) }, () => ({
      segment: segments[prng.below(segments.length)]!,
      offset: prng.below(2 ** 48),
      length: prng.below(2 ** 48),
    }))
    const dead = build(places)
    expect(unpack(dead), replayHint(seed)).toEqual([...places].sort(bySegment))
    expect([...dead.segments]).toEqual([...new Set(dead.segments)].sort((a, b) => a - b))
  }
})

test('I10: what does not fit is left out', () => {
  const places = Array.from({ length: 3000 }, (_, i) => ({
    segment: 1 + (i % 7),
    offset: i,
    length: i,
  }))
  const dead = build(places, 2500)
  expect(unpack(dead)).toEqual(places.slice(0, 2500).sort(bySegment))
  expect(build(places.slice(0, 3), 0)).toBe(NO_DEAD)
  expect(build([])).toBe(NO_DEAD)
})
