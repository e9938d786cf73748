/**
 * Recovery: from the files of a store to a version, a log that goes on, and memtables that hold its tail.
 *
 * The durable order of a writable open (steps 1 to 3 of the log are those of vlog/recovery):
 *   1. Everything is read and checked first: CURRENT, manifest, lengths of all files, the log from the checkpoint
 *      to its end. Corruption ends the open here, and nothing has been written.
 *   2. Bytes of a torn tail are copied to lost/, synced, names too.
 *   3. Valid frames beyond the proved end are copied to a new segment, synced, its name too.
 *   4. One edit (the first of a new manifest, which CURRENT then names durably) says: old segments end at
 *      the proved end, the copy follows, empty ones are gone (I2, I4). Only now files are unlinked (I5).
 *   5. Orphans are removed, now that all that is needed is known to be there (sweep-orphans.ts).
 *   6. The log goes on in a new segment; the records behind the checkpoint are replayed into memtables.
 * A crash in any step leaves either the old manifest with its log untouched, or the new one.
 */

import type { NewSegment } from '../../vlog/log/log-parts.ts'
import { type LostRange, largestLostNumber, setAside } from '../../vlog/recovery/lost.ts'
import { type LogRecoveryPlan, planLogRecovery } from '../../vlog/recovery/recovery-plan.ts'
import { durableEditOfStrays } from '../../vlog/recovery/stray-segments.ts'
import { type KnownSegment, type LogSurvey, surveyLog } from '../../vlog/recovery/survey.ts'
import { type CopiedTail, copyTail, type UnprovedTail } from '../../vlog/recovery/tail-copy.ts'
import { CorruptionError, toWiscError, WiscError } from '../base/errors.ts'
import {
  joinPath,
  manifestName,
  mayBeGiven,
  parseFileName,
  segmentName,
  tableName,
} from '../base/files/file-names.ts'
import type { StoreDirectory } from '../base/files/store-directory.ts'
import { unlinkIfPossible } from '../base/files/unlink.ts'
import type { FileNumber, LogOrdinal, Sequence } from '../base/ids.ts'
import { compareLogPositions, type LogPosition } from '../base/log-position.ts'
import { type Random, randomU32 } from '../base/random.ts'
import type { RecoveryReport } from '../contract/types.ts'
import type { FoundFiles } from '../state/found-files.ts'
import { tablesOf } from '../state/tables.ts'
import type { ReadManifest } from '../tree/version/manifest-reader.ts'
import { fileLength, logFiles, nextOrdinal, type Version } from '../tree/version/version.ts'
import type { VersionEdit } from '../tree/version/version-edit.ts'
import type { VersionSet } from '../tree/version/version-set.ts'

export function emptyReport(): RecoveryReport {
  return {
    clean: false,
    surveyMs: 0,
    tailBytesCopied: 0,
    tailCopyMs: 0,
    tornBytes: 0,
    tornBytesNotKept: 0,
    replayedRecords: 0,
    replayMs: 0,
  }
}

/** After a crash sequences go on this far above any that may have been used. */
const SEQUENCE_JUMP = 2 ** 32

export interface RecoveredLog {
  readonly files: FoundFiles
  readonly end: LogPosition
  /** Of the next file of the log. */
  readonly nextOrdinal: LogOrdinal
  readonly lastSequence: Sequence
  readonly nextSequence: Sequence
}

/**
 * The files of the log of a version that a survey has to see, in its order. Nearly all lie wholly before the
 * checkpoint: of neighbours that do the last one alone says where the log goes on.
 */
function knownSegments(version: Version): KnownSegment[] {
  const known: KnownSegment[] = []
  let isLastPassed = false
  for (const { number, ordinal, salt, seal } of logFiles(version)) {
    const isPassed = seal !== undefined && isCovered(version, ordinal, seal.length)
    if (isPassed && isLastPassed) known.pop()
    known.push({ number, ordinal, salt, sealed: seal })
    isLastPassed = isPassed
  }
  return known
}

function isCovered({ checkpoint }: Version, ordinal: LogOrdinal, length: number): boolean {
  return compareLogPositions({ ordinal, offset: length }, checkpoint) <= 0
}

/** What was found of a store: its log, and its files. */
export interface StoreSurvey extends LogSurvey {
  readonly files: FoundFiles
  readonly lastSealed: KnownSegment | undefined
}

