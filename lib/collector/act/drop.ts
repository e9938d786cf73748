/**
 * Drop and forget: what no entry points to goes, by an edit alone.
 *
 *   drop     every record of the files is below the checkpoint (I12) and no entry points to any (I8) -> one edit
 *            without the files' segments -> the version set has the files unlinked when no version holds them (I5)
 *   forget   the same of segments whose records were moved: the file stays, for what else it holds
 *
 * Whether anything points to them is asked anew, of the current version, in the same turn as the edit begins: writers
 * may have gone on since the plan was made.
 */
import type { SegmentNumber } from '../../base/ids.ts'
import type { PlannedFile } from '../../contract/collection-plan.ts'
import { fileOf, isOpen, segmentsOf } from '../../tree/version/version.ts'
import { type CollectorStore, NOTHING_DONE, type StepResult } from './action.ts'
import { diskBytesOf, segmentsLeft, stale, victimFile } from './victims.ts'

const IN_USE = 'the segment is in use'

/** @throws WISC_STALE if they are in use by now */
export async function drop(
  files: readonly PlannedFile[],
  store: CollectorStore,
): Promise<StepResult> {
  const { versions, space } = store
  const bytesFreed = diskBytesOf(files, store)
  for (const { number } of files) {
    // A stream is none: it is never read by a step, and held as long as it has to be.
    if (versions.current.files.get(number)?.role !== 'stream') victimFile(versions.current, number)
    // Writers may have gone on with the active segment until it was sealed.
    checkUnreferenced(segmentsOf(versions.current, number), store)
  }
  await versions.apply({ removedSegments: segmentsLeft(versions.current, files, new Set()) })
  space.dead.follow(versions.current)
  return { ...NOTHING_DONE, bytesFreed }
}

/** @throws WISC_STALE if they are in use by now, or not in a relocation */
export async function forget(
  segments: readonly SegmentNumber[],
  store: CollectorStore,
): Promise<StepResult> {
  const { versions, space } = store
  checkUnreferenced(segments, store)
  for (const number of segments) {
    // I12: a segment in the file of its own number may hold what is in no table yet; it can only be dropped.
    if (versions.current.segments.get(number) === number) throw stale(IN_USE, number)
  }
  await versions.apply({ removedSegments: segments })
  space.dead.follow(versions.current)
  return NOTHING_DONE
}

/** I8. @throws WISC_STALE if an entry points to any of these segments, or one is not in the version */
function checkUnreferenced(
  segments: readonly SegmentNumber[],
  { versions, space }: CollectorStore,
): void {
  const { current } = versions
  space.references.update(current)
  for (const segment of segments) {
    const file = fileOf(current, segment)
    const mayGo = file !== undefined && !isOpen(file) && !space.holdsStream(file.number)
    if (!mayGo || space.references.of(segment) !== undefined) throw stale(IN_USE, segment)
  }
}
