/** What holds of every plan of the collector, whatever the files. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Candidates } from '#dist/lib/collector/plan/candidates.js'
import { atOnce } from '#dist/lib/collector/plan/in-turns.js'
import {
  firstStepOf,
  planCollectionSteps,
  planFirstStep,
} from '#dist/lib/collector/plan/planner.js'
import type { PlannerOptions } from '#dist/lib/collector/plan/planning-rules.js'
import type { CollectionStep, CollectionSteps } from '#dist/lib/contract/collection-plan.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { replayHint, testSeed } from '../../../support/random.ts'
import { drawnFiles, drawnOptions, fileOf, MIB } from './collectible-files.ts'

const seed = testSeed()
const FILES_MAX = 24
const RUNS = 400

function plan(files: readonly CollectibleFile[], options: PlannerOptions): CollectionSteps {
  const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, MIB)
  const liveBytes = files.reduce((sum, file) => sum + file.referencedBytes, 0)
  return planCollectionSteps(files, { diskBytes, liveBytes }, options)
}

function numbersOf(step: CollectionStep): number[] {
  if (step.action === 'forget') return []
  return step.action === 'punch' ? [step.file.number] : step.files.map((file) => file.number)
}

function check(
  what: string,
  property: (files: CollectibleFile[], options: PlannerOptions) => void,
): void {
  test(`${what} (${replayHint(seed)})`, () => {
    fc.assert(fc.property(drawnFiles(FILES_MAX), drawnOptions, property), {
      seed: seed | 0,
      numRuns: RUNS,
    })
  })
}

check('never more is copied than the limit', (files, options) => {
  const { bytesCopied, steps } = plan(files, options)
  expect(bytesCopied).toBe(steps.reduce((sum, step) => sum + step.bytesCopied, 0))
  expect(bytesCopied).toBeLessThanOrEqual(options.maxCopyBytes ?? Number.POSITIVE_INFINITY)
})

check('disk bytes afterwards are those before less what each step frees', (files, options) => {
  const { bytesFreed, after, steps, peakExtraBytes } = plan(files, options)
  const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, MIB)
  expect(after.diskBytes).toBe(diskBytes - bytesFreed)
  expect(bytesFreed).toBe(steps.reduce((sum, step) => sum + step.bytesFreed, 0))
  for (const step of steps) expect(step.bytesFreed).toBeGreaterThanOrEqual(0)
  expect(peakExtraBytes).toBeGreaterThanOrEqual(0)
})

check('every file is in one step or skipped once', (files, options) => {
  const { steps, skipped } = plan(files, options)
  const numbers = [...steps.flatMap(numbersOf), ...skipped.map((file) => file.number)]
  expect(numbers.sort((left, right) => left - right)).toEqual(files.map((file) => file.number))
})

check('drops and forgets come first, and the rest is in order of rank', (files, options) => {
  const actions = plan(files, options).steps.map((step) => step.action)
  const order = { drop: 0, forget: 1, punch: 2, rewrite: 2 }
  const ranks = actions.map((action) => order[action])
  expect(ranks).toEqual(ranks.toSorted())
})

check('all that nothing refers to is dropped, all else is not', (files, options) => {
  const drops = plan(files, options).steps.filter((step) => step.action === 'drop')
  const droppable = files.filter(
    (file) =>
      file.blocked === undefined &&
      file.referencedRecords === 0 &&
      (!file.needsSeal || file.diskBytes > file.blockBytes),
  )
  const numbers = drops.flatMap(numbersOf).sort((left, right) => left - right)
  expect(numbers).toEqual(droppable.map((file) => file.number))
})

check('a rewrite of garbage is worth it; its output is one segment at most', (files, options) => {
  const share = Math.max(options.targetSpaceAmplification - 1, 1 / 32)
  for (const step of plan(files, options).steps) {
    if (step.action !== 'rewrite') continue
    if (step.files.length > 1) expect(step.bytesCopied).toBeLessThanOrEqual(options.segmentBytes)
    if (step.reason === 'merge') {
      expect(step.files.length).toBeGreaterThanOrEqual(8)
      continue
    }
    expect(step.bytesFreed).toBeGreaterThanOrEqual(share * step.bytesCopied)
    expect(step.bytesFreed).toBeGreaterThanOrEqual(4096)
  }
})

check('it stops when the goal is reached: the last step is needed', (files, options) => {
  const { steps, after } = plan(files, options)
  const last = steps.at(-1)
  if (last === undefined || last.action === 'drop' || last.action === 'forget') return
  expect(after.diskBytes + last.bytesFreed).toBeGreaterThan(options.goalDiskBytes)
})

check('it does not stop before: short of the goal it does all that there is', (files, options) => {
  const planned = plan(files, options)
  if (planned.after.diskBytes <= options.goalDiskBytes) return
  expect(planned).toEqual(plan(files, { ...options, goalDiskBytes: 0 }))
  expect(planned.skipped.filter(({ reason }) => reason === 'goal reached')).toEqual([])
})

check('without a limit nothing is over it', (files, { maxCopyBytes: _, ...options }) => {
  const reasons = plan(files, options).skipped.map((file) => file.reason)
  expect(reasons).not.toContain('over the copy limit')
})

check('a plan is plain JSON', (files, options) => {
  const planned = plan(files, options)
  expect(JSON.parse(JSON.stringify(planned))).toStrictEqual(planned)
})

check('blocked and poor files change nothing but their own line', (files, options) => {
  const space = { diskBytes: 2 ** 40, liveBytes: 1 }
  const shift = files.map((file) => ({ ...file, number: file.number + 2 }))
  const blocked = fileOf(1, 64 * MIB, 0, { blocked: 'corrupt' })
  const poor = fileOf(2, 64 * MIB, 64 * MIB - 100)
  const busy = fileOf(9000, 64 * MIB, MIB, { blocked: 'busy' })
  const planned = planCollectionSteps(shift, space, options)
  const among = planCollectionSteps([blocked, poor, ...shift, busy], space, options)
  expect(among).toEqual({
    ...planned,
    skipped: [
      expect.objectContaining({ number: 1, reason: 'corrupt' }),
      expect.objectContaining({ number: 2, reason: 'no garbage' }),
      ...planned.skipped,
      expect.objectContaining({ number: 9000, reason: 'busy' }),
    ],
  })
})

test(`the order of the files does not matter (${replayHint(seed)})`, () => {
  const shuffled = drawnFiles(FILES_MAX).chain((files) =>
    fc.tuple(
      fc.constant(files),
      fc.shuffledSubarray(files, { minLength: files.length, maxLength: files.length }),
    ),
  )
  const property = fc.property(shuffled, drawnOptions, ([files, others], options) => {
    expect(plan(others, options)).toEqual(plan(files, options))
  })
  fc.assert(property, { seed: seed | 0, numRuns: RUNS })
})

check(
  'several drafts of the same candidates are those that each would be alone',
  (files, options) => {
    const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, MIB)
    const wanted = { ...options, goalDiskBytes: diskBytes - 1, maxCopyBytes: 64 * MIB }
    const alone = (among: typeof files, maxCopyBytes: number) =>
      atOnce(planFirstStep(among, diskBytes, { ...wanted, maxCopyBytes }))
    const candidates = atOnce(Candidates.of(files, wanted))
    const fitting = atOnce(firstStepOf(candidates, diskBytes, { maxCopyBytes: 10 * MIB }))
    expect(fitting).toEqual(alone(files, 10 * MIB))
    const best = atOnce(firstStepOf(candidates, diskBytes))
    expect(best).toEqual(alone(files, 64 * MIB))
    if (best?.action !== 'rewrite') return
    const taken = new Set(best.files.map(({ number }) => number))
    const others = files.filter(({ number }) => !taken.has(number))
    const second = atOnce(firstStepOf(candidates, diskBytes, { besides: best }))
    expect(second).toEqual(alone(others, 64 * MIB))
  },
)

check('the first step alone is that of the whole plan', (files, options) => {
  const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, MIB)
  const goals = [options.goalDiskBytes, diskBytes - 1]
  for (const goalDiskBytes of goals) {
    const wanted = { ...options, goalDiskBytes }
    expect(atOnce(planFirstStep(files, diskBytes, wanted))).toEqual(plan(files, wanted).steps[0])
  }
})
