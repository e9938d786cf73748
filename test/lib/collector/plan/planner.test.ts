/** The planner of the collector: which step for which file, in which order, and why not. */
import { describe, expect, test } from 'vitest'
import { planCollectionSteps } from '#dist/lib/collector/plan/planner.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'
import { relocationFileBytes } from '#dist/vlog/relocation/relocation-format.js'
import {
  BLOCK_BYTES,
  blocksOf,
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

describe('drops', () => {
  test('what nothing refers to goes first, in one step, whatever the goal is', () => {
    const files = [fileOf(3, MIB, 0), fileOf(1, 9 * MIB, 0), fileOf(2, 64 * MIB, 8 * MIB)]
    const planned = plan(files, { ...EVERYTHING, goalDiskBytes: 2 ** 40 })
    expect(stepsOf(planned)).toEqual(['drop 1 3'])
    expect(planned).toMatchObject({ bytesFreed: 10 * MIB, bytesCopied: 0, peakExtraBytes: 0 })
    expect(planned.after.diskBytes).toBe(65 * MIB)
    expect(reasonsOf(planned)).toEqual({ 2: 'goal reached' })
  })

  test('the active segment is dropped behind the others, if it has more than its successor takes', () => {
    const active = { needsSeal: true }
    expect(plan([fileOf(1, MIB, 0), fileOf(2, MIB, 0, active)]).steps).toMatchObject([
      { action: 'drop', files: [{ number: 1 }] },
      { action: 'drop', files: [{ number: 2 }], seal: true },
    ])
    const empty = plan([fileOf(1, 160, 0, active)])
    expect([stepsOf(empty), reasonsOf(empty)]).toEqual([[], { 1: 'no garbage' }])
  })

  test('a tiny sealed segment, too', () => {
    expect(stepsOf(plan([fileOf(1, 160, 0)]))).toEqual(['drop 1'])
  })

  test('space amplification is null when nothing lives', () => {
    expect(plan([fileOf(1, MIB, 0)]).after).toEqual({ diskBytes: MIB, spaceAmplification: null })
    expect(plan([fileOf(1, MIB, MIB)]).after).toEqual({ diskBytes: 2 * MIB, spaceAmplification: 2 })
  })
})

describe('forgetting', () => {
  const parts = [4, 5, 6].map((segment) => ({ segment }))
  const relocation = { kind: 'relocation', parts, deadSegments: [4, 6, 9] } as const

  test('logical segments of a relocation that live no more, beside one that does', () => {
    const planned = plan([fileOf(9, 9 * MIB, 8 * MIB, relocation), fileOf(1, MIB, 0)])
    expect(stepsOf(planned)).toEqual(['drop 1', 'forget 4 6'])
    expect(reasonsOf(planned)).toEqual({ 9: 'would free less than it costs' })
  })

  test('not when the relocation is rewritten, dropped or blocked', () => {
    expect(plan([fileOf(9, 64 * MIB, 8 * MIB, relocation)]).steps).toMatchObject([
      { action: 'rewrite', outputBytes: relocationFileBytes(2048, 8 * MIB, 1) },
    ])
    const dead = fileOf(9, MIB, 0, { ...relocation, deadSegments: [4, 5, 6, 9] })
    expect(stepsOf(plan([dead]))).toEqual(['drop 9'])
    const busy = fileOf(9, 9 * MIB, 8 * MIB, { ...relocation, blocked: 'busy' })
    expect(stepsOf(plan([busy]))).toEqual([])
  })
})

describe('rewrites', () => {
  test('free what the files take less what the output takes, to the byte', () => {
    const planned = plan([fileOf(1, 64 * MIB, 20 * MIB), fileOf(2, 64 * MIB, 30 * MIB)])
    const outputBytes = relocationFileBytes(50 * 256, 50 * MIB, 2)
    const bytesFreed = 128 * MIB - blocksOf(outputBytes)
    const file = { kind: 'segment', diskBytes: 64 * MIB }
    expect(planned.steps).toEqual([
      {
        action: 'rewrite',
        reason: 'garbage',
        files: [
          { ...file, number: 1, referencedBytes: 20 * MIB },
          { ...file, number: 2, referencedBytes: 30 * MIB },
        ],
        bytesFreed,
        bytesCopied: 50 * MIB,
        outputBytes,
      },
    ])
    expect(planned.peakExtraBytes).toBe(blocksOf(outputBytes))
    expect(planned.after.diskBytes).toBe(129 * MIB - bytesFreed)
  })

  test('outputs are filled with the best, a larger file goes alone', () => {
    const files = [
      fileOf(1, 64 * MIB, 40 * MIB),
      fileOf(2, 64 * MIB, 10 * MIB),
      fileOf(3, 64 * MIB, 30 * MIB),
      fileOf(4, 64 * MIB, 20 * MIB),
      fileOf(5, 900 * MIB, 100 * MIB),
    ]
    expect(stepsOf(plan(files))).toEqual(['rewrite 5', 'rewrite 2 4 3', 'rewrite 1'])
  })

  test('one tiny segment whose garbage makes a block is collected', () => {
    const planned = plan([fileOf(1, 10 * KIB, 3 * KIB, { recordBytes: KIB })])
    expect(planned.steps).toMatchObject([{ action: 'rewrite', bytesFreed: 8 * KIB }])
  })

  test('less than a block is nothing', () => {
    const file = fileOf(1, BLOCK_BYTES + 512, 100, { diskBytes: BLOCK_BYTES + 512 })
    expect(reasonsOf(plan([file]))).toEqual({ 1: 'no garbage' })
  })

  test('the active segment is sealed for it', () => {
    const planned = plan([fileOf(1, MIB, 100 * KIB, { needsSeal: true }), fileOf(2, MIB, MIB / 2)])
    expect(planned.steps).toMatchObject([{ action: 'rewrite', seal: true }])
    expect(plan([fileOf(2, MIB, MIB / 2)]).steps[0]).not.toHaveProperty('seal')
  })

  test('what does not fit in the copy limit is passed over, smaller ones behind it go', () => {
    const files = [
      fileOf(1, 64 * MIB, 10 * MIB),
      fileOf(2, 64 * MIB, 20 * MIB),
      fileOf(3, 16 * MIB, 6 * MIB),
    ]
    const planned = plan(files, { ...EVERYTHING, maxCopyBytes: 18 * MIB })
    expect(stepsOf(planned)).toEqual(['rewrite 1 3'])
    expect(reasonsOf(planned)).toEqual({ 2: 'over the copy limit' })
    const nothing = plan(files, { ...EVERYTHING, maxCopyBytes: 0 })
    expect([nothing.steps, nothing.bytesCopied]).toEqual([[], 0])
  })

  test('the peak counts what earlier steps gave back', () => {
    const files = [fileOf(1, 30 * MIB, 0), fileOf(2, 100 * MIB, 60 * MIB)]
    const outputDisk = blocksOf(relocationFileBytes(60 * 256, 60 * MIB, 1))
    expect(plan(files).peakExtraBytes).toBe(outputDisk - 30 * MIB)
    expect(plan([fileOf(1, 300 * MIB, 0), files[1]!]).peakExtraBytes).toBe(0)
  })
})

describe('holes', () => {
  const large = { recordBytes: MIB }

  test('large dead values are punched, small ones rewritten', () => {
    const files = [fileOf(1, 64 * MIB, 32 * MIB, large), fileOf(2, 64 * MIB, 32 * MIB)]
    const planned = plan(files, PUNCHING)
    expect(stepsOf(planned)).toEqual(['punch 1', 'rewrite 2'])
    expect(planned.steps[0]).toMatchObject({ holes: 32, bytesCopied: 0 })
    const { bytesFreed } = planned.steps[0]!
    expect(bytesFreed).toBeGreaterThan(31.5 * MIB)
    expect(bytesFreed).toBeLessThanOrEqual(32 * MIB)
    expect(stepsOf(plan(files, EVERYTHING))).toEqual(['rewrite 1 2'])
  })

  test('a mark is believed, not the guess', () => {
    const marked = { holeBytes: 8 * MIB, holes: 4 }
    const planned = plan([fileOf(1, 64 * MIB, 48 * MIB, { marked })], PUNCHING)
    expect(planned.steps).toMatchObject([{ action: 'punch', holes: 4, bytesFreed: 8 * MIB }])
    const nothing = { ...large, marked: { holeBytes: 0, holes: 0 } }
    expect(stepsOf(plan([fileOf(1, 64 * MIB, 32 * MIB, nothing)], PUNCHING))).toEqual(['rewrite 1'])
  })

  test('not those that are small, or that give too little of the file', () => {
    const file = fileOf(1, 64 * MIB, 60 * MIB, { marked: { holeBytes: 3 * MIB, holes: 100 } })
    expect(stepsOf(plan([file], PUNCHING))).toEqual(['punch 1'])
    const wide = plan([file], { ...PUNCHING, minimumHoleBytes: 64 * KIB })
    expect(reasonsOf(wide)).toEqual({ 1: 'would free less than it costs' })
    const few = { ...file, marked: { holeBytes: 640 * KIB, holes: 1 } }
    expect(stepsOf(plan([few], PUNCHING))).toEqual([])
  })

  test('a looser goal never copies more', () => {
    const files = [1, 2, 3].map((number) =>
      fileOf(number, 64 * MIB, (36 + 4 * number) * MIB, { recordBytes: 12 * KIB }),
    )
    let copied = Number.POSITIVE_INFINITY
    for (let goal = 0; goal < 200; goal += 5) {
      const { bytesCopied } = plan(files, { ...PUNCHING, goalDiskBytes: goal * MIB })
      expect(bytesCopied).toBeLessThanOrEqual(copied)
      copied = bytesCopied
    }
  })

  test('what was dead at the last punch is not guessed again, whatever came of it', () => {
    const file = fileOf(1, 64 * MIB, 32 * MIB, large)
    const since = (bytes: number): CollectibleFile => ({
      ...file,
      referencedBytesAtPunch: 32 * MIB + bytes,
    })
    expect(stepsOf(plan([file], PUNCHING))).toEqual(['punch 1'])
    const unchanged = planCollectionSteps([since(0)], spaceOf([file]), {
      ...PUNCHING,
      maxCopyBytes: 0,
    })
    expect(stepsOf(unchanged)).toEqual([])
    const { steps } = planCollectionSteps([since(4 * MIB)], spaceOf([file]), {
      ...PUNCHING,
      maxCopyBytes: 0,
    })
    expect(steps).toMatchObject([{ action: 'punch' }])
    expect(steps[0]!.bytesFreed).toBeGreaterThan(3 * MIB)
    expect(steps[0]!.bytesFreed).toBeLessThanOrEqual(4 * MIB)
  })

  test('what was punched before is not counted again', () => {
    const punched = fileOf(1, 64 * MIB, 32 * MIB, { ...large, diskBytes: 32.25 * MIB })
    const planned = plan([punched], PUNCHING)
    expect([stepsOf(planned), reasonsOf(planned)]).toEqual([
      [],
      { 1: 'would free less than it costs' },
    ])
  })

  test('a file that is too long to copy is punched instead', () => {
    const file = fileOf(1, 64 * MIB, 2 * MIB, { recordBytes: 20 * KIB })
    expect(stepsOf(plan([file], PUNCHING))).toEqual(['rewrite 1'])
    expect(stepsOf(plan([file], { ...PUNCHING, maxCopyBytes: MIB }))).toEqual(['punch 1'])
  })
})

describe('the goal', () => {
  test('ends the plan, inside an output too', () => {
    const files = [1, 2, 3].map((number) => fileOf(number, 64 * MIB, (10 + number) * MIB))
    const goalDiskBytes = spaceOf(files).diskBytes - 60 * MIB
    const planned = plan(files, { ...EVERYTHING, goalDiskBytes })
    expect(stepsOf(planned)).toEqual(['rewrite 1 2'])
    expect(reasonsOf(planned)).toEqual({ 3: 'goal reached' })
  })

  test('takes back what a file that joined an earlier output made needless', () => {
    const marked = { holeBytes: 4 * MIB, holes: 100 }
    const files = [
      fileOf(1, 64 * MIB, 10 * MIB),
      fileOf(2, 64 * MIB, 60 * MIB, { marked }),
      fileOf(3, 64 * MIB, 20 * MIB),
    ]
    expect(stepsOf(plan(files, PUNCHING))).toEqual(['rewrite 1 3', 'punch 2'])
    const goalDiskBytes = spaceOf(files).diskBytes - 90 * MIB
    const planned = plan(files, { ...PUNCHING, goalDiskBytes })
    expect(stepsOf(planned)).toEqual(['rewrite 1 3'])
    expect(reasonsOf(planned)).toEqual({ 2: 'goal reached' })
  })

  test('counts for merges', () => {
    const small = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => fileOf(number, 410 * KIB, 400 * KIB))
    expect(plan(small, { ...EVERYTHING, goalDiskBytes: 2 ** 40 }).steps).toEqual([])
  })
})

