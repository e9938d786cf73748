/**
 * The directory as an open found it: each file of the version was asked for once, and all names were read once. The
 * accounts of what comes and goes begin with that.
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
