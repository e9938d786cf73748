/**
 * Punch: whole blocks inside dead values of a file become holes, and the file stays where it is.
 *
 *   the current version is pinned, which is durable: what it does not point to can be needed by no later version and
 *   no crash (I12) -> reads end that the thread pool had begun by then -> the job marks against it and makes holes (I5)
 *
 * No edit: block counts tell what was punched, and a hole that a crash takes back costs only space. The job pins the
 * tables of its version, so they stay; no two steps work on one file, so the file does.
 */
import type { MarkResult } from '../../../vlog/collect/mark.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { PunchStep } from '../../contract/collection-plan.ts'
import { HOLE_BYTES_MIN } from '../plan/planning-rules.ts'
import {
  type CollectedStore,
  type MarkedStore,
  NOTHING_DONE,
  type StepControl,
  type StepResult,
} from './action.ts'
import type { KnownHoles } from './known-holes.ts'
import { victims } from './victims.ts'

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
  store: CollectedStore,
  holes: KnownHoles,
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
      known: holes.of(number),
    }
    const result = await runner.run(job, control)
    const { bytesFreed, supported, hasOtherNames, liveBytes, holesMade, holeMs, isWhole } = result
    holes.note(number, result.known, versions.current)
    if (hasOtherNames) space.noteNames(number)
    else if (supported && isWhole) referencedBytes = liveBytes
    const priced = { ...NOTHING_DONE.priced, holesMade, holeMs }
    return { ...NOTHING_DONE, bytesFreed, holesRefused: !supported, priced }
  } finally {
    pin.release()
    space.notePunched(number, referencedBytes)
  }
}
