/** What becomes of small files, and of very many. */
import { describe, expect, test } from 'vitest'
import { atOnce } from '#dist/lib/collector/plan/in-turns.js'
import { planFirstStep } from '#dist/lib/collector/plan/planner.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { relocationFileBytes } from '#dist/vlog/relocation/relocation-format.js'
import {
  BLOCK_BYTES,
  EVERYTHING,
  fileOf,
  KIB,
  MIB,
  PUNCHING,
  plan,
  reasonsOf,
  spaceOf,
  stepsOf,
} from './collectible-files.ts'

describe('small files', () => {
  test('with garbage ride along in a rewrite that has room', () => {
    const victim = fileOf(1, 64 * MIB, 20 * MIB)
    const rider = fileOf(2, 4 * MIB, 3.9 * MIB)
    const full = fileOf(3, relocationFileBytes(MIB / 4, 4 * MIB, 1), 4 * MIB, {
      kind: 'relocation',
      recordBytes: 16,
    })
    expect(reasonsOf(plan([rider]))).toEqual({ 2: 'would free less than it costs' })
    expect(stepsOf(plan([victim, rider, full]))).toEqual(['rewrite 1 2'])
    const room = { ...EVERYTHING, maxCopyBytes: 22 * MIB }
    expect(stepsOf(plan([victim, rider], room))).toEqual(['rewrite 1'])
    const crowded = fileOf(1, 128 * MIB, 62 * MIB)
    expect(stepsOf(plan([crowded, rider]))).toEqual(['rewrite 1'])
  })

  test('are not tried for ever when a rewrite is full: the rest rides with the next one', () => {
    const victim = fileOf(1, 64 * MIB, 20 * MIB)
    const large = Array.from({ length: 70 }, (_, i) => fileOf(i + 2, 7.9 * MIB, 7 * MIB))
    const tiny = fileOf(100, 100 * KIB, 99 * KIB)
    const ridden = (count: number): number[] => {
      const files = [victim, ...large.slice(0, count), tiny]
      const goalDiskBytes = spaceOf(files).diskBytes - 1
      const [step] = plan(files, { ...EVERYTHING, goalDiskBytes }).steps
      return step?.action === 'rewrite' ? step.files.map(({ number }) => number) : []
    }
    // Six of the large ones fill it: then 64 more find no room, or the tiny one is come to before.
    expect(ridden(69)).toEqual([1, 2, 3, 4, 5, 6, 7, 100])
    expect(ridden(70)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('do not make a rewrite cost more than it frees', () => {
    const victim = fileOf(1, 2 * MIB, MIB)
    const riders = [2, 3, 4, 5, 6, 7].map((number) => fileOf(number, 4 * MIB, 3.9 * MIB))
    const planned = plan([victim, ...riders])
    const [step] = planned.steps
    expect(step!.bytesFreed).toBeGreaterThanOrEqual(0.3 * step!.bytesCopied)
    expect(planned.skipped.length).toBeGreaterThan(3)
  })

  test('are merged when there are eight, the active one not counted', () => {
    const small = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => fileOf(number, 410 * KIB, 400 * KIB))
    expect(plan(small).steps).toMatchObject([{ action: 'rewrite', reason: 'merge' }])
    expect(stepsOf(plan(small))).toEqual(['rewrite 1 2 3 4 5 6 7 8'])
    expect(stepsOf(plan(small.slice(1)))).toEqual([])
    expect(stepsOf(plan([...small.slice(1), { ...small[0]!, needsSeal: true }]))).toEqual([])
  })

  test('that take less disk than their survivors would are left alone', () => {
    const squeezed = [1, 2, 3, 4, 5, 6, 7, 8].map((number) =>
      fileOf(number, 410 * KIB, 400 * KIB, { diskBytes: 100 * KIB }),
    )
    expect(stepsOf(plan(squeezed))).toEqual([])
    expect(stepsOf(plan([fileOf(9, 64 * MIB, MIB), ...squeezed]))).toEqual(['rewrite 9'])
  })

  test('whose garbage makes a block only together are rewritten together', () => {
    const tiny = [1, 2, 3].map((number) => fileOf(number, 2 * KIB, KIB, { recordBytes: KIB }))
    expect(plan(tiny).steps).toMatchObject([
      { action: 'rewrite', reason: 'garbage', bytesFreed: 2 * BLOCK_BYTES },
    ])
  })
})

describe('many files', () => {
  /** How often figures of such files are read for the best step alone, per file. */
  function readsPerFile(files: readonly CollectibleFile[]): number {
    let reads = 0
    const watched = files.map(({ referencedBytes, ...rest }) => ({
      ...rest,
      get referencedBytes() {
        reads++
        return referencedBytes
      },
    }))
    const { diskBytes } = spaceOf(files)
    const wanted = { ...PUNCHING, goalDiskBytes: diskBytes - 1 }
    const step = atOnce(planFirstStep(watched, diskBytes, wanted))
    expect(step?.action).toBe('rewrite')
    return reads / files.length
  }

  test.each([
    ['large', 64 * MIB],
    ['small', 100 * KIB],
  ])('%s: each of twenty thousand is looked at as often as each of two hundred', (_what, bytes) => {
    const files = (count: number) =>
      Array.from({ length: count }, (_, i) =>
        fileOf(i + 1, bytes, (bytes / 2) * (1 + (i % 97) / 100)),
      )
    expect(readsPerFile(files(20_000))).toBeLessThan(1.5 * readsPerFile(files(200)) + 1)
  })
})
