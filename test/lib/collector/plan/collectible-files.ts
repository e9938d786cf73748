/** Value-log files for tests of the planner, by hand and drawn, and what a plan says of them in few words. */
import fc from 'fast-check'
import { planCollectionSteps, type SpaceFigures } from '#dist/lib/collector/plan/planner.js'
import type { PlannerOptions } from '#dist/lib/collector/plan/planning-rules.js'
import type { BlockedReason, CollectionSteps } from '#dist/lib/contract/collection-plan.js'
import type { CollectibleFile } from '#dist/lib/space/figures.js'

export const KIB = 1024
export const MIB: number = 1024 * KIB
export const BLOCK_BYTES: number = 4 * KIB
const SEGMENT_BYTES: number = 64 * MIB

/** Collects all that is worth it, without holes. */
export const EVERYTHING: PlannerOptions = {
  goalDiskBytes: 0,
  segmentBytes: SEGMENT_BYTES,
  smallFileBytes: SEGMENT_BYTES / 8,
  targetSpaceAmplification: 1.3,
  punchHoles: false,
  minimumHoleBytes: BLOCK_BYTES,
  holeCostBytes: 10 * KIB,
}

export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

interface FileSketch extends Partial<Omit<CollectibleFile, 'number'>> {
  readonly recordBytes?: number
}

/** A segment that holds one record of 4 KiB for each 4 KiB that is referenced, unless told else. */
export function fileOf(
  number: number,
  totalBytes: number,
  referencedBytes: number,
  { recordBytes = 4 * KIB, ...more }: FileSketch = {},
): CollectibleFile {
  const referencedRecords = Math.ceil(referencedBytes / recordBytes)
  return {
    number,
    kind: 'segment',
    parts: [],
    deadSegments: referencedRecords === 0 ? [number] : [],
    totalBytes,
    referencedRecords,
    referencedBytes,
    diskBytes: blocksOf(totalBytes),
    blockBytes: BLOCK_BYTES,
    needsSeal: false,
    ...more,
  }
}

export const PUNCHING: PlannerOptions = { ...EVERYTHING, punchHoles: true }

export function spaceOf(files: readonly CollectibleFile[]): SpaceFigures {
  const diskBytes = files.reduce((sum, file) => sum + file.diskBytes, 0) + MIB
  return { diskBytes, liveBytes: files.reduce((sum, file) => sum + file.referencedBytes, 0) }
}

export function plan(
  files: readonly CollectibleFile[],
  options: PlannerOptions = EVERYTHING,
): CollectionSteps {
  return planCollectionSteps(files, spaceOf(files), options)
}

/** Each step in a few words: 'rewrite 3 4', 'punch 7', 'forget 5'. */
export function stepsOf(planned: CollectionSteps): string[] {
  return planned.steps.map((step) => {
    if (step.action === 'forget') return `forget ${step.segments.join(' ')}`
    const files = step.action === 'punch' ? [step.file] : step.files
    return `${step.action} ${files.map((file) => file.number).join(' ')}`
  })
}

export function reasonsOf(planned: CollectionSteps): Record<number, string> {
  return Object.fromEntries(planned.skipped.map(({ number, reason }) => [number, reason]))
}

const BLOCKED: readonly BlockedReason[] = [
  'unsealed',
  'unflushed',
  'corrupt',
  'busy',
  'not asked for',
]

/** Lengths from a few bytes to some segments, with all orders of magnitude. */
const someBytes = fc
  .tuple(fc.integer({ min: 0, max: 27 }), fc.double({ min: 1, max: 2, noNaN: true }))
  .map(([exponent, factor]) => Math.floor(2 ** exponent * factor))

/** Once in six. */
function seldom<T, U>(drawn: fc.Arbitrary<T>, otherwise: U): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 1, arbitrary: drawn }, { weight: 5, arbitrary: fc.constant(otherwise) })
}

const share = fc.double({ min: 0, max: 1, noNaN: true })