/**
 * Reads and checks everything that a version needs; writes nothing.
 * @param newest the manifest as it is by the end: a reader without the lock reads it once more
 * @throws CorruptionError, IoError
 */
export function surveyStore(
  context: StoreDirectory,
  manifest: ReadManifest,
  newest: () => ReadManifest = () => manifest,
): StoreSurvey {
  const { version } = manifest
  const files = findFiles(context, version, (error) => {
    throw error
  })
  const known = knownSegments(version)
  const survey = surveyLog(context, known, version.checkpoint, version.durable)
  const ofStrays = durableEditOfStrays(context, files.others)
  const durableEdit = Math.max(survey.durableEdit, ofStrays)
  const reached = durableEdit > manifest.lastEditNumber ? newest() : manifest
  if (durableEdit > reached.lastEditNumber) {
    throw new CorruptionError(
      manifestName(reached.number),
      reached.validBytes,
      `manifest ends before edit ${durableEdit}, which the log names as durable:`,
    )
  }
  return { ...survey, files, lastSealed: lastSealedOf(known) }
}

function lastSealedOf(known: readonly KnownSegment[]): KnownSegment | undefined {
  return known.findLast(({ sealed }) => sealed !== undefined)
}

/**
 * Surveys a store of which files may be missing or damaged. Where the log cannot be read, it ends at the checkpoint.
 * @param damage takes all that is wrong
 */
export function surveyDamaged(
  context: StoreDirectory,
  { version }: ReadManifest,
  damage: WiscError[],
): StoreSurvey {
  const files = findFiles(context, version, (error) => damage.push(error))
  const { checkpoint, durable, lastSequence } = version
  const known = knownSegments(version)
  const lastSealed = lastSealedOf(known)
  try {
    return { ...surveyLog(context, known, checkpoint, durable), files, lastSealed }
  } catch (error) {
    if (!(error instanceof WiscError) || error.code === 'WISC_INTERNAL') throw error
    damage.push(error)
    return {
      files,
      lastSealed,
      provedEnd: checkpoint,
      end: checkpoint,
      endFile: version.log.get(checkpoint.ordinal) ?? 0,
      reason: undefined,
      open: [],
      lastSequence,
      highestSequence: lastSequence,
      durableEdit: 0,
    }
  }
}

/**
 * Every table and sealed segment must be there, with its length. The names are read first, so that what a writer makes
 * beside a reader is no stranger then.
 * @param wrong called with each that is not so
 */
export function findFiles(
  { fileSystem, directory }: StoreDirectory,
  version: Version,
  wrong: (error: CorruptionError) => void,
): FoundFiles {
  const names = fileSystem.list(directory)
  const allocated = new Map<FileNumber, number>()
  const find = (number: FileNumber, name: string, needed: number, exact: boolean): void => {
    const stat = fileSystem.statPath(joinPath(directory, name))
    if (!stat) wrong(new CorruptionError(name, 0, 'file is missing'))
    else if (stat.kind !== 'file') {
      wrong(new CorruptionError(name, 0, 'no regular file has this name: put the file back'))
    } else if (stat.size < needed || (exact && stat.size > needed)) {
      wrong(new CorruptionError(name, Math.min(stat.size, needed), 'file has another length'))
    } else allocated.set(number, stat.allocated)
  }
  for (const { number, bytes } of tablesOf(version)) find(number, tableName(number), bytes, true)
  for (const file of version.files.values()) {
    const length = fileLength(file)
    if (length !== undefined)
      find(file.number, segmentName(file.number), length, file.role !== 'log')
  }
  const others = names.filter((name) => !isOfVersion(version, name))
  return { version, allocated, others, nextNumber: version.nextFileNumber }
}

function isOfVersion({ tables, files }: Version, name: string): boolean {
  const file = parseFileName(name)
  if (file === undefined || file.kind === 'manifest') return false
  return file.kind === 'table' ? tables.has(file.number) : files.has(file.number)
}

/**
 * Brings a surveyed store into the state from which it goes on (steps 2 to 4).
 * @returns where the log goes on
 */
