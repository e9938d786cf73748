/** Files that would be punched are marked before they are, one by one, and no other. */
import { expect, test } from 'vitest'
import { asAsked, optionsOf, planMarked, withMark } from '#dist/lib/collector/exact-plan.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { fileOf, KIB, MIB, PUNCHING, spaceOf, stepsOf } from './plan/collectible-files.ts'

/** With dead values that are large enough for holes; the more lives, the lower its rank. */
function punchable(number: number, livePercent: number): CollectibleFile {
  const referencedBytes = 0.64 * MIB * livePercent
  return fileOf(number, 64 * MIB, referencedBytes, { recordBytes: 256 * KIB })
}

async function plan(
  files: readonly CollectibleFile[],
  mark: (file: CollectibleFile) => CollectibleFile,
  goalDiskBytes = 0,
) {
  const marked: number[] = []
  const planned = await planMarked(
    files,
    spaceOf(files),
    { ...PUNCHING, goalDiskBytes },
    (file) => {
      marked.push(file.number)
      return Promise.resolve(mark(file))
    },
  )
  return { marked, steps: stepsOf(planned), planned }
}

test('what a mark has found is what the plan says', async () => {
  const found = { holeBytes: 8 * MIB, holes: new Array<number>(80) }
  const { marked, steps, planned } = await plan([punchable(1, 80)], (file) => withMark(file, found))
  expect(marked).toEqual([1])
  expect(steps).toEqual(['punch 1'])
  expect(planned.steps[0]).toMatchObject({ holes: 40, bytesFreed: 8 * MIB })
})

test('holes of an earlier punch are among those of a mark, and count no more', () => {
  const punched = { ...punchable(1, 80), diskBytes: 60 * MIB }
  const found = { holeBytes: 6 * MIB, holes: [0, 6 * MIB] }
  expect(withMark(punched, found).marked).toEqual({ holeBytes: 2 * MIB, holes: 1 })
  expect(withMark(punched, { ...found, holeBytes: MIB }).marked?.holeBytes).toBe(0)
})

test('a file that gives less than it seemed makes room for the next best, which is marked then', async () => {
  const files = [punchable(1, 80), punchable(2, 85), punchable(3, 90)]
  const goal = spaceOf(files).diskBytes - 6 * MIB
  const found = (holeBytes: number) => ({ holeBytes, holes: [0, 1] })
  const { marked, steps } = await plan(
    files,
    (file) => withMark(file, found(file.number === 1 ? 0 : 8 * MIB)),
    goal,
  )
  expect(marked).toEqual([1, 2])
  expect(steps).toEqual(['punch 2'])
})

test('files that cannot be punched or read are planned around', async () => {
  const files = [punchable(1, 80), punchable(2, 80), punchable(3, 80)]
  const { marked, steps, planned } = await plan(files, (file) => {
    if (file.number === 1) return { ...file, hasOtherNames: true }
    if (file.number === 2) return { ...file, blocked: 'corrupt' }
    return withMark(file, { holeBytes: 8 * MIB, holes: [0, 1] })
  })
  expect(marked).toEqual([1, 2, 3])
  expect(steps).toEqual(['punch 3'])
  expect(planned.skipped.map(({ number, reason }) => [number, reason])).toEqual([
    [1, 'would free less than it costs'],
    [2, 'corrupt'],
  ])
})

test('files that hold no segment that was asked for are blocked', () => {
  const file = fileOf(9, MIB, 0, { parts: [{ segment: 4 }], deadSegments: [4, 9] })
  for (const asked of [undefined, new Set([4]), new Set([9])])
    expect(asAsked(file, asked)).toBe(file)
  expect(asAsked(file, new Set([5]))).toMatchObject({ blocked: 'not asked for' })
})

test('the goal is the target times what lives', () => {
  const { goalDiskBytes: _, ...rules } = PUNCHING
  expect(optionsOf(rules, { target: 1.5, maxCopyBytes: undefined }, 100)).toEqual({
    ...rules,
    goalDiskBytes: 150,
  })
  expect(optionsOf(rules, { target: 1, maxCopyBytes: 0 }, 100).maxCopyBytes).toBe(0)
})
