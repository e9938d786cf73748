/**
 * Punch: whole blocks inside dead values of a file become holes, and the file stays where it is.
 *
 *   the current version is pinned, which is durable: what it does not point to can be needed by no later version and
 *   no crash (I12) -> reads end that the thread pool had begun by then -> the job marks against it and makes holes (I5)
 *
 * No edit: block counts tell what was punched, and a hole that a crash takes back costs only space. The job pins the
 * tables of its version, so they stay; no two steps work on one file, so the file does.
 */
import type { HoleMarks } from '../../../vlog/collect/hole-marks.ts'
import { type KeptHeads, keptBytes } from '../../../vlog/collect/kept-heads.ts'
import type { MarkResult } from '../../../vlog/collect/mark.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { PunchStep } from '../../contract/collection-plan.ts'
import { HOLE_BYTES_MIN } from '../plan/planning-rules.ts'
import {
  type CollectorStore,
  type MarkedStore,
  NOTHING_DONE,
  type StepControl,
  type StepResult,
} from './action.ts'
import { FileHints } from './file-hints.ts'
import { victims } from './victims.ts'

/** Holes of files of 256 GiB together. */
const HOLES_BYTES_MAX = 8 * 1024 * 1024
/** Heads of files of 40 GiB together, with values of 64 KiB and keys of 16 bytes. */
const HEADS_BYTES_MAX = 16 * 1024 * 1024

/** What punches have found out about files that the next punch of the same file need not find anew. */
export class PunchHints {
  /** A punch makes only those that are new. */
  readonly holes: FileHints<HoleMarks> = new FileHints(HOLES_BYTES_MAX, ({ length }) => length)
  /** A punch walks no file whose heads are known. */
  readonly heads: FileHints<KeptHeads> = new FileHints(HEADS_BYTES_MAX, keptBytes)
}

/** What a punch of this file would give now. Changes nothing. */
export async function markFile(
  number: FileNumber,
  store: MarkedStore,
  control: StepControl,
): Promise<MarkResult['files'][number]> {
  const { versions } = store
  const { directory, databaseId, runner } = store.context
  const pin = versions.pinTables()
  try {
    const { files, tables } = victims(pin.version, [number], store)
    const job = {
      kind: 'mark' as const,
      directory,
      databaseId,
      files,
      tables,
      minimumHoleBytes: HOLE_BYTES_MIN,
    }
    const result = await runner.run(job, control)
    return result.files[0]!
  } finally {
    pin.release()
  }
}

export async function punch(
  step: PunchStep,
  store: CollectorStore,
  hints: PunchHints,
  control: StepControl,
): Promise<StepResult> {
  const { versions, values, space } = store
  const { directory, databaseId, runner } = store.context
  const { number } = step.file
  let referencedBytes: number | undefined
  const pin = versions.pinTables()
  try {
    const { files, tables } = victims(pin.version, [number], store)
    // A get that began before its record died may still read it; one that begins now cannot find it.
    await values.poolReadsEnded()
    const job = {
      kind: 'punch' as const,
      directory,
      databaseId,
      file: files[0]!,
      tables,
      minimumHoleBytes: HOLE_BYTES_MIN,
      holesMax: control.holesMax ?? Number.POSITIVE_INFINITY,
      known: hints.holes.of(number),
      heads: hints.heads.of(number),
    }
    const result = await runner.run(job, control)
    const { bytesFreed, supported, hasOtherNames, liveBytes, holesMade, holeMs, isWhole } = result
    hints.holes.note(number, result.known, versions.current)
    const heads = result.heads ?? job.heads
    if (heads) hints.heads.note(number, heads, versions.current)
    if (hasOtherNames) space.noteNames(number)
    else if (supported && isWhole) referencedBytes = liveBytes
    const priced = { ...NOTHING_DONE.priced, holesMade, holeMs }
    return { ...NOTHING_DONE, bytesFreed, holesRefused: !supported, priced }
  } finally {
    pin.release()
    space.notePunched(number, referencedBytes)
  }
}
