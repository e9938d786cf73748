/** What is a small file: an eighth of a segment, as segments of this store are. */
import { expect, test } from 'vitest'
import { NumberMap } from '#dist/lib/base/number-map.js'
import { planningRules } from '#dist/lib/collector/plan/planning-rules.js'
import type { ValueLogFile } from '#dist/lib/tree/version/version-edit.js'

const MIB = 1024 * 1024

function smallFileBytes(segmentBytes: number, lengths: readonly number[]): number {
  const known = lengths.map((length, i): [number, ValueLogFile] => {
    const number = i + 1
    const seal = { length, lastSequence: number }
    return [number, { role: 'log', number, salt: 7, ordinal: number, seal }]
  })
  const files = NumberMap.from(known)
  const settings = { segmentBytes, punchHoles: true, prefer: 'balanced' } as const
  return planningRules(settings, { files }, 1.3).smallFileBytes
}

test('an eighth of the longest segment that was written, and of 4 MiB at least', () => {
  expect(smallFileBytes(64 * MIB, [MIB, 24 * MIB, 16 * MIB])).toBe(3 * MIB)
  expect(smallFileBytes(64 * MIB, [MIB])).toBe(MIB / 2)
  expect(smallFileBytes(64 * MIB, [])).toBe(MIB / 2)
})

test('an eighth of the option where that is less, or a segment is full', () => {
  expect(smallFileBytes(MIB, [MIB / 2])).toBe(MIB / 8)
  expect(smallFileBytes(16 * MIB, [64 * MIB])).toBe(2 * MIB)
  expect(smallFileBytes(64 * MIB, [MIB, 57 * MIB])).toBe(8 * MIB)
  expect(smallFileBytes(64 * MIB, [57 * MIB, MIB])).toBe(8 * MIB)
})