function drawnFile(number: number): fc.Arbitrary<CollectibleFile> {
  return fc
    .record({
      isRelocation: fc.boolean(),
      recordBytes: someBytes.map((bytes) => 64 + Math.min(bytes, 8 * MIB)),
      liveRecords: fc.nat(9).chain((tenth) => fc.integer({ min: tenth && 1, max: tenth && 400 })),
      deadBytes: fc.oneof(fc.constant(0), someBytes, someBytes, someBytes),
      punchedShare: fc.oneof(fc.constant(0), share),
      pinnedShare: fc.oneof(fc.constant(0), share),
      hiddenShare: fc.oneof(fc.constant(0), share),
      blocked: seldom(fc.constantFrom(...BLOCKED), undefined),
      markedHoles: seldom(fc.integer({ min: 0, max: 50 }), undefined),
    })
    .map((draw) => {
      const referencedBytes = draw.liveRecords * draw.recordBytes
      const overheadBytes = draw.isRelocation ? 170 + 13 * draw.liveRecords : 160
      const totalBytes = referencedBytes + draw.deadBytes + overheadBytes
      const punchable = Math.floor((draw.deadBytes * draw.punchedShare) / BLOCK_BYTES) * BLOCK_BYTES
      const pinnedBytes = Math.floor(referencedBytes * draw.pinnedShare)
      const forgotten = draw.isRelocation ? [number + 5000] : []
      const holeBytes = blocksOf(Math.max(0, draw.deadBytes - punchable - BLOCK_BYTES))
      return {
        number,
        kind: draw.isRelocation ? ('relocation' as const) : ('segment' as const),
        parts: forgotten.map((segment) => ({ segment })),
        deadSegments: [...(draw.liveRecords === 0 ? [number] : []), ...forgotten],
        referencedRecords: draw.liveRecords,
        referencedBytes,
        totalBytes,
        diskBytes: blocksOf(totalBytes) - punchable,
        blockBytes: BLOCK_BYTES,
        needsSeal: false,
        pinnedBytes,
        hiddenBytes: Math.floor((referencedBytes - pinnedBytes) * draw.hiddenShare),
        ...(draw.blocked === undefined ? {} : { blocked: draw.blocked }),
        ...(draw.markedHoles === undefined
          ? {}
          : { marked: { holes: draw.markedHoles, holeBytes: draw.markedHoles && holeBytes } }),
      }
    })
}

/** Up to so many files with ascending numbers; sometimes the last one is the active segment. */
export function drawnFiles(maxLength: number): fc.Arbitrary<CollectibleFile[]> {
  return fc
    .tuple(fc.integer({ min: 0, max: maxLength }), fc.boolean())
    .chain(([count, hasActive]) =>
      fc
        .tuple(...Array.from({ length: count }, (_, index) => drawnFile(index + 1)))
        .map((files) =>
          files.map((file) =>
            hasActive && file.number === count && file.kind === 'segment'
              ? { ...file, needsSeal: true }
              : file,
          ),
        ),
    )
}

export const drawnOptions: fc.Arbitrary<PlannerOptions> = fc
  .record({
    goalDiskBytes: fc.oneof(fc.constant(0), fc.integer({ min: MIB, max: 1024 * MIB })),
    segmentBytes: fc.constantFrom(MIB, 8 * MIB, SEGMENT_BYTES),
    targetSpaceAmplification: fc.constantFrom(1, 1.05, 1.3, 2),
    maxCopyBytes: fc.oneof(fc.constant(undefined), someBytes),
    punchHoles: fc.boolean(),
    minimumHoleBytes: fc.constantFrom(BLOCK_BYTES, 64 * KIB),
    holeCostBytes: fc.constantFrom(KIB, 10 * KIB, MIB),
  })
  .map(({ maxCopyBytes, ...drawn }) => {
    const options = { ...drawn, smallFileBytes: drawn.segmentBytes / 8 }
    return maxCopyBytes === undefined ? options : { ...options, maxCopyBytes }
  })
