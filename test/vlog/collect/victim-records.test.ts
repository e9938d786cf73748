/** Packed records against sorted arrays: order, search, marks, in more than one page and step. */
import { describe, expect, test } from 'vitest'
import { compareBytes } from '#dist/lib/base/bytes.js'
import { emptyVictimRecord } from '#dist/vlog/collect/victim-page.js'
import { VictimRecords } from '#dist/vlog/collect/victim-records.js'
import { RECORD_KIND } from '#dist/vlog/record.js'
import { Prng, replayHint, testSeed } from '../../support/random.ts'

interface Model {
  readonly key: Uint8Array
  readonly sequence: number
  readonly offset: number
}

const FILE = { kind: 'segment' as const, number: 7, salt: 0, length: 2 ** 40 }
const LENGTH = 100

function order(left: Model, right: Model): number {
  return compareBytes(left.key, right.key) || right.sequence - left.sequence
}

function lowerBound(sorted: readonly Model[], probe: Model): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order(sorted[middle]!, probe) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function pack(model: readonly Model[]): { records: VictimRecords; steps: number } {
  const records = new VictimRecords([FILE])
  records.addSegment(7, 0)
  const record = { ...emptyVictimRecord(), segment: 7, length: LENGTH, kind: RECORD_KIND.put }
  for (const { key, sequence, offset } of model) {
    const keyBytes = Uint8Array.from([9, ...key, 9])
    const keyEnd = key.length + 1
    records.add({ ...record, keyBytes, keyStart: 1, keyEnd, sequence, offset, place: offset })
  }
  let steps = 0
  for (const bytes of records.sortSlices()) {
    expect(bytes).toBe(0)
    steps++
  }
  return { records, steps }
}

/** Keys that have much in common, are the beginning of each other, or are written again. */
function randomKeys(prng: Prng, shape: string): () => Uint8Array {
  const common = prng.bytes(prng.below(20))
  return () => {
    if (shape === 'long') return new Uint8Array(prng.pick([0, 50_000, 65_536])).fill(prng.below(3))
    if (shape === 'few') return Uint8Array.from([...common, prng.below(4)])
    if (shape === 'zeros') return Uint8Array.from([...common, ...new Uint8Array(prng.below(12))])
    if (shape === 'numbers') return Buffer.from(`user${String(prng.u32()).padStart(12, '0')}`)
    return prng.bytes(prng.below(24))
  }
}

function* cases(): Generator<[string, number, boolean]> {
  for (const shape of ['random', 'numbers', 'few', 'zeros']) {
    for (const count of [0, 1, 2, 17, 1000, 40_000]) yield [shape, count, false]
    yield [shape, 40_000, true]
  }
  yield ['long', 200, false]
}

describe('packed records', () => {
  for (const [shape, count, sorted] of cases()) {
    test(`${count} of ${shape} keys${sorted ? ' in order' : ''}`, () => {
      const seed = testSeed()
      const prng = new Prng(seed)
      const hint = replayHint(seed)
      const nextKey = randomKeys(prng, shape)
      const model = Array.from({ length: count }, (_, i) => {
        return { key: nextKey(), sequence: i + 1, offset: i * LENGTH }
      })
      const expected = model.toSorted(order)
      const { records, steps } = pack(sorted ? expected : model)
      expect(records.count).toBe(count)
      if (count === 40_000) expect(steps).toBeGreaterThan(sorted ? 4 : 20)

      const record = emptyVictimRecord()
      expected.forEach(({ offset, sequence }, position) => {
        records.loadAt(position, record)
        if (record.offset !== offset || record.sequence !== sequence) {
          expect.fail(`position ${position} has another record ${hint}`)
        }
      })
      for (let i = 0; i < 300; i++) {
        const near = count > 0 && prng.chance(0.7) ? prng.pick(expected) : undefined
        const key = near?.key ?? nextKey()
        const sequence = prng.chance(0.5) ? (near?.sequence ?? 5) : prng.below(count + 2)
        records.probe(key, 0, key.length, sequence)
        const from = prng.below(count + 1)
        const least = lowerBound(expected, { key, sequence, offset: 0 })
        expect(records.reach(from), hint).toBe(Math.max(from, least))
        if (least === count) continue
        const exact = order(expected[least]!, { key, sequence, offset: 0 }) === 0
        expect(records.compare(least) === 0, hint).toBe(exact)
      }
    })
  }

  test('are marked only by a pointer to their own place', () => {
    const key = Buffer.from('k')
    const { records } = pack([{ key, sequence: 1, offset: 500 }])
    expect(records.hasLive).toBe(false)
    expect(records.mark(0, 7, 501, LENGTH)).toBe(false)
    expect(records.mark(0, 8, 500, LENGTH)).toBe(false)
    expect(records.mark(0, 7, 500, LENGTH + 1)).toBe(false)
    expect(records.isLiveAt(0)).toBe(false)
    expect(records.mark(0, 7, 500, LENGTH)).toBe(true)
    expect(records.isLiveAt(0) && records.hasLive).toBe(true)
  })
})
