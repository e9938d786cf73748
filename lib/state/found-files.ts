/**
 * What lay in the directory when the files of a version were found: each was asked for once, and all names were read
 * once, so that nobody has to again who keeps account of what comes and goes from then on.
 */
import type { FileNumber } from '../base/ids.ts'
import type { Version } from '../tree/version/version.ts'

export interface FoundFiles {
  /** The version whose files were found. */
  readonly version: Version
  /**
   * Allocated bytes of those files that change no more: tables, sealed segments, relocations. Whoever keeps account of
   * them takes the map over.
   */
  readonly allocated: Map<FileNumber, number>
  /** Every name in the directory that is not of a file of the version. */
  readonly others: readonly string[]
  /** Files of this number or above were made since. */
  readonly nextNumber: FileNumber
}
