/**
 * Carries out one step of a collection plan. Jobs make files and holes; here they become edits.
 *
 * The durable orders, and what they keep:
 *   drop     one edit without the files' segments; unlinked when no version holds them (I5, in the version set)
 *   rewrite  the job writes and syncs the new file -> directory synced, one edit that names it for the segments that
 *            it took over and leaves out the old files (I4) -> these are unlinked as above (I5)
 *   punch    the current version is pinned, which is durable: what it does not point to can be needed by no later
 *            version and no crash (I12) -> reads end that the thread pool had begun by then -> the job marks against
 *            it and makes holes (I5).
 *            No edit: block counts tell what was punched, and a hole that a crash takes back costs only space
 * A job pins the tables of its version, so they stay; no two steps work on one file, so its victims do.
 */

import type { MarkResult } from '../../../vlog/collect/mark.ts'
import type { ValueLogFile } from '../../../vlog/collect/victim.ts'
import type { Log } from '../../../vlog/log/log.ts'
import type { ValueReader } from '../../../vlog/read/value-reader.ts'
import { toWiscError, WiscError } from '../../base/errors.ts'
import { segmentName } from '../../base/files/file-names.ts'
import { compareLogPositions } from '../../base/log-position.ts'
import type {
  CollectionStep,
  PlannedFile,
  PunchStep,
  RewriteStep,
} from '../../contract/collection-plan.ts'
import type { JobRate } from '../../jobs/job-rate.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import { pointingInto } from '../../space/pointing.ts'
import type { SpaceAccount } from '../../space/space.ts'
import { logicalSegments } from '../../state/value-log-files.ts'
import type { TableMeta } from '../../tree/entry.ts'
import { isRelocated, type Version } from '../../tree/version/version.ts'
import type { VersionEdit } from '../../tree/version/version-edit.ts'
import type { VersionSet } from '../../tree/version/version-set.ts'
import { HOLE_BYTES_MIN } from '../plan/planner-options.ts'

export interface StepParts {
  readonly directory: string
  readonly databaseId: Uint8Array
  readonly versions: VersionSet
  readonly runner: JobRunner
  readonly values: ValueReader
  readonly log: Log
  readonly space: SpaceAccount
  /** Everything that is written, and the checkpoint to the end of the log. Waits for no writer. */
  readonly flush: () => Promise<void>
}

export interface StepControl {
  readonly signal: AbortSignal
  readonly rate: JobRate
  /** Called with the number of the file that a rewrite writes. */
  readonly began?: (file: number) => void
}

/** What a step did. Bytes of the file system's block counts; of records for what was copied. */
export interface StepResult {
  readonly bytesFreed: number
  readonly bytesCopied: number
  /** Bytes of relocations that were written. */
  readonly bytesWritten: number
  /** Punched, those of earlier times included. */
  readonly holes: number
  /** The platform refused to make holes. */
  readonly holesRefused: boolean
}

/** @throws WISC_ABORTED; CorruptionError for a record that fails its check, after which nothing has changed; IoError */
export async function runStep(
  step: CollectionStep,
  parts: StepParts,
  control: StepControl,
): Promise<StepResult> {
  if (control.signal.aborted) throw new WiscError('WISC_ABORTED', 'collection was cancelled')
  if (step.action !== 'forget' && step.seal) {
    await parts.log.seal()
    // The checkpoint passes the end of the segment: its last frames may be markers, which are in no memtable.
    await parts.flush()
  }
  if (step.action === 'drop') return drop(step.files, parts)
  if (step.action === 'forget') return forget(step.segments, parts)
  return step.action === 'punch' ? punch(step, parts, control) : rewrite(step, parts, control)
}

async function drop(files: readonly PlannedFile[], parts: StepParts): Promise<StepResult> {
  const { versions } = parts
  const bytesFreed = diskBytes(files, parts)
  for (const { number } of files) {
    valueLogFile(versions.current, number)
    // Writers may have gone on with the active segment until it was sealed.
    checkUnreferenced(logicalSegments(versions.current, number), parts)
  }
  await versions.apply(editWithout(versions.current, files, new Set()))
  return { bytesFreed, bytesCopied: 0, bytesWritten: 0, holes: 0, holesRefused: false }
}

async function forget(segments: readonly number[], parts: StepParts): Promise<StepResult> {
  const { versions } = parts
  checkUnreferenced(segments, parts)
  for (const number of segments) {
    // I12: a segment with a file of its own may hold what is in no table yet; it can only be dropped.
    const state = versions.current.segments.get(number)
    if (state === undefined || !isRelocated(state)) throw stale(number)
  }
  await versions.apply({ removedSegments: segments })
  return { bytesFreed: 0, bytesCopied: 0, bytesWritten: 0, holes: 0, holesRefused: false }
}

/** I8. @throws WISC_STALE if an entry points to any of these segments, or one is not in the version */
function checkUnreferenced(segments: readonly number[], { versions, space }: StepParts): void {
  const { current } = versions
  space.references.update(current)
  for (const segment of segments) {
    const state = current.segments.get(segment)
    if (state?.state === 'sealed' && space.references.of(segment) === undefined) continue
    throw stale(segment)
  }
}

function stale(segment: number): WiscError {
  const message = `the segment is in use since the plan was made number=${segment}`
  return new WiscError('WISC_STALE', message)
}

