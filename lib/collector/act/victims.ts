/** The files that an action takes: what a job needs to know of them, what they take on disk, the edit without them. */
import type { ValueLogFile } from '../../../vlog/collect/victim.ts'
import { WiscError } from '../../base/errors.ts'
import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import { compareLogPositions } from '../../base/log-position.ts'
import type { PlannedFile } from '../../contract/collection-plan.ts'
import { pointingInto } from '../../space/pointing.ts'
import { logicalSegments } from '../../state/value-log-files.ts'
import type { TableMeta } from '../../tree/entry.ts'
import { isRelocated, type Version } from '../../tree/version/version.ts'
import type { VersionEdit } from '../../tree/version/version-edit.ts'
import type { MarkedStore } from './action.ts'

/** The files themselves, and the tables that point to what they hold. @throws WISC_STALE */
export function victims(
  version: Version,
  numbers: readonly FileNumber[],
  { space }: Pick<MarkedStore, 'space'>,
): { files: ValueLogFile[]; tables: TableMeta[]; liveRecords: number } {
  const { tables, records } = pointingInto(version, space.references, numbers)
  const files = numbers.map((number) => valueLogFile(version, number))
  return { files, tables, liveRecords: records }
}

/** A file that may be taken. @throws WISC_STALE if there is none of this number */
export function valueLogFile(version: Version, number: FileNumber): ValueLogFile {
  const relocation = version.relocations.get(number)
  if (relocation)
    return { kind: 'relocation', number, salt: relocation.salt, length: relocation.length }
  // A segment's own file bears its number.
  const segment = version.segments.get(number as number)
  const isOurs =
    segment?.state === 'sealed' &&
    !isRelocated(segment) &&
    // I12: above the checkpoint records are in no table, and the log has to be replayed from there.
    compareLogPositions({ segment: segment.number, offset: segment.length }, version.checkpoint) <=
      0
  if (!isOurs) {
    throw new WiscError(
      'WISC_STALE',
      `the file has changed since the plan was made number=${number}`,
    )
  }
  return { kind: 'segment', number, salt: segment.salt, length: segment.length }
}

/** The edit that takes files out of a version; segments in `surviving` move to another file. */
export function editWithout(
  version: Version,
  files: readonly PlannedFile[],
  surviving: ReadonlySet<SegmentNumber>,
): VersionEdit {
  const segments = files.flatMap(({ number }) => logicalSegments(version, number))
  return {
    // Under its own number a relocation is no segment of the version before it has gone.
    removedSegments: segments.filter(
      (segment) => !surviving.has(segment) && !version.relocations.has(segment as number),
    ),
    removedRelocations: files.flatMap(({ kind, number }) =>
      kind === 'relocation' ? [number] : [],
    ),
  }
}

export function diskBytesOf(
  files: readonly PlannedFile[],
  { space }: Pick<MarkedStore, 'space'>,
): number {
  return files.reduce((sum, { number }) => sum + space.usage.ofValueLogFile(number), 0)
}