export async function recoverLog(
  context: StoreDirectory,
  random: Random,
  versions: VersionSet,
  manifest: ReadManifest,
  survey: StoreSurvey,
  report: RecoveryReport,
): Promise<RecoveredLog> {
  const { version } = manifest
  const { lastSealed } = survey
  const plan = planLogRecovery(survey, lastSealed?.sealed?.lastSequence ?? 0)
  skipSeenNumbers(context, versions, survey.files)
  const files = { ...survey.files, nextNumber: versions.fileNumbers.next }
  setTornAside(context, manifest, plan, report)
  const kept = plan.seal.at(-1)
  const keptEnd = kept
    ? { ordinal: kept.ordinal, offset: kept.length }
    : endOfSealed(version, lastSealed)
  const { copy } = plan
  // Why not the last edit that was read: it may be known to the page cache alone until the new manifest is durable.
  const { durableEdit } = survey
  const tail = { copy, predecessor: keptEnd, durable: keptEnd, durableEdit }
  const copied =
    copy.length === 0
      ? undefined
      : copyUnproved(context, newSegment(random, versions), tail, report)
  const end = copied ? { ordinal: copied.ordinal, offset: copied.length } : keptEnd
  report.clean =
    version.cleanEnd !== undefined &&
    compareLogPositions(version.cleanEnd, end) === 0 &&
    plan.copy.length === 0 &&
    plan.torn.length === 0
  try {
    await versions.apply(recoveryEdit(plan, copied, end, survey.lastSequence))
  } catch (error) {
    // A refused write (a failed sync has another code): the edit is nowhere, and the next attempt needs the room.
    if (copied && toWiscError(error).code === 'WISC_DISK_FULL') {
      unlinkIfPossible(context.fileSystem, joinPath(context.directory, segmentName(copied.number)))
    }
    throw error
  }
  const lastSequence = Math.max(survey.lastSequence, version.lastSequence)
  const highest = Math.max(lastSequence, survey.highestSequence)
  const nextSequence = report.clean ? highest + 1 : highest + SEQUENCE_JUMP
  const next = (copied?.ordinal ?? nextOrdinal(version) - 1) + 1
  return { files, end, nextOrdinal: next, lastSequence, nextSequence }
}

/** Where the sealed log ends; if the collector has reclaimed its last segments, at the checkpoint. */
function endOfSealed({ log, checkpoint }: Version, last: KnownSegment | undefined): LogPosition {
  const end = { ordinal: last?.ordinal ?? 0, offset: last?.sealed?.length ?? 0 }
  const collected = !log.has(checkpoint.ordinal) && compareLogPositions(end, checkpoint) < 0
  return collected ? checkpoint : end
}

/** Numbers of files that no version knows, those in lost/ included, are never given again. */
function skipSeenNumbers(
  context: StoreDirectory,
  versions: VersionSet,
  { others }: FoundFiles,
): void {
  const next = versions.current.nextFileNumber
  let largest = largestLostNumber(context, next)
  for (const name of others) {
    const number = parseFileName(name)?.number ?? 0
    if (mayBeGiven(number, next)) largest = Math.max(largest, number)
  }
  versions.fileNumbers.skip(largest)
}

function setTornAside(
  context: StoreDirectory,
  manifest: ReadManifest,
  plan: LogRecoveryPlan,
  report: RecoveryReport,
): void {
  const ranges: LostRange[] = plan.torn.map(({ segment, from, to }) => ({
    name: segmentName(segment),
    from,
    to,
  }))
  for (const { from, to } of plan.torn) report.tornBytes += to - from
  if (manifest.tornBytes > 0) {
    const from = manifest.validBytes
    ranges.push({ name: manifestName(manifest.number), from, to: from + manifest.tornBytes })
  }
  report.tornBytesNotKept = setAside(context, ranges).uncopiedBytes
}

function newSegment(random: Random, { fileNumbers, current }: VersionSet): NewSegment {
  return { number: fileNumbers.take(), salt: randomU32(random), ordinal: nextOrdinal(current) }
}

function copyUnproved(
  context: StoreDirectory,
  target: NewSegment,
  tail: UnprovedTail,
  report: RecoveryReport,
): CopiedTail {
  const began = performance.now()
  const copied = copyTail(context, target, tail)
  context.fileSystem.syncDirectory(context.directory)
  report.tailBytesCopied = copied.length
  report.tailCopyMs = performance.now() - began
  return copied
}

function recoveryEdit(
  plan: LogRecoveryPlan,
  copied: CopiedTail | undefined,
  end: LogPosition,
  lastSequence: Sequence,
): VersionEdit {
  return {
    durable: end,
    lastSequence,
    addedFiles: copied ? [{ role: 'log', ...copied }] : [],
    sealedFiles: copied ? [...plan.seal, copied] : plan.seal,
    removedSegments: plan.drop,
  }
}
