/** The files that an action takes: what a job needs to know of them, what they take on disk, what leaves with them. */
import type { VictimFile } from '../../../vlog/collect/victim.ts'
import { WiscError } from '../../base/errors.ts'
import type { FileNumber, SegmentNumber } from '../../base/ids.ts'
import { compareLogPositions } from '../../base/log-position.ts'
import type { PlannedFile } from '../../contract/collection-plan.ts'
import { type Pointing, pointingInto } from '../../space/pointing.ts'
import { segmentsOf, type Version } from '../../tree/version/version.ts'
import type { MarkedStore } from './action.ts'

/** The files themselves, and the tables that point to what they hold, and to how much. @throws WISC_STALE */
export function victims(
  version: Version,
  numbers: readonly FileNumber[],
  { space }: Pick<MarkedStore, 'space'>,
): Pointing & { readonly files: VictimFile[] } {
  const files = numbers.map((number) => victimFile(version, number))
  return { files, ...pointingInto(version, space.references, numbers) }
}

/** A file that may be taken. @throws WISC_STALE if there is none of this number */
export function victimFile(version: Version, number: FileNumber): VictimFile {
  const file = version.files.get(number)
  if (file?.role === 'relocation') {
    return { kind: 'relocation', number, salt: file.salt, length: file.length }
  }
  const end = file?.role === 'log' &&
    file.seal && { ordinal: file.ordinal, offset: file.seal.length }
  // I12: above the checkpoint records are in no table, and the log has to be replayed from there.
  if (file?.role !== 'log' || !end || compareLogPositions(end, version.checkpoint) > 0) {
    throw stale('the file has changed', number)
  }
  return { kind: 'segment', number, salt: file.salt, length: end.offset }
}

/** A plan does not fit any more: the next one is made of what is there now. @param what has happened since */
export function stale(what: string, number: FileNumber | SegmentNumber): WiscError {
  return new WiscError('WISC_STALE', `${what} since the plan was made number=${number}`)
}

/** What leaves a version with these files: their segments, but for those that `surviving` moves to another. */
export function segmentsLeft(
  version: Version,
  files: readonly PlannedFile[],
  surviving: ReadonlySet<SegmentNumber>,
): SegmentNumber[] {
  const segments = files.flatMap(({ number }) => segmentsOf(version, number))
  return segments.filter((segment) => !surviving.has(segment))
}

export function diskBytesOf(
  files: readonly PlannedFile[],
  { space }: Pick<MarkedStore, 'space'>,
): number {
  return files.reduce((sum, { number }) => sum + space.usage.ofValueLogFile(number), 0)
}
