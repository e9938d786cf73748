/** Steps of a plan from the planner's moves, and the room that they take at their peak. Pure. */

import type {
  CollectionStep,
  DropStep,
  ForgetStep,
  PlannedFile,
  PunchStep,
  RewriteStep,
} from '../../contract/collection-plan.ts'
import type { CollectibleFile } from '../../space/figures.ts'
import {
  isRewriteWorthIt,
  outputBytes,
  type PunchEstimate,
  type RewriteSums,
  rewriteBytesFreed,
} from './costs.ts'
import { type InTurns, visitInTurns } from './in-turns.ts'
import type { PlannerOptions } from './planning-rules.ts'

/** A punch of one file. */
interface Punch {
  readonly action: 'punch'
  readonly file: CollectibleFile
  readonly estimate: PunchEstimate
}

/** A rewrite that files are still added to. */
export interface Output {
  readonly action: 'rewrite'
  readonly files: CollectibleFile[]
  input: RewriteSums
}

export type Move = Punch | Output

export function movedFiles(move: Move): readonly CollectibleFile[] {
  return move.action === 'punch' ? [move.file] : move.files
}

export function moveBytesFreed(move: Move): number {
  return move.action === 'punch' ? move.estimate.bytesFreed : rewriteBytesFreed(move.input)
}

function plannedFile(file: CollectibleFile): PlannedFile {
  const { number, kind, referencedBytes, diskBytes } = file
  return { number, kind, referencedBytes, diskBytes }
}

function sealOf(files: readonly CollectibleFile[]): { readonly seal?: true } {
  return files.some((file) => file.needsSeal) ? { seal: true } : {}
}

/** What has to be sealed first comes last, and alone: a full disk may have no room for that. */
export function dropSteps(dropped: readonly CollectibleFile[]): DropStep[] {
  const groups = [
    dropped.filter((file) => !file.needsSeal),
    ...dropped.filter((file) => file.needsSeal).map((file) => [file]),
  ]
  return groups
    .filter((files) => files.length > 0)
    .map((files) => ({
      action: 'drop',
      files: files.map(plannedFile),
      bytesFreed: sumOf(files, (file) => file.diskBytes),
      bytesCopied: 0,
      ...sealOf(files),
    }))
}

/** A rewrite forgets by itself what has no survivors. @param rewritten files */
export function* forgetSteps(
  files: readonly CollectibleFile[],
  rewritten: ReadonlySet<number>,
): InTurns<ForgetStep[]> {
  const segments: number[] = []
  yield* visitInTurns(files, (file) => {
    if (file.kind !== 'relocation' || rewritten.has(file.number)) return
    for (const segment of file.deadSegments) {
      // Its own number it has as long as it is there.
      if (segment !== file.number) segments.push(segment)
    }
  })
  if (segments.length === 0) return []
  segments.sort((left, right) => left - right)
  return [{ action: 'forget', segments, bytesFreed: 0, bytesCopied: 0 }]
}

export function moveSteps(
  moves: readonly Move[],
  options: PlannerOptions,
): (PunchStep | RewriteStep)[] {
  return moves.map((move) =>
    move.action === 'punch' ? punchStep(move) : rewriteStep(move, options),
  )
}

function punchStep({ file, estimate }: Punch): PunchStep {
  return {
    action: 'punch',
    file: plannedFile(file),
    holes: estimate.holes,
    bytesFreed: estimate.bytesFreed,
    bytesCopied: 0,
    ...sealOf([file]),
  }
}

function rewriteStep({ files, input }: Output, options: PlannerOptions): RewriteStep {
  return {
    action: 'rewrite',
    reason: isRewriteWorthIt(input, options) ? 'garbage' : 'merge',
    files: files.map(plannedFile),
    bytesFreed: rewriteBytesFreed(input),
    bytesCopied: input.copiedBytes,
    outputBytes: outputBytes(input),
    ...sealOf(files),
  }
}

/** Steps run one at a time; only a rewrite takes space before it gives any. */
export function peakExtraBytes(steps: readonly CollectionStep[]): number {
  let peak = 0
  let extra = 0
  for (const step of steps) {
    if (step.action === 'rewrite') {
      const victimBytes = sumOf(step.files, (file) => file.diskBytes)
      peak = Math.max(peak, extra + victimBytes - step.bytesFreed)
    }
    extra -= step.bytesFreed
  }
  return peak
}

export function sumOf<T>(items: readonly T[], bytesOf: (item: T) => number): number {
  return items.reduce((sum, item) => sum + bytesOf(item), 0)
}