/** What a mark needs. */
export interface MarkParts
  extends Pick<StepParts, 'directory' | 'databaseId' | 'runner' | 'space'> {
  readonly versions: Pick<VersionSet, 'current' | 'pinTables'>
}

/** What a punch of this file would give now. */
export async function markFile(
  number: number,
  parts: MarkParts,
  control: StepControl,
): Promise<MarkResult['files'][number]> {
  const pin = parts.versions.pinTables()
  try {
    const { files, tables } = victims(pin.version, [number], parts)
    const job = {
      kind: 'mark' as const,
      ...place(parts),
      files,
      tables,
      minimumHoleBytes: HOLE_BYTES_MIN,
    }
    const result = await parts.runner.run(job, control)
    return result.files[0]!
  } finally {
    pin.release()
  }
}

async function punch(step: PunchStep, parts: StepParts, control: StepControl): Promise<StepResult> {
  const { number } = step.file
  const pin = parts.versions.pinTables()
  try {
    const { files, tables } = victims(pin.version, [number], parts)
    // A get that began before its record died may still read it; one that begins now cannot find it.
    await parts.values.poolReadsEnded()
    const job = {
      kind: 'punch' as const,
      ...place(parts),
      file: files[0]!,
      tables,
      minimumHoleBytes: HOLE_BYTES_MIN,
    }
    const result = await parts.runner.run(job, control)
    const { bytesFreed, supported, hasOtherNames, holes, liveBytes } = result
    if (hasOtherNames) parts.space.noteNames(number)
    else if (supported) parts.space.punched.set(number, liveBytes)
    return { bytesFreed, bytesCopied: 0, bytesWritten: 0, holes, holesRefused: !supported }
  } finally {
    pin.release()
    parts.space.usage.forget(segmentName(number))
  }
}

async function rewrite(
  step: RewriteStep,
  parts: StepParts,
  control: StepControl,
): Promise<StepResult> {
  const { versions, runner, space } = parts
  const fileNumber = versions.fileNumbers.take()
  control.began?.(fileNumber)
  const bytesBefore = diskBytes(step.files, parts)
  const pin = versions.pinTables()
  try {
    const numbers = step.files.map(({ number }) => number)
    const job = {
      kind: 'rewrite' as const,
      ...place(parts),
      ...victims(pin.version, numbers, parts),
      fileNumber,
    }
    const { relocation, bytesWritten } = await runner.run(job, control)
    const surviving = new Set(relocation?.parts.map(({ segment }) => segment))
    await publish(versions, fileNumber, {
      ...editWithout(versions.current, step.files, surviving),
      ...(relocation && { addedRelocations: [relocation] }),
    })
    const bytesCopied = relocation?.parts.reduce((sum, part) => sum + part.bytes, 0) ?? 0
    const output = relocation ? space.usage.allocated(segmentName(fileNumber)) : 0
    const bytesFreed = bytesBefore - output
    return { bytesFreed, bytesCopied, bytesWritten, holes: 0, holesRefused: false }
  } finally {
    pin.release()
  }
}

async function publish(versions: VersionSet, number: number, edit: VersionEdit): Promise<void> {
  try {
    await versions.apply(edit)
  } catch (error) {
    // As soon as no crash can bring the edit back.
    if (edit.addedRelocations) versions.discard({ kind: 'segment', number })
    throw toWiscError(error)
  }
}

/** The edit that takes files out of a version; segments in `surviving` move to another file. */
function editWithout(
  version: Version,
  files: readonly PlannedFile[],
  surviving: ReadonlySet<number>,
): VersionEdit {
  const segments = files.flatMap(({ number }) => logicalSegments(version, number))
  return {
    removedSegments: segments.filter((segment) => !surviving.has(segment)),
    removedRelocations: files.flatMap(({ kind, number }) =>
      kind === 'relocation' ? [number] : [],
    ),
  }
}

/** What a job needs to know of files: themselves, and the tables that point to what they hold. */
function victims(
  version: Version,
  numbers: readonly number[],
  { space }: Pick<StepParts, 'space'>,
): { files: ValueLogFile[]; tables: TableMeta[]; liveRecords: number } {
  const { tables, records } = pointingInto(version, space.references, numbers)
  const files = numbers.map((number) => valueLogFile(version, number))
  return { files, tables, liveRecords: records }
}

function valueLogFile(version: Version, number: number): ValueLogFile {
  const relocation = version.relocations.get(number)
  if (relocation)
    return { kind: 'relocation', number, salt: relocation.salt, length: relocation.length }
  const segment = version.segments.get(number)
  const isOurs =
    segment?.state === 'sealed' &&
    !isRelocated(segment) &&
    // I12: above the checkpoint records are in no table, and the log has to be replayed from there.
    compareLogPositions({ segment: number, offset: segment.length }, version.checkpoint) <= 0
  if (!isOurs) {
    throw new WiscError(
      'WISC_STALE',
      `the file has changed since the plan was made number=${number}`,
    )
  }
  return { kind: 'segment', number, salt: segment.salt, length: segment.length }
}

function diskBytes(files: readonly PlannedFile[], { space }: StepParts): number {
  return files.reduce((sum, { number }) => sum + space.usage.allocated(segmentName(number)), 0)
}

function place({ directory, databaseId }: Pick<StepParts, 'directory' | 'databaseId'>): {
  directory: string
  databaseId: Uint8Array
} {
  return { directory, databaseId }
}