describe('skipped files', () => {
  test('each has its reason and its figures', () => {
    const files = [
      fileOf(1, 64 * MIB, 64 * MIB - 100),
      fileOf(2, 64 * MIB, 63 * MIB),
      fileOf(3, 64 * MIB, 63 * MIB, { pinnedBytes: 30 * MIB }),
      fileOf(4, 64 * MIB, 63 * MIB, { hiddenBytes: 63 * MIB }),
      fileOf(5, 64 * MIB, 63 * MIB, { hiddenBytes: 8 * MIB, pinnedBytes: 10 * MIB }),
      fileOf(6, 64 * MIB, 0, { blocked: 'corrupt' }),
      fileOf(7, 64 * MIB, MIB, { blocked: 'unflushed' }),
      fileOf(8, 64 * MIB, 63 * MIB, { pinnedBytes: KIB, hiddenBytes: KIB }),
    ]
    const space = { ...spaceOf(files), oldestSnapshot: 77 }
    const planned = planCollectionSteps(files, space, EVERYTHING)
    expect(planned.steps).toEqual([])
    expect(reasonsOf(planned)).toEqual({
      1: 'no garbage',
      2: 'would free less than it costs',
      3: 'pinned by a reader',
      4: 'hidden until a compaction',
      5: 'pinned by a reader',
      6: 'corrupt',
      7: 'unflushed',
      8: 'would free less than it costs',
    })
    expect(planned.skipped[2]).toEqual({
      number: 3,
      reason: 'pinned by a reader',
      exposedGarbageBytes: MIB,
      punchedBytes: 0,
      pinnedBytes: 30 * MIB,
      hiddenBytes: 0,
      oldestSnapshot: 77,
    })
    expect(planned.skipped[3]).not.toHaveProperty('oldestSnapshot')
  })

  test('the index of a relocation is no garbage', () => {
    const totalBytes = relocationFileBytes(1000, 1000 * KIB, 1)
    const more = { kind: 'relocation', recordBytes: KIB } as const
    expect(plan([fileOf(1, totalBytes, 1000 * KIB, more)]).skipped).toMatchObject([
      { reason: 'no garbage', exposedGarbageBytes: totalBytes - 1000 * KIB },
    ])
  })

  test('a rewrite frees a thirty-second of what it copies, however low the target', () => {
    const options = { ...EVERYTHING, targetSpaceAmplification: 1 }
    expect(stepsOf(plan([fileOf(1, 64 * MIB, 63 * MIB)], options))).toEqual([])
    expect(stepsOf(plan([fileOf(1, 64 * MIB, 61 * MIB)], options))).toEqual(['rewrite 1'])
  })
})
