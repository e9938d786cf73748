/** What the actions of the collector have in common: the store that they work on, how they are held, what they say. */
import type { Log } from '../../../vlog/log/log.ts'
import type { ValueReader } from '../../../vlog/read/value-reader.ts'
import type { FileNumber } from '../../base/ids.ts'
import type { JobRate } from '../../jobs/job-rate.ts'
import type { JobRunner } from '../../jobs/runner.ts'
import type { SpaceAccount } from '../../space/space.ts'
import type { VersionSet } from '../../tree/version/version-set.ts'

/** A store whose files are marked, and not changed. */
export interface MarkedStore {
  readonly directory: string
  readonly databaseId: Uint8Array
  readonly versions: Pick<VersionSet, 'current' | 'pinTables'>
  readonly runner: JobRunner
  readonly space: SpaceAccount
}

/** A store that actions change. */
export interface CollectedStore extends MarkedStore {
  readonly versions: VersionSet
  readonly values: ValueReader
  readonly log: Log
  /** Everything that is written, and the checkpoint to the end of the log. Waits for no writer. */
  readonly flush: () => Promise<void>
}

export interface StepControl {
  readonly signal: AbortSignal
  readonly rate: JobRate
  /** Called with the number of the file that a rewrite writes. */
  readonly began?: (file: FileNumber) => void
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

/** Of an edit alone. */
export const NOTHING_DONE: StepResult = {
  bytesFreed: 0,
  bytesCopied: 0,
  bytesWritten: 0,
  holes: 0,
  holesRefused: false,
}
