/** Files of the value log as they will be when steps of a plan have been carried out. Pure. */

import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import { plannedFiles } from '../../contract/collection.ts'
import type { CollectionStep, PlannedFile } from '../../contract/collection-plan.ts'
import { type CollectibleFile, heldSegments } from '../../space/figures.ts'
import { addRewriteSums, outputBytes, rewriteSums } from './costs.ts'

/** @param newNumber numbers a file that a rewrite makes */
export function filesAfter(
  files: readonly CollectibleFile[],
  steps: readonly CollectionStep[],
  newNumber: () => number,
): CollectibleFile[] {
  const present = new Map(files.map((file) => [file.number, file]))
  for (const step of steps) {
    if (step.action === 'forget') forget(present, new Set(step.segments))
    else if (step.action === 'punch') punch(present, step.file, step.bytesFreed)
    else {
      const victims = plannedFiles(step).map(({ number }) => present.get(number)!)
      for (const { number } of victims) present.delete(number)
      if (step.action === 'drop') continue
      const output = rewritten(victims, newNumber())
      if (output.referencedRecords > 0) present.set(output.number, output)
    }
  }
  return [...present.values()]
}

function forget(present: Map<number, CollectibleFile>, forgotten: ReadonlySet<number>): void {
  for (const file of present.values()) {
    const isKept = (segment: SegmentNumber): boolean => !forgotten.has(segment)
    const parts = file.parts.filter(({ segment }) => isKept(segment))
    if (parts.length === file.parts.length) continue
    present.set(file.number, { ...file, parts, deadSegments: file.deadSegments.filter(isKept) })
  }
}

/** All that it could give is given. */
function punch(
  present: Map<number, CollectibleFile>,
  { number }: PlannedFile,
  bytesFreed: number,
): void {
  const { marked: _given, ...file } = present.get(number)!
  present.set(number, {
    ...file,
    needsSeal: false,
    diskBytes: file.diskBytes - bytesFreed,
    referencedBytesAtPunch: file.referencedBytes,
  })
}

/** The relocation of what survives. */
function rewritten(victims: readonly CollectibleFile[], number: FileNumber): CollectibleFile {
  const sums = victims.map(rewriteSums).reduce(addRewriteSums)
  const dead = new Set(victims.flatMap((file) => file.deadSegments))
  const survivors = victims.flatMap(heldSegments).filter((segment) => !dead.has(segment))
  const totalBytes = outputBytes(sums)
  return {
    number,
    kind: 'relocation',
    parts: survivors.map((segment) => ({ segment })),
    deadSegments: [number],
    totalBytes,
    referencedRecords: sums.records,
    referencedBytes: sums.copiedBytes,
    diskBytes: Math.ceil(totalBytes / sums.blockBytes) * sums.blockBytes,
    blockBytes: sums.blockBytes,
    needsSeal: false,
    pinnedBytes: victims.reduce((sum, file) => sum + (file.pinnedBytes ?? 0), 0),
  }
}
