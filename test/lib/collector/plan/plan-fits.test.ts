/** A plan that was made before is carried out on the files that it saw, or not at all. */
import { expect, test } from 'vitest'
import { checkPlanFits } from '#dist/lib/collector/plan/plan-fits.js'
import type { CollectionPlan } from '#dist/lib/contract/collection.js'
import type { CollectionStep, PlannedFile } from '#dist/lib/contract/collection-plan.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import type { Space } from '#dist/lib/space/space.js'
import { fileOf, MIB } from './collectible-files.ts'

const FILES = [fileOf(1, 16 * MIB, MIB), fileOf(2, 16 * MIB, 0)]

function planned({ number, kind, referencedBytes, diskBytes }: CollectibleFile): PlannedFile {
  return { number, kind, referencedBytes, diskBytes }
}

function check(steps: readonly CollectionStep[], files = FILES, isExposed = true): void {
  const plan = { databaseId: 'aa', steps } as unknown as CollectionPlan
  checkPlanFits(plan, 'aa', { files } as unknown as Space, isExposed)
}

const REWRITE: CollectionStep = {
  action: 'rewrite',
  reason: 'garbage',
  files: [planned(FILES[0]!)],
  bytesFreed: 1,
  bytesCopied: MIB,
  outputBytes: MIB,
}
const FORGET: CollectionStep = { action: 'forget', segments: [2], bytesFreed: 0, bytesCopied: 0 }

test('files as the plan saw them fit', () => {
  expect(() => check([REWRITE, FORGET])).not.toThrow()
})

test.each([
  ['gone', FILES.slice(1)],
  ['of another kind', [{ ...FILES[0]!, kind: 'relocation' as const }, FILES[1]!]],
  ['pointed to less', [fileOf(1, 16 * MIB, MIB / 2), FILES[1]!]],
  ['punched', [{ ...FILES[0]!, diskBytes: MIB }, FILES[1]!]],
  ['blocked', [{ ...FILES[0]!, blocked: 'unflushed' as const }, FILES[1]!]],
])('a plan is stale when a file is %s', (_what, files) => {
  expect(() => check([REWRITE], files)).toThrow(expect.objectContaining({ code: 'WISC_STALE' }))
})

test('segments that are to be forgotten must be there', () => {
  expect(() => check([FORGET], FILES.slice(0, 1))).toThrow(/segments have gone/)
})

test('before the compaction that a plan begins with references may differ, bytes on disk may not', () => {
  const referenced = [fileOf(1, 16 * MIB, 4 * MIB, { blocked: 'unflushed' }), FILES[1]!]
  expect(() => check([REWRITE], referenced, false)).not.toThrow()
  const punched = [{ ...FILES[0]!, diskBytes: MIB }, FILES[1]!]
  expect(() => check([REWRITE], punched, false)).toThrow(/has changed/)
})

test("another database's plan is no plan", () => {
  const plan = { databaseId: 'bb', steps: [] } as unknown as CollectionPlan
  expect(() => checkPlanFits(plan, 'aa', { files: FILES } as unknown as Space, true)).toThrow(
    expect.objectContaining({ code: 'WISC_INVALID_ARGUMENT' }),
  )
})
