/** What is left of files when steps have been carried out, by figures alone. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { filesAfter } from '#dist/lib/collector/plan/files-after.js'
import { planCollectionSteps } from '#dist/lib/collector/plan/planner.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { replayHint, testSeed } from '../../../support/random.ts'
import { drawnFiles, drawnOptions, EVERYTHING, fileOf, KIB, MIB } from './collectible-files.ts'

const seed = testSeed()

function planned(files: readonly CollectibleFile[], punchHoles = false) {
  const diskBytes = sum(files, ({ diskBytes }) => diskBytes)
  return planCollectionSteps(files, { diskBytes, liveBytes: 1 }, { ...EVERYTHING, punchHoles })
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

test('a rewrite leaves one relocation of the survivors, and nothing where nothing survives', () => {
  const files = [fileOf(1, 16 * MIB, 4 * MIB), fileOf(2, 16 * MIB, 2 * MIB), fileOf(3, MIB, 0)]
  const after = filesAfter(files, planned(files).steps, () => 99)
  expect(after).toMatchObject([
    {
      number: 99,
      kind: 'relocation',
      parts: [{ segment: 2 }, { segment: 1 }],
      deadSegments: [99],
      referencedBytes: 6 * MIB,
      needsSeal: false,
    },
  ])
})

test('a punched file has given all that it can: the same punch is not planned again', () => {
  const large = { recordBytes: 256 * KIB, needsSeal: true }
  const files = [fileOf(1, 64 * MIB, 60 * MIB, large)]
  const { steps } = planned(files, true)
  expect(steps).toMatchObject([{ action: 'punch' }])
  const after = filesAfter(files, steps, () => 99)
  expect(after).toMatchObject([{ number: 1, needsSeal: false, referencedBytesAtPunch: 60 * MIB }])
  expect(after[0]!.diskBytes).toBe(files[0]!.diskBytes - steps[0]!.bytesFreed)
  expect(planned(after, true).steps).toEqual([])
})

test('what is forgotten is in its relocation no more', () => {
  const file = fileOf(9, MIB + 8 * KIB, MIB, { kind: 'relocation' })
  const files = [{ ...file, parts: [{ segment: 1 }, { segment: 2 }], deadSegments: [2, 9] }]
  const { steps } = planned(files)
  expect(steps).toMatchObject([{ action: 'forget', segments: [2] }])
  expect(filesAfter(files, steps, () => 99)).toEqual([
    { ...file, parts: [{ segment: 1 }], deadSegments: [9] },
  ])
})

test(`disk bytes go down by what the plan frees, and nothing that lives is lost (${replayHint(seed)})`, () => {
  const property = fc.property(drawnFiles(24), drawnOptions, (files, options) => {
    const diskBytes = sum(files, (file) => file.diskBytes)
    const { steps, bytesFreed } = planCollectionSteps(files, { diskBytes, liveBytes: 1 }, options)
    let next = 1_000_000
    const after = filesAfter(files, steps, () => next++)
    expect(sum(after, (file) => file.diskBytes)).toBe(diskBytes - bytesFreed)
    // Blocked files are among them: theirs stays, too.
    expect(sum(after, (file) => file.referencedBytes)).toBe(
      sum(files, (file) => file.referencedBytes),
    )
    expect(new Set(after.map(({ number }) => number)).size).toBe(after.length)
  })
  fc.assert(property, { seed: seed | 0, numRuns: 300 })
})
